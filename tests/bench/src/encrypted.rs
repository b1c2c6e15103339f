//! The way to table and queues with TLS, as functions have it on AWS.

use std::io;
use std::path::PathBuf;

use spillway_tests::tls_proxy::{Authority, TlsProxy};
use spillway_tests::unique;

/// The proxies before table and queues. They end when this is dropped.
pub struct Encrypted {
    folder: PathBuf,
    authority: Authority,
    table: TlsProxy,
    queues: TlsProxy,
}

impl Encrypted {
    /// Starts the proxies.
    pub async fn start() -> io::Result<Encrypted> {
        let folder = std::env::temp_dir().join(format!("spillway-{}", unique()));
        std::fs::create_dir(&folder)?;
        let authority = Authority::in_folder(&folder)?;
        let (table, queues) = (TlsProxy::start(&authority).await?, TlsProxy::start(&authority).await?);
        Ok(Encrypted { folder, authority, table, queues })
    }

    /// Sets the addresses of table and queues.
    pub fn set_upstream(&self, table: &str, queues: &str) {
        self.table.set_upstream(table);
        self.queues.set_upstream(queues);
    }

    /// The variables that make a function use the proxies.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_CA_BUNDLE", self.authority.path().display().to_string()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.table.url().to_owned()),
            ("AWS_ENDPOINT_URL_SQS", self.queues.url().to_owned()),
        ]
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
