//! What a text is found by, in any language.
//!
//! Words as Unicode divides them (UAX #29), in lower case and without accents. Scripts that write no spaces give single
//! characters; there pairs of neighbours are words, too, so that a name of two characters finds only where they meet.

use std::collections::BTreeSet;
use std::iter;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

use super::ids::ConversationId;

/// How many different words of a message count, and how many of a search.
const WORDS: usize = 2000;
const SEARCHED: usize = 20;

/// How many characters of a word count.
const LENGTH: usize = 64;

/// The words of a text.
#[must_use]
pub fn words(text: &str) -> BTreeSet<String> {
    let text = folded(text);
    let mut words = BTreeSet::new();
    for Word { text, joined } in parts(&text) {
        words.insert(text);
        words.extend(joined);
        if words.len() >= WORDS {
            break;
        }
    }
    words
}

/// What is searched for, as a `tsquery`: all of the words, the last of them also as the beginning of a longer one.
/// `None` where there is no word in it.
#[must_use]
pub fn query(text: &str) -> Option<String> {
    let open_end = text.chars().next_back().is_some_and(char::is_alphanumeric);
    let text = folded(text);
    let parts: Vec<Word> = parts(&text).take(SEARCHED).collect();
    let following = parts.iter().skip(1).map(|it| it.joined.is_some());
    let mut wanted = Vec::new();
    for (part, goes_on) in parts.iter().zip(following.chain(iter::once(false))) {
        match &part.joined {
            // The pair says more than its halves.
            Some(pair) => wanted.push(quoted(pair)),
            None if goes_on => {}
            None => wanted.push(quoted(&part.text)),
        }
    }
    if open_end
        && parts.last().is_some_and(|it| it.joined.is_none())
        && let Some(last) = wanted.last_mut()
    {
        last.push_str(":*");
    }
    (!wanted.is_empty()).then(|| wanted.join(" & "))
}

/// The word that stands for a conversation. No text has it.
#[must_use]
pub fn place(conversation: ConversationId) -> String {
    format!("#{conversation}")
}

/// The query for messages of any of these conversations.
#[must_use]
pub fn anywhere(conversations: &[ConversationId]) -> String {
    let places: Vec<String> = conversations.iter().map(|it| quoted(&place(*it))).collect();
    format!("({})", places.join(" | "))
}

struct Word {
    text: String,
    /// Together with the character before it, where both are words of their own.
    joined: Option<String>,
}

fn parts(text: &str) -> impl Iterator<Item = Word> + '_ {
    let mut before: Option<(usize, char)> = None;
    text.unicode_word_indices().map(move |(at, word)| {
        let mut characters = word.chars();
        let single = characters
            .next()
            .filter(|it| characters.next().is_none() && is_unspaced(*it));
        let joined = match (before, single) {
            (Some((end, first)), Some(second)) if end == at => Some([first, second].iter().collect()),
            _ => None,
        };
        before = single.map(|it| (at + word.len(), it));
        Word {
            text: word.chars().take(LENGTH).collect(),
            joined,
        }
    })
}

/// Whether a character is of a script that writes no spaces.
fn is_unspaced(character: char) -> bool {
    character >= '\u{0e00}' && !('\u{1100}'..'\u{2e80}').contains(&character)
}

fn folded(text: &str) -> String {
    let text = text.nfkd().filter(|it| !is_combining_mark(*it)).nfc();
    text.flat_map(char::to_lowercase).collect()
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> Vec<String> {
        words(text).into_iter().collect()
    }

    #[test]
    fn words_are_found_whatever_their_case_and_accents() {
        assert_eq!(
            list("Café ÉCLAIR, naïve—it's 3,5 €!"),
            ["3,5", "cafe", "eclair", "it's", "naive"]
        );
        assert_eq!(list("Straße ﬁnd"), ["find", "straße"]);
        assert_eq!(list("Привет, Μῆνιν"), ["μηνιν", "привет"]);
        assert!(words(" \n👋 — !?").is_empty());
    }

    #[test]
    fn scripts_without_spaces_give_characters_and_pairs() {
        assert_eq!(list("東京都"), ["京", "京都", "東", "東京", "都"]);
        assert_eq!(query("東京").as_deref(), Some("'東京'"));
        assert_eq!(query("東").as_deref(), Some("'東':*"));
        assert_eq!(query("東京 tower").as_deref(), Some("'東京' & 'tower':*"));
    }

    #[test]
    fn the_last_word_of_a_search_may_go_on() {
        assert_eq!(query("Hello wor").as_deref(), Some("'hello' & 'wor':*"));
        assert_eq!(query("Hello world ").as_deref(), Some("'hello' & 'world'"));
        assert_eq!(query("it's").as_deref(), Some("'it''s':*"));
        assert_eq!(query(" ?! "), None);
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_found_by_each_of_its_words(text in "\\PC{0,60}") {
            for word in words(&text) {
                prop_assert!(!word.contains(['\n', '#']));
                prop_assert!(query(&word).is_some(), "{word:?}");
            }
        }
    }
}
