#!/bin/sh
# Builds the functions and deploys the stack to AWS, with the credentials that the SAM CLI finds.
#   aws.sh deploy     builds and deploys
#   aws.sh package    builds, uploads the functions to S3, and writes a template that names the uploaded files
# Settings:
#   ENV=              the section of the config: dev, stage, prod; `default` by default
#   STACK=, AWS_REGION=           the stack's name and region, if the config does not have them
#   PARAMETERS="Name=value …"     overrides the config's parameters; all other parameters keep their deployed values
#   GIVEN="Name …"    the names of the variables on make's command line, of which some are parameters
#   CONFIG=           the SAM CLI's config file; samconfig.toml by default
#   PACKAGED=         `deploy` deploys this template of `package` and builds nothing; `package` writes it there
#   BUCKET=           the S3 bucket for functions and templates; by default the one that the SAM CLI makes
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

# build PARAMETERS: builds the functions. `--no-cached`: the cache compares only a function's own folder, so a change in
# shared/ would not be deployed.
build() {
    [ "${BUILT:-0}" = 0 ] || return 0
    sam build --config-file "$CONFIG" --template "$template" --build-dir "$build" --no-cached --parameter-overrides "$1"
    "$tools/sam/bin/python" infra/deploy/stamp.py "$build/template.yaml"
}

package() {
    packaged=${PACKAGED:-.aws-sam/packaged.yaml}
    architecture=${Architecture:-arm64}
    build "Architecture=$architecture"
    if [ -n "${BUCKET:-}" ]; then to="--s3-bucket $BUCKET"; else to=--resolve-s3; fi
    # shellcheck disable=SC2086
    sam package --config-file "$CONFIG" --template-file "$build/template.yaml" --output-template-file "$packaged" $to \
        ${AWS_REGION:+--region "$AWS_REGION"} >/dev/null
    "$tools/sam/bin/python" infra/deploy/pin.py "$packaged" "$architecture"
    echo "$packaged"
}

deploy() {
    settings=$("$tools/sam/bin/python" infra/deploy/settings.py "$CONFIG" "${PACKAGED:-$template}")
    {
        read -r stack
        read -r region
        read -r parameters
        read -r options
    } <<SETTINGS
$settings
SETTINGS
    [ -n "${PACKAGED:-}" ] || build "$parameters"
    # A version that a failed deployment has left would make Lambda refuse the same code again.
    changed=$("$tools/sam/bin/python" infra/deploy/releases.py prune "$stack" "$region")
    if [ -t 0 ]; then ask=; else ask=--no-confirm-changeset; fi
    # shellcheck disable=SC2086
    sam deploy --config-file "$CONFIG" --config-env "${ENV:-default}" --template-file "${PACKAGED:-$build/template.yaml}" \
        --stack-name "$stack" --region "$region" --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND $options \
        --no-fail-on-empty-changeset $ask --parameter-overrides "$parameters"
    "$tools/sam/bin/python" infra/deploy/releases.py go_live "$stack" "$region" "$changed"
    case ${ENV:-default} in
    default | dev) ;;
    *) "$tools/sam/bin/python" infra/deploy/protect.py "$stack" "$region" ;;
    esac
}

case ${1:-} in
deploy) deploy ;;
package) package ;;
*)
    echo "Usage: aws.sh deploy | package" >&2
    exit 2
    ;;
esac
