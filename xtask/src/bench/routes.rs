//! What many routes cost: the gate with a policy of 1000 routes and 5 origins against the same with one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::contest::{Contest, Kind, Peer};
use super::table::{Table, Turn, of_routes, turns_line};
use super::{Size, order};
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

/// A policy with these routes, which take turns at the origins, each behind a binding of its own.
fn text(routes: std::ops::Range<usize>, origins: usize) -> String {
    let mut text =
        "version = 1\nhosts = [\"api.test\"]\nadmin_host = \"admin.test\"\nmode = \"lease\"\n"
            .to_owned();
    for origin in 0..origins {
        let _ = write!(text, "\n[origins.o{origin}]\nservice = \"ORIGIN_{origin}\"\n");
    }
    for route in routes {
        let _ = write!(
            text,
            "\n[[routes]]\nmethods = [\"GET\"]\npath = \"/v1/r{route:03}/{{agent_id}}\"\norigin = \"o{}\"\n\
             credentials = [\"key\"]\nscope = \"agents:read\"\nsubject = \"origin\"\n",
            route % origins
        );
    }
    text
}

/// Lets both take turns: the one with all its requests to its route, the other with requests to 42 of its own, at all
/// origins alike.
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
        for at in order(peers.len(), round) {
            let rate = turn(at, size.seconds)?.per_second();
            turns.insert(peers[at].0.name, Turn { rate, cpu: 0.0 });
        }
        say(format!("round {} of {}: {}", round + 1, size.rounds, turns_line(&turns)));
        rounds.push(turns);
    }
    Ok(of_routes(&rounds, ONE.name, MANY.name))
}

fn target(routes: std::ops::Range<usize>) -> Vec<String> {
    let targets = routes.step_by(24);
    targets.map(|route| format!("/v1/r{route:03}/agent-123?limit=10")).collect()
}

/// The gates by the two policies, which no other contender is.
pub const PEERS: [Peer; 2] = [ONE, MANY];
const ONE: Peer = Peer { name: "one route", port: 8719, ours: true, signs: false };
const MANY: Peer = Peer { name: "1000 routes, 5 origins", port: 8720, ours: true, signs: false };

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_origin_has_a_binding_and_gets_requests() {
        let policy = portcullis::policy::source::compile(&text(0..1000, 5)).unwrap();
        let bindings: BTreeSet<_> =
            policy.origins.iter().map(|origin| format!("{:?}", origin.upstream)).collect();
        assert_eq!((policy.routes.len(), bindings.len()), (1000, 5));
        let asked = target(0..1000);
        let origins: BTreeSet<_> = asked
            .iter()
            .filter_map(|target| target.get(5..8)?.parse::<usize>().ok())
            .map(|route| policy.routes[route].origin)
            .collect();
        assert_eq!((asked.len(), origins.len()), (42, 5));
    }
}
