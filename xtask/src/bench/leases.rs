//! What the gate asked of its Workspace, read from the calls and answers themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Result, anyhow, ensure};
use portcullis::lease::{CallId, Report};
use portcullis::workspace::call::{Answer, Call};

/// Calls of a gate and the leases that came of them.
#[derive(Debug, Default)]
pub struct Leases {
    admits: u64,
    reports: u64,
    records: u64,
    /// A call may have been made twice.
    asked: BTreeSet<CallId>,
    grants: BTreeMap<CallId, Grant>,
    cold: u64,
    renewed: u64,
}

#[derive(Debug)]
struct Grant {
    tokens: u64,
    spent: u64,
    closed: bool,
}

/// What the calls say of so many requests.
#[derive(Debug)]
pub struct Decisions<'a> {
    leases: &'a Leases,
    requests: u64,
    /// Those that waited for no call; no less than this.
    warm: u64,
}

impl Leases {
    /// From calls and their answers, in the order of the answers; an answer is empty if none came.
    ///
    /// # Errors
    /// If a text is no call.
    pub fn of(calls: &[(String, String)]) -> Result<Self> {
        let mut leases = Self::default();
        for (call, answer) in calls {
            let call = Call::parse(call).map_err(|_| anyhow!("no call: {call}"))?;
            leases.note(call, Answer::parse(answer).ok());
        }
        Ok(leases)
    }

    fn note(&mut self, call: Call, answer: Option<Answer>) {
        match call {
            Call::Admit(admit) => {
                self.admits += 1;
                self.settle(&admit.told.reports);
                if self.asked.insert(admit.id.clone()) {
                    *(if admit.ahead { &mut self.renewed } else { &mut self.cold }) += 1;
                }
                if let Some(Answer::Granted(granted)) = answer {
                    // The answer itself admits the request that waits for it.
                    let (tokens, spent) = (granted.tokens.into(), u64::from(!admit.ahead));
                    let grant = Grant { tokens, spent, closed: tokens == spent };
                    self.grants.entry(admit.id).or_insert(grant);
                }
            }
            Call::Report { told, .. } => {
                self.reports += 1;
                self.settle(&told.reports);
            }
            Call::Record { .. } => self.records += 1,
            // No gate makes these.
            Call::Open { .. }
            | Call::Put { .. }
            | Call::SetStatus { .. }
            | Call::RevokeAll
            | Call::Usage { .. }
            | Call::Due
            | Call::Alerts { .. }
            | Call::Sent { .. }
            | Call::Manage(_)
            | Call::Copied { .. }
            | Call::Settle { .. } => {}
        }
    }

    fn settle(&mut self, reports: &[Report]) {
        for report in reports {
            if let Some(grant) = self.grants.get_mut(&report.lease) {
                grant.spent = grant.spent.max(report.spent.into());
                grant.closed |= report.closed;
            }
        }
    }

    /// Whether it has been reported of every lease what became of it in the end.
    pub fn are_closed(&self) -> bool {
        self.grants.values().all(|grant| grant.closed)
    }

    /// What they say of all the requests of a gate, which had so many under way at most.
    ///
    /// # Errors
    /// If the requests were not admitted by tokens of these calls, one each, or none of them by a
    /// lease at hand: then the mode was not `lease`.
    pub fn decisions(&self, requests: u64, under_way: u64) -> Result<Decisions<'_>> {
        let spent: u64 = self.grants.values().map(|grant| grant.spent).sum();
        ensure!(
            spent == requests,
            "not in mode lease, or reports are missing: {requests} requests, {spent} tokens spent"
        );
        let waited = (self.cold + self.records) * under_way;
        let warm = requests.saturating_sub(waited);
        ensure!(warm > 0, "not in mode lease: {} calls for {requests} requests", self.admits);
        Ok(Decisions { leases: self, requests, warm })
    }
}

impl fmt::Display for Decisions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { leases, requests, warm } = self;
        let Leases { admits, reports, records, grants, cold, renewed, .. } = leases;
        let closed: Vec<&Grant> = grants.values().filter(|grant| grant.closed).collect();
        let sum = |of: fn(&Grant) -> u64| closed.iter().map(|grant| of(grant)).sum::<u64>() as f64;
        let calls = (admits + reports + records) as f64 * 1000.0 / *requests as f64;
        let share = *warm as f64 * 100.0 / *requests as f64;
        let used = sum(|grant| grant.spent) / sum(|grant| grant.tokens);
        let of_closed = format!("tokens spent / lent, {} of {} leases", closed.len(), grants.len());
        write!(
            f,
            "mode lease, every request to the gate\n\
             {:<48} {requests:>8}\n\
             {:<48} {calls:>8.3}  admit {admits}, report {reports}, record {records}\n\
             {:<48} {warm:>8}  {share:.2} %\n\
             {:<48} {cold:>8}\n\
             {:<48} {renewed:>8}\n\
             {of_closed:<48} {used:>8.3}",
            "requests",
            "calls to the Workspace / 1000 requests",
            "decided warm, by a lease at hand: at least",
            "cold: calls of admit that requests waited for",
            "renewed: calls of admit ahead of need",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(digit: char, rest: &str) -> String {
        let id = digit.to_string().repeat(32);
        format!("admit v=1 id={id} kid={KID} version=1 coins=1 want=9 millis=2000{rest}")
    }

    fn report(digit: char, spent: u64, closed: u8) -> String {
        format!(" report={}:{spent}:{spent}:{closed}", digit.to_string().repeat(32))
    }

    fn leases(calls: &[(String, &str)]) -> Leases {
        let calls: Vec<_> = calls.iter().map(|(c, a)| (c.clone(), (*a).to_owned())).collect();
        Leases::of(&calls).unwrap()
    }

    #[test]
    fn every_token_is_counted_once() {
        let told = format!("report v=1 kid={KID}{}{}", report('a', 40, 1), report('b', 7, 1));
        let mut calls = vec![
            (format!("record v=1 kid={KID}"), "record\nx"),
            // Made again, twice.
            (admit('a', ""), ""),
            (admit('a', ""), "granted tokens=40 millis=2000"),
            (admit('a', ""), "granted tokens=40 millis=2000"),
            (
                admit('b', &format!(" ahead=1{}", report('a', 30, 0))),
                "granted tokens=10 millis=2000",
            ),
            (admit('c', ""), "granted tokens=1 millis=2000"),
            (admit('d', " ahead=1"), ""),
        ];
        assert!(!leases(&calls).are_closed());
        calls.push((told, "done"));
        let leases = leases(&calls);
        assert!(leases.are_closed());
        let table = leases.decisions(48, 8).unwrap().to_string();
        let values: Vec<_> = table.lines().skip(1).map(|line| line[48..].trim()).collect();
        let expected =
            ["48", "166.667  admit 6, report 1, record 1", "24  50.00 %", "2", "2", "0.941"];
        assert_eq!(values, expected);
        assert!(leases.decisions(47, 8).is_err());
    }

    #[test]
    fn other_modes_are_told() {
        assert!(leases(&[]).decisions(1, 8).is_err(), "edge");
        let strict = leases(&[(admit('a', ""), "granted tokens=1")]);
        assert!(strict.decisions(1, 8).is_err(), "strict");
    }

    const KID: &str = "0DEM0WS7K2M9QXTAG123";
}
