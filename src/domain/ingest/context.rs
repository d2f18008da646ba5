//! The rows that a plan starts from.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ruma::OwnedRoomId;

use crate::domain::act::{EarlyAct, Reaction, Version};
use crate::domain::call::{Call, CallEvent};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Person};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::{ActId, CallId, ConversationId, MessageId, OutboxId, UserId};
use crate::domain::pin::{Needs, Standing};
use crate::domain::request::Doors;

/// Everything that the events of one transaction may touch, read under the locks of the conversations.
///
/// Members and profiles are read only for conversations with state events in the transaction; a message needs no more
/// than its room and the last number, unless somebody blocks who says it.
#[derive(Debug)]
pub struct Context {
    /// Who is a ghost.
    pub ghosts: Ghosts,
    /// The bridge's own users, which take part in no conversation; first the one that people talk to.
    pub bots: Vec<String>,
    /// The time of the transaction.
    pub now: Timestamp,
    /// The rooms of the events, as far as they are portals.
    pub rooms: HashMap<OwnedRoomId, Portal>,
    /// The rooms of the events in which somebody talks to the bot.
    pub management: HashSet<OwnedRoomId>,
    /// The rooms of the events that are known to be spaces.
    pub spaces: HashSet<OwnedRoomId>,
    /// The conversations of those rooms.
    pub conversations: HashMap<ConversationId, Conversation>,
    /// People whom Nova took out of conversations, and whose rooms have not said so yet.
    pub departing: HashSet<(ConversationId, UserId)>,
    /// Ghosts that have yet to leave those of the rooms whose conversation was deleted, and that conversation.
    pub closing: HashMap<(OwnedRoomId, UserId), ConversationId>,
    /// Who knocks on the rooms of these conversations, and why.
    pub knocks: HashMap<(ConversationId, UserId), Option<String>>,
    /// The senders and targets that the database knows.
    pub people: HashSet<UserId>,
    /// The rows of those whose names matter: targets of membership events.
    pub profiles: BTreeMap<UserId, Person>,
    /// The pairs of those of the conversations that are direct, and the direct conversations of the pairs that the events'
    /// invites name, in the order of [`crate::domain::conversation::pair`].
    pub direct: HashMap<(UserId, UserId), ConversationId>,
    /// Of the direct conversations, those that hold what was said elsewhere than in the room that they have now.
    pub moved: HashSet<ConversationId>,
    /// Event ids that were applied or put aside before.
    pub seen: HashSet<String>,
    /// Our messages that the events' markers name.
    pub marked: HashMap<MessageId, Marked>,
    /// Our room creations that the events' markers name.
    pub creating: HashMap<OutboxId, CreateJob>,
    /// What is known of the messages that the events do something to.
    pub acts: Acts,
    /// What is known of calls. Read only for events that can concern one.
    pub calls: Calls,
    /// How calls are held.
    pub call_rules: CallRules,
    /// What the conversations ask of those who address everybody. Read only where somebody does.
    pub needs: HashMap<ConversationId, Needs>,
    /// Who blocks those whom the events name, and who of those invited wants to be asked first.
    pub doors: Doors,
}

impl Context {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(ghosts: Ghosts, bots: Vec<String>, now: Timestamp) -> Self {
        Self {
            ghosts,
            bots,
            now,
            rooms: HashMap::new(),
            management: HashSet::new(),
            spaces: HashSet::new(),
            conversations: HashMap::new(),
            departing: HashSet::new(),
            closing: HashMap::new(),
            knocks: HashMap::new(),
            people: HashSet::new(),
            profiles: BTreeMap::new(),
            direct: HashMap::new(),
            moved: HashSet::new(),
            seen: HashSet::new(),
            marked: HashMap::new(),
            creating: HashMap::new(),
            acts: Acts::default(),
            calls: Calls::default(),
            call_rules: CallRules::default(),
            needs: HashMap::new(),
            doors: Doors::default(),
        }
    }
}

/// What a plan knows of the messages that the events do something to. Of the conversations it needs the members that act.
#[derive(Debug, Default)]
pub struct Acts {
    /// What the events are that others are done to, by their ids.
    pub targets: HashMap<String, Target>,
    /// The messages of those.
    pub subjects: HashMap<MessageId, Subject>,
    /// Edits and reactions of ours that the events' markers name.
    pub own: HashMap<ActId, Target>,
    /// What waits for the events, in the order of its coming, by what it waits for.
    pub early: HashMap<String, Vec<EarlyAct>>,
    /// What is pinned in the conversations, or was until just now: all of it where the events set the list, otherwise what
    /// the events name.
    pub pins: HashMap<ConversationId, Vec<Standing>>,
    /// Those of the events that their rooms have pinned before they came: by whom, and when.
    pub early_pins: HashMap<(ConversationId, String), (UserId, Timestamp)>,
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A message.
    Message(MessageId),
    /// An edit.
    Edit {
        /// Of which message.
        message: MessageId,
        /// The edit.
        id: ActId,
    },
    /// A reaction.
    Reaction {
        /// To which message.
        message: MessageId,
        /// The reaction.
        id: ActId,
    },
}

impl Target {
    /// The message that it is, or belongs to.
    #[must_use]
    pub const fn message(self) -> MessageId {
        match self {
            Self::Message(message) | Self::Edit { message, .. } | Self::Reaction { message, .. } => message,
        }
    }
}

/// A message to which something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its author.
    pub sender: UserId,
    /// Whether it was deleted or recalled.
    pub is_gone: bool,
    /// Its edits.
    pub versions: Vec<Version>,
    /// The reactions to it: at least those that the events name, and those of their senders.
    pub reactions: Vec<Reaction>,
}

/// What a plan knows of calls.
#[derive(Debug, Default)]
pub struct Calls {
    /// The unfinished calls of the conversations.
    pub unfinished: BTreeMap<CallId, Call>,
    /// The ids in Matrix of all calls that the events name and that there are or were.
    pub known: HashSet<(ConversationId, String)>,
    /// Events that came before their calls, in order, by room and the call's id there.
    pub early: HashMap<(OwnedRoomId, String), Vec<CallEvent>>,
    /// People of the conversations who are in unfinished calls elsewhere.
    pub busy: BTreeSet<(UserId, CallId)>,
    /// People of the conversations who want no calls.
    pub off: BTreeSet<UserId>,
    /// Rooms that were told a short while ago where calls work.
    pub noticed: HashSet<OwnedRoomId>,
    /// Conversations in which a call that nobody could take rang a short while ago.
    pub rung: HashSet<ConversationId>,
}

/// How calls are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRules {
    /// Whether there are any.
    pub enabled: bool,
    /// How long they ring at most, in milliseconds.
    pub ring_ms: i64,
    /// How long somebody may be without a socket, in milliseconds.
    pub grace_ms: i64,
}

impl Default for CallRules {
    fn default() -> Self {
        Self {
            enabled: true,
            ring_ms: 60_000,
            grace_ms: 30_000,
        }
    }
}

/// A room that belongs to a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portal {
    /// Which.
    pub conversation: ConversationId,
    /// Whether it is the one in use; otherwise it was left behind.
    pub current: bool,
    /// Whether the room was found encrypted before.
    pub encrypted: bool,
    /// People whose power has no number.
    pub creators: Vec<String>,
    /// How many transactions with state of this room there were.
    pub state_version: i64,
}

/// A message of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its author.
    pub sender: UserId,
    /// Its number.
    pub sequence: i64,
    /// Whether it is known to be in the room.
    pub delivered: bool,
}

/// A room creation of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateJob {
    /// For which conversation.
    pub conversation: ConversationId,
    /// By which account's ghost.
    pub actor: UserId,
}
