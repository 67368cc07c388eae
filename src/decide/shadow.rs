//! Rules on trial: what they would refuse, and do not.

use crate::address::ClientAddress;
use crate::caller::Caller;
use crate::denial::Denial;
use crate::policy::Route;

/// The refusals that the route's rules on trial would be the cause of, were they in force.
pub(crate) fn would_deny<'r>(
    route: &'r Route,
    caller: &Caller,
    client_address: &str,
) -> impl Iterator<Item = Denial> + use<'r> {
    let rules = &route.shadow;
    let scope = rules.scope.as_ref().filter(|scope| !caller.has(scope));
    let is_outside = rules.ips.as_ref().is_some_and(|allowed| {
        !ClientAddress::parse(client_address).is_some_and(|client| allowed.contains(client))
    });
    let network = is_outside.then_some(Denial::Network);
    network.into_iter().chain(scope.map(|scope| Denial::Scope(scope.clone())))
}
