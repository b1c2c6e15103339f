//! All functions have the same features of each package. `sam build` builds one function after the other: with other
//! features, it would compile the AWS SDK once more. `make dev`, the tests and the commands of Makefile and docs share
//! features for the same reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Each package with its features, as `hyper v1.8.1 client,http1`, that a build of `selection` compiles. `edges`: the
/// kinds of dependencies, as `normal,build`.
fn packages(root: &Path, selection: &[&str], edges: &str) -> BTreeSet<(String, String)> {
    let arguments = ["tree", "--edges", edges, "--prefix", "none", "--format", "{p}|{f}"];
    let output = Command::new(env!("CARGO")).args(arguments).args(selection).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{selection:?}: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let packages = lines.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('|'));
    packages.map(|(package, features)| (package.to_owned(), features.to_owned())).collect()
}

#[test]
fn each_package_has_one_set_of_features() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for function in std::fs::read_dir(root.join("functions")).unwrap() {
        let function = function.unwrap().file_name().into_string().unwrap();
        for (package, of_function) in packages(root, &["--package", &function], "normal,build") {
            features.entry(package).or_default().insert(of_function);
        }
    }
    assert!(features.keys().any(|package| package.starts_with("aws-sdk-dynamodb ")), "{features:?}");
    // docs/decisions/0030.
    for (package, wanted) in [("log v", "release_max_level_off"), ("tracing v", "release_max_level_info")] {
        let of = features.iter().find(|(name, _)| name.starts_with(package)).unwrap().1;
        assert!(of.iter().all(|features| features.contains(wanted)), "{package}: {of:?}");
    }
    features.retain(|_, sets| sets.len() > 1);
    assert_eq!(features, BTreeMap::new(), "see the last lines of shared/runtime/Cargo.toml");
}

#[test]
fn make_dev_compiles_nothing_that_the_tests_have_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let functions = std::fs::read_dir(root.join("functions")).unwrap();
    let mut names: Vec<_> = functions.map(|function| function.unwrap().file_name().into_string().unwrap()).collect();
    names.extend(["spillway-local", "spillway-sandbox", "spillway-reference"].map(str::to_owned));
    let selection: Vec<&str> = names.iter().flat_map(|name| ["--package", name]).collect();
    let tests = packages(root, &["--workspace"], "normal,build,dev");
    let dev = packages(root, &selection, "normal,build");
    let other: Vec<_> = dev.difference(&tests).collect();
    assert!(other.is_empty() && dev.len() > 100, "a crate of the tests asks for more features of {other:?}");
}

#[test]
fn no_command_builds_one_package_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = vec![root.join("Makefile"), root.join("CONTRIBUTING.md")];
    for folder in ["docs", "infra/deploy", "infra/local", "infra/trace", "tests"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|kind| kind == "sh" || kind == "md")));
    }
    let mut commands = 0;
    for file in &files {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let builds =
                ["build", "run", "test", "nextest"].iter().any(|verb| line.contains(&format!("cargo {verb} ")));
            // Release builds, and those of all that `make dev` needs, have their own sets.
            if builds && !line.contains("--release") && !line.contains("--bins --package") {
                commands += 1;
                let file = file.display();
                assert!(
                    !line.contains("--package") && !line.contains(" -p "),
                    "--workspace --bin is missing in {file}: {line}"
                );
            }
        }
    }
    assert!(commands > 20, "{commands} commands");
}
