#!/bin/sh
# Changes shared/domain in one small way after the other and runs its unit tests on each mutant. One that no test notices
# survives. Usage:
#
#   tests/mutants.sh            all of shared/domain: fails if more than 15 survive
#   tests/mutants.sh changed    what differs from the base commit: fails if one survives. The base is BASE=, otherwise the
#                               merge base with origin/main, otherwise the commit before. It ends after MUTANTS_SECONDS=.
#
# CARGO_MUTANTS_JOBS=2 tests two mutants at a time. The lists are in .local/mutants/mutants.out.
set -eu
cd "$(dirname "$0")/.."
home=.local/mutants
out=$home/mutants.out

fail() {
    echo "$1" >&2
    exit 1
}

# The commit that changed lines are compared with. Nothing if the history does not say: an export, a shallow clone.
base() {
    if [ -n "${BASE:-}" ]; then
        git rev-parse --verify --quiet "$BASE^{commit}" || fail "BASE=$BASE is not a commit here."
        return
    fi
    head=$(git rev-parse --verify --quiet HEAD 2>/dev/null) || return 0
    merge_base=$(git merge-base HEAD refs/remotes/origin/main 2>/dev/null) || merge_base=$head
    if [ "$merge_base" != "$head" ]; then
        echo "$merge_base"
    else
        git rev-parse --verify --quiet 'HEAD^' || true
    fi
}

count() {
    if [ -f "$out/$1.txt" ]; then wc -l <"$out/$1.txt" | tr -d ' '; else echo 0; fi
}

mkdir -p "$home"
rm -rf "$out"
case ${1:-all} in
all)
    survivors_max=15
    set --
    ;;
changed)
    survivors_max=0
    base=$(base)
    if [ -z "$base" ]; then
        echo "mutants: the commit before this one is not here, so which lines changed is not known; none is tested."
        exit 0
    fi
    git diff --no-ext-diff --no-color --src-prefix=a/ --dst-prefix=b/ "$base" -- shared/domain/src >"$home/changed.diff"
    if [ ! -s "$home/changed.diff" ]; then
        echo "mutants: shared/domain is as it was at $base; none is tested."
        exit 0
    fi
    set -- --in-diff "$home/changed.diff"
    ;;
*) fail "Usage: tests/mutants.sh [changed]" ;;
esac

infra/tools/install-crate cargo-mutants
# The copy that is changed has a target folder of its own.
unset CARGO_TARGET_DIR
limit=
if [ "$survivors_max" -eq 0 ]; then limit="timeout --signal=INT ${MUTANTS_SECONDS:-600}"; fi
status=0
PATH="$PWD/.local/tools/cargo-mutants/bin:$PATH" $limit \
    cargo mutants --package spillway-domain --output "$home" --no-times --colors never "$@" || status=$?

# 2: some survived. 3: some did not end, which a test has noticed. 124: the time was up.
case $status in
0 | 2 | 3) ;;
124) echo "mutants: the time was up; those tested until then count." ;;
*) fail "mutants: cargo-mutants could not finish (status $status)." ;;
esac
survivors=$(count missed)
caught=$(($(count caught) + $(count timeout)))
echo "mutants: $((caught + survivors)) tested, $caught caught ($(count timeout) of them did not end), $survivors survived; $(count unviable) did not compile."
if [ "$survivors" -gt "$survivors_max" ]; then
    cat "$out/missed.txt"
    fail "mutants: at most $survivors_max may survive. Write the test that notices them, or delete the code that nothing needs."
fi
