//! The folder from which a stack runs its functions, if it is not the build folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// The runner's variable that names the folder.
pub const VARIABLE: &str = "FUNCTIONS";

/// Every function's binary and every example's, under its own name, in a new folder below `data`.
pub(crate) fn with_examples(built: &Path, data: &Path) -> PathBuf {
    let folder = data.join("functions");
    fs::create_dir(&folder).unwrap();
    for (name, binary) in binaries(built).into_iter().chain(binaries(&built.join("examples"))) {
        symlink(binary, folder.join(name)).unwrap();
    }
    folder
}

/// Every function's binary behind a script that sets `variables` and keeps its output: see [`printed`].
pub(crate) fn that_keep_lines(built: &Path, data: &Path, variables: &[(&'static str, String)]) -> PathBuf {
    let (folder, lines, set) = (data.join("functions"), lines(data), exports(variables));
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&lines).unwrap();
    for (name, binary) in binaries(built) {
        let script = folder.join(&name);
        // The shell is replaced by the function, so the runner's child is the function itself.
        write_script(&script, &format!("{set}exec '{}' >'{}'/{name}.$$\n", binary.display(), lines.display()));
    }
    folder
}

/// Complete lines on the standard output of each process of the function `name` so far.
pub(crate) fn printed(data: &Path, name: &str) -> Vec<String> {
    let files = fs::read_dir(lines(data)).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|file| file.file_stem().is_some_and(|stem| stem == name));
    let whole = |text: String| text[..text.rfind('\n').map_or(0, |end| end + 1)].to_owned();
    files.map(|file| whole(fs::read_to_string(file).unwrap())).collect()
}

/// Standard output of all functions so far.
pub(crate) fn all_printed(data: &Path) -> String {
    let files = fs::read_dir(lines(data)).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// Every function's binary; the one of `name` behind a script that sets `variables`.
pub(crate) fn with_variables(built: &Path, data: &Path, name: &str, variables: &[(&'static str, String)]) -> PathBuf {
    let folder = data.join("functions");
    fs::create_dir(&folder).unwrap();
    for (each, binary) in binaries(built) {
        if each == name {
            let set = exports(variables);
            write_script(&folder.join(each), &format!("{set}exec '{}'\n", binary.display()));
        } else {
            symlink(binary, folder.join(each)).unwrap();
        }
    }
    folder
}

fn exports(variables: &[(&'static str, String)]) -> String {
    variables.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect()
}

fn write_script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn lines(data: &Path) -> PathBuf {
    data.join("lines")
}

/// Name and path of each program in `folder`.
fn binaries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let programs = entries.map(|entry| entry.unwrap().path()).filter(|path| {
        let metadata = fs::metadata(path).unwrap();
        metadata.is_file() && metadata.permissions().mode() & 0o100 != 0
    });
    programs.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect()
}
