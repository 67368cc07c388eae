//! Reads the documents that this project wrote itself: records, pointers, the policy of a build.
//!
//! Nobody is told what is wrong with one, so its error is without content: the messages of `serde_json`,
//! and the printing of fractions for their sake, were a sixth of the gate's upload. Read are the kinds
//! of value that those documents have: text, whole numbers from 0, truth values, lists, objects with
//! known members, enums. What others wrote is read by [`foreign`].
//!
//! Nothing of it is on the way of a warm request, so the parts of the reader are kept out of line: in
//! each place where a field is read they would be a good part of the gate's upload.

pub(crate) mod foreign;

use core::fmt;
use std::borrow::Cow;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

/// Reads a document; `None` if it is none.
pub(crate) fn read<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Option<T> {
    let mut reader = Reader { rest: json };
    let document = T::deserialize(&mut reader).ok()?;
    reader.peek().is_none().then_some(document)
}

/// Something is not as it has to be.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a document")
    }
}

impl core::error::Error for Broken {}

impl Error for Broken {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Reader<'de> {
    rest: &'de [u8],
}

impl<'de> Reader<'de> {
    /// The first byte that is no white space; all before it is passed.
    #[cold]
    #[inline(never)]
    fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    /// Passes `word` if it comes next.
    #[cold]
    #[inline(never)]
    fn take(&mut self, word: &[u8]) -> bool {
        self.peek();
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    #[cold]
    #[inline(never)]
    fn expect(&mut self, word: &[u8]) -> Result<(), Broken> {
        if self.take(word) { Ok(()) } else { Err(Broken) }
    }

    #[cold]
    #[inline(never)]
    fn number(&mut self) -> Result<u64, Broken> {
        self.peek();
        let digits = self.digits();
        if let [] | [b'0', _, ..] = digits {
            return Err(Broken);
        }
        let digits = core::str::from_utf8(digits).map_err(|_| Broken)?;
        digits.parse().map_err(|_| Broken)
    }

    #[cold]
    #[inline(never)]
    fn digits(&mut self) -> &'de [u8] {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at_checked(length).unwrap_or((&[], self.rest));
        self.rest = rest;
        digits
    }

    #[cold]
    #[inline(never)]
    fn text(&mut self) -> Result<Cow<'de, str>, Broken> {
        self.expect(b"\"")?;
        let plain = self.plain()?;
        if self.next()? == b'"' {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            text.push(self.escaped()?);
            text.push_str(self.plain()?);
            if self.next()? == b'"' {
                return Ok(Cow::Owned(text));
            }
        }
    }

    /// What stands before the next `"` or `\`.
    #[cold]
    #[inline(never)]
    fn plain(&mut self) -> Result<&'de str, Broken> {
        let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let length = self.rest.iter().position(ends).ok_or(Broken)?;
        let (plain, rest) = self.rest.split_at_checked(length).ok_or(Broken)?;
        self.rest = rest;
        match rest {
            [0..0x20, ..] => Err(Broken),
            _ => core::str::from_utf8(plain).map_err(|_| Broken),
        }
    }

    fn next(&mut self) -> Result<u8, Broken> {
        let (first, rest) = self.rest.split_first().ok_or(Broken)?;
        self.rest = rest;
        Ok(*first)
    }

    /// What a `\` begins.
    #[cold]
    #[inline(never)]
    fn escaped(&mut self) -> Result<char, Broken> {
        Ok(match self.next()? {
            byte @ (b'"' | b'\\' | b'/') => byte.into(),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let second = if matches!(first, 0xd800..0xdc00) && self.rest.starts_with(b"\\u") {
                    self.expect(b"\\u")?;
                    Some(self.unit()?)
                } else {
                    None
                };
                let mut chars = char::decode_utf16([first].into_iter().chain(second));
                let Some(Ok(char)) = chars.next() else { return Err(Broken) };
                char
            }
            _ => return Err(Broken),
        })
    }

    /// Four hexadecimal digits.
    #[cold]
    #[inline(never)]
    fn unit(&mut self) -> Result<u16, Broken> {
        let (digits, rest) = self.rest.split_first_chunk::<4>().ok_or(Broken)?;
        self.rest = rest;
        digits.iter().try_fold(0, |unit: u16, &digit| {
            let digit = char::from(digit).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
            Ok(unit << 4 | digit.ok_or(Broken)?)
        })
    }
}

/// Numbers are read as the widest; what asks for a narrower one checks it.
macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
            visitor.visit_u64(self.number()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Broken;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Broken> {
        Err(Broken)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        let value = self.take(b"true");
        if !value {
            self.expect(b"false")?;
        }
        visitor.visit_bool(value)
    }

    numbers!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        match self.text()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_str(&text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        if self.take(b"null") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Broken> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        self.expect(b"[")?;
        visitor.visit_seq(Members { reader: self, end: b"]", first: true })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        self.expect(b"{")?;
        visitor.visit_map(Members { reader: self, end: b"}", first: true })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Broken> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Broken> {
        let holds = self.take(b"{");
        let value = visitor.visit_enum(Variant { reader: &mut *self, holds })?;
        if holds {
            self.expect(b"}")?;
        }
        Ok(value)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        ignored_any
    }
}

/// What a list or an object holds.
struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
    end: &'static [u8],
    first: bool,
}

impl Members<'_, '_> {
    /// Whether there is one more; else the end is passed.
    #[cold]
    #[inline(never)]
    fn go_on(&mut self) -> Result<bool, Broken> {
        let first = core::mem::take(&mut self.first);
        if first && self.reader.take(self.end) {
            return Ok(false);
        }
        let more = first || self.reader.take(b",");
        if !more {
            self.reader.expect(self.end)?;
        }
        Ok(more)
    }
}

impl<'de> SeqAccess<'de> for Members<'_, 'de> {
    type Error = Broken;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Broken> {
        if self.go_on()? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Broken;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Broken> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Broken> {
        self.reader.expect(b":")?;
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant of an enum: its name, or an object whose one member it is.
struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
    holds: bool,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Broken;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Broken> {
        let name = seed.deserialize(&mut *self.reader)?;
        if self.holds {
            self.reader.expect(b":")?;
        }
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Broken;

    fn unit_variant(self) -> Result<(), Broken> {
        if self.holds { Err(Broken) } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Broken> {
        Err(Broken)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Broken> {
        Err(Broken)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Broken> {
        if self.holds { self.reader.deserialize_map(visitor) } else { Err(Broken) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_by_serde_json() {
        for json in [
            r#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83e\udd80""#,
            r#""\ud83e""#,
            r#""\udd80""#,
            r#""\ud83e\ud83e""#,
            r#""\ud83ex""#,
            r#""\ud83e\n""#,
            r#""\u12""#,
            r#""\u12"x"#,
            r#""\u+123""#,
            r#""\x""#,
            r#""\"#,
            r#"""#,
            "",
            "\"\n\"",
            "\"\u{7f}\"",
            "'a'",
            "1",
            "null",
            r#""a" b"#,
            " \"a\"\n",
            "\u{c}\"a\"",
        ] {
            assert_eq!(read::<String>(json.as_bytes()), serde_json::from_str(json).ok(), "{json}");
        }
        assert_eq!(read::<String>(b"\"\xff\""), None);
    }

    #[test]
    fn lists_and_numbers_are_read_as_by_serde_json() {
        for json in [
            "[]",
            "[ ]",
            "[0]",
            "[0,255]",
            "[256]",
            "[01]",
            "[-1]",
            "[1.0]",
            "[1e1]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1]]",
            "[[1]",
            "[",
            "[1",
            "[1,",
            "{}",
            "[\"1\"]",
            "[true]",
            "[null]",
            "[18446744073709551616]",
        ] {
            assert_eq!(read::<Vec<u8>>(json.as_bytes()), serde_json::from_str(json).ok(), "{json}");
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod properties {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        texts: Vec<String>,
        map: BTreeMap<String, Vec<u64>>,
        number: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        option: Option<u16>,
        truth: bool,
        kind: Kind,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case", deny_unknown_fields)]
    enum Kind {
        Bare,
        Full { part: String },
    }

    fn sample() -> impl Strategy<Value = Sample> {
        let texts = prop::collection::vec(any::<String>(), 0..4);
        let map =
            prop::collection::btree_map(".*", prop::collection::vec(any::<u64>(), 0..3), 0..3);
        let rest = (any::<u8>(), any::<Option<u16>>(), any::<bool>(), any::<Option<String>>());
        (texts, map, rest).prop_map(|(texts, map, (number, option, truth, part))| {
            let kind = part.map_or(Kind::Bare, |part| Kind::Full { part });
            Sample { texts, map, number, option, truth, kind }
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read(sample in sample()) {
            for json in [serde_json::to_string(&sample), serde_json::to_string_pretty(&sample)] {
                let json = json.unwrap();
                let read = read::<Sample>(json.as_bytes());
                prop_assert_eq!(read.as_ref(), Some(&sample));
            }
        }

        #[test]
        fn what_is_broken_is_broken_for_serde_json(sample in sample(), at: prop::sample::Index, byte: u8) {
            let mut json = serde_json::to_vec(&sample).unwrap();
            let at = at.index(json.len());
            json[at] = byte;
            let theirs = serde_json::from_slice::<Sample>(&json).ok();
            prop_assert_eq!(read::<Sample>(&json), theirs);
            let cut = &json[..at];
            prop_assert_eq!(read::<Sample>(cut), serde_json::from_slice::<Sample>(cut).ok());
        }
    }
}
