#!/bin/sh
# Builds the stack and runs it: `dev.sh dev` with the runner's own host, `dev.sh watch` with the functions under
# `cargo lambda watch`. DETACH=1 returns when the stack is ready and writes its log to $DATA/dev.log. `dev.sh build` only
# builds. This script holds what the runner does not know of Spillway.
set -eu
cd "$(dirname "$0")/../.."
mode=$1
: "${DATA:=.local}" "${REBUILD:=1}" "${WATCH_PORT:=9001}" "${WEBHOOK_LOOPBACK:=1}" "${TEMPLATE:=infra/template.yaml}"
: "${CACHE:=0}" "${CACHE_PORT:=6379}"
# The command that ends the stack of this folder.
stop="make stop"
[ "$DATA" = .local ] || stop="make stop DATA=$DATA"
binaries=${CARGO_TARGET_DIR:-target}/debug
runner=$binaries/spillway-local

fail() {
    echo "$1" >&2
    exit 1
}

# The functions of the template and the programs that the stack needs. The tests and their tools are not built.
build() {
    # shellcheck disable=SC2046 # One argument for each word.
    cargo build "$@" --bins --package spillway-local --package spillway-sandbox --package spillway-reference \
        $(sed -n 's|^ *CodeUri: .*/|--package |p' "$TEMPLATE")
}

first_build() {
    command -v cargo >/dev/null || fail "cargo is missing: install Rust with rustup, see https://rustup.rs."
    command -v cc >/dev/null || fail "A C compiler is missing (on Debian: apt install build-essential)."
    build || fail "The build failed: cargo says why above."
    mkdir -p "$DATA"
    "$binaries/reference" "$DATA/reference.html"
}

# The runner's settings: infra/local/README.md.
settings() {
    case $WEBHOOK_LOOPBACK in
    0 | false) loopback=false ;;
    *) loopback=true ;;
    esac
    export DATA TEMPLATE
    export STACK_NAME=spillway SETUP="$binaries/spillway-sandbox" DOCS_PAGE="$DATA/reference.html"
    # `make trace` searches it.
    export FUNCTION_LOG="$DATA/functions.log"
    export FUNCTION_ENV="WEBHOOK_LOOPBACK=$loopback ${FUNCTION_ENV:-}"
    export HIGHLIGHT="again in,declined,failed,given up,not sent,put off"
    if [ "$REBUILD" = 1 ]; then
        export REBUILD_COMMAND="infra/local/dev.sh build" REBUILD_SOURCES="functions shared Cargo.toml Cargo.lock"
    fi
}

# The runner writes the functions' environment. It is ready when the functions run.
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
    # When one of the two ends, the other is of no use.
    while kill -0 "$runner_pid" 2>/dev/null && kill -0 "$watch_pid" 2>/dev/null; do
        sleep 0.2
    done
    kill -0 "$watch_pid" 2>/dev/null ||
        fail "cargo lambda watch ended. If port $WATCH_PORT is taken: end what uses it, or choose another with WATCH_PORT="
    wait "$runner_pid"
}

# Redis in place of a cache on AWS. It ends with this process, which becomes the runner.
cache() {
    setpriv --pdeathsig TERM .local/tools/redis/bin/redis-server --bind 127.0.0.1 --port "$CACHE_PORT" \
        --save "" --appendonly no >"$DATA/cache.log" 2>&1 &
    export CACHE_URL="redis://127.0.0.1:$CACHE_PORT"
}

serve() {
    settings
    [ "$CACHE" = 0 ] || cache
    case $mode in
    dev) exec "$runner" ;;
    watch) watch ;;
    esac
}

# A field of dev.json.
described() {
    sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" "$DATA/dev.json"
}

refuse_second() {
    ! infra/local/stop.sh running || fail "A stack runs on $DATA already: end it with \`$stop\`, or choose another folder with DATA=."
}

detach() {
    rm -f "$DATA/dev.json"
    nohup "$0" "$mode" serve >"$DATA/dev.log" 2>&1 </dev/null &
    pid=$!
    until [ -s "$DATA/dev.json" ]; do
        # The last lines of `cargo lambda watch` do not say why it ended.
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

case "$mode ${2:-}" in
"build ") build --quiet ;;
*" serve") serve ;;
*)
    refuse_second
    first_build
    if [ "${DETACH:-0}" = 1 ]; then detach; else serve; fi
    ;;
esac
