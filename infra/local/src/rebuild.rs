//! Builds the functions again when their sources change, and replaces their processes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use crate::host::Host;
use crate::log::Log;
use crate::settings::Rebuild;

/// How often the sources are compared.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Extensions of source files.
const SOURCES: [&str; 3] = ["rs", "toml", "lock"];

/// Builds after each change of a source file, until the future is dropped. The old processes serve until a build has
/// succeeded. A change of the template is only logged: the runner reads it at its start.
pub async fn run(rebuild: Rebuild, host: Host, template: PathBuf, log: Log) {
    let mut seen = changes(&rebuild.sources).await;
    let mut seen_template = changed_at(&template);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let template_now = changed_at(&template);
        if template_now != seen_template {
            seen_template = template_now;
            let template = template.display();
            log.warning("rebuild", &format!("{template} has changed: restart the stack to apply it"));
        }
        let now = changes(&rebuild.sources).await;
        if now == seen {
            continue;
        }
        seen = now;
        log.note("rebuild", "a source file has changed: building");
        let started = Instant::now();
        match build(&rebuild.command).await {
            Ok(()) => {
                host.replace();
                let seconds = started.elapsed().as_secs();
                log.note("rebuild", &format!("built in {seconds} s; the next call runs the new code"));
            }
            Err(errors) => {
                log.plain(errors.trim_end());
                log.warning("rebuild", "the build failed; the old code still serves");
            }
        }
    }
}

/// Runs the command. Errors with its standard error.
async fn build(command: &str) -> Result<(), String> {
    let cannot = |error| format!("REBUILD_COMMAND cannot be run: {error}");
    let child = tokio::process::Command::new("sh")
        .args(["-c", command])
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

/// A process group that ends when this is dropped: killing cargo alone would leave its compilers.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let group = format!("-{leader}");
            let _ = std::process::Command::new("kill").args(["-TERM", "--", &group]).status();
        }
    }
}

/// Every source file with the time of its last change.
async fn changes(sources: &[PathBuf]) -> Vec<(PathBuf, SystemTime)> {
    let sources = sources.to_owned();
    let walk = move || {
        let mut files = Vec::new();
        for source in &sources {
            add(source, &mut files);
        }
        files.sort();
        files
    };
    tokio::task::spawn_blocking(walk).await.unwrap_or_default()
}

/// Adds the source files under `path`.
fn add(path: &Path, files: &mut Vec<(PathBuf, SystemTime)>) {
    if let Ok(entries) = std::fs::read_dir(path) {
        for entry in entries.flatten() {
            add(&entry.path(), files);
        }
        return;
    }
    let is_source = path.extension().is_some_and(|extension| SOURCES.iter().any(|one| extension == *one));
    // A file may be deleted in the meantime.
    if let Some(changed) = changed_at(path).filter(|_| is_source) {
        files.push((path.to_owned(), changed));
    }
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}
