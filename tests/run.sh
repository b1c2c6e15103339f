#!/bin/sh
# Format, lints, documentation, unit and property tests, and the black-box suite against real stacks. Says what it is doing.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "$1" >&2
    exit 1
}
step() {
    printf '\n== %s\n' "$1"
}

command -v cargo >/dev/null || fail "cargo is missing: install Rust with rustup, see https://rustup.rs."
command -v cc >/dev/null || fail "A C compiler is missing (on Debian: apt install build-essential)."

step "format"
cargo fmt --all --check || fail "Some files are not formatted: cargo fmt."
step "lints"
cargo clippy --workspace --all-targets -- -D warnings
step "documentation"
RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
    cargo doc --workspace --no-deps --document-private-items --quiet
# The suite runs the functions, the runner and the examples as they are in the target folder.
step "build"
cargo build --workspace --bins --examples
step "tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace
else
    cargo test --workspace -- --test-threads "$(getconf _NPROCESSORS_ONLN)"
fi
