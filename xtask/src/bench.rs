//! `cargo xtask bench`: the performance table.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::load::{Load, Report, Until, repeat};

/// Prints the performance table.
pub fn bench(_checkout: &Checkout) -> Result<()> {
    bail!("no contenders yet")
}

/// Loads `http://ADDRESS:PORT/target` with GETs and prints what came of it, to compare the load
/// generator with others.
pub fn load(url: &str, connections: usize, seconds: f64, headers: &[String]) -> Result<()> {
    let rest = url.strip_prefix("http://").context("only http:// URLs")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address: SocketAddr = authority.parse().context("the URL needs an address and a port")?;
    let target = if path.is_empty() { "/" } else { path };
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let until = Until::Elapsed(Duration::from_secs_f64(seconds));
    let report = repeat(&Load { address, connections, until }, &[request.into_bytes()])?;
    println!("{}", line(&report));
    Ok(())
}

/// A report in one line.
pub fn line(report: &Report) -> String {
    format!(
        "{:.0}/s, p50 {:.2?}, p99 {:.2?}, {:?}, {} errors",
        report.per_second(),
        report.percentile(0.5),
        report.percentile(0.99),
        report.statuses,
        report.errors
    )
}
