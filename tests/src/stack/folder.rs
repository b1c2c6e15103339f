//! Where a stack's programs are, and where its data and its log go.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const LOG_TAIL_LINES: usize = 60;

/// The folder of the runner and the functions, `target/<profile>`. A tool's executable is in it, a test's in a folder
/// below it.
pub(crate) fn binaries() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let folder = executable.parent().unwrap();
    if folder.ends_with("deps") { folder.parent().unwrap().to_owned() } else { folder.to_owned() }
}

/// An empty folder for a stack.
pub(crate) fn fresh_folder(binaries: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = binaries.join("stacks").join(format!("{}-{number}", std::process::id()));
    // An earlier process may have had this id.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The log of the runner and of what it starts.
pub(super) fn log_path(data: &Path) -> PathBuf {
    data.join("dev.log")
}

/// The end of that log.
pub(super) fn log_tail(data: &Path) -> String {
    let log = fs::read_to_string(log_path(data)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}
