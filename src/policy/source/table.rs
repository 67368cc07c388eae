//! What is read from a table alone: a derived `Deserialize` would take a list of the fields' values as
//! well, in which a field needs no name and so cannot have a wrong one.

use core::fmt;
use core::marker::PhantomData;

use serde::Deserializer;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};

use crate::policy::Alerts;

/// Read by the names of its fields.
pub(super) trait Table: Sized {
    fn fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

impl Table for Alerts {
    fn fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }
}

/// Reads a table, and nothing else.
pub(super) fn table<'de, T: Table, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(Fields(PhantomData))
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Table> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::fields(MapAccessDeserializer::new(map))
    }
}

/// For structs that derive `Deserialize` with `remote = "Self"`: that is the inherent `deserialize`.
macro_rules! tables {
    ($($raw:ty),+ $(,)?) => {$(
        impl $crate::policy::source::table::Table for $raw {
            fn fields<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::deserialize(from)
            }
        }

        impl<'de> serde::Deserialize<'de> for $raw {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::policy::source::table::table(from)
            }
        }
    )+};
}
pub(super) use tables;
