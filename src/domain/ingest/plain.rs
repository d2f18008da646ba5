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

/// What is said in which rooms, if the assumptions hold.
#[derive(Debug)]
pub struct Plain {
    /// The rooms in which something is said. Each is taken to be a conversation's current one.
    pub rooms: Vec<PlainRoom>,
    /// Who says it. Each is taken to be known and not deactivated.
    pub senders: BTreeSet<UserId>,
    /// The messages, in order, with the place of their room in `rooms`. They count from 1 in each room, and their
    /// conversation is a stand-in. Their events are taken to be new.
    pub messages: Vec<(usize, NewMessage)>,
    /// What becomes of each event.
    pub outcomes: Vec<Outcome>,
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
    let mut rooms: Vec<PlainRoom> = Vec::new();
    let mut places: HashMap<ConversationId, usize> = HashMap::new();
    let mut senders = BTreeSet::new();
    let mut said = Vec::with_capacity(messages.len());
    for (index, message) in messages.into_iter().enumerate() {
        senders.insert(message.sender);
        let place = if let Some(place) = places.get(&message.conversation) {
            *place
        } else {
            let room = stand_ins.get(&message.conversation)?.clone();
            rooms.push(PlainRoom { room, newest: index });
            places.insert(message.conversation, rooms.len() - 1);
            rooms.len() - 1
        };
        rooms.get_mut(place)?.newest = index;
        said.push((place, message));
    }
    (!said.is_empty()).then_some(Plain {
        rooms,
        senders,
        messages: said,
        outcomes,
    })
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
