//! The accounts that one request is taken from: the key's, the workspace's and the product's.

use super::Object;
use super::alert::{Reached, Watch};
use super::rows::{Range, Stop, Value};
use super::text;
use super::usage::Use;
use crate::account::Account;
use crate::fields::{BadField, Fields, Line};
use crate::spending::Spending;

/// The account of a key.
#[derive(Debug, Default)]
pub(super) struct KeyAccount {
    pub(super) account: Account,
    /// By limits on trial.
    pub(super) trial: Account,
    /// The millisecond in which the last of its leases ends.
    pub(super) lease_until: u64,
    /// The use in the hour at hand.
    pub(super) usage: Use,
    /// Secrets that are being replaced: generation, and the second in which it was last used.
    pub(super) replaced: Vec<(u8, u64)>,
    /// What has been told of its limit.
    pub(super) reached: Reached,
    /// At how many denials it is looked at.
    pub(super) watch: Watch,
}

/// The account of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SharedAccount {
    pub(super) account: Account,
    /// By limits on trial.
    pub(super) trial: Account,
    /// The millisecond in which the last lease of any key ends.
    pub(super) lease_until: u64,
    /// What was spent of its budget over all products.
    pub(super) spending: Spending,
    /// What has been told of that.
    pub(super) reached: Reached,
}

/// The account of the workspace for one product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProductAccount {
    pub(super) account: Account,
    /// By limits on trial.
    pub(super) trial: Account,
    /// What was spent of its budget for this product.
    pub(super) spending: Spending,
    /// What has been told of that.
    pub(super) reached: Reached,
}

/// The accounts that one call is about.
#[derive(Debug)]
pub(super) struct Accounts {
    pub(super) own: KeyAccount,
    pub(super) shared: Kept<SharedAccount>,
    products: Vec<(String, Kept<ProductAccount>)>,
}

/// What is written only if it has changed.
#[derive(Debug)]
pub(super) struct Kept<T> {
    before: T,
    pub(super) now: T,
}

impl Value for KeyAccount {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        Ok(Self {
            account: Account::read(fields)?,
            trial: trial(fields)?,
            lease_until: fields.number("lease_until")?,
            usage: Use::read(fields)?,
            replaced: text::replaced(fields)?,
            reached: Reached::read(fields)?,
            watch: Watch::read(fields)?,
        })
    }

    fn print(&self) -> String {
        let line = Line::new("account").number("lease_until", self.lease_until);
        let line = write_trial(&self.trial, self.usage.write(self.account.write(line)));
        let line = self.watch.write(self.reached.write(line));
        line.all("replaced", text::seconds(&self.replaced)).finish()
    }
}

impl KeyAccount {
    /// Takes note of what became of secrets that are being replaced; of the last few of them.
    pub(super) fn note_replaced(&mut self, told: &[(u8, u64)]) {
        for (generation, second) in told {
            match self.replaced.iter_mut().find(|(known, _)| known == generation) {
                Some((_, last)) => *last = (*last).max(*second),
                None => self.replaced.push((*generation, *second)),
            }
        }
        let over = self.replaced.len().saturating_sub(MAX_REPLACED);
        self.replaced.drain(..over);
    }
}

impl Value for SharedAccount {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        Ok(Self {
            account: Account::read(fields)?,
            trial: trial(fields)?,
            lease_until: fields.number("lease_until")?,
            spending: Spending::read(fields)?,
            reached: Reached::read(fields)?,
        })
    }

    fn print(&self) -> String {
        let line = Line::new("account").number("lease_until", self.lease_until);
        let line = self.reached.write(self.spending.write(self.account.write(line)));
        write_trial(&self.trial, line).finish()
    }
}

impl Value for ProductAccount {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        Ok(Self {
            account: Account::read(fields)?,
            trial: trial(fields)?,
            spending: Spending::read(fields)?,
            reached: Reached::read(fields)?,
        })
    }

    fn print(&self) -> String {
        let line = self.spending.write(self.account.write(Line::new("account")));
        write_trial(&self.trial, self.reached.write(line)).finish()
    }
}

impl<T: Clone + Default + PartialEq + Value> Kept<T> {
    fn of(stored: Option<T>) -> Self {
        let now = stored.unwrap_or_default();
        Self { before: now.clone(), now }
    }

    fn changed(&self) -> Option<&T> {
        Some(&self.now).filter(|now| **now != self.before)
    }
}

impl Accounts {
    /// The key's, the workspace's and a product's, each to be changed.
    pub(super) fn parts_mut(
        &mut self,
        product: Option<&str>,
    ) -> (&mut KeyAccount, &mut SharedAccount, Option<&mut ProductAccount>) {
        let Self { own, shared, products } = self;
        let kept = product.and_then(|name| products.iter_mut().find(|(known, _)| known == name));
        (own, &mut shared.now, kept.map(|(_, kept)| &mut kept.now))
    }
}

impl Object<'_> {
    /// The accounts of a key and the workspace.
    pub(super) fn accounts(&self, kid: &str) -> Result<Accounts, Stop> {
        Ok(Accounts {
            own: self.rows.get(&account_row(kid))?.unwrap_or_default(),
            shared: Kept::of(self.rows.get(SHARED)?),
            products: Vec::new(),
        })
    }

    /// Adds the account of a product.
    pub(super) fn product(&self, accounts: &mut Accounts, name: &str) -> Result<(), Stop> {
        if accounts.products.iter().all(|(known, _)| known != name) {
            let kept = Kept::of(self.rows.get(&product_row(name))?);
            accounts.products.push((name.to_owned(), kept));
        }
        Ok(())
    }

    /// Writes the accounts, so far as they have changed; the key's in any case.
    pub(super) fn keep(&mut self, kid: &str, accounts: &Accounts) {
        if let Some(shared) = accounts.shared.changed() {
            self.rows.put(SHARED.to_owned(), shared);
        }
        for (name, product) in &accounts.products {
            if let Some(product) = product.changed() {
                self.rows.put(product_row(name), product);
            }
        }
        self.rows.put(account_row(kid), &accounts.own);
    }
}

fn trial(fields: Fields<'_>) -> Result<Account, BadField> {
    let pace = fields.get("trial_pace");
    fields.get("trial").map_or(Ok(Account::default()), |text| Account::parse(text, pace))
}

fn write_trial(trial: &Account, line: Line) -> Line {
    line.all("trial", trial.print()).all("trial_pace", trial.print_pace())
}

pub(super) fn account_row(kid: &str) -> String {
    format!("account/{kid}")
}

/// The rows of all keys that were ever used: the characters of a key's id stand between these.
pub(super) fn key_accounts() -> Range {
    Range::between(SHARED, "0", "[", 1000)
}

pub(super) fn product_row(name: &str) -> String {
    format!("account/product:{name}")
}

pub(super) const SHARED: &str = "account/";
/// As many as may work at a time.
const MAX_REPLACED: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_use_is_known_of_the_last_few_replaced_secrets() {
        let mut own = KeyAccount::default();
        own.note_replaced(&[(0, 10), (1, 11)]);
        own.note_replaced(&[(0, 9), (1, 12)]);
        assert_eq!(own.replaced, [(0, 10), (1, 12)]);
        own.note_replaced(&[(2, 13), (3, 14), (4, 15), (5, 16)]);
        assert_eq!(own.replaced, [(1, 12), (2, 13), (3, 14), (4, 15), (5, 16)]);
    }
}
