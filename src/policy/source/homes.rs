//! In which tables a field may stand, as TOML makes it easy to put it under another.

use serde::de::value::Error as Names;
use serde::de::{Error, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::observe::RawObserve;
use super::raw::{
    RawImport, RawIssuer, RawLeakReports, RawManagement, RawOrigin, RawPolicy, RawProduct,
    RawRoute, RawSignIn, RawStaticKey, RawTier, RawWorkspace,
};
use super::table::Table;
use crate::policy::Alerts;

/// Where a field of this name may stand.
pub(super) fn homes(field: &str) -> Vec<&'static str> {
    let tables = [
        (TOP, names::<RawPolicy>()),
        ("[[routes]]", names::<RawRoute>()),
        ("[origins.NAME]", names::<RawOrigin>()),
        ("[products.NAME]", names::<RawProduct>()),
        ("[tiers.NAME]", names::<RawTier>()),
        ("[workspaces.NUMBER]", names::<RawWorkspace>()),
        ("[static_keys.NAME]", names::<RawStaticKey>()),
        ("[[imports]]", names::<RawImport>()),
        ("[issuers.NAME]", names::<RawIssuer>()),
        ("[management]", names::<RawManagement>()),
        ("[management.sign_in]", names::<RawSignIn>()),
        ("[leak_reports]", names::<RawLeakReports>()),
        ("[alerts]", names::<Alerts>()),
        ("[observe]", names::<RawObserve>()),
    ];
    let has = |names: &str| names.split(' ').any(|name| name == field);
    tables.into_iter().filter(|(_, names)| has(names)).map(|(table, _)| table).collect()
}

/// The names of a table's fields.
fn names<T: Table>() -> String {
    T::fields(Fields).err().map_or_else(String::new, |names| names.to_string())
}

/// Has no value; its error is the names of the fields that it would have.
struct Fields;

impl<'de> Deserializer<'de> for Fields {
    type Error = Names;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Names> {
        Err(Names::custom(""))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Names> {
        Err(Names::custom(fields.join(" ")))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Where what belongs to no table stands.
pub(super) const TOP: &str = "at the top, above the first '[…]'";
