//! The vectors of signatures over HTTP, each made anew in the second in which it is sent: the served gate has
//! the clock of the day.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use super::raw::{self, Stage};
use super::{Bench, TIMEOUT};
use crate::checkout::say;
use crate::http::exchange;
use crate::seed;
use crate::vectors::signatures::{Case, Keys, Version, cases};

pub fn run(bench: &mut Bench) -> Result<()> {
    for version in Version::ALL {
        let keys = Keys::new(version, raw::now()?)?;
        let rows = keys.rows()?.into_iter().map(|(name, value)| (name, value.into_bytes()));
        bench.control()?.put_rows(rows)?;
        // Which requests were admitted before is known to the Workspace alone.
        seed::put(bench.control()?, keys.workspace(), &keys.documents())?;
        let (mut sent, mut not) = (0, 0);
        for at in 0..cases(version, &keys, raw::now()?).len() {
            let case = cases(version, &keys, raw::now()?).swap_remove(at);
            if case.native_only.is_some() {
                not += 1;
                continue;
            }
            sent += 1;
            let case = match case.exact {
                true => cases(version, &keys, new_second()?).swap_remove(at),
                false => case,
            };
            let outcome = one(bench, &case);
            bench.note(&format!("signatures {version:?}: {}", case.id), outcome);
        }
        say(format!("signatures {version:?} over HTTP: {sent}, {not} not"));
    }
    Ok(())
}

fn one(bench: &Bench, case: &Case) -> Result<()> {
    bench.forget();
    let request = &case.request;
    let reply = exchange(bench.address, &request.bytes(), TIMEOUT)?;
    let seen = bench.origin()?.take();
    if case.expect == "allow" {
        ensure!(reply.status == 200, "{}: {}", reply.status, reply.text());
        let [seen] = &seen[..] else { bail!("the origin got {} requests", seen.len()) };
        ensure!(seen.target == request.target, "the origin got the target {}", seen.target);
        ensure!(seen.method == request.method, "the origin got a {}", seen.method);
        ensure!(seen.body == request.body.as_deref().unwrap_or_default(), "another body");
        return Ok(());
    }
    ensure!(seen.is_empty(), "the origin got it");
    let head = request.method == "HEAD";
    let code = bench.check_own_answer(&reply, head)?;
    ensure!(head || code == case.expect, "{code}, not {}", case.expect);
    ensure!(reply.status >= 400, "{}", reply.status);
    Ok(())
}

/// The present second, which has just begun.
fn new_second() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let rest = Duration::from_secs(1).checked_sub(Duration::from_nanos(now.subsec_nanos().into()));
    sleep(rest.context("more than a second")? + Duration::from_millis(2));
    raw::now()
}
