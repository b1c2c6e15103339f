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

#[cfg(test)]
pub mod tests {
    use std::path::PathBuf;

    /// A new folder, which is removed at the end.
    pub struct Scratch(PathBuf);

    impl Scratch {
        pub fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("spillway-local-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        /// The path of a file in it.
        pub fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
