//! Counting a request against its limits: by a lease at hand, the Workspace's word, or here alone.

use super::{Check, Stop, would_deny};
use crate::account::View;
use crate::caller::Caller;
use crate::clock::Now;
use crate::denial::{Denial, Wait};
use crate::key::Kid;
use crate::lease::{CallId, Pool, Refused, Scope};
use crate::limit::Metered;
use crate::need::{Ask, Leave, Need};
use crate::policy::{Mode, Route, WhenDown};
use crate::ratelimit::RateLimit;
use crate::record::Record;
use crate::ticket::Word;
use crate::workspace::call::Once;

impl Check<'_, '_, '_, '_> {
    /// Counts the request against the key's limits, and the workspace's.
    pub(super) fn meter(
        &mut self,
        record: &Record,
        kid: Kid,
        route: &Route,
        mode: Mode,
        once: Option<Once>,
    ) -> Result<Metering, Stop> {
        // Whatever the mode, one place has to know what was admitted before.
        let alone = match mode {
            _ if once.is_some() => true,
            Mode::Edge => return Ok(self.meter_here(record, kid)?.into()),
            Mode::Lease => false,
            Mode::Strict => true,
        };
        let word = self.ticket.word.filter(|(of, _)| *of == kid).map(|(_, word)| word);
        match word {
            // A request that may be admitted once only is not admitted again: it was verified by the
            // newer record meanwhile.
            Some(Word::Admitted { version, view })
                if version == record.version || once.is_some() =>
            {
                self.ticket.word = None;
                let admission = self.ticket.admission.take();
                return Ok(Metering { view, admission, ..Metered::debited().into() });
            }
            Some(Word::Replayed) => return Err(Denial::Replayed.into()),
            Some(Word::Refused(refused)) => return Err(limited(&refused, self.now).into()),
            Some(Word::Admitted { .. }) | None => {}
        }
        let pool = Pool::of(&self.gate.policy, route, kid.workspace());
        let counted = match pool {
            None => &mut self.ticket.counted,
            Some(_) => &mut self.ticket.pooled,
        };
        let counted = core::mem::replace(counted, true);
        let millis = self.gate.policy.lease_seconds.millis();
        if let Some(wallet) = self.memory.wallet(&kid) {
            if !counted {
                wallet.note_demand(pool, millis, self.now);
            }
            if !alone && let Some(view) = wallet.spend(pool, route.cost, self.now) {
                return Ok(Metering { view, ..Metered::debited().into() });
            }
            if let Some(refused) = wallet.refused(pool, self.now) {
                let denial = limited(&refused, self.now);
                self.count_denial(kid, &denial);
                return Err(denial.into());
            }
        }
        match self.ticket.workspace {
            None => {
                let settle = alone && route.settle.is_some();
                let leave = Leave { kid, coins: route.cost, pool, alone, once, settle };
                Err(Stop::Need(Need::Workspace(Ask::Leave(leave))))
            }
            // Nothing but the Workspace can tell that it was not admitted before.
            Some(fault) if once.is_some() => Err(Stop::Fault(fault)),
            Some(fault) => {
                let rules = self.gate.policy.workspace(kid.workspace().as_str());
                match rules.on_workspace_down {
                    WhenDown::Refuse => Err(Stop::Fault(fault)),
                    WhenDown::Edge => {
                        let metered = self.meter_here(record, kid)?;
                        Ok(Metering { degraded: true, ..metered.into() })
                    }
                }
            }
        }
    }

    /// Bounds bursts in this isolate alone.
    fn meter_here(&mut self, record: &Record, kid: Kid) -> Result<Metered, Denial> {
        let wait = |seconds| Denial::RateLimited(Wait { seconds, rate: None, by: Scope::Key });
        let meter = self.memory.meter(&kid);
        Metered::count(record.limits.as_ref(), meter, self.now).map_err(wait)
    }

    /// Counts what the route's rules on trial would have refused of a request that is admitted.
    pub(super) fn count_shadow(&mut self, kid: Kid, route: &Route, caller: &Caller) {
        let address = self.request.fields.client_address;
        let Some(wallet) = self.memory.wallet(&kid) else { return };
        for denial in would_deny(route, caller, address) {
            wallet.would_deny(denial.code());
        }
    }

    pub(super) fn count_denial(&mut self, kid: Kid, denial: &Denial) {
        if let Some(wallet) = self.memory.wallet(&kid) {
            wallet.deny(denial.code());
            self.ticket.denied = Some(kid);
        }
    }
}

/// How a request was counted.
pub(super) struct Metering {
    pub(super) metered: Metered,
    pub(super) view: Option<View>,
    pub(super) degraded: bool,
    /// The call by which it was admitted, if its origin may say that it has cost less.
    pub(super) admission: Option<CallId>,
}

impl From<Metered> for Metering {
    fn from(metered: Metered) -> Self {
        Self { metered, view: None, degraded: false, admission: None }
    }
}

fn limited(refused: &Refused, now: Now) -> Denial {
    let wait = Wait {
        seconds: refused.retry_millis.div_ceil(1000).max(1),
        rate: refused.view.map(|view| Box::new(RateLimit::new(&view, now))),
        by: refused.by,
    };
    if refused.by.is_budget() { Denial::Budget(wait) } else { Denial::RateLimited(wait) }
}
