//! Errors of requests that nobody got: no name, no way, no TLS.

use core::fmt;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};

/// That no request was sent whole, and why.
#[derive(Debug)]
struct Unsent(Error);

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An error of the system says itself what it is.
        if let Error::Io(error) = &self.0 { error.fmt(f) } else { self.0.fmt(f) }
    }
}

impl core::error::Error for Unsent {}

/// The error of a request that was not sent.
pub(super) fn unsent(error: Error) -> Error {
    if is_unsent(&error) { error } else { Error::Other(Box::new(Unsent(error))) }
}

/// Whether nobody can have got the request.
pub(super) fn is_unsent(error: &Error) -> bool {
    if let Error::Other(error) = error {
        return error.is::<Unsent>();
    }
    matches!(error, Error::HostNotFound | Error::ConnectionFailed | Error::BadUri(_))
}

/// Connects, and marks the errors from before the first byte was handed over.
#[derive(Debug, Default)]
pub(super) struct Marking(DefaultConnector);

impl Connector for Marking {
    type Out = Marked;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        before: Option<()>,
    ) -> Result<Option<Marked>, Error> {
        let connection = self.0.connect(details, before).map_err(unsent)?;
        Ok(connection.map(|connection| Marked { connection, has_sent: false }))
    }
}

/// A connection. TLS is agreed upon by the first write, so one that fails has sent nothing whole.
#[derive(Debug)]
pub(super) struct Marked {
    connection: Box<dyn Transport>,
    has_sent: bool,
}

impl Transport for Marked {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let sent = self.connection.transmit_output(amount, timeout);
        let sent = if self.has_sent { sent } else { sent.map_err(unsent) };
        self.has_sent |= sent.is_ok();
        sent
    }

    fn maybe_await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.connection.maybe_await_input(timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.connection.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.connection.is_open()
    }

    fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }
}
