//! Files that are either as they were or as they are meant to be.

use std::io::Write;
use std::path::Path;

/// Writes a file anew in one step: whoever reads it sees the old text or the new one. Others on
/// this machine may not read it, because keys are in it.
pub fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let draft = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}
