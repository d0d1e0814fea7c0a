# A pass is killed before and after each call that changes a guest; the next one finishes or goes back.
# bed: --mock --proxy --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/crash.bash"
crash_story call 48
