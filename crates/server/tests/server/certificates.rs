//! Certificates that a test makes for itself.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A certification authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in PEM.
pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the authority of a test");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// It, as the only one that is trusted.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem().as_bytes()).unwrap()).unwrap();
        roots
    }

    /// A certificate for this host and for 127.0.0.1.
    pub(crate) fn issue(&self, host: &str) -> Certificate {
        self.issue_between(host, [1975, 4096])
    }

    /// The same, valid from the beginning of one year to that of another.
    pub(crate) fn issue_between(&self, host: &str, [from, to]: [i32; 2]) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certificate { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// Writes its certificate, and gives the path.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> String {
        write(folder, &format!("{name}.pem"), &self.pem())
    }
}

impl Certificate {
    /// Writes both, and gives their paths.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> [String; 2] {
        [write(folder, &format!("{name}.crt"), &self.chain), write(folder, &format!("{name}.key"), &self.key)]
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
