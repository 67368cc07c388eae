//! An origin that records every request byte for byte, and misbehaves on request.
//!
//! The last segment of the path says how it answers; see [`answer`]. Otherwise `X-Answer-NAME: VALUE`
//! in the request puts `NAME: VALUE` into the answer.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::http::Chunks;

/// One request, as it came over the wire.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub whole: bool,
    /// Whether nothing more will come.
    pub(super) ended: bool,
    /// No two have the same.
    pub(super) number: u64,
}

impl Seen {
    /// The first field of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The recording origin. When dropped, it stops listening and ends every connection.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    record: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    stop: Arc<AtomicBool>,
}

impl Origin {
    /// Listens on a port.
    pub fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).context("origin")?;
        let address = listener.local_addr()?;
        let (record, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let connections = Arc::default();
        let (seen, end) = (Arc::clone(&record), Arc::clone(&stop));
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(io::Result::ok) {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                open.extend(stream.try_clone());
                let seen = Arc::clone(&seen);
                thread::spawn(move || serve(stream, &seen));
            }
        });
        Ok(Self { address, record, connections, stop })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests since this was last called.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same once each of them has ended, whole or not, or after a second.
    pub fn take_ended(&self) -> Vec<Seen> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) && self.any(|seen| !seen.ended) {
            sleep(Duration::from_millis(5));
        }
        self.take()
    }

    /// How many requests have arrived since they were last taken.
    pub fn arrived(&self) -> usize {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn any(&self, is: impl Fn(&Seen) -> bool) -> bool {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).iter().any(is)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener, which then closes.
        let _ = TcpStream::connect(self.address);
        for open in self.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = open.shutdown(Shutdown::Both);
        }
    }
}

/// Reads requests until the connection ends.
fn serve(mut stream: TcpStream, record: &Mutex<Vec<Seen>>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(seen) = receive(&mut stream, &mut buffer, record) {
        if answer(&mut stream, &seen).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// Reads one request, recorded as soon as its head is there.
fn receive(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    record: &Mutex<Vec<Seen>>,
) -> Option<Seen> {
    let head = loop {
        match buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(end) => break buffer.drain(..end + 4).collect::<Vec<u8>>(),
            None => fill(stream, buffer)?,
        }
    };
    let head = head.iter().map(|&byte| char::from(byte)).collect::<String>();
    let mut lines = head.split("\r\n");
    let mut start = lines.next()?.split(' ').map(str::to_owned);
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let mut seen = Seen {
        method: start.next()?,
        target: start.next()?,
        headers: lines.filter_map(field).collect(),
        number: NUMBER.fetch_add(1, Ordering::Relaxed),
        ..Seen::default()
    };
    record.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
    seen.whole = read_body(stream, buffer, &mut seen).is_some();
    seen.ended = true;
    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
    // By now it may have been taken.
    if let Some(own) = record.iter_mut().find(|own| own.number == seen.number) {
        *own = seen.clone();
    }
    seen.whole.then_some(seen)
}

fn read_body(stream: &mut TcpStream, buffer: &mut Vec<u8>, seen: &mut Seen) -> Option<()> {
    if seen.header("transfer-encoding").is_some() {
        let mut chunks = Chunks::default();
        loop {
            let used = chunks.feed(buffer, Some(&mut seen.body)).ok()?;
            buffer.drain(..used);
            if chunks.done() {
                return Some(());
            }
            fill(stream, buffer)?;
        }
    }
    let length = seen.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    while buffer.len() < length {
        fill(stream, buffer)?;
    }
    seen.body.extend(buffer.drain(..length));
    Some(())
}

fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 16384];
    match stream.read(&mut bytes) {
        Ok(0) | Err(_) => None,
        Ok(n) => {
            buffer.extend_from_slice(&bytes[..n]);
            Some(())
        }
    }
}

/// Answers as the last segment of the path says; an error ends the connection.
fn answer(stream: &mut TcpStream, seen: &Seen) -> io::Result<()> {
    let path = seen.target.split('?').next().unwrap_or_default();
    let closed = || Err(io::ErrorKind::ConnectionAborted.into());
    match path.rsplit('/').next().unwrap_or_default() {
        "302" => send(stream, "302 Found", "Location: https://evil.example/\r\n", b""),
        "401" => send(stream, "401 Unauthorized", "WWW-Authenticate: Basic\r\n", b"origin"),
        "500" => send(stream, "500 Internal Server Error", "", b"origin"),
        "204" => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n"),
        "304" => stream.write_all(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"),
        "101" => {
            let accept = accept(seen.header("sec-websocket-key").unwrap_or_default());
            let fields = "Upgrade: websocket\r\nConnection: Upgrade";
            write!(
                stream,
                "HTTP/1.1 101 Switching Protocols\r\n{fields}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )?;
            // A text frame: "hi".
            stream.write_all(&[0x81, 2, b'h', b'i'])?;
            sleep(Duration::from_millis(300));
            closed()
        }
        "close-head" => closed(),
        "cut-head" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")?;
            closed()
        }
        "garbage" => {
            stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")?;
            closed()
        }
        "close-body" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")?;
            closed()
        }
        "bad-chunk" => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n",
            )?;
            closed()
        }
        "cut-chunk" => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            )?;
            closed()
        }
        "drip-head" => {
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Slow: 1\r\n" {
                stream.write_all(&[*byte])?;
                sleep(Duration::from_millis(100));
            }
            closed()
        }
        "late" => {
            sleep(LATE);
            send(stream, "200 OK", &asked(seen), &told(seen))
        }
        "late-close" => {
            sleep(LATE);
            closed()
        }
        "drip-body" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for _ in 0..8 {
                stream.write_all(b"1\r\n.\r\n")?;
                sleep(Duration::from_millis(250));
            }
            stream.write_all(b"0\r\n\r\n")
        }
        "hang" => {
            let start = Instant::now();
            while start.elapsed() < HANG {
                sleep(Duration::from_millis(50));
            }
            closed()
        }
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(ZIPPED)?;
            send(stream, "200 OK", "Content-Encoding: gzip\r\n", &encoder.finish()?)
        }
        "sse" => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head)?;
            stream.write_all(b"9\r\ndata: 1\n\n\r\n")?;
            sleep(Duration::from_millis(400));
            stream.write_all(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
        }
        "cache-public" => {
            let fields = "Cache-Control: public, max-age=3600\r\nETag: \"a\"\r\nExpires: Fri, 01 Jan 2100 00:00:00 GMT\r\n";
            send(stream, "200 OK", fields, &told(seen))
        }
        "set-cookie" => {
            send(stream, "200 OK", "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n", b"")
        }
        "own-names" => {
            let fields = "X-Request-Id: forged\r\nX-Portcullis-Key: forged\r\nServer: demo\r\n";
            send(stream, "200 OK", fields, b"")
        }
        _ if seen.method == "HEAD" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n")
        }
        _ => {
            let fields = asked(seen) + "Content-Type: application/json\r\n";
            send(stream, "200 OK", &fields, &told(seen))
        }
    }
}

/// The fields that the request asks for.
fn asked(seen: &Seen) -> String {
    let asked = seen.headers.iter().filter_map(|(name, value)| {
        name.strip_prefix("x-answer-").map(|name| format!("{name}: {value}\r\n"))
    });
    asked.collect()
}

/// What the origin makes of a request: method, target and whose it is.
fn told(seen: &Seen) -> Vec<u8> {
    let key = seen.header("x-portcullis-key");
    json!({ "method": seen.method, "target": seen.target, "key": key }).to_string().into_bytes()
}

fn send(stream: &mut TcpStream, status: &str, fields: &str, body: &[u8]) -> io::Result<()> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)
}

/// `Sec-WebSocket-Accept` (RFC 6455, section 4.2.2).
fn accept(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    data_encoding::BASE64.encode(&sha1(text.as_bytes()))
}

/// SHA-1 (RFC 3174), which WebSocket handshakes want and nothing else here does.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - message.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let end = padded.len() - 8;
    padded[end..].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    let mut state = [0x6745_2301_u32, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    for block in padded.chunks_exact(64) {
        let mut words: Vec<u32> = block
            .chunks_exact(4)
            .map(|word| word.iter().fold(0, |word, &byte| word << 8 | u32::from(byte)))
            .collect();
        for at in 16..80 {
            let word = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
            words.push(word.rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (at, word) in words.into_iter().enumerate() {
            let (mix, constant) = match at / 20 {
                0 => (b & c | !b & d, 0x5A82_7999_u32),
                1 => (b ^ c ^ d, 0x6ED9_EBA1),
                2 => (b & c | b & d | c & d, 0x8F1B_BCDC),
                _ => (b ^ c ^ d, 0xCA62_C1D6),
            };
            let sum =
                [mix, e, constant, word].into_iter().fold(a.rotate_left(5), u32::wrapping_add);
            (a, b, c, d, e) = (sum, a, b.rotate_left(30), c, d);
        }
        let after = [a, b, c, d, e];
        state = std::array::from_fn(|at| state[at].wrapping_add(after[at]));
    }
    let mut digest = [0; 20];
    digest
        .chunks_exact_mut(4)
        .zip(state)
        .for_each(|(to, word)| to.copy_from_slice(&word.to_be_bytes()));
    digest
}

static NUMBER: AtomicU64 = AtomicU64::new(0);
/// What the gzipped answer holds.
pub const ZIPPED: &[u8] = b"compressed once, by the origin";
const HANG: Duration = Duration::from_secs(4);
/// How late `late` is: less than the policy waits.
pub const LATE: Duration = Duration::from_millis(1000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_of_rfc_6455() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
