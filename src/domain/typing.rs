//! Who types where: kept in memory, told as changes, over by itself.
//!
//! A homeserver says everybody who types in a room at once, and then nothing as long as nobody begins or ends. Nova's
//! clients say that their user still types with every few keys, and forget about somebody else after three seconds. So who
//! types is shown again and again until it is over, and Matrix is told again before it forgets.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use super::clock::Timestamp;
use super::ids::{ConversationId, UserId};

/// How long somebody on the Matrix side types at most without a new word on it: their server may be gone.
const MATRIX_LASTS: TimeDelta = TimeDelta::seconds(30);

/// How long a Nova user types at most without a new word on it.
const NOVA_LASTS: TimeDelta = TimeDelta::seconds(6);

/// How often it is shown again: clients hide it after three seconds.
const SHOWN_AGAIN: TimeDelta = TimeDelta::milliseconds(2_000);

/// How often Matrix is told again.
const TOLD_AGAIN: TimeDelta = TimeDelta::seconds(20);

/// How long Matrix is to believe it, in milliseconds: longer than until it is told again.
pub const TOLD_FOR_MS: u64 = 30_000;

/// Somebody types, or no longer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typist {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// Their handle.
    pub name: Arc<str>,
    /// Whether they do.
    pub typing: bool,
}

/// What follows from a change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// For Nova's clients.
    pub shown: Vec<Typist>,
    /// For Matrix, about Nova users.
    pub told: Vec<Typist>,
}

#[derive(Debug)]
struct Keys {
    name: Arc<str>,
    is_nova: bool,
    until: Timestamp,
    shown: Timestamp,
    told: Timestamp,
}

/// Everybody who types.
#[derive(Debug, Default)]
pub struct Typing(BTreeMap<(ConversationId, UserId), Keys>);

impl Typing {
    /// These people of the Matrix side type in a conversation now, and nobody else of that side.
    pub fn in_matrix(&mut self, conversation: ConversationId, users: &[(UserId, Arc<str>)], now: Timestamp) -> News {
        let mut news = News::default();
        let gone: Vec<UserId> = self
            .of(conversation)
            .filter(|(user, keys)| !keys.is_nova && users.iter().all(|(other, _)| other != user))
            .map(|(user, _)| user)
            .collect();
        for user in gone {
            self.end((conversation, user), &mut news);
        }
        for (user, name) in users {
            self.begin((conversation, *user), name, false, now, &mut news);
        }
        news
    }

    /// A Nova user types, or types on.
    pub fn begins(&mut self, conversation: ConversationId, user: UserId, name: &Arc<str>, now: Timestamp) -> News {
        let mut news = News::default();
        self.begin((conversation, user), name, true, now, &mut news);
        news
    }

    /// A Nova user types no longer.
    pub fn ends(&mut self, conversation: ConversationId, user: UserId) -> News {
        let mut news = News::default();
        if self.0.get(&(conversation, user)).is_some_and(|keys| keys.is_nova) {
            self.end((conversation, user), &mut news);
        }
        news
    }

    /// What has to be said because time passes.
    pub fn pass(&mut self, now: Timestamp) -> News {
        let mut news = News::default();
        let over: Vec<(ConversationId, UserId)> = self
            .0
            .iter()
            .filter(|(_, keys)| keys.until <= now)
            .map(|(place, _)| *place)
            .collect();
        for place in over {
            self.end(place, &mut news);
        }
        for ((conversation, user), keys) in &mut self.0 {
            let typist = || Typist {
                conversation: *conversation,
                user: *user,
                name: Arc::clone(&keys.name),
                typing: true,
            };
            if now - keys.shown >= SHOWN_AGAIN {
                news.shown.push(typist());
                keys.shown = now;
            }
            if keys.is_nova && now - keys.told >= TOLD_AGAIN {
                news.told.push(typist());
                keys.told = now;
            }
        }
        news
    }

    /// Whether a Nova user is known to type.
    #[must_use]
    pub fn knows(&self, conversation: ConversationId, user: UserId) -> Option<Arc<str>> {
        self.0.get(&(conversation, user)).map(|keys| Arc::clone(&keys.name))
    }

    /// When time has to pass next.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.0
            .values()
            .map(|keys| keys.until.min(keys.shown + SHOWN_AGAIN))
            .min()
    }

    fn of(&self, conversation: ConversationId) -> impl Iterator<Item = (UserId, &Keys)> {
        let all = self.0.iter();
        all.filter(move |((other, _), _)| *other == conversation)
            .map(|((_, user), keys)| (*user, keys))
    }

    fn begin(
        &mut self,
        place: (ConversationId, UserId),
        name: &Arc<str>,
        is_nova: bool,
        now: Timestamp,
        news: &mut News,
    ) {
        let until = now + if is_nova { NOVA_LASTS } else { MATRIX_LASTS };
        if let Some(keys) = self.0.get_mut(&place) {
            keys.until = until;
            return;
        }
        let typist = Typist {
            conversation: place.0,
            user: place.1,
            name: Arc::clone(name),
            typing: true,
        };
        if is_nova {
            news.told.push(typist.clone());
        }
        news.shown.push(typist);
        let keys = Keys {
            name: Arc::clone(name),
            is_nova,
            until,
            shown: now,
            told: now,
        };
        self.0.insert(place, keys);
    }

    fn end(&mut self, place: (ConversationId, UserId), news: &mut News) {
        let Some(keys) = self.0.remove(&place) else { return };
        let typist = Typist {
            conversation: place.0,
            user: place.1,
            name: keys.name,
            typing: false,
        };
        if keys.is_nova {
            news.told.push(typist.clone());
        }
        news.shown.push(typist);
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    const HERE: ConversationId = ConversationId(Uuid::from_u128(1));
    const THERE: ConversationId = ConversationId(Uuid::from_u128(2));
    const ANA: UserId = UserId(Uuid::from_u128(0xA));
    const BEN: UserId = UserId(Uuid::from_u128(0xB));

    fn at(millis: i64) -> Timestamp {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis)
    }

    fn who(users: &[UserId]) -> Vec<(UserId, Arc<str>)> {
        users.iter().map(|user| (*user, Arc::from(user.to_string()))).collect()
    }

    fn ana() -> Arc<str> {
        Arc::from("ana")
    }

    type Said = (ConversationId, UserId, bool);

    fn said(typists: &[Typist]) -> Vec<Said> {
        typists.iter().map(|it| (it.conversation, it.user, it.typing)).collect()
    }

    #[test]
    fn a_list_is_told_as_what_is_new_in_it() {
        let mut typing = Typing::default();
        let lists: [(&[UserId], &[Said]); 5] = [
            (&[ANA], &[(HERE, ANA, true)]),
            (&[ANA], &[]),
            (&[BEN, ANA], &[(HERE, BEN, true)]),
            (&[BEN], &[(HERE, ANA, false)]),
            (&[], &[(HERE, BEN, false)]),
        ];
        for (list, wanted) in lists {
            let news = typing.in_matrix(HERE, &who(list), at(0));
            assert_eq!(said(&news.shown), wanted, "{list:?}");
            assert_eq!(news.told, [], "Matrix knows");
        }
    }

    #[test]
    fn a_list_is_for_its_room_and_its_side_only() {
        let mut typing = Typing::default();
        typing.in_matrix(THERE, &who(&[BEN]), at(0));
        typing.begins(HERE, ANA, &ana(), at(0));
        assert_eq!(typing.in_matrix(HERE, &[], at(0)), News::default());
        assert!(typing.knows(HERE, ANA).is_some() && typing.knows(THERE, BEN).is_some());
        assert_eq!(typing.ends(THERE, BEN), News::default(), "not a Nova user's to end");
    }

    #[test]
    fn who_is_never_heard_of_again_has_stopped() {
        let mut typing = Typing::default();
        typing.in_matrix(HERE, &who(&[BEN]), at(0));
        typing.in_matrix(HERE, &who(&[BEN]), at(10_000));
        assert!(said(&typing.pass(at(39_999)).shown).iter().all(|(.., typing)| *typing));
        assert_eq!(said(&typing.pass(at(40_000)).shown), [(HERE, BEN, false)]);
        assert_eq!(typing.next(), None);
    }

    #[test]
    fn it_is_shown_again_before_clients_forget() {
        let mut typing = Typing::default();
        typing.in_matrix(HERE, &who(&[BEN]), at(0));
        assert_eq!(typing.next(), Some(at(2_000)));
        assert_eq!(typing.pass(at(1_999)), News::default());
        assert_eq!(said(&typing.pass(at(2_000)).shown), [(HERE, BEN, true)]);
        assert_eq!(typing.next(), Some(at(4_000)));
    }

    #[test]
    fn keys_that_are_pressed_on_are_told_to_matrix_now_and_then() {
        let mut typing = Typing::default();
        let first = typing.begins(HERE, ANA, &ana(), at(0));
        assert_eq!(said(&first.told), [(HERE, ANA, true)]);
        assert_eq!(said(&first.shown), [(HERE, ANA, true)]);
        let mut told = Vec::new();
        for second in 1..=41 {
            assert_eq!(typing.begins(HERE, ANA, &ana(), at(second * 1_000)), News::default());
            let news = typing.pass(at(second * 1_000));
            told.extend(news.told.into_iter().map(|it| (second, it.typing)));
        }
        assert_eq!(told, [(20, true), (40, true)]);
        let last = typing.ends(HERE, ANA);
        assert_eq!(said(&last.told), [(HERE, ANA, false)]);
        assert_eq!(said(&last.shown), [(HERE, ANA, false)]);
        assert_eq!(typing.ends(HERE, ANA), News::default(), "once");
    }

    #[test]
    fn a_nova_user_who_says_nothing_more_has_stopped() {
        let mut typing = Typing::default();
        typing.begins(HERE, ANA, &ana(), at(0));
        let news = typing.pass(at(6_000));
        assert_eq!(said(&news.told), [(HERE, ANA, false)]);
        assert_eq!(said(&news.shown), [(HERE, ANA, false)]);
    }
}
