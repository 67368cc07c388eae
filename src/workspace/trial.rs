//! Limits on trial: they are counted by as if they held, and refuse nobody.

use super::accounts::Accounts;
use crate::account::{Account, Taken};
use crate::clock::Now;
use crate::fields::{BadField, Fields, Line};
use crate::policy::Limits;

/// The limits on trial of key, workspace and product.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trials {
    pub(super) key: Option<Limits>,
    pub(super) shared: Option<Limits>,
    pub(super) product: Option<Limits>,
}

/// What they made of a grant: of its tokens so many would have been granted, the first ones.
#[derive(Debug)]
pub(super) struct Trial {
    passed: u32,
    key: Option<Taken>,
    shared: Option<Taken>,
    product: Option<Taken>,
}

impl Trials {
    /// Takes as many of `tokens` as there are, from all accounts together. `None` without such limits.
    pub(super) fn take(
        &self,
        tokens: u32,
        accounts: &mut Accounts,
        product: Option<&str>,
        now: Now,
    ) -> Option<Trial> {
        let (own, shared, product) = accounts.parts_mut(product);
        let mut tried: [(Option<Limits>, Option<&mut Account>); 3] = [
            (self.key, Some(&mut own.trial)),
            (self.shared, Some(&mut shared.trial)),
            (self.product, product.map(|product| &mut product.trial)),
        ];
        let mut passed = None;
        for (limits, account) in &mut tried {
            if let (Some(limits), Some(account)) = (limits, account) {
                account.hold_to(limits, now);
                let left = account.left(limits, now);
                passed = Some(passed.unwrap_or(tokens).min(left));
            }
        }
        let passed = passed?;
        let [key, shared, product] = tried.map(|(limits, account)| {
            let (limits, account) = limits.zip(account)?;
            (passed > 0).then(|| account.take(&limits, passed, now))
        });
        Some(Trial { passed, key, shared, product })
    }
}

impl Trial {
    /// How many of the first `spent` tokens would have been denied.
    pub(super) const fn denied(&self, spent: u32) -> u32 {
        spent.saturating_sub(self.passed)
    }

    /// Puts back what was not spent.
    pub(super) fn close(
        &self,
        spent: u32,
        accounts: &mut Accounts,
        product: Option<&str>,
        now: Now,
    ) {
        let rest = self.passed.saturating_sub(spent);
        let (own, shared, product) = accounts.parts_mut(product);
        for (taken, account) in [
            (&self.key, Some(&mut own.trial)),
            (&self.shared, Some(&mut shared.trial)),
            (&self.product, product.map(|product| &mut product.trial)),
        ] {
            if let (Some(taken), Some(account)) = (taken, account) {
                account.put_back(taken, rest, now);
            }
        }
    }

    /// Reads what [`Trial::write`] wrote; `None` if nothing did.
    pub(super) fn read(fields: Fields<'_>) -> Result<Option<Self>, BadField> {
        if !fields.flag("trial") {
            return Ok(None);
        }
        let taken = |name| fields.get(name).map(Taken::parse).transpose();
        Ok(Some(Self {
            passed: fields.number("passed")?,
            key: taken("trial_key")?,
            shared: taken("trial_shared")?,
            product: taken("trial_product")?,
        }))
    }

    /// Adds it to a row.
    pub(super) fn write(&self, line: Line) -> Line {
        line.flag("trial", true)
            .number("passed", self.passed)
            .all("trial_key", self.key.iter().map(Taken::print))
            .all("trial_shared", self.shared.iter().map(Taken::print))
            .all("trial_product", self.product.iter().map(Taken::print))
    }
}
