//! Work behind an answer, so that a key in use never waits and a Workspace is told what became of its
//! leases.

use super::{Came, Errand, LookUp, Trouble, call, hear};
use crate::clock::Now;
use crate::enquiry::Enquiry;
use crate::gate::Gate;
use crate::key::Kid;
use crate::lease::CallId;
use crate::memory::Memory;
use crate::need::Need;
use crate::reservation::Reservation;
use crate::ticket::Ticket;

/// Something to be done behind an answer.
#[derive(Debug)]
pub struct Chore(State);

#[derive(Debug)]
enum State {
    /// To be begun.
    Due(Need),
    Ahead(LookUp),
    /// To be begun: the leases of this key are over in so many milliseconds; so many reports are left.
    Owed(Kid, u32, u32),
    Waiting(Kid, u32),
    Reporting(Enquiry, Kid, u32),
    /// The origin has it.
    Reserved(Box<Reservation>),
}

impl Chore {
    /// Finds something out ahead of need.
    #[must_use]
    pub const fn ahead(need: Need) -> Self {
        Self(State::Due(need))
    }

    /// Tells the Workspace what became of leases and requests of `kid`, if nothing has until they are over;
    /// `None` if somebody will.
    pub fn closing(kid: Kid, gate: &Gate, memory: &mut Memory, now: Now) -> Option<Self> {
        Self::owed(kid, MAX_REPORTS, gate, memory, now)
    }

    /// Tells the Workspace what a request has cost, if its origin says that it is less than was reserved: the
    /// value of that header is what comes first, or nothing.
    #[must_use]
    pub const fn settling(reserved: Box<Reservation>) -> Self {
        Self(State::Reserved(reserved))
    }

    fn owed(kid: Kid, left: u32, gate: &Gate, memory: &mut Memory, now: Now) -> Option<Self> {
        let millis = gate.policy.lease_seconds.millis();
        let due = left > 0 && memory.closing_due(&kid, millis, now);
        due.then(|| Self(State::Owed(kid, u32::try_from(millis).unwrap_or(u32::MAX), left)))
    }

    /// Takes in what came of the last errand, of which there was none at first. What is left to do, if
    /// anything, and what is to be said in the log.
    pub fn next(
        self,
        came: Came<'_>,
        id: CallId,
        gate: &Gate,
        memory: &mut Memory,
        now: Now,
    ) -> (Option<(Self, Errand)>, Option<Trouble>) {
        let mut trouble = None;
        let next = match self.0 {
            State::Due(need) => {
                let begun = LookUp::ahead(need, id, gate, memory, now);
                return (begun.map(|(begun, errand)| (Self(State::Ahead(begun)), errand)), None);
            }
            State::Reserved(reserved) => match reserved.less(came.text()) {
                Ok(None) => return (None, None),
                Ok(Some(coins)) => {
                    let (enquiry, text) = Enquiry::settle(&reserved, coins, memory, now);
                    let errand = call(&enquiry, text, gate);
                    return (
                        Some((Self(State::Reporting(enquiry, reserved.kid, 0)), errand)),
                        None,
                    );
                }
                Err(bad) => return (None, Some(Trouble::Cost(reserved.kid, bad))),
            },
            State::Owed(kid, millis, left) => {
                return (Some((Self(State::Waiting(kid, left)), Errand::Wait { millis })), None);
            }
            State::Ahead(look_up) => {
                let leaves = look_up.leaves();
                trouble = look_up.end(came, &mut Ticket::default(), gate, memory, now);
                leaves.and_then(|kid| Self::closing(kid, gate, memory, now))
            }
            State::Waiting(kid, left) => {
                let left = left.saturating_sub(1);
                if let Some((enquiry, text)) = Enquiry::report(kid, memory, now) {
                    let errand = call(&enquiry, text, gate);
                    return (Some((Self(State::Reporting(enquiry, kid, left)), errand)), None);
                }
                Self::owed(kid, left, gate, memory, now)
            }
            State::Reporting(enquiry, kid, left) => {
                // What does not get through is told with the next call.
                let heard = hear(enquiry, &came, &mut Ticket::default(), gate, memory, now);
                trouble = heard.err();
                Self::owed(kid, left, gate, memory, now)
            }
        };
        let Some(Self(State::Owed(kid, millis, left))) = next else { return (None, trouble) };
        (Some((Self(State::Waiting(kid, left)), Errand::Wait { millis })), trouble)
    }

    pub(super) fn give_up(self, memory: &mut Memory) {
        match self.0 {
            State::Due(_) | State::Owed(..) | State::Waiting(..) | State::Reserved(_) => {}
            State::Ahead(look_up) => look_up.give_up(memory),
            State::Reporting(enquiry, ..) => enquiry.fail(memory),
        }
    }
}

/// With leases of the usual length, as long as work may go on behind an answer.
const MAX_REPORTS: u32 = 12;
