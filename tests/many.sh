#!/bin/sh
# All tests again and again: `many.sh 20`. Ends with the first run that fails, keeps what that printed, and says how
# long each run took.
set -eu
cd "$(dirname "$0")/.."
times=${1:-20}
log=${CARGO_TARGET_DIR:-target}/many.log

cargo build --workspace --bins --examples
cargo nextest run --workspace --no-run
run=0
while [ "$run" -lt "$times" ]; do
    run=$((run + 1))
    began=$(date +%s)
    if ! cargo nextest run --workspace --color never >"$log" 2>&1; then
        grep -E '^ +(FAIL|SIGABRT|TIMEOUT)|Summary|^error' "$log" >&2 || true
        echo "Run $run of $times failed after $(($(date +%s) - began)) s. It is in $log; the data of the stacks that failed stays under target." >&2
        exit 1
    fi
    printf 'run %s of %s: %s s, %s\n' "$run" "$times" "$(($(date +%s) - began))" "$(sed -n 's/.*Summary \[.*\] *//p' "$log")"
done
