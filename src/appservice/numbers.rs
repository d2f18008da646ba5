//! Notices when Synapse has left a transaction behind, and makes it go back for it.
//!
//! Synapse numbers transactions and sends one after the other, and yet it may leave one unsent while later ones come: one
//! that is written in the moment in which it finds its backlog for us empty (whoever writes it still takes us for down,
//! and nobody looks again), and one that was on its way when Synapse itself died. It comes only after our next failure:
//! hours late, and out of order. So a transaction that skips a number is refused once. Synapse then starts over with the
//! oldest that it has, and the missing one comes first.
//!
//! The first one after our own start is refused in any case: it may have overtaken one that found nobody here.
//!
//! All appservices of a homeserver share the numbers, so a gap may mean nothing. Then the same transaction simply comes
//! again, and gaps are believed for a while: longer each time.

use std::sync::Mutex;

use chrono::TimeDelta;

use crate::domain::clock::Timestamp;

/// For how long gaps are believed after one that meant nothing: at first, and at most; each time `FACTOR` times as long.
/// Short at first, because a Postgres that crashed skips numbers too, and just then Synapse leaves transactions behind.
const BELIEF: (TimeDelta, TimeDelta) = (TimeDelta::seconds(1), TimeDelta::hours(1));
const FACTOR: i32 = 4;

/// The widest gap that Synapse leaves; who skips more counts in some other way.
const WIDEST: u64 = 20;

/// A number that is so far below the last one is the first of a new count: Synapse on `SQLite` starts over.
const NEW_COUNT: u64 = 1000;

/// What is known of Synapse's numbers.
#[derive(Debug, Default)]
pub struct Numbers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The highest that was taken.
    last: Option<u64>,
    /// The one that was refused, until it or a missing one comes.
    refused: Option<u64>,
    /// Until when gaps are believed, and for how long that was.
    believed: Option<(Timestamp, TimeDelta)>,
}

impl Numbers {
    /// Whether a transaction skips one that may still be there, and is to be refused.
    pub(super) fn skips(&self, id: &str, now: Timestamp) -> bool {
        let (Ok(number), Ok(mut state)) = (id.parse(), self.state.lock()) else {
            return false;
        };
        state.skips(number, now)
    }

    /// A transaction is safe.
    pub(super) fn taken(&self, id: &str) {
        if let (Ok(number), Ok(mut state)) = (id.parse::<u64>(), self.state.lock()) {
            let last = state
                .last
                .filter(|last| number.saturating_add(NEW_COUNT) > *last)
                .unwrap_or(number);
            state.last = Some(last.max(number));
        }
    }
}

impl State {
    fn skips(&mut self, number: u64, now: Timestamp) -> bool {
        let follows = self
            .last
            .is_some_and(|last| number <= last.saturating_add(1) || number > last.saturating_add(WIDEST));
        match self.refused {
            // What was missing.
            Some(refused) if number < refused => {
                if self.last.is_none_or(|last| number > last) {
                    self.refused = None;
                    self.believed = None;
                }
                false
            }
            // There was nothing: numbers of others.
            Some(refused) if number == refused => {
                self.refused = None;
                if self.last.is_none() {
                    return false;
                }
                let belief = self
                    .believed
                    .map_or(BELIEF.0, |(_, belief)| (belief * FACTOR).min(BELIEF.1));
                self.believed = Some((now + belief, belief));
                false
            }
            _ if follows || self.believed.is_some_and(|(until, _)| now < until) => false,
            _ => {
                self.refused = Some(number);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    /// Sends transactions; the answer tells which of them were refused. What is taken is safe.
    fn refused(numbers: &Numbers, ids: &[&str], now: Timestamp) -> Vec<bool> {
        let send = |id: &&str| {
            let skips = numbers.skips(id, now);
            if !skips {
                numbers.taken(id);
            }
            skips
        };
        ids.iter().map(send).collect()
    }

    /// Somewhere in a count.
    fn started(last: &str) -> Numbers {
        let numbers = Numbers::default();
        numbers.taken(last);
        numbers
    }

    #[test]
    fn the_first_one_after_a_start_may_have_overtaken_another() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(
            refused(&Numbers::default(), &["8", "7", "8", "9", "11"], now),
            [true, false, false, false, true]
        );
        assert_eq!(
            refused(&Numbers::default(), &["8", "8", "10"], now),
            [true, false, true]
        );
    }

    #[test]
    fn a_missing_transaction_is_asked_for_and_comes_first() {
        let numbers = started("6");
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(
            refused(&numbers, &["7", "8", "10", "9", "10", "11"], now),
            [false, false, true, false, false, false]
        );
        // It may happen again at once, and for more than one.
        assert_eq!(
            refused(&numbers, &["14", "12", "13", "14"], now),
            [true, false, false, false]
        );
        // What comes twice, or late, skips nothing.
        assert_eq!(refused(&numbers, &["14", "3", "15"], now), [false; 3]);
    }

    #[test]
    fn gaps_that_mean_nothing_are_believed_for_longer_and_longer() {
        let numbers = started("0");
        let mut now = DateTime::UNIX_EPOCH;
        assert_eq!(
            refused(&numbers, &["1", "5", "5", "9", "20"], now),
            [false, true, false, false, false]
        );
        now += TimeDelta::seconds(1);
        assert_eq!(refused(&numbers, &["30", "30", "40"], now), [true, false, false]);
        now += TimeDelta::seconds(1);
        assert_eq!(refused(&numbers, &["50"], now), [false]);
        now += TimeDelta::seconds(3);
        assert_eq!(refused(&numbers, &["60", "60"], now), [true, false]);
    }

    #[test]
    fn a_new_count_and_other_names_are_no_gaps() {
        let numbers = started("4999");
        let now = DateTime::UNIX_EPOCH;
        let ids = [
            "5000",
            "1",
            "2",
            "m1795220964",
            "3f2b8c1e",
            "",
            "-4",
            "3",
            "99999999999999999999999",
        ];
        assert_eq!(refused(&numbers, &ids, now), [false; 9]);
        assert_eq!(refused(&numbers, &["5"], now), [true]);
    }
}
