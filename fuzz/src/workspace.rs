//! Calls, answers and rows of a Workspace.

use portcullis::clock::Now;
use portcullis::workspace::call::{Answer, Call};
use portcullis::workspace::rows::{Missing, Rows};
use portcullis::workspace::{answer, needs};

use crate::{text, world};

/// What is read is written as what is read again.
pub fn call(data: &[u8]) {
    let Some((choice, text)) = text(data) else { return };
    if choice % 2 == 0 {
        if let Ok(call) = Call::parse(text) {
            let written = call.print();
            let again = Call::parse(&written).expect("what was written").print();
            assert_eq!(again, written);
        }
    } else if let Ok(own) = Answer::parse(text) {
        let written = own.print();
        assert_eq!(Answer::parse(&written).as_ref(), Ok(&own), "{written}");
    }
    let lines = Missing::parse(text).lines();
    assert_eq!(Missing::parse(&lines).lines(), lines);
}

/// Whatever the rows are and the call says: an object answers, reads a bounded number of times, and
/// writes rows of one line. The first line of the text is the call, up to a form feed; then names and values.
pub fn row(data: &[u8]) {
    let Some((_, text)) = text(data) else { return };
    let (call, rows) = text.split_once('\x0c').unwrap_or((text, ""));
    let rows: Vec<&str> = rows.split('\n').collect();
    let mut held: Vec<(&str, &str)> = rows
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .filter(|pair| !pair.1.is_empty())
        .collect();
    held.sort();
    held.dedup_by_key(|pair| pair.0);
    let now = Now::from_millis(world::NOW * 1000);
    let mut fetched = vec![needs(call, now)];
    loop {
        assert!(fetched.len() < 64, "asks for ever: {call}");
        let mut loaded = Rows::default();
        for missing in &fetched {
            let mut lines = Vec::new();
            for range in &missing.ranges {
                let within = |own: &&(&str, &str)| own.0 >= &*range.from && own.0 < &*range.to;
                let found = held.iter().filter(within).take(range.limit as usize);
                lines.extend(found.flat_map(|(name, value)| [*name, *value]));
            }
            let named = missing.names.iter().filter_map(|name| {
                held.iter().find(|(own, _)| own == name).map(|(name, value)| [*name, *value])
            });
            lines.extend(named.flatten());
            loaded.load(missing, &lines.join("\n"));
        }
        match answer(call, world::gate(), &mut loaded, now) {
            Err(missing) => fetched.push(Missing::parse(&missing.lines())),
            Ok(outcome) => {
                for (name, value) in loaded.changes() {
                    assert!(!name.contains('\n'));
                    assert!(value.is_none_or(|own| !own.is_empty() && !own.contains('\n')));
                }
                // Alerts are the driver's to read.
                let written = outcome.answer.print();
                let is_read = !matches!(outcome.answer, Answer::Alerts { .. });
                assert!(!is_read || Answer::parse(&written).is_ok(), "{written}");
                return;
            }
        }
    }
}
