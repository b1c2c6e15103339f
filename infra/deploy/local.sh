#!/bin/bash
# The SAM CLI, as it is, builds infra/template.yaml, as it is, and deploys it to an AWS emulator on this machine.
#   local.sh up      leaves the stack up, with a merchant and its key; again, it upgrades the stack that is up
#   local.sh down    ends what `up` has left
#   local.sh test    runs the black-box tests against a stack of its own, upgrades it, deletes it, leaves nothing running
# Linux only: the functions are built for Lambda and run without a container.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=${1:-}
export DEPLOY_PORT=${DEPLOY_PORT:-4566}
case $mode in
test) export DEPLOY_DATA=${DEPLOY_DATA:-.local/test-deploy} ;;
*) export DEPLOY_DATA=${DEPLOY_DATA:-.local/deploy} ;;
esac
data=$DEPLOY_DATA
tools=${TOOLS:-$PWD/.local/tools}
endpoint=http://127.0.0.1:$DEPLOY_PORT
began=$SECONDS

# The root credentials of the emulator's one account. No profile, file or metadata service of this machine is asked.
unset AWS_PROFILE AWS_SESSION_TOKEN
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_ENDPOINT_URL=$endpoint AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null
export AWS_SHARED_CREDENTIALS_FILE=/dev/null SAM_CLI_TELEMETRY=0 NO_PROXY=127.0.0.1
export PATH=$tools/cargo-lambda/bin:$PATH
# For this machine, and without link-time optimization, which takes 20 s and more for each function. Everything else is
# as for AWS.
export CARGO_LAMBDA_COMPILER=cargo CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
sam=$tools/sam/bin/sam
python=$tools/sam/bin/python

fail() {
    echo "$1" >&2
    exit 1
}
step() {
    printf '%4d s  %s\n' $((SECONDS - began)) "$1"
}

# Of what the SAM CLI prints, the function that it builds now.
progress() {
    sed -un 's/^Building codeuri: .* functions: //p' | while read -r function; do step "  $function"; done
}

# logged WHAT LOG COMMAND …: runs the command into a log. What it said last is the one sentence when it fails.
logged() {
    local what=$1 log=$data/$2.log
    shift 2
    "$@" 2>&1 | tee "$log" | progress && return
    local why
    why=$(grep -E '^ *(Error|Build Failed|error)' "$log" | tail -n 1 | sed 's/^ *Error: *//') || why=$(tail -n 1 "$log")
    case $why in
    *Waiter*) why=$("$python" infra/deploy/why.py "$endpoint" spillway) ;;
    esac
    fail "$what: $why (all of it: $log)"
}

# build NAME TEMPLATE: into $data/build/NAME.
build() {
    [ -z "${BUILT:-}" ] || return 0 # by an earlier run
    logged "$2 can't be built" "build-$1" "$sam" build --template "$2" --build-dir "$data/build/$1" \
        --parameter-overrides "Architecture=$architecture"
}

# deploy NAME Parameter=value …: the stack NAME from what `build NAME` has built.
deploy() {
    local name=$1
    shift
    logged "The stack $name can't be deployed" "deploy-$name" "$sam" deploy --region "$AWS_REGION" --resolve-s3 \
        --template-file "$data/build/$name/template.yaml" --stack-name "$name" --tags project=spillway \
        --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
        --no-confirm-changeset --no-fail-on-empty-changeset --parameter-overrides "Architecture=$architecture" "$@"
}

# With the times and limits that the black-box tests count on; PARAMETERS="Name=value …" comes last. The emulator refuses
# alarms that compute.
deploy_spillway() {
    local counted_on
    counted_on=$(grep -v '^#' tests/suite/black_box/parameters.txt)
    # shellcheck disable=SC2086
    deploy spillway Alarms=false $counted_on ${PARAMETERS:-} "$@"
    "$python" infra/deploy/emulate.py "$endpoint" spillway infra/template.yaml >"$data/outputs.json"
}

# invoke FUNCTION EVENT: what the deployed function answers.
invoke() {
    "$sam" remote invoke "$1" --stack-name spillway --region "$AWS_REGION" --event-file "$2" 2>>"$data/invoke.log"
}

# field NAME <JSON: one of its values.
field() {
    "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" 2>/dev/null
}

# stage OUTPUTS: where the emulator serves the API with these outputs, below its own address.
stage() {
    echo "$endpoint/restapis/$(field ApiId <"$1")/api/_user_request_"
}

# A merchant on the high plan, its API key, and the key of its plan, which the emulator wants from the client.
first_merchant() {
    local merchant answer
    answer=$(invoke CreateMerchant events/create-merchant/acme.json)
    merchant=$(field id <<<"$answer") || fail "The first merchant can't be created: $answer"
    answer=$(invoke IssueApiKey events/issue-api-key/test-mode.json)
    key=$(field secret <<<"$answer") || fail "The first API key can't be issued: $answer"
    plan_key=$("$python" infra/deploy/plan_key.py "$endpoint" "$merchant")
    printf 'key=%s\nplan_key=%s\n' "$key" "$plan_key" >"$data/first"
}

# On failure, nothing is left running that was not running before.
give_up() {
    infra/deploy/emulator.sh stop
}

up() {
    [ "$(uname -s)" = Linux ] || fail "This needs Linux: the functions are built for Lambda and run here without a container."
    case $(uname -m) in
    x86_64) architecture=x86_64 ;;
    aarch64) architecture=arm64 ;;
    *) fail "Lambda has no processor like this machine's." ;;
    esac
    for tool in sam/bin/sam cargo-lambda/bin/cargo-lambda ministack/bin/ministack; do
        [ -x "$tools/$tool" ] || fail "$tool is missing under $tools: start this with \`make deploy-local\`, which installs it."
    done
    mkdir -p "$data"
    if [ "$mode" = test ] || ! infra/deploy/emulator.sh running; then
        infra/deploy/emulator.sh start
        trap give_up EXIT
        trap 'exit 130' INT TERM HUP
        rm -f "$data/first"
        step "MiniStack answers at $endpoint"
    fi
    step "sam build: some minutes when nothing is built yet (tail -f $data/build-spillway.log)"
    build spillway infra/template.yaml
    step "sam deploy (tail -f $data/deploy-spillway.log)"
    deploy_spillway
    url=$(stage "$data/outputs.json")/v1
    # shellcheck source=/dev/null
    if [ -s "$data/first" ]; then . "$data/first"; else first_merchant; fi
}

run_tests() {
    step "sam build and deploy of the function that panics"
    build panicking tests/panicking-function/template.yaml
    deploy panicking
    "$python" infra/deploy/emulate.py "$endpoint" panicking tests/panicking-function/template.yaml >"$data/panicking.json"
    step "black-box tests"
    SPILLWAY_URL=$url SPILLWAY_LAMBDA_URL=$endpoint SPILLWAY_STACK=spillway SPILLWAY_PLAN_KEY_HEADER=1 \
        SPILLWAY_PANIC_URL=$(stage "$data/panicking.json") \
        cargo nextest run --package spillway-tests -E 'test(/^black_box::/)'
    # What a role forbids is often made good by a due time, so that no test notices: the functions tell it themselves.
    ! refused=$(grep -m 1 -E 'AccessDenied|not authorized' "$data/emulator.log") ||
        fail "A function's role forbids what it does: $refused"
    step "upgrade"
    upgraded before
    deploy_spillway LogLevel=debug
    upgraded after
    deploy_spillway LogLevel=debug FoldDelaySeconds=1
    upgraded one
    step "the ways to AWS (a function for arm64, through Zig: minutes when nothing of it is built yet)"
    "$python" -u tests/deploying.py "$data" "$architecture"
    step "the commands of docs/, as they are written"
    "$python" -u tests/commands.py run plain
    step "what goes wrong is told"
    tests/deploying_fails.sh "$data/build"
    step "deletion"
    "$python" infra/deploy/nested_at_s3.py "$endpoint" spillway
    logged "The stack can't be deleted" delete "$sam" delete --stack-name spillway --region "$AWS_REGION" --no-prompts
    upgraded deleted
}

upgraded() {
    URL=$url KEY=$key PLAN_KEY=$plan_key "$python" tests/upgrade.py "$1" "$data/before.json"
}

case $mode in
up)
    up
    trap - EXIT INT TERM HUP
    step "up"
    cat <<TEXT

  base URL  $url
  API key   $key
  plan key  $plan_key (header x-api-key; only the emulator asks for it: docs/emulators.md)

  make smoke URL=$url KEY=$key PLAN_KEY=$plan_key
  make undeploy-local    ends it
TEXT
    ;;
down) infra/deploy/emulator.sh stop ;;
test)
    up
    run_tests
    step "all of it passed"
    ;;
*) fail "Usage: local.sh up | down | test" ;;
esac
