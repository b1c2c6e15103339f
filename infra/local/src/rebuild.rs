//! Builds the functions again when their sources change, and swaps the processes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::host::Host;
use crate::log::Log;

/// How often the sources are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Folders of sources, and the files beside them that matter to all.
const SOURCES: [&str; 4] = ["functions", "shared", "Cargo.toml", "Cargo.lock"];

/// The same packages as in dev.sh: with others, cargo chooses other features of what they share and
/// compiles everything again.
const BUILD: [&str; 4] = ["build", "--quiet", "--workspace", "--bins"];

/// Builds whenever a source file has changed, until the future is dropped. The old processes serve
/// on while it builds, and when it fails. A change of the template is only told: what it describes is
/// made when the runner starts.
pub async fn run(host: Host, template: PathBuf, log: Log) {
    let mut seen = looked().await;
    let mut seen_template = changed_at(&template);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let template_now = changed_at(&template);
        if template_now != seen_template {
            seen_template = template_now;
            let template = template.display();
            log.warning("rebuild", &format!("{template} has changed: end the stack and start it again to apply it"));
        }
        let now = looked().await;
        if now == seen {
            continue;
        }
        seen = now;
        log.note("rebuild", "a source file has changed: building");
        let begun = std::time::Instant::now();
        match build().await {
            Ok(()) => {
                host.replace();
                let seconds = begun.elapsed().as_secs();
                log.note("rebuild", &format!("built in {seconds} s; the next call runs the new code"));
            }
            Err(errors) => {
                log.plain(errors.trim_end());
                log.warning("rebuild", "the build failed; the old code serves on");
            }
        }
    }
}

async fn build() -> Result<(), String> {
    let cannot = |error| format!("cargo cannot be run: {error}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let child = tokio::process::Command::new(cargo)
        .args(BUILD)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(cannot)?;
    let mut group = Group(child.id());
    let output = child.wait_with_output().await.map_err(cannot)?;
    group.0 = None;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A process group that ends when this is dropped: cargo would leave its compilers behind.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let group = format!("-{leader}");
            let _ = std::process::Command::new("kill").args(["-TERM", "--", &group]).status();
        }
    }
}

async fn looked() -> Vec<(PathBuf, SystemTime)> {
    let look = || {
        let mut files = Vec::new();
        for source in SOURCES {
            look(Path::new(source), &mut files);
        }
        files.sort();
        files
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// Every source file under `path` with the time of its last change.
fn look(path: &Path, files: &mut Vec<(PathBuf, SystemTime)>) {
    if let Ok(entries) = std::fs::read_dir(path) {
        for entry in entries.flatten() {
            look(&entry.path(), files);
        }
        return;
    }
    let source = path.extension().is_some_and(|extension| ["rs", "toml", "lock"].iter().any(|one| extension == *one));
    // A file that vanishes while it is looked at is no source any more.
    if let Some(changed) = changed_at(path).filter(|_| source) {
        files.push((path.to_owned(), changed));
    }
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}
