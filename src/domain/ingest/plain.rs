//! The ordinary transaction, planned before anything is read: it holds nothing but new messages, as nearly all do.
//!
//! The same [`plan`] decides, from assumptions instead of rows: that every room is a portal, every sender known, every
//! event new. Only whoever holds the locks can tell whether that is so; where it is not, the plan is thrown away and the
//! transaction goes the long way.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ruma::OwnedRoomId;
use uuid::Uuid;

use super::{Context, Effects, NewEntry, NewMessage, Outcome, Portal, plan};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Kind};
use crate::domain::event::{Meaning, RawEvent};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::message::Text;

/// From how many messages on they are written in parts.
const APART: usize = 32;

/// How many parts there are then.
pub const PARTS: usize = 2;

/// What is said, if the assumptions hold.
#[derive(Debug)]
pub struct Plain {
    /// What can be written side by side: no room is in two of them.
    pub parts: Vec<PlainPart>,
    /// What becomes of each event.
    pub outcomes: Vec<Outcome>,
}

/// What is said in some rooms.
#[derive(Debug, Default)]
pub struct PlainPart {
    /// The rooms in which something is said. Each is taken to be a conversation's current one.
    pub rooms: Vec<PlainRoom>,
    /// Who says it. Each is taken to be known and not deactivated.
    pub senders: BTreeSet<UserId>,
    /// The messages, in order, with the place of their room in `rooms`. They count from 1 in each room, and their
    /// conversation is a stand-in. Their events are taken to be new.
    pub messages: Vec<(usize, NewMessage)>,
}

impl PlainPart {
    /// Takes a room in. Returns its place.
    fn enter(&mut self, room: OwnedRoomId) -> usize {
        self.rooms.push(PlainRoom { room, newest: 0 });
        self.rooms.len() - 1
    }

    fn say(&mut self, place: usize, message: NewMessage) {
        self.senders.insert(message.sender);
        if let Some(room) = self.rooms.get_mut(place) {
            room.newest = self.messages.len();
        }
        self.messages.push((place, message));
    }
}

/// A room in which something is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainRoom {
    /// Its id.
    pub room: OwnedRoomId,
    /// Which of the messages is the last one here.
    pub newest: usize,
}

/// Whether there is nothing but messages of text alone, none of them an echo of ours, none that answers another one, and
/// none to everybody.
#[must_use]
pub fn is_plain(events: &[RawEvent]) -> bool {
    events.iter().all(|event| {
        event.decoded.as_ref().is_ok_and(|event| {
            matches!(
                &event.meaning,
                Meaning::Message {
                    text: Text {
                        media: None,
                        everybody: false,
                        ..
                    },
                    reply: None,
                    marker: None,
                    notice: false,
                    ..
                }
            )
        })
    })
}

/// Plans a transaction for which [`is_plain`] holds. `None` when it says nothing, or means more than messages after all.
pub fn plan_plain(
    ghosts: Ghosts,
    bots: Vec<String>,
    now: Timestamp,
    events: Vec<RawEvent>,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Option<Plain> {
    let (context, stand_ins) = assume(ghosts, bots, now, &events);
    let (effects, outcomes) = plan(context, events, new_id);
    let messages = only_messages(effects)?;
    let count = if messages.len() < APART { 1 } else { PARTS };
    let mut parts: Vec<PlainPart> = (0..count).map(|_| PlainPart::default()).collect();
    let mut places: HashMap<ConversationId, (usize, usize)> = HashMap::new();
    for message in messages {
        let (part, place) = if let Some(place) = places.get(&message.conversation) {
            *place
        } else {
            let room = stand_ins.get(&message.conversation)?.clone();
            let (index, part) = parts
                .iter_mut()
                .enumerate()
                .min_by_key(|(_, part)| part.messages.len())?;
            let place = (index, part.enter(room));
            places.insert(message.conversation, place);
            place
        };
        parts.get_mut(part)?.say(place, message);
    }
    parts.retain(|part| !part.messages.is_empty());
    (!parts.is_empty()).then_some(Plain { parts, outcomes })
}

/// The context as it is assumed to be, and which room each stand-in conversation stands for.
fn assume(
    ghosts: Ghosts,
    bots: Vec<String>,
    now: Timestamp,
    events: &[RawEvent],
) -> (Context, BTreeMap<ConversationId, OwnedRoomId>) {
    let decoded = || events.iter().filter_map(|event| event.decoded.as_ref().ok());
    let named: BTreeSet<&OwnedRoomId> = decoded().map(|event| &event.room).collect();
    let people: HashSet<UserId> = decoded().map(|event| ghosts.person(event.sender.as_str())).collect();
    let stand_ins: BTreeMap<ConversationId, OwnedRoomId> = (1_u128..)
        .zip(named)
        .map(|(number, room)| (ConversationId(Uuid::from_u128(number)), room.clone()))
        .collect();
    let conversation = |id: ConversationId, room: &OwnedRoomId| Conversation {
        id,
        kind: Kind::Group,
        name: None,
        description: None,
        avatar_url: None,
        created_by: UserId(Uuid::nil()),
        has_portal: true,
        room: Some(room.clone()),
        last_sequence: 0,
        members: BTreeMap::new(),
        created_at: now,
    };
    let portal = |conversation| Portal {
        conversation,
        current: true,
        encrypted: false,
        creators: Vec::new(),
        state_version: 0,
    };
    let context = Context {
        rooms: stand_ins.iter().map(|(id, room)| (room.clone(), portal(*id))).collect(),
        conversations: stand_ins
            .iter()
            .map(|(id, room)| (*id, conversation(*id, room)))
            .collect(),
        people,
        ..Context::new(ghosts, bots, now)
    };
    (context, stand_ins)
}

/// The messages of effects that are nothing else, each shown once, in order, to everybody.
fn only_messages(mut effects: Effects) -> Option<Vec<NewMessage>> {
    let messages = std::mem::take(&mut effects.messages);
    // What is no message here is the bot's, and repetitions: nobody reads up to them.
    effects.places.clear();
    let feed = std::mem::take(&mut effects.feed);
    let shown = feed.len() == messages.len()
        && feed
            .iter()
            .zip(&messages)
            .all(|(entry, message)| *entry == NewEntry::message(message.conversation, message.id));
    (shown && effects.is_empty()).then_some(messages)
}
