//! A receiver of webhooks that takes them, fails, hangs or breaks off, and keeps what it was sent.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::upstream::{Next, Seen, Upstream, Wire};

/// What it does with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Answers 204.
    Takes,
    /// Answers 500.
    Fails,
    /// Answers nothing for longer than a delivery waits.
    Hangs,
    /// Ends the connection.
    Breaks,
    /// Answers that it is elsewhere.
    Moves,
}

/// A delivery as it came.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) signatures: String,
    pub(super) body: String,
    pub(super) taken: bool,
    /// The target of the request.
    pub(super) target: String,
}

pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    _upstream: Upstream,
}

struct Shared {
    mood: Mood,
    seen: Vec<Delivery>,
    /// Counts the processes that send: what a dead one has sent is over.
    sender: u64,
    open: u64,
    most_open: u64,
}

impl Receiver {
    pub(super) fn start() -> Result<Self> {
        let shared =
            Shared { mood: Mood::Takes, seen: Vec::new(), sender: 0, open: 0, most_open: 0 };
        let shared = Arc::new(Mutex::new(shared));
        let own = Arc::clone(&shared);
        let upstream = Upstream::start(move |seen, wire| receive(&own, seen, wire))?;
        Ok(Self { address: upstream.address, shared, _upstream: upstream })
    }

    pub(super) fn set(&self, mood: Mood) {
        lock(&self.shared).mood = mood;
    }

    /// What came since the `from`th delivery.
    pub(super) fn since(&self, from: usize) -> Vec<Delivery> {
        lock(&self.shared).seen.iter().skip(from).cloned().collect()
    }

    /// How many are being received.
    pub(super) fn open(&self) -> u64 {
        lock(&self.shared).open
    }

    /// The most that were at the same time.
    pub(super) fn most_open(&self) -> u64 {
        lock(&self.shared).most_open
    }

    /// Takes note that who sends was killed.
    pub(super) fn forget_sender(&self) {
        let mut shared = lock(&self.shared);
        shared.sender += 1;
        shared.open = 0;
    }
}

impl Delivery {
    /// For the library.
    pub(super) fn to_json(&self) -> Value {
        let headers = json!({
            "webhook-id": self.id, "webhook-timestamp": self.timestamp,
            "webhook-signature": self.signatures,
        });
        json!({ "headers": headers, "body": self.body })
    }
}

fn receive(shared: &Mutex<Shared>, seen: &Seen, wire: &mut Wire) -> io::Result<Next> {
    let mut body = Vec::new();
    wire.body(seen, |bytes| body.extend_from_slice(bytes))?;
    let header = |name: &str| seen.header(name).unwrap_or_default().to_owned();
    let (mood, sender) = {
        let mut shared = lock(shared);
        shared.open += 1;
        shared.most_open = shared.most_open.max(shared.open);
        let mood = shared.mood;
        shared.seen.push(Delivery {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signatures: header("webhook-signature"),
            body: String::from_utf8_lossy(&body).into_owned(),
            taken: mood == Mood::Takes,
            target: String::from_utf8_lossy(&seen.target).into_owned(),
        });
        (mood, shared.sender)
    };
    let next = answer(shared, mood, wire);
    let mut shared = lock(shared);
    if shared.sender == sender {
        shared.open -= 1;
    }
    next
}

fn answer(shared: &Mutex<Shared>, mood: Mood, wire: &mut Wire) -> io::Result<Next> {
    let response = match mood {
        Mood::Takes => "HTTP/1.1 204 No Content\r\n\r\n",
        Mood::Fails => "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno",
        Mood::Moves => "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        Mood::Breaks => return Ok(Next::Close),
        Mood::Hangs => {
            let begun = Instant::now();
            while begun.elapsed() < LONGER && lock(shared).mood == Mood::Hangs {
                std::thread::sleep(Duration::from_millis(20));
            }
            return Ok(Next::Close);
        }
    };
    wire.send(response.as_bytes())?;
    Ok(Next::Keep)
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A delivery waits for 10 s.
const LONGER: Duration = Duration::from_secs(12);
