//! What a plan asks the database to do, in one commit.

use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::value::RawValue;

use crate::domain::act::MessageAct;
use crate::domain::call::{Call, CallEvent, Phase};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Member, Person};
use crate::domain::feed::Change;
use crate::domain::ids::{CallId, ConversationId, MessageId, OutboxId, UserId};
use crate::domain::job::NewJob;
use crate::domain::message::{Delivery, Message, Text};
use crate::domain::pin::Needs;
use crate::domain::receipt::Read;

/// Reasons of dead letters, as the admin sees them.
pub mod reason {
    /// The event cannot be read.
    pub const MALFORMED: &str = "malformed";
    /// No conversation has the event's room. Applied by itself once one has.
    pub const UNKNOWN_ROOM: &str = "unknown_room";
    /// A ghost that belongs to no account.
    pub const UNKNOWN_ACCOUNT: &str = "unknown_account";
    /// This version of the bridge cannot carry it.
    pub const NOT_CARRIED_YET: &str = "not_carried_yet";
    /// The bridge cannot read it.
    pub const ENCRYPTED: &str = "encrypted";
    /// The homeserver's final no to a request of ours.
    pub const REFUSED: &str = "refused";
}

/// All writes of a transaction, in the order in which they are applied.
#[derive(Debug, Default)]
pub struct Effects {
    /// Matrix users to be known, if they are not yet; what is known of them stays.
    pub met: Vec<Person>,
    /// Matrix users with the whole of their profile as it is now.
    pub people: Vec<Person>,
    /// New conversations, with their members.
    pub conversations: Vec<Conversation>,
    /// The two people of each new direct conversation.
    pub pairs: Vec<(UserId, UserId, ConversationId)>,
    /// Rooms that become a conversation's current one; the room before it becomes a former one.
    pub portals: Vec<(ConversationId, OwnedRoomId)>,
    /// Older rooms among the portals, and the event with which each becomes one.
    pub begins: Vec<(OwnedRoomId, String)>,
    /// Conversations that take another room than the one that they began in.
    pub moved: Vec<ConversationId>,
    /// New groups that take their room (one of `portals`) from a direct conversation, and that conversation.
    pub split_off: Vec<(ConversationId, ConversationId)>,
    /// Rooms that are a conversation's without being its current one: made at the same moment as another one.
    pub former: Vec<(ConversationId, OwnedRoomId)>,
    /// Conversations that shall have a room from now on.
    pub wants_portal: Vec<ConversationId>,
    /// Creators of rooms, for rooms where creators stand above numbers.
    pub creators: Vec<(OwnedRoomId, Vec<String>)>,
    /// Rooms that were found encrypted just now.
    pub encrypted: Vec<OwnedRoomId>,
    /// Members that come, go or change.
    pub members: Vec<MemberEdit>,
    /// Nova users among the members who are asked first. After `members`.
    pub requests: Vec<NewRequest>,
    /// People who knock on the rooms of groups.
    pub knocks: Vec<Knock>,
    /// People who knock no more. Before `knocks`.
    pub unknocked: Vec<(ConversationId, UserId)>,
    /// Rooms that turned out to be spaces.
    pub spaces: Vec<OwnedRoomId>,
    /// Rooms that were taken for spaces, and are none.
    pub no_spaces: Vec<OwnedRoomId>,
    /// Conversations whose room turned out to be one: they are none.
    pub dissolved: Vec<ConversationId>,
    /// People whom Nova takes out, until their rooms say so.
    pub departures: Vec<(ConversationId, UserId)>,
    /// Departures that the room has told of, or that it never will.
    pub departed: Vec<(ConversationId, UserId)>,
    /// Rooms with state in this transaction.
    pub touched: Vec<OwnedRoomId>,
    /// What rooms ask of people who want to do more than talk.
    pub needs: Vec<(ConversationId, Needs)>,
    /// Names, descriptions and pictures that change.
    pub edits: Vec<ConversationEdit>,
    /// Direct conversations that a third person made a group.
    pub regrouped: Vec<ConversationId>,
    /// Groups of one person that turned out to be a direct chat with the person invited now.
    pub made_direct: Vec<ConversationId>,
    /// New messages, in order.
    pub messages: Vec<NewMessage>,
    /// Nova users who have read up to their own messages: whoever answers has read.
    pub reads: Vec<Read>,
    /// Messages by which people say where they are, until they stop.
    pub shares: Vec<LocationShare>,
    /// What is done to messages, in order, after they are said.
    pub acts: Vec<MessageAct>,
    /// Messages of ours that are in the room, with their event.
    pub echoes: Vec<(MessageId, String)>,
    /// Calls as they are from now on, each once.
    pub calls: Vec<SavedCall>,
    /// What happened in calls, for the audit.
    pub call_log: Vec<CallLog>,
    /// Calls of which what waits to be sent is void, as far as it was not tried. Before `jobs`.
    pub cuts: Vec<CallId>,
    /// Call events whose call is not known yet.
    pub early: Vec<EarlyEvent>,
    /// Calls, by room and their ids there, whose early events were taken.
    pub early_taken: Vec<(OwnedRoomId, String)>,
    /// Rooms that are told just now where calls work.
    pub call_notices: Vec<OwnedRoomId>,
    /// Rooms in which somebody talks to the bot from now on, and who that is.
    pub managed: Vec<(OwnedRoomId, OwnedUserId)>,
    /// Rooms in which nobody does any more.
    pub unmanaged: Vec<OwnedRoomId>,
    /// What sockets are shown, in order.
    pub feed: Vec<NewEntry>,
    /// What Matrix is asked.
    pub jobs: Vec<NewJob>,
    /// Outbox rows that an echo showed to be done.
    pub done_jobs: Vec<OutboxId>,
    /// Events to be kept.
    pub dead_letters: Vec<DeadLetter>,
    /// Ids of events that are done with and are not messages.
    pub processed: Vec<String>,
    /// Where events stand that are no new messages, in order.
    pub places: Vec<Place>,
    /// Rooms that just became portals: what was put aside for them can be applied now.
    pub replay: Vec<OwnedRoomId>,
}

impl Effects {
    /// Whether nothing is to be done.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one line for each field, twice")]
    pub fn is_empty(&self) -> bool {
        // Every field by name, so that a new one is not forgotten.
        let Self {
            met,
            people,
            conversations,
            pairs,
            portals,
            begins,
            moved,
            split_off,
            former,
            wants_portal,
            creators,
            encrypted,
            members,
            requests,
            knocks,
            unknocked,
            spaces,
            no_spaces,
            dissolved,
            departures,
            departed,
            touched,
            needs,
            edits,
            regrouped,
            made_direct,
            messages,
            shares,
            acts,
            echoes,
            calls,
            call_log,
            cuts,
            early,
            early_taken,
            call_notices,
            feed,
            jobs,
            done_jobs,
            dead_letters,
            processed,
            managed,
            unmanaged,
            replay,
            places,
            reads,
        } = self;
        met.is_empty()
            && people.is_empty()
            && conversations.is_empty()
            && pairs.is_empty()
            && portals.is_empty()
            && begins.is_empty()
            && moved.is_empty()
            && split_off.is_empty()
            && former.is_empty()
            && wants_portal.is_empty()
            && creators.is_empty()
            && encrypted.is_empty()
            && members.is_empty()
            && requests.is_empty()
            && knocks.is_empty()
            && unknocked.is_empty()
            && spaces.is_empty()
            && no_spaces.is_empty()
            && dissolved.is_empty()
            && departures.is_empty()
            && departed.is_empty()
            && touched.is_empty()
            && needs.is_empty()
            && edits.is_empty()
            && regrouped.is_empty()
            && made_direct.is_empty()
            && messages.is_empty()
            && shares.is_empty()
            && acts.is_empty()
            && echoes.is_empty()
            && calls.is_empty()
            && call_log.is_empty()
            && cuts.is_empty()
            && early.is_empty()
            && early_taken.is_empty()
            && call_notices.is_empty()
            && feed.is_empty()
            && jobs.is_empty()
            && done_jobs.is_empty()
            && dead_letters.is_empty()
            && processed.is_empty()
            && managed.is_empty()
            && unmanaged.is_empty()
            && replay.is_empty()
            && places.is_empty()
            && reads.is_empty()
    }
}

/// Where an event stands among the messages of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The event.
    pub event: String,
    /// The conversation.
    pub conversation: ConversationId,
    /// The number of the message that it is, or else of the newest one when it came.
    pub sequence: i64,
    /// Whether it is a message of ours that is in the room now.
    pub is_message: bool,
}

/// A call about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedCall {
    /// As it is now.
    pub call: Call,
    /// Where it stood before; `None` for a new one.
    pub was: Option<Phase>,
    /// The room that it is held in, for a new one.
    pub room: Option<OwnedRoomId>,
    /// The client's own key for it, for a new one.
    pub idempotency_key: Option<String>,
}

/// Something that happened in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLog {
    /// In which.
    pub call: CallId,
    /// Who did it.
    pub by: Option<UserId>,
    /// What, a short name.
    pub what: &'static str,
}

/// A call event that came before its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlyEvent {
    /// Where.
    pub room: OwnedRoomId,
    /// What.
    pub event: CallEvent,
}

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It had its effect.
    Applied,
    /// It is what the bridge itself sent.
    Echo,
    /// It had its effect before.
    Duplicate,
    /// It has no meaning here.
    Ignored,
    /// It was put aside.
    DeadLetter,
}

/// A change of somebody's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberEdit {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// The new place; `None` when they are gone.
    pub member: Option<Member>,
}

/// A Nova user is asked to come to a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRequest {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// By whom.
    pub by: UserId,
}

/// Somebody asks to be let into a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    /// Which.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// On which room.
    pub room: OwnedRoomId,
    /// Why, in their words.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Somebody lets a conversation know where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocationShare {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// The message that says it.
    pub message: MessageId,
}

/// A change of what a conversation looks like. Always whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationEdit {
    /// Which.
    pub conversation: ConversationId,
    /// The name from now on.
    pub name: Option<String>,
    /// The description from now on.
    pub description: Option<String>,
    /// The picture from now on.
    pub avatar_url: Option<String>,
}

/// A message about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id.
    pub id: MessageId,
    /// Where.
    pub conversation: ConversationId,
    /// Who says it.
    pub sender: UserId,
    /// Its number in the conversation.
    pub sequence: i64,
    /// What it says.
    pub text: Text,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// The Matrix event that its thread begins with.
    pub thread_root: Option<String>,
    /// The Matrix event that brought it.
    pub event_id: Option<String>,
    /// The client's own key for it.
    pub idempotency_key: Option<String>,
    /// Whether it has to go to Matrix.
    pub delivery: Option<Delivery>,
    /// When it was said.
    pub created_at: Timestamp,
}

impl From<&NewMessage> for Message {
    fn from(new: &NewMessage) -> Self {
        Self {
            id: new.id,
            conversation: new.conversation,
            sender: new.sender,
            sequence: new.sequence,
            text: new.text.clone(),
            version: 1,
            edited_at: None,
            gone: None,
            reply_to: new.reply_to,
            thread_root: new.thread_root.clone(),
            event_id: new.event_id.clone(),
            delivery: new.delivery,
            created_at: new.created_at,
        }
    }
}

/// A feed entry about to be written. Its place is given in the order of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Where.
    pub conversation: ConversationId,
    /// Who alone may see it.
    pub audience: Option<UserId>,
    /// The message that it shows, or else `change`; both for an edit.
    pub message: Option<MessageId>,
    /// The change that it shows.
    pub change: Option<Change>,
}

impl NewEntry {
    /// Shows a message to everybody in the conversation.
    #[must_use]
    pub const fn message(conversation: ConversationId, id: MessageId) -> Self {
        Self {
            conversation,
            audience: None,
            message: Some(id),
            change: None,
        }
    }

    /// Whether it shows nothing but a message, to everybody.
    #[must_use]
    pub const fn is_the_message(&self) -> bool {
        self.message.is_some() && self.change.is_none() && self.audience.is_none()
    }

    /// Shows everybody in the conversation what a message says now.
    #[must_use]
    pub const fn edited(conversation: ConversationId, id: MessageId, by: UserId) -> Self {
        Self {
            conversation,
            audience: None,
            message: Some(id),
            change: Some(Change::Edited { by }),
        }
    }

    /// Shows a change to everybody in the conversation.
    #[must_use]
    pub const fn change(conversation: ConversationId, change: Change) -> Self {
        Self {
            conversation,
            audience: None,
            message: None,
            change: Some(change),
        }
    }

    /// The same, shown to one person alone.
    #[must_use]
    pub fn only_for(self, user: UserId) -> Self {
        Self {
            audience: Some(user),
            ..self
        }
    }
}

/// An event to be kept because it could not be applied.
#[derive(Debug)]
pub struct DeadLetter {
    /// Why, one of [`reason`].
    pub reason: &'static str,
    /// Why, in words for an admin; nothing of the content.
    pub detail: String,
    /// Its room.
    pub room: Option<String>,
    /// Its id.
    pub event_id: Option<String>,
    /// Its conversation, where it has one.
    pub conversation: Option<ConversationId>,
    /// The event as it came.
    pub payload: Box<RawValue>,
}
