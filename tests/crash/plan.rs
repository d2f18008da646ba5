//! What is to be said in a round, what becomes of it, and what has to be there of it in the end.

use std::collections::{BTreeSet, HashMap};

use crate::cast::Cast;

/// How many messages each says in each place in a round.
const EACH: usize = 4;

/// What its author does to a message once it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    /// Twice.
    Edited,
    /// With two reactions, one of which is taken back.
    Reacted,
    /// While the author also reacts to the first message of the place, which the other side has said.
    Greets,
    Deleted,
    /// Is a picture.
    Picture,
}

const FATES: [Fate; 6] = [
    Fate::Edited,
    Fate::Deleted,
    Fate::Reacted,
    Fate::Picture,
    Fate::Greets,
    Fate::Stays,
];

/// A message about to be said.
pub(crate) struct Line {
    pub(crate) place: usize,
    pub(crate) round: usize,
    pub(crate) text: String,
    pub(crate) fate: Fate,
    /// The last of its author in this place in this round, who then reads what there is.
    pub(crate) is_last: bool,
}

impl Line {
    /// The texts that it is given, one after the other.
    pub(crate) fn edits(&self) -> [String; 2] {
        ["once", "twice"].map(|times| format!("{}, edited {times}", self.text))
    }

    /// What it says in the end; nothing where it is gone.
    fn remains(&self) -> Option<String> {
        match self.fate {
            Fate::Deleted => None,
            Fate::Edited => self.edits().into_iter().next_back(),
            Fate::Stays | Fate::Reacted | Fate::Greets | Fate::Picture => Some(self.text.clone()),
        }
    }

    /// The same in every try.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.place, self.text)
    }

    /// How its author greets.
    pub(crate) fn greeting(&self) -> String {
        format!("👋 {}", self.round)
    }
}

/// The reaction that stays, and the one that is taken back.
pub(crate) const KEPT: &str = "👍";
pub(crate) const TAKEN_BACK: &str = "🎉";

/// One line here, one line there, and again.
pub(crate) fn lines(cast: &Cast, round: usize, name: &str, takes_part: impl Fn(usize) -> bool) -> Vec<Line> {
    let places: Vec<usize> = (0..cast.places.len()).filter(|place| takes_part(*place)).collect();
    let line = |n: usize, place: usize| Line {
        place,
        round,
        text: format!("round {round}, {name}, {n}"),
        fate: FATES[(n + place + round) % FATES.len()],
        is_last: n + 1 == EACH,
    };
    (0..EACH)
        .flat_map(|n| places.iter().map(move |place| line(n, *place)))
        .collect()
}

/// A reaction: what the message says, who reacted (a Matrix id), and how.
pub(crate) type Reaction = (String, String, String);

/// What has to be there, by the places' numbers.
#[derive(Default)]
pub(crate) struct Ledger {
    /// What everybody said (by Matrix id), in order, as it looks in the end.
    pub(crate) said: HashMap<(usize, String), Vec<String>>,
    pub(crate) reactions: HashMap<usize, BTreeSet<Reaction>>,
    pub(crate) pictures: BTreeSet<(usize, String)>,
    /// How far Nova users (by Matrix id) have read, as a message's number.
    pub(crate) read: HashMap<(usize, String), i64>,
}

impl Ledger {
    pub(crate) fn says(&mut self, place: usize, sender: &str, text: &str) {
        let said = self.said.entry((place, sender.to_owned())).or_default();
        said.push(text.to_owned());
    }

    /// What will be there of these lines. `opening` is what the place's first message says.
    pub(crate) fn plan(&mut self, sender: &str, lines: &[Line], opening: impl Fn(usize) -> String) {
        for line in lines {
            let Some(text) = line.remains() else { continue };
            self.says(line.place, sender, &text);
            let reaction = match line.fate {
                Fate::Reacted => Some((text.clone(), KEPT.to_owned())),
                Fate::Greets => Some((opening(line.place), line.greeting())),
                Fate::Stays | Fate::Edited | Fate::Deleted | Fate::Picture => None,
            };
            if let Some((target, key)) = reaction {
                let reactions = self.reactions.entry(line.place).or_default();
                reactions.insert((target, sender.to_owned(), key));
            }
            if line.fate == Fate::Picture {
                self.pictures.insert((line.place, text));
            }
        }
    }
}
