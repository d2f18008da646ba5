//! Who has read what: Nova users by their clients, Matrix users by receipts, both told to Nova's clients.

mod places;
mod sending;

use std::collections::HashSet;

use chrono::TimeDelta;

use super::{Bridge, CommandError};
use crate::domain::clock::Timestamp;
use crate::domain::ephemeral::Receipt;
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::ingest::{Effects, NewEntry};
use crate::domain::message::Message;
use crate::domain::receipt::{Read, Reads};
use crate::store::{StoreError, Tx, blocks, conversations, messages, receipts};

pub(super) use places::Places;

/// What Matrix is told when a Nova user has read something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptsTold {
    /// Everybody in the room is.
    Public,
    /// Only the user's own Matrix clients are.
    Private,
    /// Nothing.
    Off,
}

/// How many receipts are applied in one transaction, which keeps their conversations to itself for so long.
const AT_ONCE: usize = 100;

/// How long a receipt waits before its next try at most.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(2);

/// Up to where somebody says that they have read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpTo {
    /// Everything that there is.
    Newest,
    /// Up to this message.
    Message(MessageId),
    /// Up to the message with this number.
    Sequence(i64),
}

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadSoFar {
    /// The message; `None` where nothing was said yet.
    pub message: Option<MessageId>,
    /// Its number.
    pub sequence: i64,
    /// How many messages there are after it.
    pub unread: i64,
}

impl Bridge {
    /// A Nova user has read a conversation. Nobody reads backwards: an older message changes nothing.
    ///
    /// # Errors
    /// When the user takes no part in the conversation, or the message is not in it.
    pub async fn mark_read(
        &self,
        user: UserId,
        conversation: ConversationId,
        up_to: UpTo,
    ) -> Result<ReadSoFar, CommandError> {
        let store = &self.inner.store;
        let mut connection = store.read().await?;
        let Some(place) = receipts::place(&mut connection, conversation, user).await? else {
            return match conversations::takes_part(&mut connection, conversation, user).await? {
                None => Err(CommandError::NoSuchConversation),
                Some(_) => Err(CommandError::NotMember),
            };
        };
        let wanted = match up_to {
            UpTo::Newest => place.last,
            UpTo::Sequence(sequence) => sequence.min(place.last),
            UpTo::Message(id) => {
                let found = messages::find(&mut connection, id).await?;
                let here = found.filter(|message| message.conversation == conversation);
                here.ok_or(CommandError::NoSuchMessage)?.sequence
            }
        };
        // Clients say it again and again; only what is news is worth a lock.
        if wanted <= place.read {
            let message = receipts::message_at(&mut connection, conversation, place.read).await?;
            return Ok(so_far(message, &place));
        }
        drop(connection);
        let now = self.now();
        let mut tx = store.begin().await?;
        conversations::lock(&mut tx, &[conversation]).await?;
        let read = Read {
            conversation,
            user,
            sequence: wanted,
        };
        let moved = receipts::advance(&mut tx, &[read]).await?;
        let hushed = blocks::hushed(&mut tx, &[(conversation, user)]).await?;
        let effects = told(&moved, &hushed);
        let owes = hushed.is_empty()
            && place.has_portal
            && self.inner.settings.receipts != ReceiptsTold::Off
            && !moved.is_empty();
        if owes {
            receipts::owe(&mut tx, read, now).await?;
        }
        let place = receipts::place(&mut tx, conversation, user).await?;
        let place = place.ok_or(CommandError::NotMember)?;
        let message = receipts::message_at(&mut tx, conversation, place.read).await?;
        self.commit(tx, &effects, now).await?;
        if owes {
            self.inner.receipts_wake.notify_one();
        }
        Ok(so_far(message, &place))
    }

    /// A message that the room has not got is gone. Whoever says something has read what was said before: the room would have
    /// known by the message, and is told by a receipt now. Returns whether one is owed.
    pub(super) async fn owe_for_unsent(
        &self,
        tx: &mut Tx,
        message: &Message,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let has_way = message.delivery.is_some() && self.inner.settings.receipts != ReceiptsTold::Off;
        if !has_way || message.event_id.is_some() {
            return Ok(false);
        }
        let (conversation, user) = (message.conversation, message.sender);
        let place = receipts::place(tx, conversation, user).await?;
        // Whoever has read on since has told of it then.
        if !place.is_some_and(|place| place.has_portal && place.read == message.sequence)
            || !blocks::hushed(tx, &[(conversation, user)]).await?.is_empty()
        {
            return Ok(false);
        }
        let read = Read {
            conversation,
            user,
            sequence: message.sequence,
        };
        receipts::owe(tx, read, now).await?;
        Ok(true)
    }

    /// Notes receipts from Matrix, each with its room. A ghost's are what we said ourselves, which is no news, or come from
    /// a Matrix client of its owner.
    pub(super) async fn take_receipts(&self, told_of: Vec<(String, Receipt)>) -> Result<(), StoreError> {
        if told_of.is_empty() {
            return Ok(());
        }
        let rooms: Vec<String> = told_of.iter().map(|(room, _)| room.clone()).collect();
        let events: Vec<String> = told_of.iter().map(|(_, receipt)| receipt.event.clone()).collect();
        let mut connection = self.inner.store.read().await?;
        let rooms = receipts::rooms(&mut connection, &rooms).await?;
        let found = receipts::messages_of(&mut connection, &events).await?;
        drop(connection);
        let reads = told_of.iter().filter_map(|(room, receipt)| {
            let conversation = *rooms.get(room)?;
            let event = receipt.event.as_str();
            let sequence = match found.get(event) {
                Some((place, sequence)) => (*place == conversation).then_some(*sequence),
                None => self.inner.places.before(conversation, event),
            };
            sequence.map(|sequence| Read {
                conversation,
                user: self.ghosts().person(receipt.user.as_str()),
                sequence,
            })
        });
        let newest: Vec<Read> = reads.collect::<Reads>().newest().collect();
        for part in newest.chunks(AT_ONCE) {
            let now = self.now();
            let mut tx = self.inner.store.begin().await?;
            let ids: Vec<ConversationId> = part.iter().map(|read| read.conversation).collect();
            conversations::lock(&mut tx, &ids).await?;
            let moved = receipts::advance(&mut tx, part).await?;
            if !moved.is_empty() {
                let places: Vec<(ConversationId, UserId)> = part.iter().map(|it| (it.conversation, it.user)).collect();
                let hushed = blocks::hushed(&mut tx, &places).await?;
                self.commit(tx, &told(&moved, &hushed), now).await?;
            }
        }
        Ok(())
    }
}

/// What Nova's clients are shown of those who moved: of who is hushed, only their own clients.
fn told(moved: &[(Read, MessageId)], hushed: &HashSet<(ConversationId, UserId)>) -> Effects {
    let entry = |(read, message): &(Read, MessageId)| {
        let change = Change::Read {
            by: read.user,
            message: *message,
            sequence: read.sequence,
        };
        let entry = NewEntry::change(read.conversation, change);
        if hushed.contains(&(read.conversation, read.user)) {
            entry.only_for(read.user)
        } else {
            entry
        }
    };
    Effects {
        feed: moved.iter().map(entry).collect(),
        ..Effects::default()
    }
}

fn so_far(message: Option<MessageId>, place: &receipts::Place) -> ReadSoFar {
    ReadSoFar {
        message: message.filter(|_| place.read > 0),
        sequence: place.read,
        unread: place.unread,
    }
}
