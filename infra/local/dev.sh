#!/bin/sh
# Builds everything and runs the stack: `dev.sh dev` with the runner's own host, `dev.sh watch` with the functions
# under `cargo lambda watch`. DETACH=1 returns when the stack is ready, with its output in $DATA/dev.log.
set -eu
cd "$(dirname "$0")/../.."
mode=$1
: "${DATA:=.local}" "${REBUILD:=1}" "${WATCH_PORT:=9001}"
export DATA REBUILD
# What ends the stack of this folder.
stop="make stop"
[ "$DATA" = .local ] || stop="make stop DATA=$DATA"
runner=${CARGO_TARGET_DIR:-target}/debug/spillway-local

fail() {
    echo "$1" >&2
    exit 1
}

build() {
    command -v cargo >/dev/null || fail "cargo is missing: install Rust with rustup, see https://rustup.rs."
    command -v cc >/dev/null || fail "A C compiler is missing (on Debian: apt install build-essential)."
    # All but the tests, which the stack does not need.
    cargo build --workspace --bins || fail "The build failed: cargo says why above."
}

# The runner writes the functions' environment, and they must be there before it is ready.
watch() {
    rm -f "$DATA/functions.env"
    WATCH_URL="http://127.0.0.1:$WATCH_PORT" "$runner" &
    runner_pid=$!
    watch_pid=
    trap 'kill $runner_pid $watch_pid 2>/dev/null || true; wait' EXIT
    trap 'exit 0' INT TERM HUP
    until [ -s "$DATA/functions.env" ]; do
        kill -0 "$runner_pid" 2>/dev/null || exit 1
        sleep 0.1
    done
    PATH="$PWD/.local/tools/cargo-lambda/bin:$PATH" cargo lambda watch \
        --invoke-address 127.0.0.1 --invoke-port "$WATCH_PORT" --env-file "$DATA/functions.env" &
    watch_pid=$!
    # Neither is of use without the other, and a runner without it would only wait for it in vain.
    while kill -0 "$runner_pid" 2>/dev/null && kill -0 "$watch_pid" 2>/dev/null; do
        sleep 0.2
    done
    kill -0 "$watch_pid" 2>/dev/null ||
        fail "cargo lambda watch ended. If port $WATCH_PORT is taken: end what uses it, or choose another with WATCH_PORT="
    wait "$runner_pid"
}

serve() {
    case $mode in
    dev) exec "$runner" ;;
    watch) watch ;;
    esac
}

# A field of what the runner tells of itself.
described() {
    sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" "$DATA/dev.json"
}

detach() {
    ! infra/local/stop.sh running || fail "A stack runs on $DATA already: end it with \`$stop\`, or choose another folder with DATA=."
    mkdir -p "$DATA"
    rm -f "$DATA/dev.json"
    nohup "$0" "$mode" serve >"$DATA/dev.log" 2>&1 </dev/null &
    pid=$!
    until [ -s "$DATA/dev.json" ]; do
        # The last words of `cargo lambda watch` are not why it ended.
        kill -0 "$pid" 2>/dev/null || fail "$(grep -v '^ INFO ' "$DATA/dev.log" | tail -n 1)"
        sleep 0.1
    done
    cat <<TEXT

Spillway is ready.

  Base URL  $(described base_url)
  API key   $(described api_key)  (test mode, merchant $(described merchant_id))

$DATA/dev.log has a line for each request, message and retry.
$stop ends it.

TEXT
}

if [ "${2:-}" = serve ]; then
    serve
else
    build
    if [ "${DETACH:-0}" = 1 ]; then detach; else serve; fi
fi
