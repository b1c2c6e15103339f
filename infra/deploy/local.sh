#!/bin/bash
# Builds infra/template.yaml with the SAM CLI and deploys it to an AWS emulator on this machine.
#   local.sh up      deploys the stack and leaves it running, with a merchant and its API key. Again, it upgrades the stack.
#   local.sh down    ends the emulator that `up` started
#   local.sh test    deploys a stack of its own, runs the black-box tests against it, upgrades and deletes it. The drill runs
#                    beside it.
#   local.sh release tries the release before and this one on one table
#   local.sh drill   deploys a stack of its own, deletes it, adopts its table, damages and repairs data
# BUILT=1 deploys the functions that an earlier run has built.
# It needs Linux: the functions are built for Lambda and run without a container.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=${1:-}
export DEPLOY_PORT=${DEPLOY_PORT:-4566}
case $mode in
test | drill) export DEPLOY_DATA=${DEPLOY_DATA:-.local/test-deploy} ;;
release) export DEPLOY_DATA=${DEPLOY_DATA:-.local/test-release} ;;
*) export DEPLOY_DATA=${DEPLOY_DATA:-.local/deploy} ;;
esac
data=$DEPLOY_DATA
tools=${TOOLS:-$PWD/.local/tools}
endpoint=http://127.0.0.1:$DEPLOY_PORT
began=$SECONDS
# The drill that `test` runs beside its other tests.
beside=.local/test-drill
drill_pid=

# The root credentials of the emulator's only account. The tools read no profile, file or metadata service of this machine,
# and no name of a stack on AWS.
unset AWS_PROFILE AWS_SESSION_TOKEN ENV STACK
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_ENDPOINT_URL=$endpoint AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null
export AWS_SHARED_CREDENTIALS_FILE=/dev/null SAM_CLI_TELEMETRY=0 NO_PROXY=127.0.0.1
export PATH=$tools/cargo-lambda/bin:$PATH
# The build is for this machine. It has little optimization, and none at link time, which takes at least 20 s for each
# function. Everything else is as for AWS.
export CARGO_LAMBDA_COMPILER=cargo CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export CARGO_PROFILE_RELEASE_OPT_LEVEL=1
sam=$tools/sam/bin/sam
python=$tools/sam/bin/python

fail() {
    echo "$1" >&2
    exit 1
}
step() {
    printf '%4d s  %s\n' $((SECONDS - began)) "$1"
}

# progress: reads the SAM CLI's output and prints the function that it is building.
progress() {
    sed -un 's/^Building codeuri: .* functions: //p' | while read -r function; do step "  $function"; done
}

# logged WHAT LOG COMMAND …: runs the command and writes its output to a log. If it fails, prints WHAT and the last error.
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

# build NAME TEMPLATE: builds the template's functions into $data/build/NAME.
build() {
    [ "${BUILT:-0}" = 0 ] || return 0 # an earlier run has built them
    logged "$2 can't be built" "build-$1" "$sam" build --template "$2" --build-dir "$data/build/$1" \
        --parameter-overrides "Architecture=$architecture"
    "$python" infra/deploy/stamp.py "$data/build/$1/template.yaml"
}

# deploy NAME Parameter=value …: deploys the stack NAME from the result of `build NAME`.
deploy() {
    local name=$1
    shift
    logged "The stack $name can't be deployed" "deploy-$name" "$sam" deploy --region "$AWS_REGION" --resolve-s3 \
        --template-file "$data/build/$name/template.yaml" --stack-name "$name" --tags project=spillway \
        --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
        --no-confirm-changeset --no-fail-on-empty-changeset --parameter-overrides "Architecture=$architecture" "$@"
}

# The times and limits that the black-box tests expect, as parameters on one line.
expected() {
    grep -v '^#' tests/suite/black_box/parameters.txt | tr '\n' ' '
}

# Deploys Spillway with the times and limits that the black-box tests expect. PARAMETERS="Name=value …" overrides them.
# The emulator refuses alarms with metric math.
deploy_spillway() {
    # shellcheck disable=SC2046,SC2086
    deploy spillway Alarms=false OperatorPolicies=true $(expected) ${PARAMETERS:-} "$@"
    "$python" infra/deploy/emulate.py "$endpoint" spillway infra/template.yaml >"$data/outputs.json"
}

# invoke FUNCTION EVENT: prints the answer of the deployed function.
invoke() {
    "$sam" remote invoke "$1" --stack-name spillway --region "$AWS_REGION" --event-file "$2" 2>>"$data/invoke.log"
}

# field NAME <JSON: prints the value of this field.
field() {
    "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" 2>/dev/null
}

# stage OUTPUTS: prints the URL at which the emulator serves the API of the stack with these outputs.
stage() {
    echo "$endpoint/restapis/$(field ApiId <"$1")/api/_user_request_"
}

# Creates a merchant on the high plan and its API key. Stores the API key and the merchant's plan key, which the emulator
# expects from the client.
first_merchant() {
    local merchant answer
    answer=$(invoke CreateMerchant events/create-merchant/acme.json)
    merchant=$(field id <<<"$answer") || fail "The first merchant can't be created: $answer"
    answer=$(invoke IssueApiKey events/issue-api-key/test-mode.json)
    key=$(field secret <<<"$answer") || fail "The first API key can't be issued: $answer"
    plan_key=$("$python" infra/deploy/plan_key.py "$endpoint" "$merchant")
    printf 'key=%s\nplan_key=%s\n' "$key" "$plan_key" >"$data/first"
}

# After a failure, ends what this run started: the emulators, and the drill, whose command then fails.
give_up() {
    trap '' INT TERM HUP
    infra/deploy/emulator.sh stop
    if [ -n "$drill_pid" ]; then
        kill "$drill_pid" 2>/dev/null || true
        DEPLOY_DATA=$beside infra/deploy/emulator.sh stop
        wait "$drill_pid" || true
        DEPLOY_DATA=$beside infra/deploy/emulator.sh stop
    fi
}

# Checks the machine, starts the emulator unless it runs, and builds Spillway.
prepare() {
    [ "$(uname -s)" = Linux ] || fail "This needs Linux: the functions are built for Lambda and run here without a container."
    case $(uname -m) in
    x86_64) architecture=x86_64 ;;
    aarch64) architecture=arm64 ;;
    *) fail "Lambda does not support this machine's architecture, $(uname -m)." ;;
    esac
    for tool in sam/bin/sam cargo-lambda/bin/cargo-lambda ministack/bin/ministack; do
        [ -x "$tools/$tool" ] || fail "$tool is missing under $tools: run \`make deploy-local\`, which installs it."
    done
    mkdir -p "$data"
    if [ "$mode" != up ] || ! infra/deploy/emulator.sh running; then
        infra/deploy/emulator.sh start
        trap give_up EXIT
        trap 'exit 130' INT TERM HUP
        rm -f "$data/first"
        step "MiniStack answers at $endpoint"
    fi
    step "sam build: some minutes the first time (tail -f $data/build-spillway.log)"
    build spillway infra/template.yaml
}

up() {
    prepare
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
    # The whole workspace, because `make test` has built it so: one package alone would be built again.
    step "black-box tests"
    SPILLWAY_URL=$url SPILLWAY_LAMBDA_URL=$endpoint SPILLWAY_STACK=spillway SPILLWAY_PLAN_KEY_HEADER=1 \
        SPILLWAY_PANIC_URL=$(stage "$data/panicking.json") \
        cargo nextest run --workspace -E 'package(spillway-tests) and test(/^black_box::/)'
    # If a role forbids a call, a due time often repairs it and no test fails. So look for the error in the functions' logs.
    ! refused=$(grep -m 1 -E 'AccessDenied|not authorized' "$data/emulator.log") ||
        fail "A function's role forbids a call that it makes: $refused"
    step "policies of operators' duties"
    "$python" -u tests/duties.py spillway
    step "make trace"
    URL=$url KEY=$key PLAN_KEY=$plan_key "$python" tests/tracing.py
    step "upgrade"
    upgraded before
    deploy_spillway LogLevel=debug
    upgraded after
    deploy_spillway LogLevel=debug FoldDelaySeconds=1
    upgraded one
    start_drill
    step "make deploy and the SAM CLI alone (Zig builds a function for arm64: some minutes the first time)"
    "$python" -u tests/deploying.py "$data" "$architecture"
    step "releases and the way back"
    "$python" -u tests/releasing.py "$data" "$architecture"
    step "one package for two stacks, with the deploying role's rights"
    "$python" -u tests/promoting.py "$data" "$architecture"
    step "the commands of docs/"
    "$python" -u tests/commands.py run plain
    step "error messages"
    tests/deploying_fails.sh "$data/build"
    step "deletion"
    delete_spillway
    upgraded deleted
}

# Starts the drill on an emulator of its own. The tests and the drill mostly wait for their emulators.
start_drill() {
    local port
    DEPLOY_DATA=$beside infra/deploy/emulator.sh stop # of a run that was killed
    rm -rf "$beside"
    mkdir -p "$beside"
    ln -s "$PWD/$data/build" "$beside/build"
    port=$(infra/deploy/emulator.sh port)
    BUILT=1 DEPLOY_DATA=$beside DEPLOY_PORT=$port infra/deploy/local.sh drill >"$data/drill.log" 2>&1 &
    drill_pid=$!
}

# Waits for the drill and prints its log.
end_drill() {
    step "waiting for the drill (tail -f $data/drill.log)"
    local passed=true
    wait "$drill_pid" || passed=false
    drill_pid=
    cat "$data/drill.log"
    "$passed" || fail "The drill has failed."
}

# timed WHAT COMMAND …: runs the command and prints how long it took.
timed() {
    local what=$1 from=$SECONDS
    shift
    "$@"
    printf '%4d s  %s\n' $((SECONDS - from)) "$what"
}

# A loss of data, and the way back: docs/deploy.md.
run_drill() {
    rm -f "$data/drill.json"
    timed "payments, refunds, a webhook endpoint" drill write
    timed "the stack is deleted; its table stays" delete_spillway
    timed "a new stack adopts the table" adopt_spillway
    timed "the new stack goes on" drill resumed
    timed "a signing key of webhooks is added" drill keyed
    timed "the table is restored beside itself" drill restore
    timed "other tables are refused" refuse_other_tables
    timed "compare: nothing is damaged" compares "0 items can be written back, 0 refused, .*all books agree"
    timed "items are damaged" drill damage
    timed "compare" compares "7 items can be written back, 0 refused, .*all books agree"
    timed "a repair from a stranger is refused" refuses "AWS does not say that" \
        FROM=spillway-restored STACK=spillway WRITE=1 make --no-print-directory repair
    timed "repair without WRITE=1 writes nothing" repairs "7 items can be written back, 0 refused"
    # The emulator does not say what a table was restored from.
    timed "repair" repairs "7 items were written back, 0 refused, .*all books agree" WRITE=1 RELATED=1
    timed "compare: nothing differs" compares "0 items can be written back, 0 refused, .*all books agree"
    timed "the data reads as before" drill repaired
    timed "the table is lost" drill lose
    table=spillway-restored
    timed "the stack adopts the restored table" adopt_spillway
    timed "the stack goes on" drill found
}

drill() {
    URL=$url KEY=$key PLAN_KEY=$plan_key TABLE=$table "$python" tests/drill.py "$1" "$data/drill.json"
}

delete_spillway() {
    "$python" infra/deploy/nested_at_s3.py "$endpoint" spillway
    logged "The stack can't be deleted" delete "$sam" delete --stack-name spillway --region "$AWS_REGION" --no-prompts
}

adopt_spillway() {
    # `make deploy` needs a config, and this machine's samconfig.toml may name a stack on AWS.
    printf 'version = 0.1\n' >"$data/drill.toml"
    TABLE=$table STACK=spillway CONFIG=$PWD/$data/drill.toml BUILT=1 BUILD=$data/build/spillway \
        PARAMETERS="Alarms=false Architecture=$architecture $(expected) ${PARAMETERS:-}" \
        logged "The table can't be adopted" adopt make --no-print-directory adopt
    "$python" infra/deploy/emulate.py "$endpoint" spillway infra/template.yaml >"$data/outputs.json"
    url=$(stage "$data/outputs.json")/v1
}

# The guards against leaving the data: each command must fail with its sentence.
refuse_other_tables() {
    refuses "so the stack would leave its data" STACK=spillway CONFIG="$PWD/$data/drill.toml" PARAMETERS='ExistingTable=""' \
        make --no-print-directory deploy
    refuses "There is no table missing" TABLE=missing STACK=another make --no-print-directory adopt
    refuses "which exists: what it has written there would be left behind" TABLE=spillway-restored STACK=spillway \
        make --no-print-directory adopt
    refuses "lacks the index listing" TABLE=spillway-stranger STACK=another make --no-print-directory adopt
    refuses "reads the stream of this table" TABLE="$table" STACK=another make --no-print-directory adopt
}
refuses() {
    local sentence=$1 said
    shift
    if said=$(env "$@" 2>&1); then fail "This was not refused: $*"; fi
    grep -qF "$sentence" <<<"$said" || fail "This was refused with other words: $said"
}

# compares PATTERN, repairs PATTERN [WRITE=1]: the last line of the result must match.
compares() {
    compared compare "$@"
}
repairs() {
    compared repair "$@"
}
compared() {
    local target=$1 pattern=$2
    shift 2
    FROM=spillway-restored STACK=spillway make --no-print-directory "$target" "$@" | tee "$data/$target.log"
    tail -n 1 "$data/$target.log" | grep -qE "^$pattern" || fail "make $target did not end with: $pattern"
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
  plan key  $plan_key (header x-api-key; only the emulator needs it: docs/emulators.md)

  make smoke URL=$url KEY=$key PLAN_KEY=$plan_key
  make undeploy-local    ends it
TEXT
    ;;
down) infra/deploy/emulator.sh stop ;;
test)
    up
    run_tests
    infra/deploy/emulator.sh stop
    end_drill
    step "all tests passed"
    ;;
release)
    prepare
    "$python" -u tests/release.py "$data" "$architecture"
    step "both releases work on one table"
    ;;
drill)
    up
    table=$(field TableName <"$data/outputs.json")
    run_drill
    step "the drill has passed"
    ;;
*) fail "Usage: local.sh up | down | test | drill | release" ;;
esac
