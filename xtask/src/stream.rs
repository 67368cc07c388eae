//! What carries bytes: a socket, or TLS over one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// Whose certificates are believed: those that this machine believes, or of the authorities in a PEM file
/// alone.
///
/// # Errors
/// If there is no such file, or no certificate in it.
pub fn believe(ca: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder();
    let mut config = match ca {
        None => builder.with_platform_verifier()?.with_no_client_auth(),
        Some(path) => {
            let file = || format!("no certificate in {}", path.display());
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(path).with_context(file)? {
                roots.add(certificate.with_context(file)?).with_context(file)?;
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// The bytes as they are.
    Plain(TcpStream),
    /// By TLS.
    Tls(Box<ClientConnection>, TcpStream),
}

impl Stream {
    /// Connects; `timeout` is for that and for each write.
    pub fn connect(address: SocketAddr, timeout: Duration) -> Result<Self> {
        let socket = TcpStream::connect_timeout(&address, timeout)
            .with_context(|| format!("cannot connect to {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(timeout))?;
        Ok(Self::Plain(socket))
    }

    /// Speaks TLS from now on; the handshake, with `timeout` for each read, is made by what is sent first.
    pub fn secured(
        self,
        host: &str,
        believed: &Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self> {
        let (Self::Plain(socket) | Self::Tls(_, socket)) = self;
        socket.set_read_timeout(Some(timeout))?;
        let name = ServerName::try_from(host.to_owned()).with_context(|| host.to_owned())?;
        let session = ClientConnection::new(Arc::clone(believed), name)?;
        Ok(Self::Tls(Box::new(session), socket))
    }

    /// How long a read may take.
    pub fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        let (Self::Plain(socket) | Self::Tls(_, socket)) = self;
        socket.set_read_timeout(Some(timeout))
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (session, socket) = match self {
            Self::Plain(socket) => return socket.read(bytes),
            Self::Tls(session, socket) => (session, socket),
        };
        // Not by `rustls::Stream`, which sends first what could not be sent: a server may have answered
        // and closed by then.
        loop {
            match session.reader().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    session.read_tls(socket)?;
                    session.process_new_packets().map_err(io::Error::other)?;
                }
                read => return read,
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(session, socket) => {
                rustls::Stream::new(session.as_mut(), socket).write(bytes)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(session, socket) => rustls::Stream::new(session.as_mut(), socket).flush(),
        }
    }
}
