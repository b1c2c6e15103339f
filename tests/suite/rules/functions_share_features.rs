//! All functions have the same features of each package. `sam build` builds one function after the other: with other
//! features, it would compile the AWS SDK once more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Each package with its features, as `hyper v1.8.1 client,http1`, of what this function links.
fn packages(root: &Path, function: &str) -> BTreeSet<(String, String)> {
    let arguments =
        ["tree", "--package", function, "--edges", "normal,build", "--prefix", "none", "--format", "{p}|{f}"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{function}: {}", String::from_utf8_lossy(&output.stderr));
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
        for (package, of_function) in packages(root, &function) {
            features.entry(package).or_default().insert(of_function);
        }
    }
    assert!(features.keys().any(|package| package.starts_with("aws-sdk-dynamodb ")), "{features:?}");
    features.retain(|_, sets| sets.len() > 1);
    assert_eq!(features, BTreeMap::new(), "see the last lines of shared/runtime/Cargo.toml");
}
