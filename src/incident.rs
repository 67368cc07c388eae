//! Incidents: by what a request was refused, for whoever asks by its id. Only of requests whose secret was
//! proved: others belong to nobody.
//!
//! `<request id>|<milliseconds>|<method>|<path of the route>|<code>|<client>|<version of the record>|<detail>|<scope>|<cost>|<product>`;
//! the detail is the scope that the request would have needed, the parameter that names another's, the most bytes of a
//! body, by whose limit and for how many seconds, or that it was the route's networks; then what the route
//! needs, costs and belongs to. No query, no parameter's value, no secret.

use crate::address::ClientAddress;
use crate::clock::Now;
use crate::denial::Denial;
use crate::encoding;
use crate::key::Kid;
use crate::policy::{Product, Route};

/// An incident that has no request id yet.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The key.
    pub(crate) kid: Kid,
    /// What follows the id.
    text: String,
}

impl Incident {
    /// What is told of a refusal.
    pub(crate) fn new(
        denial: &Denial,
        (method, address): (&str, &str),
        (route, product): (&Route, Option<&Product>),
        (kid, version): (Kid, u64),
        now: Now,
    ) -> Self {
        let address = ClientAddress::parse(address).map(|address| address.to_string());
        let mut text = String::new();
        encoding::append_decimal(now.millis(), &mut text);
        let parts = [method, route.path.as_str(), denial.code(), &address.unwrap_or_default()];
        for part in parts {
            text.push('|');
            // A field has no space in it; no pattern has one either.
            text.push_str(part);
        }
        text.push('|');
        encoding::append_decimal(version, &mut text);
        text.push('|');
        let scope = route.scope.as_ref().map(ToString::to_string).unwrap_or_default();
        if let Denial::Scope(_) = denial {
            text.push_str(&scope);
        } else if let Denial::Binding(parameter) | Denial::Subject(parameter) = denial {
            text.push_str(parameter);
        } else if let Denial::BodyTooLarge(most) = denial {
            encoding::append_decimal(*most, &mut text);
        } else if let Denial::Network = denial {
            text.push_str(ROUTE);
        } else if let Denial::RateLimited(wait) | Denial::Budget(wait) = denial {
            text.push_str(wait.by.as_str());
            text.push(':');
            encoding::append_decimal(wait.seconds, &mut text);
        }
        text.push('|');
        text.push_str(&scope);
        text.push('|');
        encoding::append_decimal(route.cost.into(), &mut text);
        text.push('|');
        text.push_str(product.map_or("", |product| product.name.as_str()));
        Self { kid, text }
    }

    /// The whole, as it is told.
    pub(crate) fn named(&self, request_id: &str) -> String {
        [request_id, &self.text].join("|")
    }
}

/// The detail where the route's networks, not the key's, refuse.
pub(crate) const ROUTE: &str = "route";
