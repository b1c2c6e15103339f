#!/bin/sh
# Builds the functions as they are deployed, and deploys the stack to the account whose credentials are there.
#   STACK=, AWS_REGION=           which stack, unless the config names it
#   CONFIG=                       the SAM CLI's config; samconfig.toml if not given
#   PARAMETERS="Name=value …"     go before those of the config; all others stay as they are deployed
# On a terminal it asks before it changes anything, if the config says so; without one it asks nothing.
set -eu
cd "$(dirname "$0")/../.."
tools=${TOOLS:-$PWD/.local/tools}
template=${TEMPLATE:-infra/template.yaml}
build=${BUILD:-.aws-sam/build}
# The SAM CLI looks for another file's name beside the template.
case ${CONFIG:=samconfig.toml} in /*) ;; *) CONFIG=$PWD/$CONFIG ;; esac
# cargo-lambda comes first: it finds Zig as a module of the first python3 on the PATH, and only its own has it.
export PATH="$tools/cargo-lambda/bin:$tools/sam/bin:$PATH" SAM_CLI_TELEMETRY=0

settings=$("$tools/sam/bin/python" infra/deploy/settings.py "$CONFIG" "$template")
{
    read -r stack
    read -r region
    read -r parameters
    read -r options
} <<SETTINGS
$settings
SETTINGS

# `--no-cached`: the cache looks at a function's own folder only, and would ship stale code after a change in shared/.
[ -n "${BUILT:-}" ] || sam build --config-file "$CONFIG" --template "$template" --build-dir "$build" --no-cached \
    --parameter-overrides "$parameters"
if [ -t 0 ]; then ask=; else ask=--no-confirm-changeset; fi
# shellcheck disable=SC2086
exec sam deploy --config-file "$CONFIG" --template-file "$build/template.yaml" --stack-name "$stack" \
    --region "$region" --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND $options --no-fail-on-empty-changeset $ask \
    --parameter-overrides "$parameters"
