//! In which order what was not pushed is applied.
//!
//! A room's history comes sorted by how deep its events lie in the room's graph, and what several people say at the same
//! moment lies side by side there, in no order that anybody saw. Synapse pushes, and shows to clients that look on, in the
//! order in which it took the events; their clocks tell that best.

use serde_json::value::RawValue;

/// How far apart two events are at most, by their own clocks, to count as said at the same moment; in milliseconds. Servers'
/// clocks differ by less, and an answer takes longer.
const MOMENT: i64 = 1000;

/// An event that is to be applied.
#[derive(Debug)]
pub(super) struct Missing {
    /// When it was sent, as its server says, in milliseconds since 1970.
    pub(super) at: i64,
    /// Who sent it.
    pub(super) sender: String,
    /// Whether it is state: that stays where it is, and nothing passes it.
    pub(super) is_state: bool,
    /// The event.
    pub(super) event: Box<RawValue>,
}

impl Missing {
    fn comes_before(&self, other: &Self) -> bool {
        let is_said = !self.is_state && !other.is_state;
        is_said && self.sender != other.sender && self.at < other.at && other.at.saturating_sub(self.at) < MOMENT
    }
}

/// The events in the order in which they are applied, from the order of the room's history, the oldest first.
pub(super) fn in_order(history: impl IntoIterator<Item = Missing>) -> Vec<Box<RawValue>> {
    let mut ordered: Vec<Missing> = Vec::new();
    for event in history {
        let behind = ordered.iter().rposition(|other| !event.comes_before(other));
        ordered.insert(behind.map_or(0, |place| place + 1), event);
    }
    ordered.into_iter().map(|it| it.event).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::to_raw_value;

    use super::*;

    fn missing(name: usize, at: i64, sender: &str, is_state: bool) -> Missing {
        Missing {
            at,
            sender: sender.to_owned(),
            is_state,
            event: to_raw_value(&name).unwrap(),
        }
    }

    fn ordered(history: Vec<Missing>) -> Vec<usize> {
        let names = in_order(history).into_iter();
        names.map(|event| event.get().parse().unwrap()).collect()
    }

    #[test]
    fn what_is_said_at_the_same_moment_is_in_the_order_of_the_clock() {
        // As a crash of the bridge found it: 5052, 5054, 5053, 5055 of Synapse's stream.
        let history = vec![
            missing(5052, 157, "elena0", false),
            missing(5054, 247, "elena2", false),
            missing(5053, 235, "elena1", false),
            missing(5055, 276, "elena3", false),
        ];
        assert_eq!(ordered(history), [5052, 5053, 5054, 5055]);
    }

    #[test]
    fn an_answer_stays_behind_what_it_answers_though_its_clock_is_slow() {
        let history = vec![missing(1, 9000, "elena", false), missing(2, 7999, "marek", false)];
        assert_eq!(ordered(history), [1, 2]);
    }

    #[test]
    fn nothing_passes_state() {
        let history = vec![missing(1, 200, "elena", true), missing(2, 100, "marek", false)];
        assert_eq!(ordered(history), [1, 2]);
        let history = vec![missing(1, 200, "elena", false), missing(2, 100, "marek", true)];
        assert_eq!(ordered(history), [1, 2]);
    }

    proptest! {
        #[test]
        fn each_persons_events_stay_in_their_order(history in prop::collection::vec((0_i64..3000, 0_usize..4, any::<bool>()), 0..40)) {
            let events = history.iter().enumerate();
            let events = events.map(|(name, (at, sender, is_state))| missing(name, *at, &sender.to_string(), *is_state));
            let names = ordered(events.collect());
            let mut all = names.clone();
            all.sort_unstable();
            prop_assert_eq!(all, (0..history.len()).collect::<Vec<_>>());
            for (place, name) in names.iter().enumerate() {
                for passed in names[place..].iter().filter(|passed| *passed < name) {
                    let (early, late) = (history[*name], history[*passed]);
                    prop_assert!(early.1 != late.1 && !early.2 && !late.2 && early.0 < late.0);
                }
            }
        }
    }
}
