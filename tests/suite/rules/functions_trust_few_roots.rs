//! Functions trust Amazon's roots, or in their place those of `AWS_CA_BUNDLE`, and no others.

use std::sync::Arc;

use spillway_tests::tls_proxy::Authority;
use spillway_tests::{Options, Stack, unique};

/// A stack whose functions reach the table through TLS, with a certificate of an authority of its own.
async fn encrypted(variables: impl Fn(&Authority) -> Vec<(&'static str, String)>) -> Result<Stack, String> {
    let folder = std::env::temp_dir().join(format!("spillway-{}", unique()));
    std::fs::create_dir(&folder).unwrap();
    let authority = Arc::new(Authority::in_folder(&folder).unwrap());
    let options = Options::new().keep_lines_with(variables(&authority));
    let started = Stack::try_start(options.encrypted_store_proxy(authority)).await;
    std::fs::remove_dir_all(&folder).unwrap();
    started
}

#[tokio::test]
async fn a_bundle_names_the_roots_that_count() {
    let stack = encrypted(|authority| vec![("AWS_CA_BUNDLE", authority.path().display().to_string())]).await;
    // The runner's setup has stored a merchant.
    assert!(!stack.unwrap().table().items().await.is_empty());
}

#[tokio::test]
async fn an_unknown_root_and_a_bundle_that_cannot_be_read_count_for_nothing() {
    for variables in [vec![], vec![("AWS_CA_BUNDLE", "/absent/authority.pem".to_owned())]] {
        let log = encrypted(|_| variables.clone()).await.err().expect("no call of the table succeeds");
        assert!(log.contains("create-merchant failed"), "{log}");
    }
}
