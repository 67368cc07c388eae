//! What many routes cost: the gate with a policy of 1000 routes and 5 origins against the same with one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Size;
use super::contest::{Contest, Kind, Peer};
use super::table::{Table, Turn, of_routes, turns_line};
use crate::checkout::{Checkout, say};
use crate::worker::{self, Flavour};

/// Builds a gate by each of the policies, for a root of this fingerprint, into the bench's folder.
pub fn build(checkout: &Checkout, folder: &Path, fingerprint: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (name, routes, origins) in [("one-route", 999..1000, 1), ("many-routes", 0..1000, 5)] {
        let policy = folder.join(format!("{name}.toml"));
        fs::write(&policy, text(routes, origins))?;
        let flavour = Flavour::Bench { policy, name, fingerprint: fingerprint.to_owned() };
        let built = worker::build(checkout, &flavour)?;
        let to = folder.join("workers").join(name);
        fs::create_dir_all(&to)?;
        fs::copy(built.folder.join("gate/index.js"), to.join("index.js"))?;
    }
    Ok(())
}

/// A policy with these routes, which take turns at the origins.
fn text(routes: std::ops::Range<usize>, origins: usize) -> String {
    let mut text =
        "version = 1\nhosts = [\"api.test\"]\nadmin_host = \"admin.test\"\nmode = \"lease\"\n"
            .to_owned();
    for origin in 0..origins {
        let _ = write!(text, "\n[origins.o{origin}]\nservice = \"ORIGIN\"\n");
    }
    for route in routes {
        let _ = write!(
            text,
            "\n[[routes]]\nmethods = [\"GET\"]\npath = \"/v1/r{route:03}/{{agent_id}}\"\norigin = \"o{}\"\n\
             credentials = [\"key\"]\nscope = \"agents:read\"\n",
            route % origins
        );
    }
    text
}

/// Lets both take turns: the one with all its requests to its route, the other with requests to 40 of its own.
pub fn rounds(contest: &Contest, size: Size) -> Result<Table> {
    let peers = [(ONE, target(999..1000)), (MANY, target(0..1000))];
    let turn = |at: usize, seconds| {
        let (peer, targets) = &peers[at];
        contest.turn_at(peer, Kind::Bearer, targets, seconds)
    };
    for at in 0..peers.len() {
        turn(at, 0.5)?;
    }
    let mut rounds = Vec::new();
    for round in 0..size.rounds {
        let mut turns = BTreeMap::new();
        for at in 0..peers.len() {
            let at = (at + round) % peers.len();
            let rate = turn(at, size.seconds)?.per_second();
            turns.insert(peers[at].0.name, Turn { rate, cpu: 0.0 });
        }
        say(format!("round {} of {}: {}", round + 1, size.rounds, turns_line(&turns)));
        rounds.push(turns);
    }
    Ok(of_routes(&rounds, ONE.name, MANY.name))
}

fn target(routes: std::ops::Range<usize>) -> Vec<String> {
    let targets = routes.step_by(25);
    targets.map(|route| format!("/v1/r{route:03}/agent-123?limit=10")).collect()
}

/// The gates by the two policies, which no other contender is.
pub const PEERS: [Peer; 2] = [ONE, MANY];
const ONE: Peer = Peer { name: "one route", port: 8719, ours: true, signs: false };
const MANY: Peer = Peer { name: "1000 routes, 5 origins", port: 8720, ours: true, signs: false };
