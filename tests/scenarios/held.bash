# Somebody else who has the lock of the repository in the state directory; sourced by the stories of it.

# hold: somebody brings the repository up to date until `let_go`.
hold() {
    rm -f held
    python3 -c '
import fcntl, os, struct, time
F_OFD_SETLK = 37
fd = os.open("state/git.lock", os.O_RDWR | os.O_CREAT)
fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
open("held", "w").close()
time.sleep(3600)' &
    holder=$!
    soon 10 test -e held
}
let_go() {
    kill "$holder"
    wait "$holder" || :
}
