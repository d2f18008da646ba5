//! Edits, reactions and redactions: who may, and what they come to.
//!
//! An act whose target is not there waits for it, whatever the order of their coming.

use super::{NewEntry, Planner, Subject, Target, Verdict, reason};
use crate::domain::act::{Act, EarlyAct, MAX_KEY_BYTES, MessageAct, Reaction, Version};
use crate::domain::event::{InboundEvent, Reply};
use crate::domain::feed::Change;
use crate::domain::ids::{ActId, ConversationId, MessageId, UserId};
use crate::domain::ingest::NewMessage;
use crate::domain::message::{Gone, Text};

impl Planner<'_> {
    /// Somebody did something to an event.
    pub(super) fn act(&mut self, event: &InboundEvent, target: &str, act: &Act, marker: Option<ActId>) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room) else {
            return Verdict::unknown_room();
        };
        let conversation = portal.conversation;
        let sender = self.context.ghosts.person(event.sender.as_str());
        if self.is_ghost(&event.sender) {
            // Ours, even where its row is gone by now: it must not come to life again.
            if let Some(id) = marker {
                self.carried(id, &event.id);
                return Verdict::Echo;
            }
            if !self.context.people.contains(&sender) {
                return Verdict::dead(reason::UNKNOWN_ACCOUNT, "the acting ghost belongs to no account");
            }
        }
        let member = |state: &crate::domain::conversation::Conversation| state.joined(sender).is_some();
        let counts = self.context.conversations.get(&conversation).is_some_and(member);
        // Who takes something back is heard.
        let hushed = *act != Act::Redact && self.is_hushed(conversation, sender);
        if !counts || hushed {
            return Verdict::Ignored;
        }
        let done = self.carry_out(EarlyAct {
            event: event.id.clone(),
            target: target.to_owned(),
            conversation,
            sender,
            at: event.at,
            act: match act {
                Act::Edit { text } => Act::Edit {
                    text: self.may_say(conversation, sender, text),
                },
                Act::React { .. } | Act::Redact | Act::Answered { .. } => act.clone(),
            },
        });
        if done { Verdict::Applied } else { Verdict::Ignored }
    }

    /// What a new message answers, as far as it is there.
    pub(super) fn answered(&self, conversation: ConversationId, reply: &Reply) -> Option<MessageId> {
        match self.context.acts.targets.get(&reply.target)? {
            Target::Message(id) => self.subject(*id, conversation).map(|_| *id),
            Target::Edit { .. } | Target::Reaction { .. } => None,
        }
    }

    /// A new message: others can do something to it from now on, and may have done so already.
    pub(super) fn came(&mut self, event: &InboundEvent, message: &NewMessage, reply: Option<&Reply>) {
        let subject = Subject {
            conversation: message.conversation,
            sender: message.sender,
            is_gone: false,
            versions: Vec::new(),
            reactions: Vec::new(),
        };
        self.context.acts.subjects.insert(message.id, subject);
        let unknown = |reply: &&Reply| message.reply_to.is_none() && reply.target != event.id;
        if let Some(reply) = reply.filter(unknown) {
            self.wait(EarlyAct {
                event: event.id.clone(),
                target: reply.target.clone(),
                conversation: message.conversation,
                sender: message.sender,
                at: event.at,
                act: Act::Answered { by: message.id },
            });
        }
        self.is_there(&event.id, Target::Message(message.id));
    }

    /// An event is there: what waits for it can be done.
    pub(super) fn is_there(&mut self, event: &str, target: Target) {
        self.context.acts.targets.insert(event.to_owned(), target);
        for early in self.context.acts.early.remove(event).unwrap_or_default() {
            self.effects.acts.push(MessageAct::Waited(early.event.clone()));
            self.carry_out(early);
        }
        if let Target::Message(message) = target {
            self.pinned_before(event, message);
        }
    }

    /// An edit or a reaction of ours is in the room.
    fn carried(&mut self, id: ActId, event: &str) {
        self.effects.done_jobs.push(id.0.into());
        if let Some(target) = self.context.acts.own.get(&id).copied() {
            self.effects.acts.push(MessageAct::Carried(id, event.to_owned()));
            self.is_there(event, target);
        }
    }

    fn wait(&mut self, early: EarlyAct) {
        self.effects.acts.push(MessageAct::Waits(early.clone()));
        let waiting = self.context.acts.early.entry(early.target.clone()).or_default();
        waiting.push(early);
    }

    /// Does it, or lets it wait. Returns false where it has no effect, and never will have.
    fn carry_out(&mut self, early: EarlyAct) -> bool {
        let Some(target) = self.context.acts.targets.get(&early.target).copied() else {
            self.wait(early);
            return true;
        };
        let message = target.message();
        if self.subject(message, early.conversation).is_none() {
            return false;
        }
        match (&early.act, target) {
            (Act::Edit { text }, Target::Message(_)) => self.edit(message, &early, text),
            (Act::React { key }, Target::Message(_)) => self.react(message, &early, key),
            (Act::Answered { by }, Target::Message(_)) => {
                let answer = MessageAct::Answers {
                    message: *by,
                    target: message,
                };
                self.effects.acts.push(answer);
                true
            }
            (Act::Redact, Target::Message(_)) => self.delete(message, &early),
            (Act::Redact, Target::Edit { id, .. }) => self.unwrite(message, &early, id),
            (Act::Redact, Target::Reaction { id, .. }) => self.unreact(message, &early, id),
            (
                Act::Edit { .. } | Act::React { .. } | Act::Answered { .. },
                Target::Edit { .. } | Target::Reaction { .. },
            ) => false,
        }
    }

    pub(super) fn subject(&self, id: MessageId, conversation: ConversationId) -> Option<&Subject> {
        let subject = self.context.acts.subjects.get(&id)?;
        (subject.conversation == conversation && !subject.is_gone).then_some(subject)
    }

    fn edit(&mut self, message: MessageId, early: &EarlyAct, text: &Text) -> bool {
        let id = ActId((self.new_id)());
        let subject = self.context.acts.subjects.get_mut(&message);
        let Some(subject) = subject.filter(|it| it.sender == early.sender) else {
            return false;
        };
        let version = Version {
            at: early.at,
            event: Some(early.event.clone()),
            id,
        };
        let is_shown = subject.versions.iter().all(|other| version > *other);
        subject.versions.push(version.clone());
        self.effects.acts.push(MessageAct::Wrote {
            message,
            version,
            text: text.clone(),
            is_shown,
        });
        if is_shown {
            self.tell_edit(message, early);
        }
        self.is_there(&early.event, Target::Edit { message, id });
        true
    }

    /// An edit was redacted. The homeserver has seen to it that its sender may.
    fn unwrite(&mut self, message: MessageId, early: &EarlyAct, edit: ActId) -> bool {
        let Some(subject) = self.context.acts.subjects.get_mut(&message) else {
            return false;
        };
        let newest = subject.versions.iter().max().map(|version| version.id);
        let Some(place) = subject.versions.iter().position(|version| version.id == edit) else {
            return false;
        };
        subject.versions.remove(place);
        let was_shown = newest == Some(edit);
        self.effects.acts.push(MessageAct::Unwrote {
            message,
            edit,
            was_shown,
        });
        if was_shown {
            self.tell_edit(message, early);
        }
        true
    }

    fn tell_edit(&mut self, message: MessageId, early: &EarlyAct) {
        let entry = NewEntry::edited(early.conversation, message, early.sender);
        self.effects.feed.push(entry);
    }

    fn react(&mut self, message: MessageId, early: &EarlyAct, key: &str) -> bool {
        if key.trim().is_empty() || key.len() > MAX_KEY_BYTES {
            return false;
        }
        let new = ActId((self.new_id)());
        let Some(subject) = self.context.acts.subjects.get_mut(&message) else {
            return false;
        };
        let same = |it: &&mut Reaction| it.user == early.sender && it.emoji == key;
        let id = if let Some(there) = subject.reactions.iter_mut().find(same) {
            if there.event.is_some() {
                return false;
            }
            // The same from Nova is still on its way: this one is in the room, and that one will be refused.
            there.event = Some(early.event.clone());
            let carried = MessageAct::Carried(there.id, early.event.clone());
            self.effects.acts.push(carried);
            there.id
        } else {
            let reaction = Reaction {
                id: new,
                message,
                user: early.sender,
                emoji: key.to_owned(),
                event: Some(early.event.clone()),
                at: early.at,
            };
            subject.reactions.push(reaction.clone());
            self.effects.acts.push(MessageAct::Reacted(reaction));
            let change = Change::Reacted {
                by: early.sender,
                message,
                reaction: new,
                emoji: key.to_owned(),
            };
            self.effects.feed.push(NewEntry::change(early.conversation, change));
            new
        };
        self.is_there(&early.event, Target::Reaction { message, id });
        true
    }

    /// A reaction was redacted, by whoever had made it or by somebody who may.
    fn unreact(&mut self, message: MessageId, early: &EarlyAct, id: ActId) -> bool {
        self.effects.acts.push(MessageAct::Unreacted(id));
        let Some(subject) = self.context.acts.subjects.get_mut(&message) else {
            return true;
        };
        // Where it is not among them, it was taken back in Nova, and told then.
        if let Some(place) = subject.reactions.iter().position(|it| it.id == id) {
            let gone = subject.reactions.remove(place);
            let change = unreacted(gone.user, &gone);
            self.effects.feed.push(NewEntry::change(early.conversation, change));
        }
        true
    }

    fn delete(&mut self, message: MessageId, early: &EarlyAct) -> bool {
        if let Some(subject) = self.context.acts.subjects.get_mut(&message) {
            subject.is_gone = true;
            subject.versions.clear();
            subject.reactions.clear();
        }
        self.effects.acts.push(MessageAct::Gone {
            message,
            how: Gone::Deleted,
        });
        let by = early.sender;
        self.no_longer_pinned(early.conversation, message, by);
        let change = Change::MessageDeleted { by, message };
        self.effects.feed.push(NewEntry::change(early.conversation, change));
        true
    }
}

/// The news that a reaction of `by` is gone.
fn unreacted(by: UserId, gone: &Reaction) -> Change {
    Change::Unreacted {
        by,
        message: gone.message,
        reaction: gone.id,
        emoji: gone.emoji.clone(),
    }
}
