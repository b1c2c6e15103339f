#!/bin/sh
# Builds the functions as they are deployed, and deploys the stack to the account whose credentials are there. The first
# time the SAM CLI asks what it has to know, and keeps the answers in $CONFIG; GUIDED=1 asks again, with those as defaults.
set -eu
cd "$(dirname "$0")/../.."
config=$(realpath -m "${CONFIG:-.local/deploy/samconfig.toml}")
build=.local/deploy/build/aws
export PATH="$PWD/.local/tools/sam/bin:$PWD/.local/tools/cargo-lambda/bin:$PATH" SAM_CLI_TELEMETRY=0

# The processor is chosen before the build, so it can't be left to the questions.
kept=$(sed -n 's/.*Architecture=\\"\([a-z0-9_]*\)\\".*/\1/p' "$config" 2>/dev/null || true)
architecture=${ARCHITECTURE:-${kept:-arm64}}
if [ -n "$kept" ] && [ "$kept" != "$architecture" ]; then
    echo "The stack is on $kept: change Architecture in $config first." >&2
    exit 1
fi

guided=--guided
if [ -e "$config" ]; then
    guided=${GUIDED:+--guided}
else
    mkdir -p "$(dirname "$config")"
    cp infra/samconfig.toml "$config"
fi
[ -n "${BUILT:-}" ] || sam build --config-file "$config" --template infra/template.yaml --build-dir "$build" \
    --parameter-overrides "Architecture=$architecture"
# What is given here would replace all answers that were kept.
if [ -n "$kept" ]; then
    # shellcheck disable=SC2086
    exec sam deploy --config-file "$config" --template-file "$build/template.yaml" $guided
fi
exec sam deploy --config-file "$config" --template-file "$build/template.yaml" --guided \
    --parameter-overrides "Architecture=$architecture"
