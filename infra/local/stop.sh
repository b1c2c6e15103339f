#!/bin/sh
# Ends the stack that runs on $DATA and waits until it is gone. `stop.sh running` only says whether there is one.
set -eu
: "${DATA:=.local}"

name() {
    cat "/proc/$1/comm" 2>/dev/null || ps -p "$1" -o comm= 2>/dev/null || true
}

# A runner that was killed leaves its number behind, which may be another program's by now.
pid=$(cat "$DATA/runner.lock" 2>/dev/null || true)
case $([ -z "$pid" ] || name "$pid") in
*spillway-local*) ;;
*) pid= ;;
esac

if [ "${1:-}" = running ]; then
    [ -n "$pid" ]
    exit
fi
if [ -z "$pid" ]; then
    echo "No stack runs on $DATA."
    exit 0
fi
kill "$pid" 2>/dev/null || true
tries=100
while kill -0 "$pid" 2>/dev/null; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.1
done
