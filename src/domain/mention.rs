//! Who is addressed in a text: a name behind `@` in Nova, a pill in Matrix
//! ([user mentions](https://spec.matrix.org/v1.16/client-server-api/#user-and-room-mentions)). A text's HTML holds the pills,
//! and nothing else does; so an edit changes who is addressed. Everybody (`@room`) has no pill: whether they are addressed
//! stands beside the text, once it is clear that whoever wrote it may.

use std::fmt::Write;

use ruma::matrix_uri::MatrixId;
use ruma::{MatrixToUri, OwnedUserId};

use super::conversation::Person;
use super::ghost::Ghosts;
use super::ids::UserId;
use super::message::Text;

/// How a pill begins.
const PILL: &str = "href=\"https://matrix.to/#/";

/// Whom the pills of a text address, each once, in their order.
#[must_use]
pub fn mentioned(html: &str) -> Vec<OwnedUserId> {
    let mut people = Vec::new();
    for (at, _) in html.match_indices(PILL) {
        let uri = html.get(at + "href=\"".len()..).and_then(|rest| rest.split('"').next());
        let uri = uri.and_then(|uri| MatrixToUri::parse(uri).ok());
        if let Some(MatrixId::User(user)) = uri.as_ref().map(MatrixToUri::id)
            && !people.contains(user)
        {
            people.push(user.clone());
        }
    }
    people
}

/// Whom a message addresses in Matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressed {
    /// Each once, in their order.
    pub people: Vec<OwnedUserId>,
    /// Whether everybody is.
    pub everybody: bool,
}

impl Addressed {
    /// Whom a text does.
    #[must_use]
    pub fn by(html: Option<&str>, everybody: bool) -> Self {
        Self {
            people: html.map(mentioned).unwrap_or_default(),
            everybody,
        }
    }

    /// These, and those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for person in others.people {
            if !self.people.contains(&person) {
                self.people.push(person);
            }
        }
        self.everybody |= others.everybody;
        self
    }

    /// Those of these who are not among the others. Everybody is not made of people: who was addressed by name is
    /// addressed anew with all, and the other way round.
    #[must_use]
    pub fn without(mut self, others: &Self) -> Self {
        self.people.retain(|person| !others.people.contains(person));
        self.everybody &= !others.everybody;
        self
    }
}

/// Whom a text addresses, as Nova knows them.
#[must_use]
pub fn addressed(text: &Text, ghosts: &Ghosts) -> Vec<UserId> {
    let people = text.formatted.as_deref().map(mentioned).unwrap_or_default();
    people.iter().map(|mxid| ghosts.person(mxid.as_str())).collect()
}

/// A plain text as HTML with a pill for each name of these people behind an `@`; `None` where there is none.
#[must_use]
pub fn with_pills(plain: &str, people: &[Person]) -> Option<String> {
    let mut html = String::with_capacity(plain.len() * 2);
    let mut found = false;
    let mut rest = plain;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        // What goes on before it is an address, or anything but a name.
        let meant = (c == '@' && !before.is_alphanumeric()).then(|| named(after, people));
        if let Some((person, length)) = meant.flatten() {
            let uri = person.mxid.matrix_to_uri();
            let _never_fails = write!(html, "<a href=\"{uri}\">");
            person.shown_name().chars().for_each(|c| escape(&mut html, c));
            html.push_str("</a>");
            found = true;
            before = 'x';
            rest = after.get(length..).unwrap_or_default();
        } else {
            escape(&mut html, c);
            before = c;
            rest = after;
        }
    }
    found.then_some(html)
}

/// How everybody is addressed: in Matrix by the first, by habit by the others.
const EVERYBODY: [&str; 3] = ["room", "all", "everyone"];

/// Whether a plain text addresses everybody. Whoever of these people has such a name is meant alone.
#[must_use]
pub fn names_everybody(plain: &str, people: &[Person]) -> bool {
    plain.match_indices('@').any(|(at, _)| {
        let before = plain.get(..at).and_then(|before| before.chars().next_back());
        let after = plain.get(at + 1..).unwrap_or_default();
        before.is_none_or(|c| !c.is_alphanumeric())
            && EVERYBODY.iter().any(|word| begins(after, word).is_some())
            && named(after, people).is_none()
    })
}

/// Whose name a text begins with, and how long it is there. The longest name is meant.
fn named<'a>(text: &str, people: &'a [Person]) -> Option<(&'a Person, usize)> {
    let of = |person: &'a Person| {
        let names = [
            person.username.as_deref(),
            person.display_name.as_deref(),
            Some(person.mxid.localpart()),
            person.mxid.as_str().strip_prefix('@'),
        ];
        let lengths = names.into_iter().flatten().filter_map(|name| begins(text, name));
        lengths.max().map(|length| (person, length))
    };
    people.iter().filter_map(of).max_by_key(|(_, length)| *length)
}

/// How many bytes of a text are this name, whatever its case, if it ends where the name does.
fn begins(text: &str, name: &str) -> Option<usize> {
    let mut rest = text.chars();
    for expected in name.chars() {
        let is = rest.next()?;
        if is != expected && !is.to_lowercase().eq(expected.to_lowercase()) {
            return None;
        }
    }
    let ends = !rest.clone().next().is_some_and(char::is_alphanumeric);
    (ends && !name.trim().is_empty()).then(|| text.len() - rest.as_str().len())
}

fn escape(html: &mut String, c: char) {
    match c {
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '&' => html.push_str("&amp;"),
        '"' => html.push_str("&quot;"),
        '\n' => html.push_str("<br>"),
        c => html.push(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ruma::user_id;
    use uuid::Uuid;

    use super::*;

    fn people() -> Vec<Person> {
        let person = |mxid: &str, username: Option<&str>, name: &str| Person {
            id: UserId(Uuid::nil()),
            mxid: mxid.try_into().unwrap(),
            is_nova: username.is_some(),
            username: username.map(str::to_owned),
            display_name: Some(name.to_owned()),
            avatar_url: None,
        };
        vec![
            person("@nova-1:x.org", Some("ana"), "Ana"),
            person("@nova-2:x.org", Some("ana_maria"), "Ana Maria"),
            person("@elena:x.org", None, "Élena <3"),
        ]
    }

    fn pills(plain: &str) -> Vec<String> {
        let html = with_pills(plain, &people()).unwrap_or_default();
        mentioned(&html).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_behind_an_at_becomes_a_pill() {
        let html = with_pills("hi @ANA, \"1 < 2\"\n& bye", &people()).unwrap();
        assert_eq!(
            html,
            "hi <a href=\"https://matrix.to/#/@nova-1:x.org\">Ana</a>, &quot;1 &lt; 2&quot;<br>&amp; bye"
        );
        assert_eq!(
            pills("@ana maria, @ana_maria and @ana"),
            ["@nova-2:x.org", "@nova-1:x.org"]
        );
        assert_eq!(pills("(@elena) @élena <3 @elena:x.org!"), ["@elena:x.org"]);
        let shown = with_pills("@elena:x.org", &people()).unwrap();
        assert!(shown.ends_with(">Élena &lt;3</a>"), "{shown}");
    }

    #[test]
    fn what_only_looks_like_one_does_not() {
        for plain in ["ana", "@anab", "me@ana.org", "@", "@ ana", "@bob", ""] {
            assert_eq!(with_pills(plain, &people()), None, "{plain}");
        }
    }

    #[test]
    fn everybody_is_addressed_by_a_word() {
        for plain in ["@room", "hey @Everyone!", "(@all)", "tea? @room\n"] {
            assert!(names_everybody(plain, &people()), "{plain}");
        }
        for plain in ["room", "@rooms", "me@room", "@ room", "@ana", "@", "@allison"] {
            assert!(!names_everybody(plain, &people()), "{plain}");
        }
        let mut people = people();
        people[0].username = Some("all".to_owned());
        assert!(!names_everybody("hi @all", &people));
        assert!(names_everybody("hi @all and @room", &people));
    }

    #[test]
    fn of_links_only_those_to_people_are_pills() {
        let html = "<a href=\"https://matrix.to/#/@a:x.org\">A</a> <a href=\"https://matrix.to/#/!r:x.org\">r</a>
            <a href=\"https://matrix.to/#/%40b%3Ax.org?via=x.org\">B</a> <a href=\"https://x.org/#/@c:x.org\">C</a>
            <a href=\"https://matrix.to/#/@a:x.org\">again</a> <a href=\"https://matrix.to/#/";
        assert_eq!(mentioned(html), [user_id!("@a:x.org"), user_id!("@b:x.org")]);
    }

    proptest! {
        #[test]
        fn any_text_keeps_its_words(plain in "[@a-zA-Z <>&\"\n.é:_]{0,60}") {
            if let Some(html) = with_pills(&plain, &people()) {
                prop_assert!(!mentioned(&html).is_empty());
                prop_assert_eq!(html.matches("<a ").count(), html.matches("</a>").count());
            }
        }
    }
}
