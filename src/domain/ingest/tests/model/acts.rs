//! What was done to messages, as the model keeps it.

use super::super::*;
use super::Model;
use super::pins::Pins;
use crate::domain::act::{EarlyAct, MessageAct, Reaction, Version};

#[derive(Debug, Default)]
pub(in super::super) struct Kept {
    messages: BTreeMap<MessageId, (ConversationId, UserId)>,
    events: BTreeMap<String, MessageId>,
    texts: BTreeMap<MessageId, Vec<(Version, Text)>>,
    pub(in super::super) gone: BTreeSet<MessageId>,
    pub(in super::super) reactions: Vec<Reaction>,
    taken_back: Vec<Reaction>,
    pub(in super::super) early: Vec<EarlyAct>,
    pub(in super::super) answers: BTreeMap<MessageId, MessageId>,
    pub(in super::super) pins: Pins,
    /// Jobs of edits and reactions that wait in the outbox.
    pub(in super::super) sent: BTreeSet<ActId>,
}

/// What a message looks like in the end, for comparison: its text, whether it is gone, the reactions, what it answers.
pub(in super::super) type Looks = (Option<String>, bool, BTreeSet<(UserId, String)>, Option<String>);

impl Kept {
    pub(super) fn said(&mut self, message: &NewMessage) {
        self.messages.insert(message.id, (message.conversation, message.sender));
        self.events.insert(message.event_id.clone().unwrap(), message.id);
        if let Some(target) = message.reply_to {
            assert!(self.messages.contains_key(&target), "it answers what was said");
            self.answers.insert(message.id, target);
        }
    }

    pub(super) fn event_of(&self, id: MessageId) -> String {
        let found = self.events.iter().find(|(_, it)| **it == id);
        found.map(|(event, _)| event.clone()).unwrap()
    }

    pub(super) fn echoed(&mut self, id: MessageId, event: &str) {
        self.events.insert(event.to_owned(), id);
    }

    pub(super) fn apply(&mut self, act: &MessageAct) {
        match act {
            MessageAct::Wrote {
                message,
                version,
                text,
                is_shown,
            } => {
                assert!(!self.gone.contains(message), "nobody writes what is gone");
                let texts = self.texts.entry(*message).or_default();
                assert_eq!(*is_shown, texts.iter().all(|(other, _)| version > other));
                texts.push((version.clone(), text.clone()));
            }
            MessageAct::Unwrote {
                message,
                edit,
                was_shown,
            } => {
                let texts = self.texts.get_mut(message).unwrap();
                let newest = texts.iter().max_by_key(|(version, _)| version).unwrap().0.id;
                assert_eq!(*was_shown, newest == *edit);
                texts.retain(|(version, _)| version.id != *edit);
            }
            MessageAct::Gone { message, .. } => {
                assert!(self.gone.insert(*message), "it goes once");
                self.texts.remove(message);
                self.reactions.retain(|it| it.message != *message);
                self.pins.there.retain(|(_, it)| it.message != *message);
            }
            MessageAct::Reacted(reaction) => {
                let same = |it: &Reaction| {
                    (it.message, it.user, &it.emoji) == (reaction.message, reaction.user, &reaction.emoji)
                };
                assert!(!self.reactions.iter().any(same), "one of a kind for each person");
                assert!(!self.gone.contains(&reaction.message));
                self.reactions.push(reaction.clone());
            }
            MessageAct::Unreacted(id) => {
                self.reactions.retain(|it| it.id != *id);
                self.taken_back.retain(|it| it.id != *id);
            }
            MessageAct::TookBack(id) => {
                let taken = self.reactions.extract_if(.., |it| it.id == *id);
                self.taken_back.extend(taken);
            }
            MessageAct::Carried(id, event) => {
                let all = self.reactions.iter_mut().chain(&mut self.taken_back);
                for reaction in all.filter(|it| it.id == *id) {
                    reaction.event = Some(event.clone());
                }
                for (version, _) in self.texts.values_mut().flatten().filter(|(it, _)| it.id == *id) {
                    version.event = Some(event.clone());
                }
            }
            MessageAct::Answers { message, target } => {
                assert!(self.answers.insert(*message, *target).is_none());
            }
            MessageAct::Pin(act) => self.pins.apply(act),
            MessageAct::Waits(early) => self.early.push(early.clone()),
            MessageAct::Waited(event) => {
                let before = self.early.len();
                self.early.retain(|early| early.event != *event);
                assert_eq!(self.early.len() + 1, before, "it waited");
            }
        }
    }
}

impl Model {
    /// A reaction that a Nova user made, on its way to Matrix.
    pub(in super::super) fn reacts(&mut self, message: MessageId, user: UserId, emoji: &str) -> ActId {
        let id = ActId(self.id());
        self.acts.sent.insert(id);
        self.acts.reactions.push(Reaction {
            id,
            message,
            user,
            emoji: emoji.to_owned(),
            event: None,
            at: now(),
        });
        id
    }

    /// The message of an event.
    pub(super) fn message_of(&self, event: &str) -> MessageId {
        self.acts.events[event]
    }

    /// Notes that a Nova user took a reaction back.
    pub(in super::super) fn takes_back(&mut self, id: ActId) {
        self.acts.apply(&MessageAct::TookBack(id));
    }

    /// How the message of an event looks.
    pub(in super::super) fn looks(&self, event: &str) -> Looks {
        let id = self.acts.events[event];
        let texts = self.acts.texts.get(&id).into_iter().flatten();
        let newest = texts.max_by_key(|(version, _)| version.clone());
        let said = self
            .messages
            .iter()
            .find(|it| it.id == id)
            .map(|it| it.text.plain.clone());
        let reactions = self.acts.reactions.iter().filter(|it| it.message == id);
        let answers = self.acts.answers.get(&id);
        let event_of = |id| {
            self.acts
                .events
                .iter()
                .find(|(_, it)| *it == id)
                .map(|(event, _)| event.clone())
        };
        (
            newest.map(|(_, text)| text.plain.clone()).or(said),
            self.acts.gone.contains(&id),
            reactions.map(|it| (it.user, it.emoji.clone())).collect(),
            answers.and_then(event_of),
        )
    }

    /// Whether acts are read for these events.
    pub(super) fn is_acted(&self, events: &[InboundEvent]) -> bool {
        events.iter().any(|event| {
            let awaited = self.acts.early.iter().any(|early| early.target == event.id);
            awaited
                || self.acts.pins.awaits(&event.id)
                || matches!(
                    event.meaning,
                    Meaning::Act { .. } | Meaning::Pinned { .. } | Meaning::Message { reply: Some(_), .. }
                )
        })
    }

    pub(super) fn known_acts(&self, events: &[InboundEvent]) -> Acts {
        let kept = &self.acts;
        let mut acts = Acts {
            pins: kept.pins.standing(&kept.events),
            early_pins: kept.pins.early.clone(),
            ..Acts::default()
        };
        for (event, id) in &kept.events {
            acts.targets.insert(event.clone(), Target::Message(*id));
        }
        let said = kept.messages.iter().map(|(id, (place, sender))| (*id, *place, *sender));
        let marked = self.marked.iter().map(|(id, row)| (*id, row.conversation, row.sender));
        for (id, conversation, sender) in said.chain(marked) {
            let texts = kept.texts.get(&id).into_iter().flatten();
            let subject = Subject {
                conversation,
                sender,
                is_gone: kept.gone.contains(&id),
                versions: texts.map(|(version, _)| version.clone()).collect(),
                reactions: kept.reactions.iter().filter(|it| it.message == id).cloned().collect(),
            };
            acts.subjects.insert(id, subject);
        }
        let mut note = |target: Target, id: ActId, event: &Option<String>| {
            acts.own.insert(id, target);
            acts.targets.extend(event.clone().map(|event| (event, target)));
        };
        for (message, texts) in &kept.texts {
            for (Version { id, event, .. }, _) in texts {
                let target = Target::Edit {
                    message: *message,
                    id: *id,
                };
                note(target, *id, event);
            }
        }
        for Reaction { id, message, event, .. } in kept.reactions.iter().chain(&kept.taken_back) {
            let target = Target::Reaction {
                message: *message,
                id: *id,
            };
            note(target, *id, event);
        }
        let mut awaited: BTreeSet<String> = events.iter().map(|event| event.id.clone()).collect();
        while let Some(event) = awaited.pop_first() {
            let waiting: Vec<EarlyAct> = kept.early.iter().filter(|it| it.target == event).cloned().collect();
            awaited.extend(waiting.iter().map(|early| early.event.clone()));
            awaited.retain(|event| !acts.early.contains_key(event));
            if !waiting.is_empty() {
                awaited.remove(&event);
                acts.early.insert(event, waiting);
            }
        }
        acts
    }
}
