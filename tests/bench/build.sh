#!/bin/sh
# Builds what is deployed, as it is deployed, with the runner and the receiver: for what measures.
set -eu
cd "$(dirname "$0")/../.."

fail() {
    echo "$1" >&2
    exit 1
}

command -v cargo >/dev/null || fail "cargo is missing: install Rust with rustup, see https://rustup.rs."
command -v cc >/dev/null || fail "A C compiler is missing (on Debian: apt install build-essential)."
echo "Building the release functions. The first time that takes a quarter of an hour on two cores." >&2
# Without the runner and the tests, whose features would be in the functions.
cargo build --release --workspace --bins \
    --exclude spillway-local --exclude spillway-tests --exclude spillway-bench --exclude spillway-capacity --exclude spillway-limits --exclude spillway-examples \
    --exclude spillway-sandbox --exclude spillway-reference --exclude panicking-function ||
    fail "The build failed: cargo says why above."
cargo build --release --package spillway-local --package spillway-sandbox --bins ||
    fail "The build failed: cargo says why above."
