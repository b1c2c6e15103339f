#!/bin/bash
# What goes wrong with `make deploy-local` ends in one sentence, a failure, and nothing left running.
# Usage: deploying_fails.sh BUILD, with what `sam build` made of the stack in the folder BUILD.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "$1")
export DEPLOY_DATA=.local/failing-deploy BUILT=1
DEPLOY_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export DEPLOY_PORT
rm -rf "$DEPLOY_DATA"
mkdir -p "$DEPLOY_DATA"
ln -s "$build" "$DEPLOY_DATA/build"

# fails WHAT TEXT: `local.sh up`, with the environment as it is, says TEXT in one line and leaves no emulator.
fails() {
    local said
    if infra/deploy/local.sh up 2>"$DEPLOY_DATA/said" >/dev/null; then
        infra/deploy/emulator.sh stop
        echo "$1 did not fail." >&2
        exit 1
    fi
    said=$(cat "$DEPLOY_DATA/said")
    if [ "$(wc -l <<<"$said")" != 1 ] || ! grep -qF "$2" <<<"$said"; then
        echo "$1 is not told in one line with \"$2\": $said" >&2
        exit 1
    fi
    if infra/deploy/emulator.sh running; then
        infra/deploy/emulator.sh stop
        echo "$1 leaves an emulator running." >&2
        exit 1
    fi
    echo "$1: $said"
}

TOOLS=$DEPLOY_DATA/none fails "a missing SAM CLI" "sam is missing"
PARAMETERS=LogLevel=loud fails "a wrong parameter" LogLevel
# The emulator refuses to make alarms that compute, in the middle of making the stack.
PARAMETERS=Alarms=true fails "a stack that can't be made" "can't be deployed"
exec 3< <(python3 -c 'import os, socket
taken = socket.create_server(("127.0.0.1", int(os.environ["DEPLOY_PORT"])))
print(os.getpid(), flush=True)
while True:
    taken.accept()')
read -r -u 3 holder
trap 'kill "$holder"' EXIT
fails "a taken port" "Port $DEPLOY_PORT is taken"
