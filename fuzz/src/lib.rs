//! What has to hold of every text, whatever it is: the properties that the fuzzers try to break.
//!
//! Each takes bytes and returns; it panics where a property does not hold. `seeds` writes what the fuzzers
//! begin with, from the vectors.

mod management;
mod names;
mod people;
mod requests;
mod stored;
mod workspace;
mod world;

pub use management::body;
pub use names::{address, key, scope, target};
pub use people::{session, token};
pub use requests::{decide, request, signature};
pub use stored::{account, policy, record};
pub use workspace::{call, row};

/// The text in the bytes, and a choice of the fuzzer's.
fn text(data: &[u8]) -> Option<(u8, &str)> {
    let (first, rest) = data.split_first()?;
    Some((*first, std::str::from_utf8(rest).ok()?))
}

/// Two texts, of which the first has no line feed.
fn lines(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}
