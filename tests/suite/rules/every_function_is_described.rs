//! Folders, template and sample events name the same functions, and every sample is one that its function can read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spillway_tests::{Options, Stack, Template};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn folders(of: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(of)).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn folders_template_and_sample_events_name_the_same_functions() {
    let functions = folders("functions");
    let template = Template::read().text();
    let described = template.lines().filter_map(|line| line.trim().strip_prefix("CodeUri: ../functions/"));
    assert_eq!(described.map(str::to_owned).collect::<BTreeSet<_>>(), functions);
    assert_eq!(folders("events"), functions);
}

#[tokio::test]
async fn every_sample_event_is_understood() {
    let stack = Stack::start(Options::new()).await;
    for function in folders("events") {
        for entry in fs::read_dir(root().join("events").join(&function)).unwrap() {
            let path = entry.unwrap().path();
            let sample: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            match stack.invoke(&function, &sample).await {
                Ok(answer) => {
                    let status = answer["statusCode"].as_u64();
                    assert!(status.is_none_or(|status| status < 500), "{}: {answer}", path.display());
                }
                // A sample's key or merchant is of another stack: that is a refusal, and no failure to read it.
                Err(error) => {
                    let message = error["errorMessage"].as_str().unwrap_or_default();
                    let known = message == "Unauthorized" || message.starts_with("There is no merchant");
                    assert!(known, "{}: {error}", path.display());
                }
            }
        }
    }
}
