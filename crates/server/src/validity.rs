//! Whether the certificates that this server shows are valid now (RFC 5280 section 4.1.2.5). It starts with one that is not,
//! because another start would help no one, but says so.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::time::{Time, Validity};

use vestibule_core::time::Timestamp;

/// The certificates of one option, as they were read.
pub(crate) struct Shown {
    option: &'static str,
    file: PathBuf,
    /// What makes a new certificate count.
    renewal: &'static str,
    chain: Vec<CertificateDer<'static>>,
}

impl Shown {
    /// Those of `--tls-certificate`, which a reload reads again.
    pub(crate) fn to_clients(file: &Path, chain: Vec<CertificateDer<'static>>) -> Self {
        Self { option: "--tls-certificate", file: file.to_owned(), renewal: "send SIGHUP", chain }
    }

    /// Those of `--redis-certificate`, which only a start reads.
    pub(crate) fn to_redis(file: &Path, chain: Vec<CertificateDer<'static>>) -> Self {
        Self { option: "--redis-certificate", file: file.to_owned(), renewal: "restart the server", chain }
    }

    /// What is wrong with the first of them that is not valid at this time, and what to do.
    pub(crate) fn advice(&self, now: Timestamp) -> Option<String> {
        let (which, fault) =
            self.chain.iter().enumerate().find_map(|(i, der)| Some((i, fault(&validity(der)?, now)?)))?;
        let which = match which {
            0 => "the certificate".to_owned(),
            issuer => format!("the certificate {} of the chain", issuer + 1),
        };
        let (option, file, renewal) = (self.option, self.file.display(), self.renewal);
        Some(match fault {
            Fault::Expired(date) => format!(
                "{option}: {which} in {file} has expired, at {date}: write a new one there with its key, and {renewal}"
            ),
            Fault::Early(date) => format!(
                "{option}: {which} in {file} is not valid before {date}: set the clock of this machine, or write one that is \
                 valid now, and {renewal}"
            ),
        })
    }
}

/// Why a certificate is not valid, with the date in RFC 3339.
enum Fault {
    Expired(String),
    Early(String),
}

/// The dates of a certificate. `None` if it is none: the library for TLS has refused it, or will.
fn validity(der: &CertificateDer<'_>) -> Option<Validity> {
    Certificate::from_der(der).ok().map(|certificate| certificate.tbs_certificate.validity)
}

fn fault(validity: &Validity, now: Timestamp) -> Option<Fault> {
    // Both dates are in full seconds, and belong to the time in which it is valid.
    let (from, to) = (timestamp(validity.not_before), timestamp(validity.not_after));
    if now < from {
        Some(Fault::Early(from.to_rfc3339()))
    } else if now.seconds() > to.seconds() {
        Some(Fault::Expired(to.to_rfc3339()))
    } else {
        None
    }
}

fn timestamp(time: Time) -> Timestamp {
    Timestamp::from_seconds(time.to_unix_duration().as_secs())
}
