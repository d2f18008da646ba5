//! The middle step of a transaction: from current rows and inbound events to effects. Pure.
//!
//! [`plan`] folds over the events in order and keeps a working copy of the rows ([`Context`]) in step, so that a later
//! event of the same transaction sees what an earlier one did. It sends nothing and writes nothing: `store` applies the
//! [`Effects`] in one commit.

mod acts;
mod adopt;
mod calls;
mod context;
mod effects;
mod knocks;
mod management;
mod membership;
mod pins;
mod plain;
mod requests;
mod rooms;
mod spaces;
mod third;

#[cfg(test)]
mod tests;

pub use adopt::{Company, adopt, company};
pub use calls::rtc_id;
pub use context::{Acts, CallRules, Calls, Context, CreateJob, Marked, Portal, Subject, Target};
pub use effects::{
    CallLog, ConversationEdit, DeadLetter, EarlyEvent, Effects, Knock, LocationShare, MemberEdit, NewEntry, NewMessage,
    NewRequest, Outcome, Place, SavedCall, reason,
};
pub use plain::{PARTS, Plain, PlainPart, PlainRoom, is_plain, plan_plain};

use ruma::UserId as MatrixId;
use uuid::Uuid;

use super::event::{InboundEvent, Meaning, RawEvent, Reply};
use super::feed::Change;
use super::ids::{ConversationId, MessageId, UserId};
use super::message::{Delivery, Text};
use super::receipt::Read;

/// Decides what the events of one transaction mean.
///
/// `new_id` makes time-ordered ids. Returns the effects, and what became of each event, in order.
pub fn plan(mut context: Context, events: Vec<RawEvent>, new_id: &mut dyn FnMut() -> Uuid) -> (Effects, Vec<Outcome>) {
    let mut planner = Planner {
        context: &mut context,
        effects: Effects::default(),
        new_id,
    };
    let outcomes = events.into_iter().map(|event| planner.event(event)).collect();
    (planner.effects, outcomes)
}

/// One run of [`plan`].
struct Planner<'a> {
    context: &'a mut Context,
    effects: Effects,
    new_id: &'a mut dyn FnMut() -> Uuid,
}

impl Planner<'_> {
    fn event(&mut self, RawEvent { raw, decoded }: RawEvent) -> Outcome {
        let event = match decoded {
            Ok(event) => event,
            Err(malformed) => {
                let id = malformed.event_id.clone();
                if id.as_ref().is_some_and(|id| !self.context.seen.insert(id.clone())) {
                    return Outcome::Duplicate;
                }
                self.effects.dead_letters.push(DeadLetter {
                    reason: reason::MALFORMED,
                    detail: malformed.what,
                    room: malformed.room,
                    event_id: id,
                    conversation: None,
                    payload: raw,
                });
                return Outcome::DeadLetter;
            }
        };
        if !self.context.seen.insert(event.id.clone()) {
            return Outcome::Duplicate;
        }
        let verdict = self.apply(&event);
        if !matches!(verdict, Verdict::Message) {
            self.place(&event);
        }
        match verdict {
            Verdict::Message => Outcome::Applied,
            Verdict::Applied => {
                self.effects.processed.push(event.id);
                Outcome::Applied
            }
            Verdict::Echo => {
                self.effects.processed.push(event.id);
                Outcome::Echo
            }
            Verdict::Ignored => {
                // State without a meaning now must not get one when the transaction is repeated: what came after it has
                // been applied by then. Nor must something of a call, or what somebody did who may not.
                if event.meaning.concerns_members() || event.meaning.concerns_calls() || event.meaning.is_act() {
                    self.effects.processed.push(event.id);
                }
                Outcome::Ignored
            }
            Verdict::Dead { reason, detail } => {
                self.effects.dead_letters.push(DeadLetter {
                    reason,
                    detail,
                    conversation: self.context.rooms.get(&event.room).map(|portal| portal.conversation),
                    room: Some(event.room.into()),
                    event_id: Some(event.id),
                    payload: raw,
                });
                Outcome::DeadLetter
            }
        }
    }

    /// Notes after which message an event stands: people's receipts name it.
    fn place(&mut self, event: &InboundEvent) {
        let Some(portal) = self.context.rooms.get(&event.room) else {
            return;
        };
        let Some(conversation) = self.context.conversations.get(&portal.conversation) else {
            return;
        };
        let marker = if let Meaning::Message { marker, .. } = &event.meaning {
            *marker
        } else {
            None
        };
        let own = marker.and_then(|id| self.own(conversation.id, id, event));
        let own = own.and_then(|id| self.context.marked.get(&id));
        self.effects.places.push(Place {
            event: event.id.clone(),
            conversation: conversation.id,
            sequence: own.map_or(conversation.last_sequence, |message| message.sequence),
            is_message: own.is_some(),
        });
    }

    fn apply(&mut self, event: &InboundEvent) -> Verdict {
        if event.meaning.concerns_members() && !self.effects.touched.contains(&event.room) {
            self.effects.touched.push(event.room.clone());
        }
        let bot = self.is_bot(&event.sender);
        let ours = bot && !event.meaning.concerns_members();
        if !ours && self.is_of_space(event) {
            // Remembered: an invite may yet say that the room is none.
            return if event.meaning == Meaning::Nothing {
                Verdict::Ignored
            } else {
                Verdict::Applied
            };
        }
        if !bot && self.context.management.contains(&event.room) {
            return self.managed(event);
        }
        match &event.meaning {
            Meaning::Message { .. } | Meaning::Act { .. } | Meaning::NotYet { .. } | Meaning::Encrypted if bot => {
                Verdict::Ignored
            }
            Meaning::Message { notice: true, .. } if self.is_ghost(&event.sender) => Verdict::Echo,
            Meaning::Message {
                text, reply, marker, ..
            } => self.message(event, text, reply.as_ref(), *marker),
            Meaning::Act { target, act, marker } => self.act(event, target, act, *marker),
            Meaning::NotYet { kind, marker } => self.not_yet(event, kind, *marker),
            Meaning::Encrypted => self.encrypted(event),
            Meaning::Member(member) => self.member(event, member),
            Meaning::Create {
                marker,
                creators,
                sender_is_creator,
                is_space: _,
            } => {
                let sender = sender_is_creator.then_some(&event.sender);
                self.created(
                    event,
                    *marker,
                    creators.iter().chain(sender).map(ToString::to_string).collect(),
                )
            }
            Meaning::Name(_) | Meaning::Topic(_) | Meaning::Avatar(_) => self.described(event),
            Meaning::PowerLevels { users, default, needs } => self.power_levels(event, users, *default, *needs),
            Meaning::Pinned { events, marker } => self.pinned(event, events, *marker),
            Meaning::Tombstone { replacement } => self.tombstone(event, replacement),
            Meaning::Call { event: call, marked } => self.call(event, call, *marked),
            Meaning::RtcRing {
                session,
                age_ms,
                lifetime_ms,
                is_video,
            } => {
                let ring = calls::RtcRing {
                    session: session.as_deref(),
                    over: age_ms >= lifetime_ms,
                    is_video: *is_video,
                };
                self.rtc_ring(event, ring)
            }
            Meaning::Nothing => Verdict::Ignored,
        }
    }

    /// Whether it is one of the bridge's own users, which take part in nothing.
    fn is_bot(&self, mxid: &MatrixId) -> bool {
        self.context.bots.iter().any(|bot| bot == mxid.as_str())
    }

    fn is_ghost(&self, mxid: &MatrixId) -> bool {
        self.context.ghosts.nova_user(mxid.as_str()).is_some()
    }

    /// Something was said: the echo of our own event, or a new message.
    fn message(
        &mut self,
        event: &InboundEvent,
        text: &Text,
        reply: Option<&Reply>,
        marker: Option<MessageId>,
    ) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room) else {
            return Verdict::unknown_room();
        };
        let conversation = portal.conversation;
        let sender = self.context.ghosts.person(event.sender.as_str());
        if let Some(message) = marker.and_then(|id| self.own(conversation, id, event)) {
            self.echo(message, event);
            return Verdict::Echo;
        }
        if self.is_hushed(conversation, sender) {
            return Verdict::Applied;
        }
        let from_ghost = self.is_ghost(&event.sender);
        if from_ghost && !self.context.people.contains(&sender) {
            return Verdict::dead(reason::UNKNOWN_ACCOUNT, "the sending ghost belongs to no account");
        }
        if !from_ghost {
            self.know(&event.sender, sender, None);
        }
        let reply_to = reply.and_then(|reply| self.answered(conversation, reply));
        let text = self.may_say(conversation, sender, text);
        let Some(state) = self.context.conversations.get_mut(&conversation) else {
            return Verdict::unknown_room();
        };
        state.last_sequence += 1;
        let id = MessageId((self.new_id)());
        let message = NewMessage {
            id,
            conversation,
            sender,
            sequence: state.last_sequence,
            text,
            reply_to,
            thread_root: reply.and_then(|reply| reply.thread.clone()),
            event_id: Some(event.id.clone()),
            idempotency_key: None,
            // A ghost's own event is in the room already; its author sees that it is.
            delivery: from_ghost.then_some(Delivery::Sent),
            created_at: event.at,
        };
        if from_ghost {
            self.effects.reads.push(Read {
                conversation,
                user: sender,
                sequence: state.last_sequence,
            });
        }
        self.effects.feed.push(NewEntry::message(conversation, id));
        self.came(event, &message, reply);
        self.effects.messages.push(message);
        Verdict::Message
    }

    /// A text as it counts: only who has the power for it addresses everybody. Between two people nobody has.
    fn may_say(&self, conversation: ConversationId, sender: UserId, text: &Text) -> Text {
        let role = self
            .context
            .conversations
            .get(&conversation)
            .and_then(|it| it.joined(sender))
            .map(|it| it.role);
        let needs = self.context.needs.get(&conversation);
        let may = role
            .zip(needs)
            .is_some_and(|(role, needs)| needs.addresses_everybody(role));
        Text {
            everybody: text.everybody && may,
            ..text.clone()
        }
    }

    /// The message that a marker names, if the event is its echo: from its author's ghost, in its own conversation.
    fn own(&self, conversation: ConversationId, id: MessageId, event: &InboundEvent) -> Option<MessageId> {
        let ghost = self.context.ghosts.nova_user(event.sender.as_str())?;
        let marked = self.context.marked.get(&id)?;
        (marked.conversation == conversation && marked.sender == ghost).then_some(id)
    }

    fn echo(&mut self, message: MessageId, event: &InboundEvent) {
        let Some(marked) = self.context.marked.get_mut(&message) else {
            return;
        };
        if !std::mem::replace(&mut marked.delivered, true) {
            self.effects.echoes.push((message, event.id.clone()));
            let told = Change::Delivery {
                message,
                state: Delivery::Sent,
                detail: None,
                event_id: Some(event.id.clone()),
            };
            self.effects
                .feed
                .push(NewEntry::change(marked.conversation, told).only_for(marked.sender));
        }
        // Also where the sender has noted it before: what came too early waits for this event.
        self.is_there(&event.id, Target::Message(message));
    }

    /// Something that a later version will carry: kept where it belongs to a conversation.
    fn not_yet(&mut self, event: &InboundEvent, kind: &str, marker: Option<MessageId>) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room) else {
            return Verdict::unknown_room();
        };
        if let Some(message) = marker.and_then(|id| self.own(portal.conversation, id, event)) {
            self.echo(message, event);
            return Verdict::Echo;
        }
        Verdict::dead(reason::NOT_CARRIED_YET, kind)
    }
}

/// What one event came to.
enum Verdict {
    /// A message: its row remembers the event.
    Message,
    /// Applied in some other way, so its id has to be remembered.
    Applied,
    /// What the bridge itself sent came back. Its id has to be remembered too.
    Echo,
    /// Without any meaning to us.
    Ignored,
    /// To be kept, because it could not be applied.
    Dead { reason: &'static str, detail: String },
}

impl Verdict {
    fn dead(reason: &'static str, detail: impl Into<String>) -> Self {
        Self::Dead {
            reason,
            detail: detail.into(),
        }
    }

    fn unknown_room() -> Self {
        Self::dead(reason::UNKNOWN_ROOM, "no conversation has this room")
    }
}
