//! Bodies stream through: memory does not grow with them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::progress::Progress;
use super::site::{Gate, Site, TIMEOUT, now, request};
use super::upstream::{Next, Upstream};
use super::{Bar, Verdict};
use crate::http::{Body, Chunks, framing};

pub(super) const BAR: Bar = Bar {
    name: "stream",
    goal: "a body goes up and one comes down, by service binding and by URL, with the same SHA-256 at both ends; memory grows by at most 64 MiB",
    unit: "MiB a body",
    ci: 64,
    full: 1024,
    sources: &[],
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let pieces = size * PIECES_A_MEBIBYTE;
    let origin = Upstream::start(move |seen, wire| {
        if seen.target.ends_with(b"/down") {
            let length = pieces * PIECE as u64;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            wire.send(head.as_bytes())?;
            each_piece(pieces, |piece| wire.send(piece))?;
            return Ok(Next::Keep);
        }
        let mut digest = Sha256::new();
        wire.body(seen, |piece| digest.update(piece))?;
        wire.ok(&HEXLOWER.encode(&digest.finalize()))
    })?;
    let gate = site.start("stream", true, &site.options(origin.address)?)?;
    let (key, row) = site.key(0, now()?)?;
    gate.server.control.put_rows([row])?;
    let mut digest = Sha256::new();
    each_piece(pieces, |piece| {
        digest.update(piece);
        anyhow::Ok(())
    })?;
    let expected = HEXLOWER.encode(&digest.finalize());

    let mut verdict = Verdict::default();
    for upstream in ["near", "far"] {
        for way in ["up", "down"] {
            let target = format!("/long/{upstream}/{way}");
            // The first request takes what it takes, whatever its body.
            gate.get("/v1/public", None)?;
            let before = gate.resident()?;
            let start = std::time::Instant::now();
            let done = AtomicBool::new(false);
            let (digest, most) = std::thread::scope(|scope| {
                let watch = scope.spawn(|| watch(&gate, &done));
                let digest = if way == "up" {
                    upload(gate.address, &target, &key, pieces)
                } else {
                    receive(gate.address, &target, &key)
                };
                done.store(true, Ordering::SeqCst);
                let most = watch.join().map_err(|_| anyhow!("the watching thread panicked"))?;
                anyhow::Ok((digest?, most?))
            })?;
            let seconds = start.elapsed().as_secs_f64();
            let grown = most.saturating_sub(before);
            verdict.require(digest == expected, || format!("{target}: another body arrived"));
            verdict.require(grown <= GOAL, || format!("{target}: {} MiB more", grown >> 20));
            verdict.figure(
                &format!("{upstream}_{way}"),
                json!({
                    "same_sha256": digest == expected,
                    "mib_before": before >> 20,
                    "mib_more": grown >> 20,
                    "mib_a_second": (size as f64 / seconds).round(),
                }),
            );
        }
    }
    Ok(verdict)
}

/// Sends a body with its length; the digest that the origin answers.
fn upload(gate: SocketAddr, target: &str, key: &str, pieces: u64) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&gate, TIMEOUT)?;
    let length = pieces * PIECE as u64;
    let head = request("POST", target, Some(key));
    let head = head.trim_end();
    stream.write_all(format!("{head}\r\nContent-Length: {length}\r\n\r\n").as_bytes())?;
    each_piece(pieces, |piece| stream.write_all(piece).context("cannot send"))?;
    let mut digest = Vec::new();
    let status = read_response(stream, |piece| digest.extend_from_slice(piece))?;
    ensure!(status == 200, "{target}: {status} {}", String::from_utf8_lossy(&digest));
    Ok(String::from_utf8(digest)?)
}

/// Reads a body; its digest.
fn receive(gate: SocketAddr, target: &str, key: &str) -> Result<String> {
    let mut digest = Sha256::new();
    let head = request("GET", target, Some(key));
    let status = download(gate, head.as_bytes(), |piece| digest.update(piece))?;
    ensure!(status == 200, "{target}: {status}");
    Ok(HEXLOWER.encode(&digest.finalize()))
}

/// Sends a request on a connection of its own and hands the body on as it arrives; the status.
pub(super) fn download(gate: SocketAddr, request: &[u8], each: impl FnMut(&[u8])) -> Result<u16> {
    let mut stream = TcpStream::connect_timeout(&gate, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    read_response(stream, each)
}

fn read_response(mut stream: TcpStream, mut each: impl FnMut(&[u8])) -> Result<u16> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let (mut buffer, mut bytes) = (Vec::new(), vec![0; PIECE]);
    let framing = loop {
        if let Some(framing) = framing(&buffer, false)? {
            break framing;
        }
        let got = stream.read(&mut bytes)?;
        ensure!(got > 0, "closed inside the head");
        buffer.extend_from_slice(&bytes[..got]);
    };
    buffer.drain(..framing.head);
    let (mut chunks, mut taken, mut data) = (Chunks::default(), 0, Vec::new());
    loop {
        if framing.body == Body::Chunked {
            let used = chunks.feed(&buffer, Some(&mut data))?;
            buffer.drain(..used);
        } else {
            std::mem::swap(&mut data, &mut buffer);
        }
        taken += data.len();
        if !data.is_empty() {
            each(&data);
            data.clear();
        }
        let whole = match framing.body {
            Body::Length(length) => taken >= length,
            Body::Chunked => chunks.done(),
            Body::UntilClose => false,
        };
        if whole {
            return Ok(framing.status);
        }
        let got = stream.read(&mut bytes)?;
        if got == 0 {
            ensure!(framing.body == Body::UntilClose, "closed inside the body after {taken} bytes");
            return Ok(framing.status);
        }
        buffer.extend_from_slice(&bytes[..got]);
    }
}

/// The body: pieces that differ by their number.
fn each_piece<E>(pieces: u64, mut act: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let mut piece: Vec<u8> = (0..PIECE).map(|at| (at % 251) as u8).collect();
    for number in 0..pieces {
        piece[..8].copy_from_slice(&number.to_be_bytes());
        act(&piece)?;
    }
    Ok(())
}

/// The most memory that workerd had at any of the moments it was looked at.
fn watch(gate: &Gate, done: &AtomicBool) -> Result<u64> {
    let mut most = 0;
    while !done.load(Ordering::SeqCst) {
        most = most.max(gate.resident()?);
        std::thread::sleep(LOOK);
    }
    Ok(most.max(gate.resident()?))
}

const PIECE: usize = 64 * 1024;
const PIECES_A_MEBIBYTE: u64 = 16;
const GOAL: u64 = 64 << 20;
const LOOK: Duration = Duration::from_millis(50);
