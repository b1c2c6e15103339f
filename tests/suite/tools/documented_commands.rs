//! The commands in README, docs, runbooks and the stack's outputs are valid as they are written.

use std::path::Path;
use std::process::Command;

#[test]
fn every_documented_command_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = root.join(".local/tools/sam/bin/python");
    assert!(python.exists(), "{} is missing: `make lint-template` installs the SAM CLI there", python.display());
    let check = Command::new(python).arg(root.join("tests/commands.py")).arg("check").output().unwrap();
    let output = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    assert!(output.contains("docs/runbooks/dead-letters.md") && output.contains("RevokeApiKeyCommand"), "{output}");
}
