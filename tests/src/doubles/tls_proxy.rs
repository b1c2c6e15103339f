//! TLS before a server without it, so that functions pay for TLS as they do on AWS.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// The name in the certificates and addresses.
const NAME: &str = "localhost";

/// An authority of its own, whose certificate is in a file.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    path: PathBuf,
}

impl Authority {
    /// Makes an authority and writes its certificate to a file in this folder.
    pub fn in_folder(folder: &Path) -> io::Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let path = folder.join("authority.pem");
        fs::write(&path, issuer.pem())?;
        Ok(Authority { issuer, path })
    }

    /// The file, for `AWS_CA_BUNDLE`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap()))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.path.display())
    }
}

/// A proxy that speaks TLS with the functions, and passes everything on to another server. It ends when it is dropped.
pub struct TlsProxy {
    url: String,
    upstream: Arc<OnceLock<String>>,
    task: JoinHandle<Infallible>,
}

impl TlsProxy {
    /// Starts a proxy. It closes each connection before [`TlsProxy::set_upstream`].
    pub async fn start(authority: &Authority) -> io::Result<TlsProxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://{NAME}:{}", listener.local_addr()?.port());
        let upstream = Arc::default();
        let task = tokio::spawn(serve(listener, authority.acceptor(), Arc::clone(&upstream)));
        Ok(TlsProxy { url, upstream, task })
    }

    /// Sets the server behind the proxy, such as `http://127.0.0.1:8000`.
    pub fn set_upstream(&self, url: &str) {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        self.upstream.set(address.to_owned()).unwrap();
    }

    /// `https://localhost:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, upstream: Arc<OnceLock<String>>) -> Infallible {
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let (acceptor, upstream) = (acceptor.clone(), Arc::clone(&upstream));
        tokio::spawn(async move {
            connection.set_nodelay(true)?;
            let upstream = upstream.get().ok_or(io::ErrorKind::NotConnected)?;
            let mut plain = TcpStream::connect(upstream).await?;
            plain.set_nodelay(true)?;
            let mut encrypted = acceptor.accept(connection).await?;
            copy_bidirectional(&mut encrypted, &mut plain).await
        });
    }
}
