#!/bin/sh
# Builds what is deployed, as it is deployed, and measures it. QUICK=1 for a look.
set -eu
cd "$(dirname "$0")/../.."

fail() {
    echo "$1" >&2
    exit 1
}

target=${CARGO_TARGET_DIR:-target}
tests/bench/build.sh
cargo build --release --package spillway-bench --bins || fail "The build failed: cargo says why above."
cargo build --release --manifest-path tests/empty-function/Cargo.toml --target-dir "$target/empty" ||
    fail "The build failed: cargo says why above."
# Roles are checked on the way to the store, on which AWS has no such stop.
export ROLES=off
exec "$target/release/bench"
