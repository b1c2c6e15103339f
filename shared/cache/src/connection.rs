//! One connection to the cache, with the three commands that are used of the Redis protocol (RESP2). After an error the
//! connection is of no use, because the rest of a reply may follow.

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

use spillway_runtime::AMAZON_ROOTS;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::address::Address;

/// Bytes of the longest line that is read: the text of an error.
const LINE_MAX: u64 = 1024;
/// Bytes of the longest value that is read. The longest item of the table has 400 KB.
const VALUE_MAX: usize = 1 << 20;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    /// Replies of [`Connection::set`] that are not read yet.
    unread: usize,
}

impl Connection {
    /// Connects, with TLS if the address says so. Errors if that fails, or if the certificate is not from Amazon.
    pub(crate) async fn open(address: &Address) -> Result<Connection> {
        let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> =
            if address.encrypted { Box::new(encrypted(&address.host, tcp).await?) } else { Box::new(tcp) };
        Ok(Connection { stream: BufReader::new(stream), unread: 0 })
    }

    /// Returns after the cache's answer. Errors if it refuses.
    pub(crate) async fn ping(&mut self) -> Result<()> {
        self.send(&[b"PING"]).await?;
        self.reply().await?.accepted().map(drop)
    }

    /// The value of a key. None if the cache has none. Errors if it refuses.
    pub(crate) async fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>> {
        self.send(&[b"GET", key.as_bytes()]).await?;
        while self.unread > 0 {
            self.reply().await?;
            self.unread -= 1;
        }
        self.reply().await?.accepted()
    }

    /// Sends a value that the cache may hold for this many seconds. Does not wait for the reply, which the next
    /// [`Connection::get`] reads: a full cache refuses the value, and that is no error.
    pub(crate) async fn set(&mut self, key: &str, value: &[u8], seconds: u32) -> Result<()> {
        self.send(&[b"SET", key.as_bytes(), value, b"EX", seconds.to_string().as_bytes()]).await?;
        self.unread += 1;
        Ok(())
    }

    async fn send(&mut self, words: &[&[u8]]) -> Result<()> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            command.extend_from_slice(word);
            command.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&command).await?;
        self.stream.flush().await
    }

    async fn reply(&mut self) -> Result<Reply> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_MAX).read_until(b'\n', &mut line).await?;
        let line = line.strip_suffix(b"\r\n").ok_or(ErrorKind::UnexpectedEof)?;
        match line.split_first() {
            Some((b'+', _)) | Some((b'$', b"-1")) => Ok(Reply::Empty),
            Some((b'-', _)) => Ok(Reply::Refusal),
            Some((b'$', length)) => {
                let length = std::str::from_utf8(length).ok().and_then(|length| length.parse().ok());
                let length: usize = length.filter(|length| *length <= VALUE_MAX).ok_or(ErrorKind::InvalidData)?;
                let mut value = vec![0; length + 2];
                self.stream.read_exact(&mut value).await?;
                value.truncate(length);
                Ok(Reply::Value(value))
            }
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }
}

enum Reply {
    Value(Vec<u8>),
    /// A status, or no value.
    Empty,
    /// The text of the refusal may repeat what was sent, so it is dropped.
    Refusal,
}

impl Reply {
    fn accepted(self) -> Result<Option<Vec<u8>>> {
        match self {
            Reply::Value(value) => Ok(Some(value)),
            Reply::Empty => Ok(None),
            Reply::Refusal => Err(ErrorKind::PermissionDenied.into()),
        }
    }
}

/// Encrypts the connection. Only Amazon's root certificates are trusted, as for the table: docs/decisions/0006.
async fn encrypted(host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(AMAZON_ROOTS) {
        roots.add(root.map_err(Error::other)?).map_err(Error::other)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A connection to a server that sends these bytes and closes.
    async fn connection(replies: &'static [u8]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address =
            Address { encrypted: false, host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(replies).await.unwrap();
            stream.shutdown().await.unwrap();
            // A connection that is closed with unread bytes is reset.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        Connection::open(&address).await.unwrap()
    }

    #[tokio::test]
    async fn a_refused_value_does_not_disturb_the_next_reply() {
        let mut connection = connection(b"-OOM used memory > 'maxmemory'\r\n$5\r\na\r\nbc\r\n$-1\r\n").await;
        connection.set("k", b"value", 60).await.unwrap();
        assert_eq!(connection.get("k").await.unwrap().as_deref(), Some(&b"a\r\nbc"[..]));
        assert_eq!(connection.get("k").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_refused_question_is_an_error() {
        assert!(connection(b"-NOAUTH Authentication required.\r\n").await.ping().await.is_err());
        assert!(connection(b"-MOVED 3999 10.0.0.1:6379\r\n").await.get("k").await.is_err());
        connection(b"+PONG\r\n").await.ping().await.unwrap();
    }

    #[tokio::test]
    async fn broken_replies_are_errors() {
        for replies in [&b""[..], b"$3\r\nab", b"$3", b"$x\r\n", b"$9999999999\r\n", b":1\r\n", b"HTTP/1.1 400\r\n"] {
            assert!(connection(replies).await.get("k").await.is_err(), "{}", replies.escape_ascii());
        }
    }
}
