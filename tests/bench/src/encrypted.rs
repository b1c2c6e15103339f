//! The way to table and queues with TLS, as functions have it on AWS.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use spillway_tests::tls_proxy::{Authority, TlsProxy};
use spillway_tests::unique;

/// The proxies before table and queues. They end when this is dropped.
pub struct Encrypted {
    folder: PathBuf,
    authority: Arc<Authority>,
    table: TlsProxy,
    queues: TlsProxy,
}

impl Encrypted {
    /// Starts the proxies.
    pub async fn start() -> io::Result<Encrypted> {
        let folder = std::env::temp_dir().join(format!("spillway-{}", unique()));
        std::fs::create_dir(&folder)?;
        let authority = Arc::new(Authority::in_folder(&folder)?);
        let (table, queues) = (TlsProxy::start(&authority).await?, TlsProxy::start(&authority).await?);
        Ok(Encrypted { folder, authority, table, queues })
    }

    /// The authority, for a proxy before the table of a stack.
    pub fn authority(&self) -> Arc<Authority> {
        Arc::clone(&self.authority)
    }

    /// Sets the address of the queues. Returns the variables that make a function use their proxy.
    pub fn before_queues(&self, queues: &str) -> Vec<(&'static str, String)> {
        self.queues.set_upstream(queues);
        let bundle = self.authority.path().display().to_string();
        vec![("AWS_CA_BUNDLE", bundle), ("AWS_ENDPOINT_URL_SQS", self.queues.url().to_owned())]
    }

    /// Sets the addresses of table and queues. Returns the variables that make a function use both proxies.
    pub fn before(&self, table: &str, queues: &str) -> Vec<(&'static str, String)> {
        self.table.set_upstream(table);
        let table = ("AWS_ENDPOINT_URL_DYNAMODB", self.table.url().to_owned());
        [self.before_queues(queues), vec![table]].concat()
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
