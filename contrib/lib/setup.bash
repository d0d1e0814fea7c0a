# Sourced by contrib/check and contrib/demo: installs what is missing, builds a preset.

# What a build needs, and what the tests need besides, as Debian names it.
GPUPART_BUILD_PACKAGES=(
    gcc cmake ninja-build pkg-config
    libyaml-dev libgit2-dev libpci-dev libvirt-dev libsystemd-dev libxml2-dev libjansson-dev nettle-dev
)
GPUPART_TEST_PACKAGES=(
    libcriterion-dev libfuse3-dev fuse3 clang llvm libclang-rt-14-dev
    libvirt-daemon-system libvirt-daemon libvirt-clients qemu-system-x86 qemu-utils
    systemd systemd-sysv util-linux iproute2 procps git openssh-server openssh-client python3 python3-jsonschema python3-yaml cmark-gfm
    jq curl openssl strace binutils libxml2-utils xsltproc shellcheck
)
# What the lab's images are made with (tests/lab/image); the emulator is among those of the tests.
GPUPART_LAB_PACKAGES=(mmdebstrap debian-archive-keyring busybox-static cpio kmod e2fsprogs xz-utils)

# Under a package manager that is busy (unattended upgrades on a fresh machine) this waits.
gpupart_install() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
            missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "These packages are missing, and installing them needs root: ${missing[*]}" >&2
        return 77
    fi
    echo "Installing ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    # No daemon is started by installing it: the tests bring their own, each in a machine of its own.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=1
    fi
    local log status=0
    log=$(mktemp)
    { apt-get -o DPkg::Lock::Timeout=300 update -qq &&
        apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1 || status=$?
    [ -z "$made" ] || rm -f "$policy"
    [ "$status" -eq 0 ] || tail -n 20 "$log" >&2
    rm -f "$log"
    return "$status"
}

# gpupart_build PRESET: configures (once) and builds; says nothing unless it fails.
gpupart_build() {
    local preset=$1 log status=0
    log=$(mktemp)
    { { [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset"; } &&
        cmake --build --preset "$preset"; } >"$log" 2>&1 || status=$?
    [ "$status" -eq 0 ] || { grep -E 'error|FAILED|Error' "$log" | head -n 40; tail -n 20 "$log"; } >&2
    rm -f "$log"
    return "$status"
}
