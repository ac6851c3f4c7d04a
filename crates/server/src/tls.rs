//! TLS: the certificate of this server, and whom outgoing requests trust.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::memmem;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore, ServerConfig};

/// What a server's connections are made with.
pub(crate) type ServerTls = Arc<ServerConfig>;

/// The names of HTTP/2 and HTTP/1.1 (RFC 7301 section 6), the better one first.
const PROTOCOLS: [&[u8]; 2] = [H2, b"http/1.1"];

/// HTTP/2.
pub(crate) const H2: &[u8] = b"h2";

/// Why TLS is not possible. No message quotes a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Unreadable(PathBuf, std::io::Error),
    #[error("{} has no private key in PEM: name the file of the key", .0.display())]
    NoKey(PathBuf),
    #[error("the key {} has a password: take it off, `openssl pkey -in KEY -out KEY-WITHOUT-PASSWORD`", .0.display())]
    Locked(PathBuf),
    #[error("the key {} is not the one of the certificate {}: name those that belong together", .1.display(), .0.display())]
    OtherKey(PathBuf, PathBuf),
    #[error("{} cannot be read as PEM: {}", .0.display(), .1)]
    File(PathBuf, pem::Error),
    #[error("{} has no certificate in PEM: name the file of the certificates", .0.display())]
    Empty(PathBuf),
    #[error("the certificate {} and the key {} cannot be used together: {}", .0.display(), .1.display(), .2)]
    Unusable(PathBuf, PathBuf, Error),
    #[error("{} has a certificate that cannot be trusted: {}", .0.display(), .1)]
    Untrusted(PathBuf, Error),
}

/// TLS with the chain of this file, which was read from there.
pub(crate) fn server(
    certificate: &Path,
    chain: Vec<CertificateDer<'static>>,
    key: &Path,
) -> Result<ServerTls, TlsError> {
    let private = private_key(key)?;
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private).map_err(|error| {
            match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsError::OtherKey(certificate.to_owned(), key.to_owned())
                }
                error => TlsError::Unusable(certificate.to_owned(), key.to_owned(), error),
            }
        })?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// A private key that needs no password.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    let is_locked = [&b"BEGIN ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| memmem::find(&text, mark).is_some());
    if is_locked {
        return Err(TlsError::Locked(path.to_owned()));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey(path.to_owned()),
        error => TlsError::File(path.to_owned(), error),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Unreadable(path.to_owned(), error))
}

/// Outgoing requests trust the certification authorities of the web, and these.
pub(crate) fn client(further: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = further {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| TlsError::Untrusted(path.to_owned(), error))?;
        }
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// The certificates of a file, in PEM: at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::File(path.to_owned(), error);
    let text = read(path)?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(TlsError::Empty(path.to_owned())) } else { Ok(found) }
}
