# What the tests here share; sourced.
# shellcheck source-path=SCRIPTDIR/../bed
. "$(dirname "$0")/../bed/expect.bash"

# CMD fails; what it says goes to stdout as it is.
expect_failing() {
    ! "$@"
}
