//! Routes: from method and path to the one route that decides.

mod method;
mod params;
mod pattern;
mod table;

pub use crate::target::eq_decoded;
pub use method::{Method, Methods, NoMethods};
pub use params::{MAX_PARAMS, Params};
pub use pattern::{BadPattern, Pattern, is_param_name};
pub use table::{Conflict, ConflictKind, Entry, Lookup, RouteTable};
