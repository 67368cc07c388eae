//! A load generator: kept-alive HTTP/1.1 connections, each with one request under way at a time.
//!
//! One blocking thread a connection: with 8 connections on two cores it disturbs what it measures
//! no more than one event loop does (compare `cargo xtask load` with wrk).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::http::{Body, Chunks, framing};

/// How to load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Where to.
    pub address: SocketAddr,
    /// Connections, each with one request under way.
    pub connections: usize,
    /// When to stop.
    pub until: Until,
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After this time; responses under way are waited for.
    Elapsed(Duration),
    /// After this many requests in all.
    Requests(u64),
}

/// What happened.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that got no whole response.
    pub errors: u64,
    /// From the first request to the last response.
    pub elapsed: Duration,
    /// Latency of each response in nanoseconds, ascending.
    pub latencies: Vec<u64>,
}

impl Report {
    /// Whole responses.
    pub fn responses(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Whole responses a second.
    pub fn per_second(&self) -> f64 {
        self.responses() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this share (0.0–1.0) of the responses did not exceed.
    pub fn percentile(&self, share: f64) -> Duration {
        let rank = (self.latencies.len() as f64 * share).ceil() as usize;
        let nanoseconds = self.latencies.get(rank.saturating_sub(1)).copied();
        Duration::from_nanos(nanoseconds.unwrap_or_default())
    }

    /// Fails unless every request was answered with this status.
    pub fn all(&self, status: u16) -> Result<()> {
        ensure!(
            self.errors == 0 && self.responses() > 0 && self.statuses.keys().eq([&status]),
            "not all {status}: {:?}, {} errors",
            self.statuses,
            self.errors
        );
        Ok(())
    }
}

/// Loads with the same requests (bytes as they are) again and again, in turn.
pub fn repeat(load: &Load, requests: &[Vec<u8>]) -> Result<Report> {
    let count = requests.len() as u64;
    ensure!(count > 0, "no requests to repeat");
    run(load, &|number, bytes| bytes.extend_from_slice(&requests[(number % count) as usize]))
}

/// Loads with requests that `write` appends to an empty buffer, given the request's number; each
/// number from 0 up is asked for once, in no certain order.
pub fn run(load: &Load, write: &(dyn Fn(u64, &mut Vec<u8>) + Sync)) -> Result<Report> {
    let barrier = Barrier::new(load.connections + 1);
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..load.connections)
            .map(|first| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let wire = Wire::open(load.address);
                    barrier.wait();
                    worker(load, first, wire?, write)
                })
            })
            .collect();
        barrier.wait();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow!("a load thread panicked"))?)
            .collect::<Result<_>>()
    })?;
    let mut report = Report::default();
    let start = parts.iter().map(|part| part.start).min();
    let end = parts.iter().map(|part| part.end).max();
    if let (Some(start), Some(end)) = (start, end) {
        report.elapsed = end - start;
    }
    for part in parts {
        for (status, count) in part.statuses {
            *report.statuses.entry(status).or_default() += count;
        }
        report.errors += part.errors;
        report.latencies.extend(part.latencies);
    }
    report.latencies.sort_unstable();
    Ok(report)
}

/// One connection's share of a report.
struct Part {
    statuses: BTreeMap<u16, u64>,
    errors: u64,
    start: Instant,
    end: Instant,
    latencies: Vec<u64>,
}

fn worker(
    load: &Load,
    first: usize,
    mut wire: Wire,
    write: &(dyn Fn(u64, &mut Vec<u8>) + Sync),
) -> Result<Part> {
    let start = Instant::now();
    let mut part =
        Part { statuses: BTreeMap::new(), errors: 0, start, end: start, latencies: Vec::new() };
    let mut bytes = Vec::new();
    for number in (first as u64..).step_by(load.connections) {
        let more = match load.until {
            Until::Elapsed(time) => part.end - start < time,
            Until::Requests(count) => number < count,
        };
        if !more {
            break;
        }
        bytes.clear();
        write(number, &mut bytes);
        let sent = Instant::now();
        let answer = wire.exchange(&bytes);
        part.end = Instant::now();
        match answer {
            Ok((status, close)) => {
                *part.statuses.entry(status).or_default() += 1;
                part.latencies.push((part.end - sent).as_nanos() as u64);
                if close {
                    wire = Wire::open(load.address)?;
                }
            }
            Err(_) => {
                part.errors += 1;
                wire = Wire::open(load.address)?;
            }
        }
    }
    Ok(part)
}

/// A connection that reads responses and keeps only their status.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are filled and not yet used.
    filled: usize,
}

impl Wire {
    fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, buffer: vec![0; 65536], filled: 0 })
    }

    /// The status of the response, and whether the connection ends with it.
    fn exchange(&mut self, request: &[u8]) -> Result<(u16, bool)> {
        self.stream.write_all(request)?;
        let answers_head = request.starts_with(b"HEAD ");
        let framing = loop {
            match framing(&self.buffer[..self.filled], answers_head)? {
                Some(framing) if framing.status >= 200 => break framing,
                Some(interim) => self.consume(interim.head),
                None => self.fill()?,
            }
        };
        self.consume(framing.head);
        match framing.body {
            Body::Length(mut left) => loop {
                let taken = left.min(self.filled);
                self.consume(taken);
                left -= taken;
                if left == 0 {
                    break;
                }
                self.fill()?;
            },
            Body::Chunked => {
                let mut chunks = Chunks::default();
                loop {
                    let used = chunks.feed(&self.buffer[..self.filled], None)?;
                    self.consume(used);
                    if chunks.done() {
                        break;
                    }
                    self.fill()?;
                }
            }
            Body::UntilClose => {
                while self.fill().is_ok() && self.filled > 0 {
                    self.filled = 0;
                }
            }
        }
        Ok((framing.status, framing.close))
    }

    fn fill(&mut self) -> Result<()> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.filled * 2, 0);
        }
        let got = self.stream.read(&mut self.buffer[self.filled..])?;
        ensure!(got > 0, "closed");
        self.filled += got;
        Ok(())
    }

    fn consume(&mut self, used: usize) {
        self.buffer.copy_within(used..self.filled, 0);
        self.filled -= used;
    }
}

/// Longest wait for one response.
const TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers `responses` in turn to whatever arrives, on each connection.
    fn server(responses: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let mut bytes = [0; 4096];
                    for response in responses.iter().cycle() {
                        if !matches!(stream.read(&mut bytes), Ok(n) if n > 0)
                            || stream.write_all(response.as_bytes()).is_err()
                            || response.contains("close")
                        {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    #[test]
    fn every_request_is_counted_once() {
        let address = server(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            "HTTP/1.1 429 No\r\nConnection: close\r\n\r\nbye",
        ]);
        let load = Load { address, connections: 2, until: Until::Requests(60) };
        let report = repeat(&load, &[b"GET / HTTP/1.1\r\n\r\n".to_vec()]).unwrap();
        assert_eq!(report.statuses, BTreeMap::from([(200, 20), (404, 20), (429, 20)]));
        assert_eq!((report.errors, report.latencies.len()), (0, 60));
        assert!(report.all(200).is_err());
    }

    #[test]
    fn a_cut_response_is_an_error() {
        let address = server(&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: close\r\n\r\nok"]);
        let load = Load { address, connections: 1, until: Until::Requests(3) };
        let report = repeat(&load, &[b"GET / HTTP/1.1\r\n\r\n".to_vec()]).unwrap();
        assert_eq!((report.responses(), report.errors), (0, 3));
    }

    #[test]
    fn percentiles_are_ranks() {
        let report = Report { latencies: (1..=100).collect(), ..Report::default() };
        assert_eq!(report.percentile(0.5).as_nanos(), 50);
        assert_eq!(report.percentile(0.99).as_nanos(), 99);
        assert_eq!(report.percentile(1.0).as_nanos(), 100);
        assert_eq!(Report::default().percentile(0.5), Duration::ZERO);
    }
}
