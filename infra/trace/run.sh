#!/bin/sh
# Shows the history of an item: docs/logs.md.
#   ID=            pay_…, re_…, txn_…, evt_…, we_…, key_…, "evt_… we_…" (a delivery), or the id of a request
#   STACK=         a deployed stack, in AWS_REGION; the local stack of DATA if it is empty
#   MERCHANT=      looks only in this merchant's data, which is faster and costs less
#   SINCE=         also searches the log lines of this last time, such as 30m, 2h or 7d
#   LOGS=0         leaves the log lines out
#   JSON=1         prints JSON
set -eu
cd "$(dirname "$0")/../.."
cargo build --quiet --workspace --bin trace
[ -n "${STACK:-}" ] || exec "${CARGO_TARGET_DIR:-target}/debug/trace"
python=${TOOLS:-.local/tools}/sam/bin/python
export LOG_COMMAND="$python infra/trace/logs.py"
exec "$python" infra/deploy/operate.py trace
