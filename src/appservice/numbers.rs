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
//! All appservices of a homeserver share the numbers, and a Postgres that crashed skips some, so a gap may mean nothing.
//! Then the same transaction simply comes again. Where that happens often, gaps are believed for a while: longer each
//! time, until something fails again, for then Synapse is about to leave one behind. And when the while is over, a
//! transaction is refused for the sake of all the gaps in it, so that what was missing is late at worst.

use std::sync::Mutex;

use chrono::TimeDelta;

use crate::domain::clock::Timestamp;

/// How many gaps may mean nothing before the next ones are believed.
const FREE: u32 = 2;

/// For how long gaps are believed then: at first, and at most; each time `FACTOR` times as long.
const BELIEF: (TimeDelta, TimeDelta) = (TimeDelta::seconds(4), TimeDelta::hours(1));
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
    /// How many gaps meant nothing, since something failed.
    meaningless: u32,
    belief: Option<Belief>,
}

/// That gaps mean nothing.
#[derive(Debug)]
struct Belief {
    until: Timestamp,
    lasts: TimeDelta,
    /// Whether there were any.
    tried: bool,
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

    /// A transaction was turned away because something failed: from now on a gap means something again.
    pub(super) fn doubt(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.belief = None;
            state.meaningless = 0;
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
                    self.meaningless = 0;
                    self.belief = None;
                }
                return false;
            }
            // There was nothing: numbers of others.
            Some(refused) if number == refused => {
                self.refused = None;
                if self.last.is_some() {
                    self.believe(now);
                }
                return false;
            }
            Some(_) | None => {}
        }
        let refuse = match &mut self.belief {
            Some(belief) if now < belief.until => {
                belief.tried |= !follows;
                false
            }
            Some(belief) => !follows || belief.tried,
            None => !follows,
        };
        if refuse {
            self.refused = Some(number);
        }
        refuse
    }

    fn believe(&mut self, now: Timestamp) {
        self.meaningless = self.meaningless.saturating_add(1);
        if self.meaningless > FREE {
            let longer = |belief: &Belief| (belief.lasts * FACTOR).min(BELIEF.1);
            let lasts = self.belief.as_ref().map_or(BELIEF.0, longer);
            self.belief = Some(Belief {
                until: now + lasts,
                lasts,
                tried: false,
            });
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
        // Two are free, the third begins it.
        assert_eq!(
            refused(&numbers, &["1", "5", "5", "9", "9", "13", "13", "17"], now),
            [false, true, false, true, false, true, false, false]
        );
        now += TimeDelta::seconds(4);
        assert_eq!(refused(&numbers, &["30", "30", "40"], now), [true, false, false]);
        now += TimeDelta::seconds(15);
        assert_eq!(refused(&numbers, &["50"], now), [false]);
        now += TimeDelta::seconds(1);
        assert_eq!(refused(&numbers, &["60", "60"], now), [true, false]);
    }

    #[test]
    fn what_was_missing_while_gaps_were_believed_is_asked_for_in_the_end() {
        let numbers = started("0");
        let mut now = DateTime::UNIX_EPOCH;
        refused(&numbers, &["5", "5", "9", "9", "13", "13"], now);
        // 14 is left behind.
        assert_eq!(refused(&numbers, &["15", "16"], now), [false; 2]);
        now += TimeDelta::seconds(4);
        assert_eq!(
            refused(&numbers, &["17"], now),
            [true],
            "it follows, but is not believed any more"
        );
        assert_eq!(refused(&numbers, &["14", "17", "18"], now), [false; 3]);
    }

    #[test]
    fn where_nothing_was_skipped_nothing_is_asked_for() {
        let numbers = started("0");
        let mut now = DateTime::UNIX_EPOCH;
        refused(&numbers, &["5", "5", "9", "9", "13", "13"], now);
        now += TimeDelta::seconds(4);
        assert_eq!(refused(&numbers, &["14", "15"], now), [false; 2]);
    }

    #[test]
    fn after_a_failure_a_gap_means_something_again() {
        let numbers = started("0");
        let now = DateTime::UNIX_EPOCH;
        refused(&numbers, &["5", "5", "9", "9", "13", "13"], now);
        assert_eq!(refused(&numbers, &["17"], now), [false]);
        numbers.doubt();
        assert_eq!(refused(&numbers, &["19", "18", "19"], now), [true, false, false]);
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
