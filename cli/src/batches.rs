//! Batches: sent several at once, told of in their order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::output::Failure;

/// Has `send` called for each batch, `parallel` of them at a time, and `take` with what came of it, in the
/// order of the batches.
///
/// # Errors
/// The first that `take` makes. What is under way then is waited for, and nothing more is begun.
pub(crate) fn in_order<B: Sync, A: Send>(
    batches: &[B],
    parallel: u8,
    send: impl Fn(&B) -> Result<A, Failure> + Sync,
    mut take: impl FnMut(&B, Result<A, Failure>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let (next, send) = (&next, &send);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..parallel {
            let tell = tell.clone();
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(batch) = batches.get(place) else { return };
                    let answer = send(batch);
                    if answer.is_err() {
                        next.store(batches.len(), Ordering::Relaxed);
                    }
                    // Nobody listens once a failure was told.
                    if tell.send((place, answer)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        let mut early = BTreeMap::new();
        let mut due = 0_usize;
        for (place, answer) in told {
            early.insert(place, answer);
            while let (Some(batch), Some(answer)) = (batches.get(due), early.remove(&due)) {
                let taken = take(batch, answer);
                if taken.is_err() {
                    next.store(batches.len(), Ordering::Relaxed);
                }
                taken?;
                due = due.saturating_add(1);
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn answers_come_in_order_and_nothing_after_a_failure() {
        let batches: Vec<u64> = (0..50).collect();
        let begun = Mutex::new(0);
        let mut taken = Vec::new();
        let send = |batch: &u64| {
            *begun.lock().unwrap() += 1;
            // The first of each four is the slowest.
            thread::sleep(std::time::Duration::from_millis(3 - batch % 4));
            if *batch == 21 { Err(Failure::refused("no")) } else { Ok(batch * 2) }
        };
        let failed = in_order(&batches, 4, send, |batch, answer| {
            taken.push((*batch, answer?));
            Ok(())
        });
        assert_eq!(failed.map_err(|failure| failure.to_string()), Err("no".to_owned()));
        assert_eq!(taken, (0..21).map(|batch| (batch, batch * 2)).collect::<Vec<_>>());
        assert!(*begun.lock().unwrap() <= 21 + 1 + 8, "and a few that were under way");
        let mut count = 0;
        let whole = in_order(
            &batches,
            16,
            |_| Ok(()),
            |_, answer| {
                count += 1;
                answer
            },
        );
        assert!(whole.is_ok() && count == 50);
    }
}
