#!/bin/sh
# Builds the functions and deploys the stack to AWS, with the credentials that the SAM CLI finds.
#   STACK=, AWS_REGION=           the stack's name and region, if the config does not have them
#   CONFIG=                       the SAM CLI's config file; samconfig.toml by default
#   PARAMETERS="Name=value …"     overrides the config's parameters; all other parameters keep their deployed values
# On a terminal it asks for confirmation if the config says so. Without a terminal it does not ask.
set -eu
cd "$(dirname "$0")/../.."
tools=${TOOLS:-$PWD/.local/tools}
template=${TEMPLATE:-infra/template.yaml}
build=${BUILD:-.aws-sam/build}
# The SAM CLI would look for a relative name beside the template.
case ${CONFIG:=samconfig.toml} in /*) ;; *) CONFIG=$PWD/$CONFIG ;; esac
# cargo-lambda's folder comes first: cargo-lambda runs Zig as a module of the first python3 on the PATH, and only the
# python3 of its own folder has this module.
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

# `--no-cached`: the cache compares only a function's own folder, so a change in shared/ would not be deployed.
if [ -z "${BUILT:-}" ]; then
    sam build --config-file "$CONFIG" --template "$template" --build-dir "$build" --no-cached \
        --parameter-overrides "$parameters"
    "$tools/sam/bin/python" infra/deploy/stamp.py "$build/template.yaml"
fi
# A version that a failed deployment has left would make Lambda refuse the same code again.
changed=$("$tools/sam/bin/python" infra/deploy/releases.py prune "$stack" "$region")
if [ -t 0 ]; then ask=; else ask=--no-confirm-changeset; fi
# shellcheck disable=SC2086
sam deploy --config-file "$CONFIG" --template-file "$build/template.yaml" --stack-name "$stack" \
    --region "$region" --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND $options --no-fail-on-empty-changeset $ask \
    --parameter-overrides "$parameters"
"$tools/sam/bin/python" infra/deploy/releases.py settle "$stack" "$region" "$changed"
