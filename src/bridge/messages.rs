//! A Nova user says something, or does something to what was said.

mod acts;
mod forward;
mod pinning;
mod reactions;

pub use acts::{Rewrite, Which};
pub use reactions::Taken;

use super::conversations::BLOCKED;
use super::{Bridge, CommandError};
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::ingest::{Effects, LocationShare, NewEntry, NewMessage};
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::mention::{names_everybody, with_pills};
use crate::domain::message::{Delivery, MAX_TEXT_BYTES, Message, Text, storable};
use crate::domain::receipt::Read;
use crate::matrix::translate::{inbound, outbound};
use crate::store::{Tx, conversations, messages, people, pins};

/// The longest key that a client may give to a message, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The text.
    pub text: Text,
    /// The client's own key: under it a message is written once.
    pub idempotency_key: Option<String>,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// A message of the thread in which it is said, or the one that begins it.
    pub thread: Option<MessageId>,
}

impl Bridge {
    /// Writes a message and everything that it means: its number, its place in the feed, its way to Matrix.
    ///
    /// A message under a key that its sender has used before is not written again; the first one is the answer.
    ///
    /// # Errors
    /// When the sender takes no part in the conversation, the other one of a direct one blocks them, the text is empty or
    /// too long, or what it answers is not there.
    pub async fn send_message(
        &self,
        sender: UserId,
        conversation: ConversationId,
        said: Said,
    ) -> Result<Message, CommandError> {
        self.say(sender, conversation, said, false).await
    }

    /// As [`Self::send_message`]; `shares`: it says where the sender is, from now on.
    pub(super) async fn say(
        &self,
        sender: UserId,
        conversation: ConversationId,
        Said {
            text,
            idempotency_key,
            reply_to,
            thread,
        }: Said,
        shares: bool,
    ) -> Result<Message, CommandError> {
        let mut text = checked(text)?;
        check_key(idempotency_key.as_deref())?;
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        conversations::lock(&mut tx, &[conversation]).await?;
        let place = conversations::place(&mut tx, conversation, sender)
            .await?
            .ok_or(CommandError::NoSuchConversation)?;
        if !place.takes_part {
            return Err(CommandError::NotMember);
        }
        if let Some(key) = &idempotency_key
            && let Some(first) = messages::by_idempotency_key(&mut tx, sender, key).await?
        {
            return if first.conversation == conversation {
                Ok(first)
            } else {
                Err(key_was_used())
            };
        }
        if place.is_blocked {
            return Err(CommandError::Forbidden(BLOCKED));
        }
        address(&mut tx, conversation, sender, &mut text).await?;
        let (reply_to, thread_root) = answering(&mut tx, conversation, reply_to, thread).await?;
        let id = MessageId(self.id(now));
        let message = NewMessage {
            id,
            conversation,
            sender,
            sequence: place.last_sequence + 1,
            text,
            reply_to,
            thread_root,
            event_id: None,
            idempotency_key,
            delivery: place.has_portal.then_some(Delivery::Pending),
            created_at: now,
        };
        let share = LocationShare {
            conversation,
            user: sender,
            message: id,
        };
        let mut effects = Effects {
            feed: vec![NewEntry::message(conversation, id)],
            shares: shares.then_some(share).into_iter().collect(),
            ..Effects::default()
        };
        effects.feed.extend(place.asked.map(|asked| told_by(asked, &message)));
        if place.has_portal {
            effects.jobs.push(NewJob {
                id: self.id(now).into(),
                lane: Lane::Conversation(conversation),
                actor: sender,
                message: Some(id),
                job: sending(&message),
            });
        }
        let answer = Message::from(&message);
        effects.reads.push(Read {
            conversation,
            user: sender,
            sequence: message.sequence,
        });
        effects.messages.push(message);
        match self.commit(tx, &effects, now).await {
            Err(error) if error.conflict() == Some("messages_by_idempotency_key") => Err(key_was_used()),
            done => {
                done?;
                self.ends_typing(conversation, sender);
                Ok(answer)
            }
        }
    }
}

/// What somebody answers, and the event of the thread in which they do. Whoever answers nothing in a thread answers the
/// message that they begin it with, as it is read from Matrix too.
async fn answering(
    tx: &mut Tx,
    conversation: ConversationId,
    reply_to: Option<MessageId>,
    thread: Option<MessageId>,
) -> Result<(Option<MessageId>, Option<String>), CommandError> {
    let invalid = |complaint: &str| CommandError::Invalid(complaint.to_owned());
    let answered = match reply_to {
        Some(target) => Some(there(tx, conversation, target, "reply_to_message_id").await?),
        None => None,
    };
    let Some(thread) = thread else {
        // Whoever answers in a thread stays in it.
        return Ok((reply_to, answered.and_then(|target| target.thread_root)));
    };
    let first = there(tx, conversation, thread, "thread_root_message_id").await?;
    let root = first.thread_root.or(first.event_id);
    let root = root.ok_or_else(|| invalid("thread_root_message_id names a message that is not in Matrix (yet)"))?;
    if answered.is_some_and(|it| it.thread_root.as_ref() != Some(&root) && it.event_id.as_ref() != Some(&root)) {
        return Err(invalid("reply_to_message_id names a message outside of the thread"));
    }
    Ok((reply_to.or(Some(thread)), Some(root)))
}

/// A message that is named in a field.
async fn there(tx: &mut Tx, conversation: ConversationId, id: MessageId, field: &str) -> Result<Message, CommandError> {
    let found = messages::find(tx, id).await?;
    found
        .filter(|it| it.conversation == conversation && it.gone.is_none())
        .ok_or_else(|| CommandError::Invalid(format!("{field} names no message of this conversation")))
}

/// Makes pills of the names that are addressed, unless the client has formatted the text itself, and finds out whether it
/// is for everybody: where somebody who may says so.
async fn address(
    tx: &mut Tx,
    conversation: ConversationId,
    sender: UserId,
    text: &mut Text,
) -> Result<(), CommandError> {
    if !text.plain.contains('@') {
        return Ok(());
    }
    let people = people::named_in(tx, conversation, &text.plain).await?;
    text.everybody = names_everybody(&text.plain, &people) && may_address_everybody(tx, conversation, sender).await?;
    if text.formatted.is_none() {
        // Rather without pills than not at all.
        text.formatted = with_pills(&text.plain, &people)
            .filter(|html| html.len() <= MAX_TEXT_BYTES && fits(&text.plain, Some(html)));
    }
    Ok(())
}

/// Between two people nobody has a role, and nobody needs it.
async fn may_address_everybody(
    tx: &mut Tx,
    conversation: ConversationId,
    sender: UserId,
) -> Result<bool, CommandError> {
    let role = conversations::role_in(tx, conversation, sender).await?.flatten();
    let needs = pins::needs(tx, &[conversation]).await?;
    let needs = needs.get(&conversation);
    Ok(role
        .zip(needs)
        .is_some_and(|(role, needs)| needs.addresses_everybody(role)))
}

/// How a message gets to Matrix.
fn sending(message: &NewMessage) -> Job {
    if message.text.media.is_some() {
        return Job::SendMedia;
    }
    Job::SendEvent {
        event_type: "m.room.message".to_owned(),
        content: outbound::message(message.id, &message.text),
        answers: message.reply_to,
    }
}

fn key_was_used() -> CommandError {
    CommandError::Invalid("idempotency_key was used in another conversation".to_owned())
}

/// Tells whoever was asked to come what is said to them.
fn told_by(asked: UserId, message: &NewMessage) -> NewEntry {
    let told = NewEntry::change(message.conversation, Change::Requested { by: message.sender });
    NewEntry {
        message: Some(message.id),
        ..told.only_for(asked)
    }
}

fn check_key(key: Option<&str>) -> Result<(), CommandError> {
    match key {
        Some(key) if key.is_empty() || key.len() > MAX_KEY_BYTES || key.contains('\0') => Err(CommandError::Invalid(
            format!("idempotency_key must have 1 to {MAX_KEY_BYTES} bytes, and no NUL"),
        )),
        Some(_) | None => Ok(()),
    }
}

/// Whether both forms of a text fit together into one event of 65,536 bytes, escapes included.
fn fits(plain: &str, formatted: Option<&str>) -> bool {
    let escaped = |text: &str| serde_json::to_string(text).map_or(usize::MAX, |json| json.len());
    escaped(plain).saturating_add(formatted.map_or(0, escaped)) <= 60_000
}

fn checked(text: Text) -> Result<Text, CommandError> {
    let plain = storable(text.plain);
    if plain.trim().is_empty() {
        return Err(CommandError::Invalid("content must not be empty".to_owned()));
    }
    let formatted = text.formatted.as_deref().map(inbound::safe_html);
    if plain.len() > MAX_TEXT_BYTES || formatted.as_ref().is_some_and(|html| html.len() > MAX_TEXT_BYTES) {
        return Err(CommandError::Invalid(format!(
            "content must have at most {MAX_TEXT_BYTES} bytes"
        )));
    }
    if !fits(&plain, formatted.as_deref()) {
        return Err(CommandError::Invalid(
            "content is too long for a Matrix event".to_owned(),
        ));
    }
    Ok(Text {
        style: text.style,
        plain,
        formatted,
        everybody: false,
        media: text.media,
    })
}
