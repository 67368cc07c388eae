//! Words and numbers as a policy writes them. Of a derived `Deserialize` an error names the type that
//! holds the number, not the numbers that may be; and a word may be the one key of a table as well.

use core::fmt;
use core::marker::PhantomData;

use serde::de::value::Error as NoValue;
use serde::de::{Error, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use crate::policy::{Bounded, Coins, LeaseSeconds};

/// Reads one of a few words.
pub(super) fn word<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Word::deserialize(from).map(|Word(own)| own)
}

/// The same of a field that may be absent.
pub(super) fn some_word<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    word(from).map(Some)
}

/// Reads a list of them, each once.
pub(super) fn words<'de, T, L, D>(from: D) -> Result<L, D::Error>
where
    T: Deserialize<'de> + PartialEq,
    L: TryFrom<Vec<T>, Error: fmt::Display>,
    D: Deserializer<'de>,
{
    let words: Vec<Word<T>> = Vec::deserialize(from)?;
    let words: Vec<T> = words.into_iter().map(|Word(own)| own).collect();
    let mut rest = words.as_slice();
    while let [first, others @ ..] = rest {
        if others.contains(first) {
            return Err(D::Error::custom("a word is listed twice"));
        }
        rest = others;
    }
    L::try_from(words).map_err(D::Error::custom)
}

/// Reads a whole number within bounds.
pub(super) fn whole<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Whole + Deserialize<'de>,
    D: Deserializer<'de>,
{
    from.deserialize_any(Number(PhantomData))
}

/// The same of a field that may be absent.
pub(super) fn some_whole<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: Whole + Deserialize<'de>,
    D: Deserializer<'de>,
{
    whole(from).map(Some)
}

/// A whole number with bounds.
pub(super) trait Whole {
    const LEAST: u64;
    const MOST: u64;
}

impl<const MIN: u32, const MAX: u32> Whole for Bounded<MIN, MAX> {
    const LEAST: u64 = MIN as u64;
    const MOST: u64 = MAX as u64;
}

impl Whole for LeaseSeconds {
    const LEAST: u64 = 1;
    const MOST: u64 = 60;
}

impl Whole for Coins {
    const LEAST: u64 = 1;
    const MOST: u64 = Self::MAX;
}

struct Word<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Text(PhantomData)).map(Self)
    }
}

struct Text<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")?;
        T::deserialize(Known).err().map_or(Ok(()), |words| write!(f, ": {words}"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::deserialize(text.into_deserializer())
    }
}

/// Has no value; its error is the words that would have been one.
struct Known;

impl<'de> Deserializer<'de> for Known {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("a word"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NoValue> {
        let text = match words {
            [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
            _ => words.concat(),
        };
        Err(NoValue::custom(text))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Number<T>(PhantomData<T>);

impl<'de, T: Whole + Deserialize<'de>> Visitor<'de> for Number<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", T::LEAST, T::MOST)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_i128(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_u128(number.into())
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) if (T::LEAST..=T::MOST).contains(&number) => {
                T::deserialize(number.into_deserializer())
            }
            _ => Err(beyond(number, &self)),
        }
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<T, E> {
        match u128::try_from(number) {
            Ok(number) => self.visit_u128(number),
            Err(_) => Err(beyond(number, &self)),
        }
    }
}

fn beyond<E: Error>(number: impl fmt::Display, expected: &dyn Expected) -> E {
    E::invalid_value(Unexpected::Other(&format!("integer `{number}`")), expected)
}
