//! Files that are written in one step.

use std::io::Write;
use std::path::Path;

/// Replaces a file in one step: a reader sees the old text or the new one. Only the owner may read it, because it may
/// contain keys.
pub fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let draft = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}
