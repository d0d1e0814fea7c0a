# Sourced in the labs that another lab's scenario asks for (other): what a git server is, as an operator would make one of what
# Debian has. The repositories are in /srv/git: over ssh for user git, who has git-shell and no more, and over https with basic
# authentication, by a certificate of a CA made here.

# git_server NAME…: this lab is one, with these empty repositories. Nobody is let in yet.
git_server() {
    local name
    useradd --create-home --home-dir /srv/git --shell /usr/bin/git-shell git
    install -d -o git -m 700 /srv/git/.ssh
    mkdir -p /srv/tls
    # sshd's user and lighttpd's read the same repositories.
    chmod 755 /srv/git
    git config --system safe.directory '*'
    for name; do
        as_git git init -q --bare -b main "/srv/git/$name.git"
    done
    cat >/etc/lighttpd/lighttpd.conf <<'END'
server.modules = ("mod_openssl", "mod_auth", "mod_authn_file", "mod_alias", "mod_setenv", "mod_cgi")
server.document-root = "/srv/none"
server.username = "www-data"
server.groupname = "www-data"
server.port = 443
ssl.engine = "enable"
ssl.pemfile = "/srv/tls/server.pem"
ssl.privkey = "/srv/tls/server.key"
auth.backend = "plain"
auth.backend.plain.userfile = "/srv/tls/users"
auth.require = ("/git/" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
alias.url = ("/git" => "/usr/lib/git-core/git-http-backend")
cgi.assign = ("" => "")
setenv.add-environment = ("GIT_PROJECT_ROOT" => "/srv/git", "GIT_HTTP_EXPORT_ALL" => "")
END
}

# as_git COMMAND…
as_git() {
    runuser -u git -- "$@"
}

# lets_in KEY…: those with these public keys may pull and push, and nobody else.
lets_in() {
    printf '%s\n' "$@" >/srv/git/.ssh/authorized_keys
    chown git /srv/git/.ssh/authorized_keys
}

# host_keys: it has new ones.
host_keys() {
    rm -f /etc/ssh/ssh_host_*
    ssh-keygen -q -A
    systemctl restart ssh.service
}

# authority NAME: a CA, /srv/tls/NAME.pem.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$1" \
        -keyout "/srv/tls/$1.key" -out "/srv/tls/$1.pem"
}

# certificate AUTHORITY NAME [OPTION]…: what it shows over https from now on.
certificate() {
    local authority=/srv/tls/$1 name=$2
    shift 2
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
        -keyout /srv/tls/server.key -out /srv/tls/server.csr
    openssl x509 -req -in /srv/tls/server.csr -CA "$authority.pem" -CAkey "$authority.key" -copy_extensions copy \
        -out /srv/tls/server.pem "$@"
    # Its unit is up before it listens.
    systemctl restart lighttpd.service
    soon 60 eval '[ -n "$(ss -Hltn "sport = :443")" ]'
}
