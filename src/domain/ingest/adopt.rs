//! A room that is older than its conversation: people and ghosts are in it already, and nobody was told.
//!
//! It becomes a conversation when something is said in it. What it looks like and who is in it comes from its state; what
//! was said before stays where it is.

use std::collections::BTreeSet;

use ruma::OwnedRoomId;
use uuid::Uuid;

use super::{Context, Effects, Planner};
use crate::domain::conversation::{Kind, Membership, pair};
use crate::domain::event::{InboundEvent, Meaning, RawEvent, RoomMembership};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::UserId;

/// What the state of a room says of whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Who is in the room or was invited, without the bridge's own users.
    pub people: BTreeSet<UserId>,
    /// The Nova users who are in it, as far as their ghosts' names say so.
    pub ghosts: BTreeSet<UserId>,
    /// Whether it is a room of two that is no group by any sign.
    pub is_direct: bool,
    /// Whether it is no conversation: a space, or a room that we made and have given up.
    pub is_none: bool,
}

impl Company {
    /// The two whose direct room it is.
    #[must_use]
    pub fn two(&self) -> Option<(UserId, UserId)> {
        let mut people = self.people.iter();
        match (people.next(), people.next(), people.next()) {
            (Some(one), Some(other), None) if self.is_direct => Some(pair(*one, *other)),
            _ => None,
        }
    }
}

/// Reads who a room is for.
#[must_use]
pub fn company(ghosts: &Ghosts, bots: &[String], state: &[RawEvent]) -> Company {
    let mut company = Company {
        people: BTreeSet::new(),
        ghosts: BTreeSet::new(),
        is_direct: false,
        is_none: false,
    };
    let (mut named, mut meant) = (false, false);
    for event in state.iter().filter_map(|event| event.decoded.as_ref().ok()) {
        match &event.meaning {
            Meaning::Member(member) if !bots.iter().any(|bot| bot == member.target.as_str()) => {
                let there = member.membership == RoomMembership::Join;
                if there || member.membership == RoomMembership::Invite {
                    company.people.insert(ghosts.person(member.target.as_str()));
                    meant |= member.is_direct;
                }
                if there {
                    company.ghosts.extend(ghosts.nova_user(member.target.as_str()));
                }
            }
            Meaning::Name(Some(_)) => named = true,
            Meaning::Create { marker, is_space, .. } => {
                let ours = marker.is_some() && ghosts.nova_user(event.sender.as_str()).is_some();
                company.is_none = *is_space || ours;
            }
            Meaning::Message { .. }
            | Meaning::Act { .. }
            | Meaning::NotYet { .. }
            | Meaning::Encrypted
            | Meaning::Member(_)
            | Meaning::Name(None)
            | Meaning::Topic(_)
            | Meaning::Avatar(_)
            | Meaning::PowerLevels { .. }
            | Meaning::Pinned { .. }
            | Meaning::Tombstone { .. }
            | Meaning::Call { .. }
            | Meaning::RtcRing { .. }
            | Meaning::Nothing => {}
        }
    }
    company.is_direct = company.people.len() == 2 && (meant || !named);
    company
}

/// Makes a conversation of a room, as the state of the room says, from the event `first` on. The context must know the
/// direct conversation of the two, where the room is one of two people. Does nothing where the room is a portal already.
pub fn adopt(
    mut context: Context,
    room: &OwnedRoomId,
    (ghost, company): (UserId, &Company),
    first: &str,
    state: Vec<RawEvent>,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Effects {
    // What was pushed of it before has become nothing then.
    context.seen.clear();
    let mut planner = Planner {
        context: &mut context,
        effects: Effects::default(),
        new_id,
    };
    planner.adopt(room, (ghost, company), state);
    let mut effects = planner.effects;
    effects.begins.push((room.clone(), first.to_owned()));
    // It is the room's present, not what happened: its events may be pushed yet.
    effects.processed.clear();
    effects.dead_letters.clear();
    effects.touched.clear();
    effects
}

impl Planner<'_> {
    fn adopt(&mut self, room: &OwnedRoomId, (ghost, company): (UserId, &Company), state: Vec<RawEvent>) {
        if self.context.rooms.contains_key(room) {
            return;
        }
        let ours = self.context.ghosts.mxid(ghost);
        let is_coming = |event: &&InboundEvent| matches!(&event.meaning, Meaning::Member(it) if it.target == ours);
        let mut events = state.iter().filter_map(|event| event.decoded.as_ref().ok());
        let Some(coming) = events.find(is_coming).cloned() else {
            return;
        };
        let two = company.two().filter(|_| self.are_known(company));
        let existing = two.and_then(|two| self.context.direct.get(&two).copied());
        match existing.and_then(|id| self.context.conversations.get(&id)) {
            Some(conversation) if conversation.room.is_some() => {
                // The two go on where they are. What is said here belongs to them all the same.
                let id = conversation.id;
                self.belongs(id, room, false);
                self.effects.former.push((id, room.clone()));
                self.effects.replay.push(room.clone());
                return;
            }
            Some(conversation) => {
                let id = conversation.id;
                self.become_portal(id, room);
                self.moves(id);
            }
            None => {
                let kind = if two.is_some() { Kind::Direct } else { Kind::Group };
                let made = self.new_conversation(&coming, ghost, kind, None);
                if let Some((one, other)) = two {
                    self.context.direct.insert((one, other), made);
                    self.effects.pairs.push((one, other, made));
                }
                self.come(&coming, made, ghost, Membership::Joined);
            }
        }
        // Creators and members come first: power is given to members.
        let mut state = state;
        state.sort_by_key(|event| match event.decoded.as_ref().map(|event| &event.meaning) {
            Ok(Meaning::Create { .. }) => 0,
            Ok(Meaning::Member(_)) => 1,
            _ => 2,
        });
        for event in state {
            self.event(event);
        }
    }

    /// Whether everybody is somebody: a Nova user's account may be gone, a Matrix user is whoever they are.
    fn are_known(&self, company: &Company) -> bool {
        let mut ghosts = company.ghosts.iter();
        ghosts.all(|ghost| self.context.people.contains(ghost))
    }
}
