//! What members of a workspace are told of the policy: what a request has to be, not where it goes.

use serde_json::{Value, json};

use super::{Document, Product, Route};

impl Document {
    /// What [`Document::told`] is to hold in the Worker of the Workspaces: hosts, tiers, products and routes.
    /// No origin, no environment key, no other workspace.
    #[must_use]
    pub fn tell(&self) -> String {
        let told = json!({
            "hosts": self.hosts,
            "lease_seconds": self.lease_seconds,
            "key_prefix": self.management.key_prefix,
            "temporary_max_days": self.management.temporary_max_days,
            "default_scopes": self.management.default_scopes,
            "imports": !self.imports.is_empty(),
            "tiers": self.tiers.iter().map(|tier| json!({
                "name": tier.name,
                "limits": tier.limits,
            })).collect::<Vec<_>>(),
            "products": self.products.iter().map(|product| json!({
                "name": product.name,
                "hosts": self.hosts_of(Some(product)),
                "limits": product.limits,
                "budget": product.budget,
            })).collect::<Vec<_>>(),
            "routes": self.routes.iter().map(|route| self.tell_route(route)).collect::<Vec<_>>(),
        });
        told.to_string()
    }

    fn tell_route(&self, route: &Route) -> Value {
        let product = route.product.and_then(|place| self.products.get(place));
        json!({
            "methods": route.methods,
            "path": route.path,
            "hosts": self.hosts_of(product),
            "product": product.map(|product| &product.name),
            "credentials": route.credentials,
            "scope": route.scope,
            "bindings": route.bindings,
            "subject": route.subject,
            "signature": route.signed.then_some("required"),
            "ips": route.ips,
            "cors": route.cors,
            "mode": route.mode,
            "cost": route.cost,
            "body_limit": route.body_limit,
        })
    }

    /// The hosts of a product; without one, all.
    fn hosts_of(&self, product: Option<&Product>) -> Value {
        let own = product.map_or([].as_slice(), |product| &product.hosts);
        let hosts = self.hosts.iter().enumerate();
        let named = hosts.filter(|(place, _)| own.is_empty() || own.contains(place));
        named.map(|(_, host)| json!(host)).collect()
    }
}
