# A pass is killed at each file of the state directory that is about to be put in place or removed; the next one finishes or goes back.
# bed: --mock --proxy --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/crash.bash"
crash_story file 50
