//! TLS by certificate and key files. Files that are replaced, as by a renewal, are read again; new ones that cannot be
//! used leave the old ones in force.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};

use crate::{app::AppError, config::open_to_all};

/// How often files are looked at, while clients connect.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// The certificate that is served now.
pub(super) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    served: Mutex<Served>,
}

struct Served {
    acceptor: TlsAcceptor,
    looked_at: Instant,
    written: Option<[SystemTime; 2]>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`AppError::Usage`] names the setting, the file and what is wrong with it.
    pub(super) fn read(certificate: &Path, key: &Path) -> Result<Self, AppError> {
        let written = written(certificate, key);
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            served: Mutex::new(Served {
                acceptor: acceptor(certificate, key)?,
                looked_at: Instant::now(),
                written,
            }),
        })
    }

    /// For the next client.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if served.looked_at.elapsed() >= LOOKED_AT_EVERY {
            served.looked_at = Instant::now();
            let written = written(&self.certificate, &self.key);
            if written != served.written {
                match acceptor(&self.certificate, &self.key) {
                    Ok(acceptor) => {
                        info!(file = %self.certificate.display(), "a new certificate of the HTTP API is served");
                        served.acceptor = acceptor;
                    }
                    Err(error) => error!(%error, "the HTTP API keeps its old certificate"),
                }
                // A file that cannot be used is complained of once.
                served.written = written;
            }
        }
        served.acceptor.clone()
    }
}

/// When the files were last written.
fn written(certificate: &Path, key: &Path) -> Option<[SystemTime; 2]> {
    let at = |file: &Path| std::fs::metadata(file).and_then(|found| found.modified()).ok();
    Some([at(certificate)?, at(key)?])
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, AppError> {
    let wrong = |setting: &str, file: &Path, what: &str| {
        AppError::Usage(format!("{setting} = \"{}\": {what}", file.display()))
    };
    let certificates = CertificateDer::pem_file_iter(certificate)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(|error| {
            wrong(
                "api.tls_cert",
                certificate,
                &format!("cannot be read: {error}; give a PEM file"),
            )
        })?;
    if certificates.is_empty() {
        let what = "has no certificate; give a PEM file that begins with -----BEGIN CERTIFICATE-----";
        return Err(wrong("api.tls_cert", certificate, what));
    }
    let of_key = |what: &str| wrong("api.tls_key", key, what);
    let open = open_to_all(key).map_err(|error| of_key(&format!("cannot be read: {error}")))?;
    if let Some(problem) = open {
        return Err(of_key(problem));
    }
    // The error may quote the file.
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|_| of_key("has no private key that can be read; give a PEM file without a password"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(certificates, private));
    let mut config = config.map_err(|error| of_key(&format!("does not fit api.tls_cert: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
