#!/bin/bash
# A stack that can't be deployed: `make deploy-local` fails with one sentence and leaves no emulator running.
# Usage: deploying_fails.sh BUILD, the folder of what `sam build` made of the stack.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "$1")
export DEPLOY_DATA=.local/failing-deploy BUILT=1
DEPLOY_PORT=$(infra/deploy/emulator.sh port)
export DEPLOY_PORT
rm -rf "$DEPLOY_DATA"
mkdir -p "$DEPLOY_DATA"
ln -s "$build" "$DEPLOY_DATA/build"

fail() {
    infra/deploy/emulator.sh stop
    echo "A stack that can't be deployed $1" >&2
    exit 1
}

# The emulator refuses alarms that compute, after it has made most of the stack.
! PARAMETERS=Alarms=true infra/deploy/local.sh up 2>"$DEPLOY_DATA/error" >/dev/null || fail "does not fail."
error=$(cat "$DEPLOY_DATA/error")
[ "$(wc -l <<<"$error")" = 1 ] && grep -qF "can't be deployed" <<<"$error" || fail "does not say so in one line: $error"
! infra/deploy/emulator.sh running || fail "leaves an emulator running."
echo "$error"
