//! HTTP/1.1 over a raw socket: sends exactly the bytes it is given and reads whole responses.
//!
//! For tests that must say things no client library lets them say, and for the load generator.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustls::ClientConfig;

use crate::stream::Stream;

/// A whole response.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// Whether the server ends the connection after this response.
    pub close: bool,
}

impl Reply {
    /// The first header field of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, wrong bytes replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }
}

/// Sends `bytes` on a connection of its own and reads one response.
pub fn exchange(address: SocketAddr, bytes: &[u8], timeout: Duration) -> Result<Reply> {
    let mut connection = Connection::open(address, timeout)?;
    // A server may answer and close before it has read all.
    let sent = connection.send(bytes);
    let reply = connection.receive(bytes.starts_with(b"HEAD "));
    if reply.is_err() {
        sent?;
    }
    reply
}

/// Sends one well-formed request on a connection of its own; `Host` and `Content-Length` are added.
pub fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    timeout: Duration,
) -> Result<Reply> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    exchange(address, &bytes, timeout)
}

/// A kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Bytes received and not yet read as part of a response.
    buffer: Vec<u8>,
    timeout: Duration,
}

impl Connection {
    /// Connects; `timeout` is for the connection and again for each response as a whole.
    pub fn open(address: SocketAddr, timeout: Duration) -> Result<Self> {
        let stream = Stream::connect(address, timeout)?;
        Ok(Self { stream, buffer: Vec::new(), timeout })
    }

    /// The same by TLS, with this host.
    pub fn open_tls(
        address: SocketAddr,
        host: &str,
        believed: &Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self> {
        let stream = Stream::connect(address, timeout)?.secured(host, believed, timeout)?;
        Ok(Self { stream, buffer: Vec::new(), timeout })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
        sent.context("cannot send")
    }

    /// Reads one response; `head` says that it answers a `HEAD` and so has no body.
    pub fn receive(&mut self, head: bool) -> Result<Reply> {
        let deadline = Instant::now() + self.timeout;
        let framing = loop {
            match framing(&self.buffer, head)? {
                Some(framing) if framing.status == 101 || framing.status >= 200 => break framing,
                Some(interim) => drop(self.buffer.drain(..interim.head)),
                None => ensure!(self.fill(deadline)?, "closed inside the head of a response"),
            }
        };
        let headers = fields(&self.buffer[..framing.head]);
        self.buffer.drain(..framing.head);
        let mut body = Vec::new();
        match framing.body {
            Body::Length(length) => {
                while self.buffer.len() < length {
                    let got = self.buffer.len();
                    ensure!(self.fill(deadline)?, "closed after {got} of {length} body bytes");
                }
                body.extend(self.buffer.drain(..length));
            }
            Body::Chunked => {
                let mut chunks = Chunks::default();
                loop {
                    let used = chunks.feed(&self.buffer, Some(&mut body))?;
                    self.buffer.drain(..used);
                    if chunks.done() {
                        break;
                    }
                    ensure!(self.fill(deadline)?, "closed inside a chunked body");
                }
            }
            Body::UntilClose => {
                while self.fill(deadline)? {}
                body.append(&mut self.buffer);
            }
        }
        Ok(Reply { status: framing.status, headers, body, close: framing.close })
    }

    /// What the server sends within `wait`, until it ends the connection.
    pub fn more(&mut self, wait: Duration) -> Result<Vec<u8>> {
        self.timeout = wait;
        let deadline = Instant::now() + wait;
        while matches!(self.fill(deadline), Ok(true)) {}
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Waits until the server ends the connection; the bytes it still sent.
    pub fn drain(mut self) -> Result<Vec<u8>> {
        let deadline = Instant::now() + self.timeout;
        while self.fill(deadline)? {}
        Ok(self.buffer)
    }

    /// Reads some more bytes; false at the end of the stream.
    fn fill(&mut self, deadline: Instant) -> Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "no answer within {:?}", self.timeout);
        self.stream.set_read_timeout(left)?;
        let mut bytes = [0; 16384];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(n) => {
                    self.buffer.extend_from_slice(&bytes[..n]);
                    return Ok(n > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    bail!("no answer within {:?}", self.timeout)
                }
                Err(error) => return Err(error).context("cannot receive"),
            }
        }
    }
}

/// What the head of a response says about its extent (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// The status code.
    pub status: u16,
    /// Bytes of the head, its empty line included.
    pub head: usize,
    /// How the body ends.
    pub body: Body,
    /// Whether the connection ends with this response.
    pub close: bool,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// After so many bytes.
    Length(usize),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// Reads the head of a response, without allocating; `None` while it is incomplete.
pub fn framing(bytes: &[u8], answers_head: bool) -> Result<Option<Framing>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        ensure!(bytes.len() < MAX_HEAD, "the head of the response has no end");
        return Ok(None);
    };
    let head = &bytes[..end + 2];
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end());
    let start = lines.next().unwrap_or_default();
    let status = start
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(decimal)
        .and_then(|status| u16::try_from(status).ok())
        .ok_or_else(|| anyhow!("no HTTP/1.1 response: {}", String::from_utf8_lossy(start)))?;
    let (mut length, mut chunked, mut close) = (None, false, false);
    for line in lines {
        if let Some(value) = value_of(line, b"content-length:") {
            length = Some(decimal(value).ok_or_else(|| anyhow!("bad Content-Length"))?);
        } else if let Some(value) = value_of(line, b"transfer-encoding:") {
            chunked = value.eq_ignore_ascii_case(b"chunked");
        } else if let Some(value) = value_of(line, b"connection:") {
            close = value.eq_ignore_ascii_case(b"close");
        }
    }
    let body = if answers_head || status < 200 || matches!(status, 204 | 304) {
        Body::Length(0)
    } else if chunked {
        Body::Chunked
    } else {
        length.map_or(Body::UntilClose, Body::Length)
    };
    let close = close || body == Body::UntilClose;
    Ok(Some(Framing { status, head: end + 4, body, close }))
}

/// A decoder of chunked bodies (RFC 9112, section 7.1), fed as bytes arrive.
#[derive(Debug, Default)]
pub struct Chunks {
    state: Chunk,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// A size line is next.
    #[default]
    Size,
    /// So many bytes of data and the CRLF after them are next.
    Data(usize),
    /// A line of the trailer section is next.
    Trailer,
    Done,
}

impl Chunks {
    /// Takes what it can of `bytes`, appends data to `body` and says how many bytes it took.
    pub fn feed(&mut self, bytes: &[u8], mut body: Option<&mut Vec<u8>>) -> Result<usize> {
        let mut used = 0;
        while self.state != Chunk::Done {
            let rest = &bytes[used..];
            if let Chunk::Data(left) = self.state {
                // The CRLF is the last two of the `left` bytes; it must come whole.
                let data = left.saturating_sub(2).min(rest.len());
                if let Some(body) = body.as_deref_mut() {
                    body.extend_from_slice(&rest[..data]);
                }
                used += data;
                self.state = Chunk::Data(left - data);
                if left - data > 2 {
                    return Ok(used);
                }
                match bytes.get(used..used + 2) {
                    Some(b"\r\n") => {
                        used += 2;
                        self.state = Chunk::Size;
                    }
                    Some(_) => bail!("a chunk does not end where it said"),
                    None => return Ok(used),
                }
                continue;
            }
            let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                ensure!(rest.len() < MAX_HEAD, "a line of a chunked body has no end");
                return Ok(used);
            };
            let line = rest[..end].trim_ascii_end();
            used += end + 1;
            self.state = match (self.state, line.is_empty()) {
                (Chunk::Trailer, true) => Chunk::Done,
                (Chunk::Trailer, false) => Chunk::Trailer,
                _ => {
                    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
                    let size = std::str::from_utf8(digits.trim_ascii())
                        .ok()
                        .and_then(|digits| usize::from_str_radix(digits, 16).ok())
                        .ok_or_else(|| anyhow!("bad chunk size"))?;
                    if size == 0 { Chunk::Trailer } else { Chunk::Data(size + 2) }
                }
            };
        }
        Ok(used)
    }

    /// Whether the body is complete.
    pub fn done(&self) -> bool {
        self.state == Chunk::Done
    }
}

fn fields(head: &[u8]) -> Vec<(String, String)> {
    String::from_utf8_lossy(head)
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let start = line.get(..name.len())?;
    start.eq_ignore_ascii_case(name).then(|| line[name.len()..].trim_ascii())
}

fn decimal(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Longest head or line accepted, in bytes.
const MAX_HEAD: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-LENGTH:  5 \r\nConnection: Close\r\n\r\nhello";
        assert_eq!(framing(&bytes[..58], false).unwrap(), None);
        let read = framing(bytes, false).unwrap().unwrap();
        assert_eq!((read.status, read.body, read.close), (200, Body::Length(5), true));
        assert_eq!(&bytes[read.head..], b"hello");
    }

    #[test]
    fn the_body_ends_as_rfc_9112_says() {
        let body = |head: &[u8], answers_head| framing(head, answers_head).unwrap().unwrap().body;
        assert_eq!(body(b"HTTP/1.1 204 No\r\n\r\n", false), Body::Length(0));
        assert_eq!(body(b"HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", false), Body::Length(0));
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true), Body::Length(0));
        assert_eq!(body(b"HTTP/1.1 200 OK\r\n\r\n", false), Body::UntilClose);
        let both = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(body(both, false), Body::Chunked);
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        for bytes in [
            b"HTTP/1.0 200 OK\r\n\r\n".as_slice(),
            b"HTTP/1.1 2x0 OK\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        ] {
            assert!(framing(bytes, false).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn chunks_are_joined_however_they_arrive() {
        let bytes = b"5;x=y\r\nhello\r\nA\r\n, \r\nworld\n\r\n0\r\nTrailer: t\r\n\r\nnext";
        for step in 1..=bytes.len() {
            let (mut chunks, mut body, mut buffer) = (Chunks::default(), Vec::new(), Vec::new());
            for piece in bytes.chunks(step) {
                buffer.extend_from_slice(piece);
                let used = chunks.feed(&buffer, Some(&mut body)).unwrap();
                buffer.drain(..used);
            }
            assert!(chunks.done());
            assert_eq!(body, b"hello, \r\nworld\n");
            assert_eq!(buffer, b"next");
        }
    }

    #[test]
    fn bad_chunks_are_an_error() {
        for bytes in [b"x\r\n".as_slice(), b"\r\n", b"2\r\nabc\r\n", b"-1\r\n"] {
            assert!(Chunks::default().feed(bytes, None).is_err(), "{bytes:?}");
        }
    }
}
