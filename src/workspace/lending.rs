//! Lending: what is taken from all accounts together, and what comes back of it.

use super::Object;
use super::accounts::Accounts;
use super::admit::hour;
use super::call::{Admit, Answer};
use super::rows::{Range, Stop, Value};
use super::trial::{Trial, Trials};
use crate::account::{Account, Taken, View};
use crate::clock::Now;
use crate::fields::{BadField, Fields, Line, number};
use crate::lease::{Granted, Refused, Report, Scope};
use crate::policy::{Budget, InWorkspace, Limits, Product};
use crate::spending::{Span, Spending};

/// A lease that is not over.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) tokens: u32,
    pub(super) spent: u32,
    coins: u64,
    /// The millisecond in which the isolate stops by itself.
    until: u64,
    pub(super) hour: u64,
    key: Option<Taken>,
    shared: Option<Taken>,
    pool: Option<Pool>,
    trial: Option<Trial>,
}

/// What a lease for one product and one price is besides.
#[derive(Debug, Default)]
struct Pool {
    product: Option<String>,
    /// Coins of each token.
    cost: u32,
    limits: Option<Taken>,
    /// The periods whose budgets it was taken from: the workspace's, the product's.
    shared: Option<Span>,
    own: Option<Span>,
}

/// What holds of one request.
#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    key: Option<Limits>,
    shared: Option<Limits>,
    product: Option<Limits>,
    shared_budget: Option<Budget>,
    product_budget: Option<Budget>,
    trials: Trials,
}

/// A limit that a request is taken from.
struct Limited<'a> {
    by: Scope,
    limits: Limits,
    account: &'a mut Account,
}

/// A budget that it is taken from.
struct Budgeted<'a> {
    by: Scope,
    budget: Budget,
    spending: &'a mut Spending,
}

impl Value for Lease {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        let tokens = number(fields.text("tokens")?)?;
        let spent = Some(fields.number("spent")?).filter(|spent| *spent <= tokens);
        let taken = |name| fields.get(name).map(Taken::parse).transpose();
        let span = |name| fields.get(name).map(Span::parse).transpose();
        let pool = |cost| {
            Ok(Pool {
                product: fields.get("product").map(str::to_owned),
                cost: number(cost)?,
                limits: taken("product_limits")?,
                shared: span("budget")?,
                own: span("product_budget")?,
            })
        };
        Ok(Self {
            tokens,
            spent: spent.ok_or(BadField)?,
            coins: fields.number("coins")?,
            until: fields.number("until")?,
            hour: fields.number("hour")?,
            key: taken("key")?,
            shared: taken("shared")?,
            pool: fields.get("cost").map(pool).transpose()?,
            trial: Trial::read(fields)?,
        })
    }

    fn print(&self) -> String {
        let line = Line::new("lease")
            .with("tokens", self.tokens)
            .number("spent", self.spent)
            .number("coins", self.coins)
            .number("until", self.until)
            .number("hour", self.hour)
            .all("key", self.key.iter().map(Taken::print))
            .all("shared", self.shared.iter().map(Taken::print));
        let line = self.trial.iter().fold(line, |line, trial| trial.write(line));
        let Some(Pool { product, cost, limits, shared, own }) = &self.pool else {
            return line.finish();
        };
        line.with("cost", cost)
            .all("product", product)
            .all("product_limits", limits.iter().map(Taken::print))
            .all("budget", shared.iter().map(Span::print))
            .all("product_budget", own.iter().map(Span::print))
            .finish()
    }
}

impl Object<'_> {
    /// Takes from all accounts or from none.
    pub(super) fn take(
        &mut self,
        key: Option<Limits>,
        trial: Option<Limits>,
        call: &Admit,
        accounts: &mut Accounts,
    ) -> Answer {
        let now = self.now;
        let rules = self.rules(key, trial, call);
        let cost = u64::from(call.cost());
        let product = call.product().map(str::to_owned);
        let (mut limited, mut budgeted) = rules.apply(accounts, product.as_deref(), now);
        let refused = limited
            .iter()
            .filter(|own| own.account.left(&own.limits, now) == 0)
            .map(|own| (own.account.next(&own.limits, now), own.by, Some(own.view(now))));
        let unpaid = budgeted
            .iter()
            .filter(|own| own.spending.left(&own.budget) < cost)
            .map(|own| (own.spending.reset(), own.by, limited.first().map(|own| own.view(now))));
        if let Some((at, by, view)) = refused.chain(unpaid).max_by_key(|(at, ..)| *at) {
            let retry_millis = at.saturating_sub(now.millis()).max(1);
            return Answer::Refused(Refused { retry_millis, by, view });
        }
        let left = limited.iter().map(|own| own.account.left(&own.limits, now)).min();
        let affordable = budgeted.iter().map(|own| own.spending.left(&own.budget)).min();
        let affordable = affordable.and_then(|coins| coins.checked_div(cost));
        let affordable =
            affordable.map_or(u32::MAX, |many| u32::try_from(many).unwrap_or(u32::MAX));
        // By whom nothing is said of a price, nothing is lent where coins count.
        let want = if call.pool.is_none() && self.has_budget() { 1 } else { call.want };
        let tokens = lease_size(want, left.unwrap_or(u32::MAX).min(affordable));
        let windows = limited.iter().map(|own| own.account.window_rest(&own.limits, now));
        let periods = budgeted.iter().map(|own| own.spending.reset().saturating_sub(now.millis()));
        let millis = windows.chain(periods).fold(call.millis.min(LONGEST_LEASE_MILLIS), u64::min);
        let mut lease = Lease {
            tokens,
            spent: call.at_once(),
            coins: call.spent_coins(),
            until: now.millis().saturating_add(millis),
            hour: hour(now),
            key: None,
            shared: None,
            pool: None,
            trial: None,
        };
        let mut pool = Pool { product, cost: call.cost(), ..Pool::default() };
        for own in &mut limited {
            let taken = Some(own.account.take(&own.limits, tokens, now));
            match own.by {
                Scope::Key => lease.key = taken,
                Scope::Workspace => lease.shared = taken,
                Scope::Product | Scope::WorkspaceBudget | Scope::ProductBudget => {
                    pool.limits = taken;
                }
            }
        }
        for own in &mut budgeted {
            let span = Some(own.spending.take(cost.saturating_mul(tokens.into())));
            if own.by == Scope::WorkspaceBudget {
                pool.shared = span;
            } else {
                pool.own = span;
            }
        }
        let view = limited.first().map(|own| own.view(now));
        if call.settle {
            self.reserve(call, (pool.shared, pool.own));
        }
        lease.trial = rules.trials.take(tokens, accounts, pool.product.as_deref(), now);
        let denied = lease.trial.as_ref().map_or(0, |trial| trial.denied(call.at_once()));
        accounts.own.usage.would_deny(Scope::Key.code(), denied);
        if tokens > call.at_once() {
            accounts.own.lease_until = accounts.own.lease_until.max(lease.until);
            let shared = &mut accounts.shared.now;
            shared.lease_until = shared.lease_until.max(lease.until);
            lease.pool = call.pool.as_ref().map(|_| pool);
            self.rows.put(lease_row(&call.kid, call.id.as_str()), &lease);
        }
        Answer::Granted(Granted { tokens, millis, view })
    }

    /// Takes in what became of leases: what was spent counts, what was not goes back.
    pub(super) fn settle(
        &mut self,
        kid: &str,
        reports: &[Report],
        accounts: &mut Accounts,
    ) -> Result<(), Stop> {
        for report in reports {
            let row = lease_row(kid, report.lease.as_str());
            let Some(mut lease) = self.rows.get::<Lease>(&row)? else { continue };
            let product = lease.pool.as_ref().and_then(|pool| pool.product.clone());
            if let Some(name) = &product {
                self.product(accounts, name)?;
            }
            let spent = report.spent.clamp(lease.spent, lease.tokens);
            let more = spent.saturating_sub(lease.spent);
            let price = lease.pool.as_ref().map_or(u32::MAX, |pool| pool.cost);
            let dearest = u64::from(more).saturating_mul(price.into());
            let dearer = report.coins.saturating_sub(lease.coins).min(dearest);
            let now = self.now;
            let denied = lease
                .trial
                .as_ref()
                .map_or(0, |trial| trial.denied(spent).saturating_sub(trial.denied(lease.spent)));
            self.count(kid, lease.hour, &mut accounts.own, |usage| {
                usage.add(more, dearer, product.as_deref(), now);
                usage.would_deny(Scope::Key.code(), denied);
            })?;
            (lease.spent, lease.coins) = (spent, lease.coins.saturating_add(dearer));
            if report.closed {
                lease.close(accounts, self.now);
                self.rows.delete(row);
            } else {
                self.rows.put(row, &lease);
            }
        }
        self.bury(kid, accounts)
    }

    /// Leases that nobody has closed a minute after their end: what was spent of them stays unknown.
    fn bury(&mut self, kid: &str, accounts: &mut Accounts) -> Result<(), Stop> {
        let range = leases(kid);
        let Ok(held) = self.rows.scan::<Lease>(&range) else { return Ok(()) };
        for (row, lease) in held {
            if lease.until.saturating_add(BURY_MILLIS) < self.now.millis() {
                let lost = lease.tokens.saturating_sub(lease.spent);
                self.count(kid, lease.hour, &mut accounts.own, |usage| usage.lose(lost))?;
                self.rows.delete(row);
            }
        }
        Ok(())
    }

    /// What holds of a request of a key with these limits.
    fn rules(&self, key: Option<Limits>, trial: Option<Limits>, call: &Admit) -> Rules {
        let product = call.product().and_then(|name| self.product_rules(name));
        let paid = call.cost() > 0;
        Rules {
            key,
            shared: self.shared_limits(),
            product: product.and_then(|product| product.limits),
            shared_budget: self.budget().filter(|_| paid),
            product_budget: product.and_then(|product| product.budget).filter(|_| paid),
            trials: Trials {
                key: trial,
                shared: self.in_workspace().and_then(|rules| rules.shadow),
                product: product.and_then(|product| product.shadow),
            },
        }
    }

    /// What the policy says of a product.
    pub(super) fn product_rules(&self, name: &str) -> Option<&Product> {
        self.gate.policy.products.iter().find(|product| product.name.as_str() == name)
    }

    pub(super) fn shared_limits(&self) -> Option<Limits> {
        let meta = self.meta.as_ref()?;
        let ceiling = self.gate.policy.workspace(&meta.workspace).limits;
        // A policy that became stricter since holds at once.
        meta.limits.filter(|own| ceiling.is_none_or(|most| own.is_within(&most))).or(ceiling)
    }

    /// What the workspace may spend over all products.
    pub(super) fn budget(&self) -> Option<Budget> {
        self.in_workspace()?.budget
    }

    fn in_workspace(&self) -> Option<InWorkspace> {
        Some(self.gate.policy.workspace(&self.meta.as_ref()?.workspace))
    }

    pub(super) fn has_budget(&self) -> bool {
        self.budget().is_some()
    }
}

impl Rules {
    /// The accounts they are held by, each at this time.
    fn apply<'a>(
        &self,
        accounts: &'a mut Accounts,
        product: Option<&str>,
        now: Now,
    ) -> (Vec<Limited<'a>>, Vec<Budgeted<'a>>) {
        let (own, shared, product) = accounts.parts_mut(product);
        let (product_account, product_spending) =
            product.map(|product| (&mut product.account, &mut product.spending)).unzip();
        let limited = [
            (Scope::Key, self.key, Some(&mut own.account)),
            (Scope::Workspace, self.shared, Some(&mut shared.account)),
            (Scope::Product, self.product, product_account),
        ];
        let budgeted = [
            (Scope::WorkspaceBudget, self.shared_budget, Some(&mut shared.spending)),
            (Scope::ProductBudget, self.product_budget, product_spending),
        ];
        let limited = limited.into_iter().filter_map(|(by, limits, account)| {
            let (limits, account) = limits.zip(account)?;
            account.hold_to(&limits, now);
            Some(Limited { by, limits, account })
        });
        let budgeted = budgeted.into_iter().filter_map(|(by, budget, spending)| {
            let (budget, spending) = budget.zip(spending)?;
            spending.hold_to(&budget, now);
            Some(Budgeted { by, budget, spending })
        });
        (limited.collect(), budgeted.collect())
    }
}

impl Limited<'_> {
    fn view(&self, now: Now) -> View {
        self.account.view(&self.limits, now)
    }
}

impl Lease {
    /// Puts back what was not spent.
    fn close(&self, accounts: &mut Accounts, now: Now) {
        let rest = self.tokens.saturating_sub(self.spent);
        let pool = self.pool.as_ref();
        let name = pool.and_then(|pool| pool.product.as_deref());
        if let Some(trial) = &self.trial {
            trial.close(self.spent, accounts, name, now);
        }
        let (own, shared, product) = accounts.parts_mut(name);
        let back = |taken: &Option<Taken>, account: &mut Account| {
            if let Some(taken) = taken {
                account.put_back(taken, rest, now);
            }
        };
        back(&self.key, &mut own.account);
        back(&self.shared, &mut shared.account);
        let Some(pool) = pool else { return };
        let reserved = u64::from(self.tokens).saturating_mul(pool.cost.into());
        let coins = reserved.saturating_sub(self.coins);
        if let Some(span) = pool.shared {
            shared.spending.put_back(span, coins);
        }
        let Some(product) = product else { return };
        back(&pool.limits, &mut product.account);
        if let Some(span) = pool.own {
            product.spending.put_back(span, coins);
        }
    }
}

/// How many tokens to lend: what is wanted, but no more than a quarter of what is left, so that
/// other isolates find some; at least one.
#[must_use]
pub fn lease_size(want: u32, left: u32) -> u32 {
    want.min(left.checked_div(4).unwrap_or(0)).max(1)
}

pub(super) fn leases(kid: &str) -> Range {
    Range::of(&format!("lease/{kid}/"), 256)
}

fn lease_row(kid: &str, id: &str) -> String {
    format!("lease/{kid}/{id}")
}

const BURY_MILLIS: u64 = 60_000;
const LONGEST_LEASE_MILLIS: u64 = 60_000;
