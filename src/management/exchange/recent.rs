//! What keys have asked about themselves a moment ago. A flood of one key's questions becomes a few
//! calls of its object.

use super::sign_in::Discovery;
use crate::clock::Now;
use crate::key::Kid;

/// The isolate's memory of it.
#[derive(Debug, Default)]
pub struct Recent {
    questions: Vec<Question>,
    /// Where people sign in, and until which millisecond that is believed.
    place: Option<(Discovery, u64)>,
}

struct Question {
    kid: Kid,
    call: String,
    /// Milliseconds; of no account from then on.
    until: u64,
    /// `None` while somebody is finding out.
    answer: Option<String>,
}

/// What to do about a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Put it to the object.
    Ask,
    /// Somebody is at it.
    Wait,
    /// This was the answer.
    Known(String),
    /// The key asks too much.
    Refuse,
}

impl Recent {
    /// Where people sign in, if that was found out a short time ago.
    pub(super) fn place(&self, now: Now) -> Option<Discovery> {
        let last = now.millis().saturating_add(PLACE_MILLIS);
        let believed = |(_, until): &&(_, u64)| now.millis() < *until && *until <= last;
        self.place.as_ref().filter(believed).map(|(place, _)| place.clone())
    }

    /// Keeps it.
    pub(super) fn learn_place(&mut self, place: Discovery, now: Now) {
        self.place = Some((place, now.millis().saturating_add(PLACE_MILLIS)));
    }

    /// Whose turn it is to make `call`, a key's question about itself.
    pub(super) fn turn(&mut self, kid: Kid, call: &str, now: Now) -> Turn {
        // Should the clock go back, nothing is believed for longer than it would have been.
        let last = now.millis().saturating_add(PATIENCE_MILLIS);
        self.questions.retain(|one| now.millis() < one.until && one.until <= last);
        if let Some(one) = self.questions.iter().find(|one| one.call == call) {
            return one.answer.clone().map_or(Turn::Wait, Turn::Known);
        }
        if self.questions.iter().filter(|one| one.kid == kid).count() >= MOST_EACH {
            return Turn::Refuse;
        }
        if self.questions.len() >= MOST {
            self.questions.remove(0);
        }
        self.questions.push(Question { kid, call: call.to_owned(), until: last, answer: None });
        Turn::Ask
    }

    /// Keeps what a call was answered; a call without an answer is made again.
    pub(super) fn learn(&mut self, call: &str, answer: Option<&str>, now: Now) {
        let Some(at) = self.questions.iter().position(|one| one.call == call) else { return };
        let Question { kid, call, .. } = self.questions.remove(at);
        if let Some(answer) = answer {
            let until = now.millis().saturating_add(BELIEVED_MILLIS);
            self.questions.push(Question { kid, call, until, answer: Some(answer.to_owned()) });
        }
    }
}

impl core::fmt::Debug for Question {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Question({} ..)", self.call)
    }
}

/// As fresh as an issuer's keys.
const PLACE_MILLIS: u64 = 600_000;
const BELIEVED_MILLIS: u64 = 1_000;
/// How long one who asks may take before another does.
const PATIENCE_MILLIS: u64 = 2_000;
/// Of one key within that time: its record, and its use in several spans.
const MOST_EACH: usize = 8;
/// Of all keys.
const MOST: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0DEM0WS7K2M9QXTAG120";
    const TWO: &str = "0THER0S7K2M9QXTAG120";

    fn turn(recent: &mut Recent, kid: &str, call: &str, millis: u64) -> Turn {
        recent.turn(Kid::parse(kid).unwrap(), call, Now::from_millis(T.saturating_add(millis)))
    }

    #[test]
    fn one_asks_and_the_others_wait_for_the_answer() {
        let mut recent = Recent::default();
        let learn = |recent: &mut Recent, answer, millis| {
            recent.learn("a", answer, Now::from_millis(T.saturating_add(millis)));
        };
        assert_eq!(turn(&mut recent, ONE, "a", 0), Turn::Ask);
        assert_eq!(turn(&mut recent, ONE, "a", 1), Turn::Wait);
        learn(&mut recent, None, 2);
        assert_eq!(turn(&mut recent, ONE, "a", 3), Turn::Ask, "no answer came");
        learn(&mut recent, Some("x"), 4);
        assert_eq!(turn(&mut recent, ONE, "a", 1003), Turn::Known("x".to_owned()));
        assert_eq!(turn(&mut recent, ONE, "a", 1004), Turn::Ask);
        assert_eq!(turn(&mut recent, ONE, "a", 3003), Turn::Wait);
        assert_eq!(turn(&mut recent, ONE, "a", 3004), Turn::Ask, "it was given up");
        learn(&mut recent, Some("x"), 3005);
        assert_eq!(recent.turn(Kid::parse(ONE).unwrap(), "a", Now::from_millis(0)), Turn::Ask);
    }

    #[test]
    fn a_key_has_so_many_questions_at_a_time_and_all_keys_have() {
        let mut recent = Recent::default();
        for call in 0..MOST_EACH {
            assert_eq!(turn(&mut recent, ONE, &format!("{call}"), 0), Turn::Ask);
        }
        assert_eq!(turn(&mut recent, ONE, "more", 0), Turn::Refuse);
        assert_eq!(turn(&mut recent, TWO, "more", 0), Turn::Ask);
        for call in 0..2 * MOST {
            let kid = format!("0DEM0WS7K2{call:04}TAG120");
            assert_eq!(turn(&mut recent, &kid, &format!("{kid} {call}"), 1), Turn::Ask);
        }
        assert!(recent.questions.len() <= MOST);
    }

    const T: u64 = 1_800_000_000_000;
}
