//! The file that keeps the functions' lines, for tools that search them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The file begins anew when it is larger: 64 MiB, several hundred thousand lines.
const SIZE_MAX: u64 = 64 << 20;

/// A file with one line of a function on each line, behind the function's name.
pub(super) struct Kept {
    file: Mutex<File>,
    size_max: u64,
}

impl Kept {
    /// Opens or creates the file. Lines are added behind those of earlier runs.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::at_most(path, SIZE_MAX)
    }

    fn at_most(path: &Path, size_max: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self { file: Mutex::new(file), size_max })
    }

    /// Adds a line. An error is ignored, because the function's work is done.
    pub(super) fn line(&self, function: &str, line: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.metadata().is_ok_and(|metadata| metadata.len() > self.size_max) {
            drop(file.set_len(0));
        }
        drop(file.write_all(format!("{function} {line}\n").as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_until_the_file_is_full() {
        let path = std::env::temp_dir().join(format!("spillway-kept-{}", std::process::id()));
        let kept = Kept::at_most(&path, 8).unwrap();
        kept.line("a", "{}");
        kept.line("b", "{}");
        drop(kept);
        let kept = Kept::at_most(&path, 8).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a {}\nb {}\n");
        kept.line("c", "{}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "c {}\n");
        std::fs::remove_file(path).unwrap();
    }
}
