//! What is pinned, as the model keeps it.

use std::collections::HashMap;

use super::super::*;
use crate::domain::pin::{PinAct, Standing};

#[derive(Debug, Default)]
pub(in super::super) struct Pins {
    pub(in super::super) there: Vec<(ConversationId, Standing)>,
    pub(in super::super) early: HashMap<(ConversationId, String), (UserId, Timestamp)>,
}

impl Pins {
    pub(super) fn apply(&mut self, act: &PinAct) {
        match act {
            PinAct::Pinned {
                conversation,
                pin,
                told_by,
            } => {
                let before = self.there.extract_if(.., |(_, it)| it.message == pin.message);
                assert!(
                    before.count() == 0 || told_by.is_some(),
                    "a room pins what is not pinned"
                );
                let standing = Standing {
                    message: pin.message,
                    event: None,
                    is_pinned: true,
                    told_by: *told_by,
                };
                self.there.push((*conversation, standing));
            }
            PinAct::Unpinned { message, told_by } => {
                let found = self.there.iter_mut().find(|(_, it)| it.message == *message);
                let (_, standing) = found.expect("it is pinned");
                standing.is_pinned = false;
                standing.told_by = *told_by;
                if told_by.is_none() {
                    self.there.retain(|(_, it)| it.message != *message);
                }
            }
            PinAct::Told(job) => {
                self.there.retain(|(_, it)| it.is_pinned || it.told_by != Some(*job));
                for (_, standing) in self.there.iter_mut().filter(|(_, it)| it.told_by == Some(*job)) {
                    standing.told_by = None;
                }
            }
            PinAct::Await {
                conversation,
                by,
                at,
                events,
            } => {
                self.early
                    .retain(|(other, event), _| other != conversation || events.contains(event));
                for event in events {
                    self.early.entry((*conversation, event.clone())).or_insert((*by, *at));
                }
            }
            PinAct::Came { conversation, event } => {
                let key = (*conversation, event.clone());
                assert!(self.early.remove(&key).is_some(), "it was awaited");
            }
        }
    }

    pub(super) fn awaits(&self, event: &str) -> bool {
        self.early.keys().any(|(_, awaited)| awaited == event)
    }

    pub(super) fn standing(&self, events: &BTreeMap<String, MessageId>) -> HashMap<ConversationId, Vec<Standing>> {
        let mut all: HashMap<ConversationId, Vec<Standing>> = HashMap::new();
        for (conversation, standing) in &self.there {
            let event = events.iter().find(|(_, id)| **id == standing.message);
            all.entry(*conversation).or_default().push(Standing {
                event: event.map(|(event, _)| event.clone()),
                ..standing.clone()
            });
        }
        all
    }
}

impl Model {
    /// The events of the messages that are pinned, in the order of pinning.
    pub(in super::super) fn pinned(&self) -> Vec<String> {
        let kept = &self.acts;
        let shown = kept.pins.there.iter().filter(|(_, it)| it.is_pinned);
        shown.map(|(_, it)| kept.event_of(it.message)).collect()
    }

    /// A Nova user pins the message of an event, or takes it down; the room will be told by this job.
    pub(in super::super) fn pins(&mut self, event: &str, is_pinned: bool) -> OutboxId {
        let job = OutboxId(self.id());
        let message = self.message_of(event);
        let conversation = self.of_room(ROOM);
        let told_by = Some(job);
        self.acts.pins.apply(&if is_pinned {
            PinAct::Pinned {
                conversation,
                pin: crate::domain::pin::Pin {
                    message,
                    by: ANNA,
                    at: now(),
                },
                told_by,
            }
        } else {
            PinAct::Unpinned { message, told_by }
        });
        job
    }
}
