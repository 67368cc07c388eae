//! Asking a Workspace: the text of a call, and how its answer becomes known.

use crate::clock::Now;
use crate::denial::Fault;
use crate::gate::Gate;
use crate::key::{Kid, Workspace};
use crate::lease::{CallId, Pool, Report, Untold};
use crate::memory::{Memory, Source};
use crate::need::{Ask, Leave};
use crate::policy::Policy;
use crate::record::{Record, Unusable};
use crate::reservation::Reservation;
use crate::ticket::Ticket;
use crate::workspace::call::{self, Admit, Answer, Told};
use crate::workspace::text::{print_record, print_report, print_settle};

/// A call under way. One that ends without an answer is given back by [`Enquiry::fail`].
#[derive(Debug)]
pub struct Enquiry {
    kid: Kid,
    about: About,
    sent: Now,
    /// The memory's era when it was sent: by another clock no lease is counted.
    era: u32,
    /// Its number among the questions of this isolate.
    question: u64,
    reports: Vec<Report>,
    untold: Untold,
}

#[derive(Debug)]
enum About {
    Record,
    Leave {
        id: CallId,
        leave: Leave,
        ahead: bool,
        version: u64,
    },
    /// Something is told.
    Report,
}

impl Enquiry {
    /// For what a decision needs.
    #[must_use]
    pub fn new(ask: Ask, id: CallId, gate: &Gate, memory: &mut Memory, now: Now) -> (Self, String) {
        memory.observe(now);
        match ask {
            Ask::Record(kid) => {
                let about = About::Record;
                let text = print_record(kid.as_str());
                (Self::ask(kid, about, Vec::new(), Untold::default(), memory, now), text)
            }
            Ask::Leave(leave) => Self::leave(leave, id, false, gate, memory, now),
        }
    }

    /// For more leave, ahead of need.
    #[must_use]
    pub fn ahead(
        leave: Leave,
        id: CallId,
        gate: &Gate,
        memory: &mut Memory,
        now: Now,
    ) -> (Self, String) {
        Self::leave(leave, id, true, gate, memory, now)
    }

    /// To tell what became of leases; `None` if there is nothing to tell.
    #[must_use]
    pub fn report(kid: Kid, memory: &mut Memory, now: Now) -> Option<(Self, String)> {
        memory.observe(now);
        let wallet = memory.wallet(&kid)?;
        let (reports, untold) = (wallet.reports(now), wallet.take_untold());
        if reports.is_empty() && untold == Untold::default() {
            return None;
        }
        let text = print_report(kid.as_str(), &told(&reports, &untold));
        Some((Self::ask(kid, About::Report, reports, untold, memory, now), text))
    }

    /// To tell what a request has cost after all.
    #[must_use]
    pub fn settle(
        reservation: &Reservation,
        coins: u32,
        memory: &mut Memory,
        now: Now,
    ) -> (Self, String) {
        memory.observe(now);
        let text = print_settle(&reservation.call, reservation.kid.as_str(), coins);
        let (reports, untold) = (Vec::new(), Untold::default());
        (Self::ask(reservation.kid, About::Report, reports, untold, memory, now), text)
    }

    fn leave(
        leave: Leave,
        id: CallId,
        ahead: bool,
        gate: &Gate,
        memory: &mut Memory,
        now: Now,
    ) -> (Self, String) {
        memory.observe(now);
        let Leave { kid, alone, .. } = leave;
        // Nobody's request costs anything yet when leave is asked for ahead of need.
        let coins = if ahead { 0 } else { leave.coins };
        let leave = Leave { coins, ..leave };
        let millis = gate.policy.lease_seconds.millis();
        let version = memory.version(&kid);
        let (mut want, mut reports, mut untold) = (1, Vec::new(), Untold::default());
        if let Some(wallet) = memory.wallet(&kid) {
            wallet.forget(now);
            want = if alone { 1 } else { wallet.want(leave.pool, millis, now) };
            (reports, untold) = (wallet.reports(now), wallet.take_untold());
        }
        let admit = Admit {
            id: id.clone(),
            kid: kid.to_string(),
            version,
            coins,
            pool: leave.pool.map(|pool| named(pool, &gate.policy)),
            want,
            ahead,
            millis,
            told: told(&reports, &untold),
            once: leave.once,
            settle: leave.settle && !ahead,
        };
        let about = About::Leave { id, leave, ahead, version };
        (Self::ask(kid, about, reports, untold, memory, now), admit.print())
    }

    fn ask(
        kid: Kid,
        about: About,
        reports: Vec<Report>,
        untold: Untold,
        memory: &mut Memory,
        sent: Now,
    ) -> Self {
        let (era, question) = (memory.era(), memory.question());
        Self { kid, about, sent, era, question, reports, untold }
    }

    /// The workspace to ask.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        self.kid.workspace()
    }

    /// Takes in the answer. What it says of one request goes onto that request's `ticket`.
    ///
    /// # Errors
    /// When the answer does not help to decide.
    pub fn learn(
        self,
        answer: &str,
        gate: &Gate,
        memory: &mut Memory,
        ticket: &mut Ticket,
        now: Now,
    ) -> Result<(), Fault> {
        memory.observe(now);
        let Ok(answer) = Answer::parse(answer) else {
            self.fail(memory);
            return Err(Fault::WorkspaceUnavailable);
        };
        if matches!(answer, Answer::Unopened | Answer::Version { .. } | Answer::Broken { .. }) {
            self.fail(memory);
            return Err(Fault::WorkspaceUnavailable);
        }
        let Self { kid, about, sent, era, question, reports, .. } = self;
        let same_clock = era == memory.era();
        if let Some(wallet) = memory.wallet(&kid) {
            wallet.acknowledge(&reports);
        }
        match (answer, about) {
            (Answer::Record { value } | Answer::Changed { value }, _) => {
                learn_record(kid, &value, gate, memory, now).map_err(|_| Fault::RecordUnusable)?;
                memory.note_answer(&kid, question);
                Ok(())
            }
            (Answer::Unknown, _) => {
                memory.learn(kid, None, Source::Workspace, now).map_err(|_| Fault::RecordUnusable)
            }
            (Answer::Granted(granted), About::Leave { id, leave, ahead, version }) => {
                // The record may have been forgotten, and come back as KV still has it.
                let is_current = memory.confirm(&kid, version, now);
                let admission = leave.settle.then(|| id.clone());
                if let Some(wallet) = memory.wallet(&kid).filter(|_| same_clock && is_current) {
                    let spent = u32::from(!ahead);
                    wallet.granted(leave.pool, id, &granted, spent, leave.coins, sent);
                }
                if !ahead {
                    ticket.admit(kid, version, granted.view, admission);
                }
                Ok(())
            }
            (Answer::Replayed, About::Leave { .. }) => {
                ticket.replay(kid);
                Ok(())
            }
            (Answer::Refused(refused), About::Leave { leave, ahead, version, .. }) => {
                memory.confirm(&kid, version, now);
                let millis = gate.policy.lease_seconds.millis();
                if let Some(wallet) = memory.wallet(&kid) {
                    wallet.refuse(leave.pool, refused, millis, now);
                }
                if !ahead {
                    ticket.refuse(kid, refused);
                }
                Ok(())
            }
            (Answer::Done, About::Report) => Ok(()),
            _ => Err(Fault::WorkspaceUnavailable),
        }
    }

    /// Takes note that no answer came. What was to be told is told another time.
    pub fn fail(self, memory: &mut Memory) {
        if let Some(wallet) = memory.wallet(&self.kid) {
            wallet.untell(self.untold);
        }
    }
}

/// A pool as the Workspace knows it, whose policy may have its products in other places.
fn named(pool: Pool, policy: &Policy) -> call::Pool {
    let product = pool.product.and_then(|place| policy.products.get(place));
    call::Pool { product: product.map(|product| product.name.to_string()), cost: pool.cost }
}

fn told(reports: &[Report], untold: &Untold) -> Told {
    Told {
        reports: reports.to_vec(),
        denied: owned(&untold.denied),
        would_deny: owned(&untold.would_deny),
        replaced: untold.replaced.clone(),
        incidents: untold.incidents.clone(),
    }
}

fn owned(counts: &[(&'static str, u32)]) -> Vec<(String, u32)> {
    counts.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect()
}

fn learn_record(
    kid: Kid,
    value: &str,
    gate: &Gate,
    memory: &mut Memory,
    now: Now,
) -> Result<(), Unusable> {
    let record = Record::open(&gate.keyring, &kid, &gate.policy.tiers, value.as_bytes())?;
    memory.learn(kid, Some(record), Source::Workspace, now)
}
