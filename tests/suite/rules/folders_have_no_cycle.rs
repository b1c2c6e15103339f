//! Modules of one crate depend on each other in one direction: no folder uses a folder that uses it. Cargo itself refuses
//! cycles between crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// For each folder, the folders of the same crate that it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// Source folders of all crates with more than one module.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let parents = ["functions", "shared", "infra", "tests"].map(|folder| root.join(folder));
    let crates = parents.iter().flat_map(|parent| [vec![parent.clone()], entries(parent)].concat());
    crates.map(|folder| folder.join("src")).filter(|source| source.join("lib.rs").is_file()).collect()
}

/// Rust files below a folder, without unit tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let below = entries(folder).into_iter().filter(|path| path.file_stem().is_none_or(|stem| stem != "tests"));
    below.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Words after each `before` in a text.
fn words_after<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

/// Short names that `lib.rs` gives to modules of folders: `pub use stack::template;` makes `template` a name of `stack`.
fn short_names(lib: &str) -> BTreeMap<String, String> {
    let statements = lib.split(';').filter_map(|statement| statement.split_once("use ")?.1.split_once("::"));
    let names = statements.flat_map(|(folder, names)| {
        let names = names.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        names.filter(|name| !name.is_empty()).map(move |name| (name.to_owned(), folder.to_owned()))
    });
    names.collect()
}

fn uses(source: &Path) -> Uses {
    let lib = fs::read_to_string(source.join("lib.rs")).unwrap();
    let short = short_names(&lib);
    let folders = entries(source).into_iter().filter(|path| path.is_dir());
    let folders: BTreeMap<String, PathBuf> =
        folders.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect();
    let used_by = |name: &String, folder: &PathBuf| {
        let text: String = files(folder).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let product = text.replace("pub(in crate::", "");
        let grouped = product.split("crate::{").skip(1).filter_map(|rest| rest.split_once(';')).map(|(names, _)| names);
        let grouped = grouped.flat_map(|names| names.split(|letter: char| !letter.is_alphanumeric() && letter != '_'));
        let used = words_after(&product, "crate::").chain(grouped);
        let used =
            used.map(|word| if folders.contains_key(word) { word } else { short.get(word).map_or("", String::as_str) });
        let used = used.filter(|other| *other != name && folders.contains_key(*other));
        used.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    folders.iter().map(|(name, folder)| (name.clone(), used_by(name, folder))).collect()
}

/// The folders that use themselves through others.
fn in_cycles(uses: &Uses) -> BTreeSet<String> {
    let reaches = |from: &String| {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&String> = uses[from].iter().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next.clone()) {
                open.extend(&uses[next]);
            }
        }
        reached
    };
    uses.keys().filter(|folder| reaches(folder).contains(*folder)).cloned().collect()
}

#[test]
fn no_folder_uses_a_folder_that_uses_it() {
    let sources = sources();
    assert!(sources.len() > 10, "{sources:?}");
    for source in sources {
        let uses = uses(&source);
        assert_eq!(in_cycles(&uses), BTreeSet::new(), "{}: {uses:?}", source.display());
    }
}

#[test]
fn a_cycle_through_a_third_folder_is_found() {
    let uses = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")];
    let uses: Uses = uses.map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()]))).into();
    assert_eq!(in_cycles(&uses), BTreeSet::from(["a", "b", "c"].map(str::to_owned)));
}
