//! What a room has pinned becomes what its conversation has.

use std::collections::HashMap;

use super::{NewEntry, Planner, Target, Verdict};
use crate::domain::act::MessageAct;
use crate::domain::clock::Timestamp;
use crate::domain::event::InboundEvent;
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, MessageId, OutboxId, UserId};
use crate::domain::pin::{MAX_PINS, Pin, PinAct, Standing, difference};

impl Planner<'_> {
    /// `m.room.pinned_events` of a room in use. One that was left behind has no say, as with its name.
    pub(super) fn pinned(&mut self, event: &InboundEvent, events: &[String], marker: Option<OutboxId>) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room).filter(|portal| portal.current) else {
            return Verdict::Ignored;
        };
        let conversation = portal.conversation;
        let by = self.context.ghosts.person(event.sender.as_str());
        if self.is_hushed(conversation, by) {
            return Verdict::Ignored;
        }
        let told = marker.filter(|_| self.is_ghost(&event.sender));
        if let Some(job) = told {
            self.told(conversation, job);
        }
        if !self.is_ghost(&event.sender) && !self.is_bot(&event.sender) {
            self.know(&event.sender, by, None);
        }
        let newest = events.get(events.len().saturating_sub(MAX_PINS)..).unwrap_or_default();
        let (mut listed, mut awaited, mut event_of) = (Vec::new(), Vec::new(), HashMap::new());
        for id in newest {
            match self.context.acts.targets.get(id) {
                Some(Target::Message(message)) if self.subject(*message, conversation).is_some() => {
                    listed.push(*message);
                    event_of.insert(*message, id.clone());
                }
                // Gone, of another room, or nothing that can be pinned.
                Some(_) => {}
                None => awaited.push(id.clone()),
            }
        }
        let standing = self.context.acts.pins.entry(conversation).or_default();
        let (new, gone) = difference(standing, &listed);
        for message in gone {
            self.act_of_pins(PinAct::Unpinned { message, told_by: None });
            self.no_longer_pinned(conversation, message, by);
        }
        for message in new {
            let carried_by = event_of.remove(&message);
            self.pin(conversation, (message, carried_by), by, event.at);
        }
        self.wait_for_pinned(conversation, by, event.at, awaited);
        if told.is_some() {
            Verdict::Echo
        } else {
            Verdict::Applied
        }
    }

    /// A message is there that may have been pinned before it came.
    pub(super) fn pinned_before(&mut self, event: &str, message: MessageId) {
        let Some(subject) = self.context.acts.subjects.get(&message) else {
            return;
        };
        let (conversation, is_gone) = (subject.conversation, subject.is_gone);
        let key = (conversation, event.to_owned());
        let Some((by, at)) = self.context.acts.early_pins.remove(&key) else {
            return;
        };
        let event = event.to_owned();
        self.act_of_pins(PinAct::Came {
            conversation,
            event: event.clone(),
        });
        let standing = self.context.acts.pins.entry(conversation).or_default();
        if !is_gone && standing.iter().all(|it| it.message != message) {
            self.pin(conversation, (message, Some(event)), by, at);
        }
    }

    /// What is gone is pinned no more, and whoever saw it pinned is told.
    pub(super) fn no_longer_pinned(&mut self, conversation: ConversationId, message: MessageId, by: UserId) {
        let standing = self.context.acts.pins.entry(conversation).or_default();
        let was_pinned = standing.iter().any(|it| it.message == message && it.is_pinned);
        standing.retain(|it| it.message != message);
        if was_pinned {
            let change = Change::Unpinned { by, message };
            self.effects.feed.push(NewEntry::change(conversation, change));
        }
    }

    fn pin(
        &mut self,
        conversation: ConversationId,
        (message, event): (MessageId, Option<String>),
        by: UserId,
        at: Timestamp,
    ) {
        self.context.acts.pins.entry(conversation).or_default().push(Standing {
            message,
            event,
            is_pinned: true,
            told_by: None,
        });
        self.act_of_pins(PinAct::Pinned {
            conversation,
            pin: Pin { message, by, at },
            told_by: None,
        });
        let change = Change::Pinned { by, message };
        self.effects.feed.push(NewEntry::change(conversation, change));
    }

    /// The room tells what a job of ours told it: from now on it knows better.
    fn told(&mut self, conversation: ConversationId, job: OutboxId) {
        let standing = self.context.acts.pins.entry(conversation).or_default();
        standing.retain(|it| it.is_pinned || it.told_by != Some(job));
        for it in standing.iter_mut().filter(|it| it.told_by == Some(job)) {
            it.told_by = None;
        }
        self.effects.done_jobs.push(job);
        self.act_of_pins(PinAct::Told(job));
    }

    fn wait_for_pinned(&mut self, conversation: ConversationId, by: UserId, at: Timestamp, events: Vec<String>) {
        let early = &mut self.context.acts.early_pins;
        early.retain(|(other, event), _| *other != conversation || events.contains(event));
        for event in &events {
            early.entry((conversation, event.clone())).or_insert((by, at));
        }
        self.act_of_pins(PinAct::Await {
            conversation,
            by,
            at,
            events,
        });
    }

    fn act_of_pins(&mut self, act: PinAct) {
        self.effects.acts.push(MessageAct::Pin(act));
    }
}
