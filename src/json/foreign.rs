//! Reads what others wrote, as tokens and key sets are: any JSON (RFC 8259) is passed over, and
//! of an object those members are read that somebody asks for.

use std::borrow::Cow;

use super::{Broken, Reader};

/// The members of an object, each as it stands.
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a [u8])>);

/// A member is there twice, or of another kind than it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadMember;

impl<'a> Object<'a> {
    /// `None` if the text is no object, or holds others more than [`DEPTH`] deep.
    pub(crate) fn read(json: &'a [u8]) -> Option<Self> {
        let mut members = Vec::new();
        whole(json, |reader| {
            reader.members(DEPTH, &mut |name, value| members.push((name, value)))
        })?;
        Some(Self(members))
    }

    /// A member as it stands, whatever it is.
    pub(crate) fn member(&self, name: &str) -> Result<Option<&'a [u8]>, BadMember> {
        let mut named = self.0.iter().filter(|(own, _)| own == name);
        let first = named.next();
        if named.next().is_some() { Err(BadMember) } else { Ok(first.map(|(_, value)| *value)) }
    }

    /// The same, where `null` says no more than its absence.
    pub(crate) fn value(&self, name: &str) -> Result<Option<&'a [u8]>, BadMember> {
        Ok(self.member(name)?.filter(|value| *value != b"null"))
    }

    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, BadMember> {
        self.value(name)?.map(|value| text(value).ok_or(BadMember)).transpose()
    }

    /// A member that is a list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<Cow<'a, str>>>, BadMember> {
        self.value(name)?.map(|value| texts(value).ok_or(BadMember)).transpose()
    }
}

/// A text.
pub(crate) fn text(json: &[u8]) -> Option<Cow<'_, str>> {
    let mut text = None;
    whole(json, |reader| {
        text = Some(reader.text()?);
        Ok(())
    })?;
    text
}

/// A list of texts.
pub(crate) fn texts(json: &[u8]) -> Option<Vec<Cow<'_, str>>> {
    elements(json)?.into_iter().map(text).collect()
}

/// The elements of a list, each as it stands.
pub(crate) fn elements(json: &[u8]) -> Option<Vec<&[u8]>> {
    let mut elements = Vec::new();
    whole(json, |reader| reader.elements(DEPTH, &mut |value| elements.push(value)))?;
    Some(elements)
}

/// Reads all of a text.
fn whole<'a>(
    json: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<(), Broken>,
) -> Option<()> {
    let mut reader = Reader { rest: json };
    read(&mut reader).ok()?;
    reader.peek().is_none().then_some(())
}

impl<'a> Reader<'a> {
    fn members(
        &mut self,
        depth: u8,
        each: &mut dyn FnMut(Cow<'a, str>, &'a [u8]),
    ) -> Result<(), Broken> {
        self.listed(b"{", b"}", &mut |reader| {
            let name = reader.text()?;
            reader.expect(b":")?;
            each(name, reader.any(depth)?);
            Ok(())
        })
    }

    fn elements(&mut self, depth: u8, each: &mut dyn FnMut(&'a [u8])) -> Result<(), Broken> {
        self.listed(b"[", b"]", &mut |reader| {
            each(reader.any(depth)?);
            Ok(())
        })
    }

    fn listed(
        &mut self,
        begin: &[u8],
        end: &[u8],
        each: &mut dyn FnMut(&mut Self) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.expect(begin)?;
        if self.take(end) {
            return Ok(());
        }
        each(self)?;
        while self.take(b",") {
            each(self)?;
        }
        self.expect(end)
    }

    /// Passes a value: it as it stands.
    fn any(&mut self, depth: u8) -> Result<&'a [u8], Broken> {
        let depth = depth.checked_sub(1).ok_or(Broken)?;
        let first = self.peek();
        let before = self.rest;
        match first {
            Some(b'"') => self.text().map(drop)?,
            Some(b'{') => self.members(depth, &mut |_, _| ())?,
            Some(b'[') => self.elements(depth, &mut |_| ())?,
            Some(b't') => self.expect(b"true")?,
            Some(b'f') => self.expect(b"false")?,
            Some(b'n') => self.expect(b"null")?,
            _ => self.fraction()?,
        }
        let length = before.len().checked_sub(self.rest.len()).ok_or(Broken)?;
        before.get(..length).ok_or(Broken)
    }

    /// Passes a number.
    fn fraction(&mut self) -> Result<(), Broken> {
        self.skip(b"-");
        let whole = self.digits();
        if let [] | [b'0', _, ..] = whole {
            return Err(Broken);
        }
        if self.skip(b".") && self.digits().is_empty() {
            return Err(Broken);
        }
        if self.skip(b"e") || self.skip(b"E") {
            let _ = self.skip(b"+") || self.skip(b"-");
            if self.digits().is_empty() {
                return Err(Broken);
            }
        }
        Ok(())
    }

    /// Passes `word` if it follows at once.
    fn skip(&mut self, word: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// Deeper than any token or key set, and far from the end of the stack.
const DEPTH: u8 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_as_they_stand() {
        let object = Object::read(
            br#" {"a" : "x\u0041", "b":[ 1 , "y" ],"c":{"d":[{}]},"n":null,"e":-1.5e+3 ,"t":true} "#,
        )
        .unwrap();
        assert_eq!(object.text("a").unwrap().unwrap(), "xA");
        assert_eq!(object.member("b"), Ok(Some(&b"[ 1 , \"y\" ]"[..])));
        assert_eq!(object.member("c"), Ok(Some(&br#"{"d":[{}]}"#[..])));
        assert_eq!((object.value("n"), object.text("n")), (Ok(None), Ok(None)));
        assert_eq!(object.member("n"), Ok(Some(&b"null"[..])));
        assert_eq!(object.value("e"), Ok(Some(&b"-1.5e+3"[..])));
        assert_eq!((object.value("none"), object.text("b")), (Ok(None), Err(BadMember)));
        assert_eq!(texts(br#"["x", "y"]"#).unwrap(), ["x", "y"]);
        assert_eq!((texts(b"[1]"), texts(b"\"x\""), text(b"[]")), (None, None, None));
    }

    #[test]
    fn what_is_there_twice_is_told_of_nobody() {
        let object = Object::read(br#"{"a":"x","b":1,"\u0061":"y"}"#).unwrap();
        assert_eq!(object.text("a"), Err(BadMember));
        assert_eq!(object.value("b"), Ok(Some(&b"1"[..])));
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |depth: usize| {
            let json = ["{\"a\":", &"[".repeat(depth), &"]".repeat(depth), "}"].concat();
            Object::read(json.as_bytes()).is_some()
        };
        assert!(nested(32));
        assert!(!nested(33));
        assert!(!nested(100_000));
    }

    #[test]
    fn any_json_is_passed_over_and_nothing_else() {
        for value in [
            "0",
            "-0",
            "1",
            "10",
            "1.0",
            "0.50",
            "1e1",
            "1E-1",
            "-1.2e+30",
            "01",
            "-",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e+",
            "0x1",
            "1_0",
            "NaN",
            "true",
            "tru",
            "truex",
            "True",
            "null",
            "nul",
            "\"\"",
            "\"\\u12\"",
            "\"\\x\"",
            "\"\n\"",
            "'a'",
            "[]",
            "[1,]",
            "[,]",
            "[1 2]",
            "[",
            "{}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1 \"b\":2}",
            "{1:1}",
            "",
        ] {
            let json = format!("{{\"a\": {value} }}");
            let theirs = serde_json::from_str::<serde_json::Value>(&json).is_ok();
            assert_eq!(Object::read(json.as_bytes()).is_some(), theirs, "{json}");
        }
        assert!(Object::read(b"{\"a\":\"\xff\"}").is_none());
        for json in ["[]", "1", "", "{} {}", "{}x", "\"a\""] {
            assert!(Object::read(json.as_bytes()).is_none(), "{json}");
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod properties {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The members as `serde_json` reads them.
    fn theirs(json: &[u8]) -> Option<Map<String, Value>> {
        serde_json::from_slice(json).ok()
    }

    fn ours(json: &[u8]) -> Option<Map<String, Value>> {
        let Object(members) = Object::read(json)?;
        let read = |(name, value): (Cow<'_, str>, &[u8])| {
            Some((name.into_owned(), serde_json::from_slice(value).ok()?))
        };
        members.into_iter().map(read).collect()
    }

    proptest! {
        #[test]
        fn objects_are_read_as_by_serde_json(
            map in prop::collection::btree_map(".*", value(), 0..5),
            at: prop::sample::Index,
            byte: u8,
        ) {
            let object = Value::Object(map.into_iter().collect());
            for json in [serde_json::to_string(&object), serde_json::to_string_pretty(&object)] {
                let mut json = json.unwrap().into_bytes();
                prop_assert_eq!(ours(&json), theirs(&json));
                let at = at.index(json.len());
                prop_assert_eq!(ours(&json[..at]), None);
                json[at] = byte;
                prop_assert_eq!(ours(&json), theirs(&json));
            }
        }
    }
}
