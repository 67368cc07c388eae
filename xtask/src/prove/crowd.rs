//! Many clients at once, on many gates, each remembering every answer.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::site::request;
use crate::http::Connection;

/// One request and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Shot {
    /// Which of the keys.
    pub(super) key: usize,
    pub(super) sent: Instant,
    /// 0 if there was no answer.
    pub(super) status: u16,
    /// `X-RateLimit-Reset`, which names the window.
    pub(super) reset: Option<u64>,
}

/// How the clients behave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    pub(super) clients: usize,
    /// Requests of each; the time ends it earlier.
    pub(super) each: usize,
    pub(super) time: Duration,
    /// Pause between the beginnings of a client's requests.
    pub(super) every: Duration,
}

impl Crowd {
    /// Lets the clients loose: the `n`th uses the `n`th gate and key, counted around. The answers in
    /// the order in which their requests were sent.
    pub(super) fn run(&self, gates: &[SocketAddr], keys: &[String]) -> Result<Vec<Shot>> {
        self.run_at(gates, keys, "/near/x")
    }

    /// The same with another target.
    pub(super) fn run_at(
        &self,
        gates: &[SocketAddr],
        keys: &[String],
        target: &str,
    ) -> Result<Vec<Shot>> {
        let barrier = Barrier::new(self.clients);
        let parts: Vec<Vec<Shot>> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..self.clients)
                .map(|number| {
                    let (barrier, gate) = (&barrier, gates[number % gates.len()]);
                    let key = number / gates.len() % keys.len();
                    let text = request("GET", target, Some(&keys[key]));
                    scope.spawn(move || self.client(number, gate, key, text.as_bytes(), barrier))
                })
                .collect();
            clients
                .into_iter()
                .map(|client| client.join().map_err(|_| anyhow!("a client panicked")))
                .collect::<Result<_>>()
        })?;
        let mut shots: Vec<Shot> = parts.into_iter().flatten().collect();
        shots.sort_by_key(|shot| shot.sent);
        Ok(shots)
    }

    fn client(
        &self,
        number: usize,
        gate: SocketAddr,
        key: usize,
        text: &[u8],
        barrier: &Barrier,
    ) -> Vec<Shot> {
        let mut connection = Connection::open(gate, TIMEOUT).ok();
        let mut shots = Vec::new();
        barrier.wait();
        let begun = Instant::now();
        // Clients that keep a pace do not keep step.
        let phase = self.every.mul_f64(number as f64 / self.clients as f64);
        for turn in 0..self.each {
            let due = begun + phase + self.every * turn as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if begun.elapsed() >= self.time {
                break;
            }
            let sent = Instant::now();
            let open = connection.take().or_else(|| Connection::open(gate, TIMEOUT).ok());
            let reply = open.and_then(|mut open| {
                open.send(text).ok()?;
                let reply = open.receive(false).ok()?;
                if !reply.close {
                    connection = Some(open);
                }
                Some(reply)
            });
            let reset = reply.as_ref().and_then(|reply| reply.header("x-ratelimit-reset"));
            shots.push(Shot {
                key,
                sent,
                reset: reset.and_then(|reset| reset.parse().ok()),
                status: reply.map_or(0, |reply| reply.status),
            });
        }
        shots
    }
}

const TIMEOUT: Duration = Duration::from_secs(20);
