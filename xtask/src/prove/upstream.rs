//! An origin that speaks raw TCP: it sees the bytes of each request and can answer any bytes.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

use crate::http::Chunks;

use super::site::free_port;

/// A listening origin. Its connections end when it is dropped.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

/// The head of a request, byte for byte.
pub(super) struct Seen {
    pub(super) target: Vec<u8>,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

/// The connection a request came on.
pub(super) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Whether the connection serves another request.
#[derive(PartialEq, Eq)]
pub(super) enum Next {
    Keep,
    Close,
}

type Answer = dyn Fn(&Seen, &mut Wire) -> io::Result<Next> + Send + Sync;

struct Shared {
    answer: Box<Answer>,
    requests: AtomicU64,
    ending: AtomicBool,
    open: Mutex<BTreeMap<u64, TcpStream>>,
}

impl Upstream {
    /// Listens on any port; `answer` reads the body, if there may be one, and writes the response.
    pub(super) fn start(
        answer: impl Fn(&Seen, &mut Wire) -> io::Result<Next> + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)), answer)
    }

    /// The same on this port.
    pub(super) fn start_at(
        address: SocketAddr,
        answer: impl Fn(&Seen, &mut Wire) -> io::Result<Next> + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).context("the origin cannot listen")?;
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            requests: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            open: Mutex::new(BTreeMap::new()),
        });
        let accepted = Arc::clone(&shared);
        let listening = std::thread::spawn(move || accept(&listener, &accepted));
        Ok(Self { address, shared, listening: Some(listening) })
    }

    /// Requests whose head arrived, whatever became of them.
    pub(super) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, stream) in (0..).zip(listener.incoming()) {
        if shared.ending.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(other) = stream.try_clone() else { continue };
        shared.open.lock().unwrap_or_else(PoisonError::into_inner).insert(number, other);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A connection that breaks is what a peer that breaks it wants.
            let _ = converse(stream, &shared);
            shared.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        });
    }
}

fn converse(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire { stream, buffer: Vec::new() };
    while let Some(seen) = wire.head()? {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        if (shared.answer)(&seen, &mut wire)? == Next::Close {
            // Otherwise the clone kept for the end would hold it open.
            return wire.stream.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

impl Seen {
    /// The value of the header of this (lower-case) name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl Wire {
    /// Sends bytes as they are.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Answers 200 with this body.
    pub(super) fn ok(&mut self, body: &str) -> io::Result<Next> {
        self.ok_with("", body)
    }

    /// The same with more fields, each with its end of line.
    pub(super) fn ok_with(&mut self, fields: &str, body: &str) -> io::Result<Next> {
        let length = body.len();
        let response = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
        self.send(response.as_bytes())?;
        Ok(Next::Keep)
    }

    /// Hands the request's body to `each`, piece by piece.
    pub(super) fn body(&mut self, seen: &Seen, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        if seen.header("transfer-encoding").is_some() {
            let (mut chunks, mut data) = (Chunks::default(), Vec::new());
            loop {
                let used = chunks.feed(&self.buffer, Some(&mut data)).map_err(io::Error::other)?;
                self.buffer.drain(..used);
                each(&data);
                data.clear();
                if chunks.done() {
                    return Ok(());
                }
                self.fill_or_fail()?;
            }
        }
        let length = seen.header("content-length").map_or(Ok(0), str::parse::<usize>);
        let mut left = length.map_err(io::Error::other)?;
        while left > 0 {
            if self.buffer.is_empty() {
                self.fill_or_fail()?;
            }
            let taken = left.min(self.buffer.len());
            each(&self.buffer[..taken]);
            self.buffer.drain(..taken);
            left -= taken;
        }
        Ok(())
    }

    /// The head of the next request; `None` if there is none.
    fn head(&mut self) -> io::Result<Option<Seen>> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            if !self.fill()? {
                return Ok(None);
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
        let start = lines.next().unwrap_or_default();
        let (from, to) = (
            start.iter().position(|&byte| byte == b' '),
            start.iter().rposition(|&byte| byte == b' '),
        );
        let target = from.zip(to).and_then(|(from, to)| start.get(from + 1..to));
        let headers = lines
            .filter_map(|line| {
                let line = String::from_utf8_lossy(line);
                let (name, value) = line.split_once(':')?;
                Some((name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect();
        Ok(Some(Seen { target: target.unwrap_or_default().to_vec(), headers }))
    }

    fn fill_or_fail(&mut self) -> io::Result<()> {
        if self.fill()? { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn fill(&mut self) -> io::Result<bool> {
        let filled = self.buffer.len();
        self.buffer.resize(filled + PIECE, 0);
        let got = self.stream.read(&mut self.buffer[filled..]);
        self.buffer.truncate(filled + *got.as_ref().unwrap_or(&0));
        Ok(got? > 0)
    }
}

const PIECE: usize = 64 * 1024;
