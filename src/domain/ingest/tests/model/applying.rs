//! The writing half of the model.

use std::collections::BTreeSet;

use super::super::*;
use super::Model;
use crate::domain::conversation::{Conversation, Kind, pair};

impl Model {
    /// As `store::apply`, with the checks of the database's keys.
    pub(super) fn apply(&mut self, effects: &Effects, locked: &BTreeSet<ConversationId>) {
        for person in &effects.met {
            self.people.entry(person.id).or_insert_with(|| person.clone());
        }
        for person in &effects.people {
            self.people.insert(person.id, person.clone());
        }
        let mut writable = locked.clone();
        for made in &effects.conversations {
            assert!(self.people.contains_key(&made.created_by), "its maker is known");
            writable.insert(made.id);
            let row = Conversation {
                members: BTreeMap::new(),
                ..made.clone()
            };
            assert!(self.conversations.insert(made.id, row).is_none());
        }
        for id in &effects.made_direct {
            self.conversations.get_mut(id).unwrap().kind = Kind::Direct;
        }
        for id in &effects.regrouped {
            assert!(
                !self.moved.contains(id),
                "what was said elsewhere stays between two people"
            );
            self.conversations.get_mut(id).unwrap().kind = Kind::Group;
            self.pairs.retain(|_, direct| direct != id);
        }
        for (one, other, id) in &effects.pairs {
            assert!(
                self.pairs.insert(pair(*one, *other), *id).is_none(),
                "one direct conversation for a pair"
            );
        }
        for (id, new) in &effects.portals {
            let from = effects.split_off.iter().find(|(group, _)| group == id);
            if let Some((_, direct)) = from.filter(|(_, direct)| self.has_room(*direct, new)) {
                self.rooms.get_mut(new).unwrap().conversation = *id;
                self.conversations.get_mut(direct).unwrap().room = None;
                self.conversations.get_mut(id).unwrap().room = Some(new.clone());
            } else {
                if let Some((_, direct)) = from {
                    self.rooms
                        .retain(|room, portal| room != new || portal.conversation != *direct);
                }
                self.portal(*id, new, &effects.dissolved);
            }
        }
        self.management
            .extend(effects.managed.iter().map(|(room, _)| room.clone()));
        for room in &effects.unmanaged {
            self.management.remove(room);
        }
        self.know_knocks(effects, &writable);
        self.moved.extend(&effects.moved);
        self.know_rooms(effects);
        for edit in &effects.members {
            assert!(writable.contains(&edit.conversation), "members change under the lock");
            assert!(self.people.contains_key(&edit.user), "members are known people");
            let members = &mut self.conversations.get_mut(&edit.conversation).unwrap().members;
            match edit.member {
                Some(member) => members.insert(edit.user, member),
                None => members.remove(&edit.user),
            };
        }
        self.say(effects, &writable);
        self.hold_calls(effects, &writable);
        for id in &effects.done_jobs {
            // The job of an act may be done and gone when its echo comes.
            if self.creating.remove(id).is_none() {
                self.acts.sent.remove(&ActId(id.0));
            }
        }
        for NewJob { lane, .. } in &effects.jobs {
            assert!(lane.conversation().is_none_or(|id| writable.contains(&id)));
        }
        self.know_spaces(effects);
    }

    fn know_knocks(&mut self, effects: &Effects, writable: &BTreeSet<ConversationId>) {
        for gone in &effects.unknocked {
            self.knocks.remove(gone);
        }
        for knock in &effects.knocks {
            assert!(writable.contains(&knock.conversation), "people knock under the lock");
            assert!(self.people.contains_key(&knock.user), "who knocks is known");
            self.knocks
                .insert((knock.conversation, knock.user), knock.reason.clone());
        }
    }

    fn know_spaces(&mut self, effects: &Effects) {
        for room in &effects.no_spaces {
            self.spaces.remove(room);
        }
        self.spaces.extend(effects.spaces.iter().cloned());
        for id in &effects.dissolved {
            self.conversations.remove(id);
            self.pairs.retain(|_, direct| direct != id);
            self.creating.retain(|_, job| job.conversation != *id);
            self.rooms.retain(|_, portal| portal.conversation != *id);
        }
    }

    fn know_rooms(&mut self, effects: &Effects) {
        for (id, old) in &effects.former {
            let portal = Portal {
                conversation: *id,
                current: false,
                encrypted: false,
                creators: Vec::new(),
                state_version: 0,
            };
            self.rooms.entry(old.clone()).or_insert(portal);
        }
        for (id, creators) in &effects.creators {
            self.rooms.get_mut(id).unwrap().creators.clone_from(creators);
        }
        for id in &effects.encrypted {
            self.rooms.get_mut(id).unwrap().encrypted = true;
        }
    }

    fn hold_calls(&mut self, effects: &Effects, writable: &BTreeSet<ConversationId>) {
        for saved in &effects.calls {
            assert!(
                writable.contains(&saved.call.conversation),
                "calls change under the lock"
            );
            let before = self.calls.insert(saved.call.id, saved.call.clone());
            assert_eq!(
                before.map(|it| it.phase),
                saved.was,
                "a call is told apart from a new one"
            );
        }
        let taken = |early: &EarlyEvent| {
            let key = (early.room.clone(), early.event.call.clone());
            effects.early_taken.contains(&key)
        };
        self.early.retain(|early| !taken(early));
        self.early.extend(effects.early.iter().cloned());
        self.noticed.extend(effects.call_notices.iter().cloned());
    }

    fn say(&mut self, effects: &Effects, writable: &BTreeSet<ConversationId>) {
        for edit in &effects.edits {
            assert!(writable.contains(&edit.conversation));
            self.conversations
                .get_mut(&edit.conversation)
                .unwrap()
                .name
                .clone_from(&edit.name);
        }
        for message in &effects.messages {
            assert!(
                writable.contains(&message.conversation),
                "messages are numbered under the lock"
            );
            assert!(self.people.contains_key(&message.sender), "senders are known people");
            let state = self.conversations.get_mut(&message.conversation).unwrap();
            assert_eq!(message.sequence, state.last_sequence + 1, "numbers have no gap");
            state.last_sequence = message.sequence;
            self.once(message.event_id.as_ref().unwrap());
            self.messages.push(message.clone());
            self.acts.said(message);
        }
        for (id, event) in &effects.echoes {
            let row = self.marked.get_mut(id).unwrap();
            assert!(!std::mem::replace(&mut row.delivered, true), "delivered once");
            self.acts.echoed(*id, event);
        }
        for act in &effects.acts {
            self.acts.apply(act);
        }
        for entry in &effects.feed {
            assert!(writable.contains(&entry.conversation), "the feed grows under the lock");
        }
        self.feed.extend(effects.feed.iter().cloned());
        for id in &effects.processed {
            self.once(id);
        }
        for letter in &effects.dead_letters {
            self.once(letter.event_id.as_ref().unwrap());
        }
    }

    fn has_room(&self, id: ConversationId, room: &OwnedRoomId) -> bool {
        self.conversations[&id].room.as_ref() == Some(room)
    }

    fn once(&mut self, event: &str) {
        assert!(self.done.insert(event.to_owned()), "{event} has its effect once");
    }

    fn portal(&mut self, id: ConversationId, new: &OwnedRoomId, dissolved: &[ConversationId]) {
        for portal in self.rooms.values_mut().filter(|portal| portal.conversation == id) {
            portal.current = false;
        }
        let before = self.rooms.get(new);
        assert!(
            before.is_none_or(|portal| portal.conversation == id || dissolved.contains(&portal.conversation)),
            "a room has one conversation"
        );
        let portal = Portal {
            conversation: id,
            current: true,
            encrypted: false,
            creators: Vec::new(),
            state_version: 0,
        };
        self.rooms.insert(new.clone(), portal);
        self.conversations.get_mut(&id).unwrap().room = Some(new.clone());
    }
}
