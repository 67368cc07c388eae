//! Where the tables of a policy stand, for notes that are made when all is read.

use std::collections::BTreeMap;

use toml::Spanned;

use super::raw::RawPolicy;
use crate::policy::Name;

/// Places by the path of a table, in bytes: `budget`, `products.billing`, `routes.0`.
pub(super) struct Places(BTreeMap<String, usize>);

impl Places {
    pub(super) fn of(raw: &RawPolicy) -> Self {
        let mut places = BTreeMap::new();
        let mut put = |table: String, at: usize| {
            places.insert(table, at);
        };
        let single = [
            ("budget", raw.budget.as_ref().map(Spanned::span)),
            ("workspace_limits", raw.workspace_limits.as_ref().map(Spanned::span)),
        ];
        for (table, span) in single {
            span.into_iter().for_each(|span| put(table.to_owned(), span.start));
        }
        let named = [
            ("origins", starts(raw.origins.keys())),
            ("tiers", starts(raw.tiers.keys())),
            ("products", starts(raw.products.keys())),
        ];
        for (table, names) in named {
            names.into_iter().for_each(|(name, at)| put(format!("{table}.{name}"), at));
        }
        for number in raw.workspaces.keys() {
            put(format!("workspaces.{}", number.get_ref().as_str()), number.span().start);
        }
        for (place, route) in raw.routes.iter().enumerate() {
            put(format!("routes.{place}"), route.path.span().start);
        }
        Self(places)
    }

    /// Where a table stands; of one that is not there, the beginning.
    pub(super) fn find(&self, table: &str) -> usize {
        self.0.get(table).copied().unwrap_or(0)
    }
}

fn starts<'n>(names: impl Iterator<Item = &'n Spanned<Name>>) -> Vec<(&'n str, usize)> {
    names.map(|name| (name.get_ref().as_str(), name.span().start)).collect()
}
