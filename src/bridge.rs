//! The use cases: the only layer that joins the store, the rules and the homeserver.
//!
//! Every change is one transaction that holds all it means: rows, feed entries, and what Matrix is to be asked
//! (architecture §2). Only after the commit are the feed's tail and the sender woken; both also look by themselves, so a
//! lost wake-up costs latency and nothing else.

pub mod accounts;
mod adopt;
pub mod avatars;
pub mod bot;
pub mod calls;
pub mod catch_up;
pub mod conversations;
pub mod dead_letters;
pub mod error;
pub mod feed;
pub mod gauges;
pub mod homeserver;
pub mod ice;
pub mod ingest;
pub mod knocks;
pub mod live;
pub mod locations;
pub mod login;
pub mod media;
pub mod messages;
mod pace;
pub mod passing;
pub mod people;
pub mod presence;
mod profiles;
pub mod receipts;
pub mod requests;
pub mod search;
pub mod sender;
pub mod spaces;
pub mod typing;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use moka::sync::Cache;
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId};
use tokio::sync::{Notify, OnceCell, broadcast};
use uuid::Uuid;

use crate::domain::bot::Permissions;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::conversation::Person;
use crate::domain::ghost::Ghosts;
use crate::domain::ids::UserId;
use crate::domain::ingest::Effects;
use crate::domain::random::Random;
use crate::domain::request::DmPermission;
use crate::matrix::Homeserver;
use crate::matrix::profile_source::ProfileSource;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError, Tx, apply};

pub use error::CommandError;

/// Which conversations get a Matrix room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateRooms {
    /// Every one.
    Always,
    /// One with a Matrix user in it.
    WhenMatrixUserJoins,
}

/// How long an account is taken to be as it was: another process may have changed or deleted it.
const ACCOUNTS_REMEMBERED: Duration = Duration::from_mins(1);

/// How long a room is taken to be none of ours: a ghost that nobody told us of may come to it.
const STRANGERS_REMEMBERED: Duration = Duration::from_mins(10);

/// What an admin decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which conversations get a room.
    pub create_rooms: CreateRooms,
    /// Whether each Nova account gets a space with the rooms of its conversations.
    pub space_per_user: bool,
    /// Who need not ask those Nova users who have not said so themselves.
    pub dm_permission: DmPermission,
    /// The bot that people may talk to.
    pub bot: OwnedUserId,
    /// The registration's own user, which does nothing.
    pub sender: OwnedUserId,
    /// The alias of the room in which the bot tries the line from Synapse ([`Bridge::try_line`]).
    pub line: OwnedRoomAliasId,
    /// Who may talk to the bot.
    pub permissions: Permissions,
    /// What rooms are told when a Nova user has read something.
    pub receipts: receipts::ReceiptsTold,
    /// Whether it is told who is there.
    pub presence: bool,
    /// How calls are held.
    pub calls: calls::CallSettings,
    /// Which servers help them to get through.
    pub ice: ice::IceSettings,
    /// Which files are taken, and from where.
    pub media: media::MediaSettings,
}

/// Everything the use cases need. Cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bridge")
    }
}

struct Inner {
    store: Store,
    homeserver: Homeserver,
    profile_source: Option<ProfileSource>,
    ghosts: Ghosts,
    settings: Settings,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    metrics: Metrics,
    feed_wake: Notify,
    pushed: pace::Pushed,
    sender_wake: Notify,
    receipts_wake: Notify,
    inbox: passing::Inbox,
    live: broadcast::Sender<live::Live>,
    typists: typing::Typists,
    presence: presence::Presence,
    places: receipts::Places,
    calls_hint: calls::Hint,
    attendances: calls::Attendances,
    ice: ice::IceMemory,
    /// Whether rooms may lack something.
    doubts: catch_up::Doubts,
    /// Rooms that were found to be none of ours.
    strangers: Cache<OwnedRoomId, ()>,
    /// Whether events may be put aside for rooms that are portals by now: at the start, and after a replay that failed.
    replay_forgotten: AtomicBool,
    /// The room in which the line is tried, once it was used.
    line: OnceCell<OwnedRoomId>,
    /// Accounts that are known to be in the database as they are, with their usernames.
    accounts: Cache<UserId, Arc<str>>,
    /// Ghosts that the homeserver is known to have.
    provisioned: Cache<UserId, ()>,
    avatars: avatars::Avatars,
    media: media::MediaState,
}

/// What a [`Bridge`] is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The homeserver.
    pub homeserver: Homeserver,
    /// Where unknown accounts are looked up.
    pub profile_source: Option<ProfileSource>,
    /// Who is a ghost.
    pub ghosts: Ghosts,
    /// What the admin decided.
    pub settings: Settings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Counters.
    pub metrics: Metrics,
}

impl Bridge {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            store,
            homeserver,
            profile_source,
            ghosts,
            settings,
            clock,
            random,
            metrics,
        } = parts;
        let inner = Inner {
            store,
            homeserver,
            profile_source,
            ghosts,
            settings,
            clock,
            random,
            metrics,
            feed_wake: Notify::new(),
            pushed: pace::Pushed::default(),
            sender_wake: Notify::new(),
            receipts_wake: Notify::new(),
            inbox: passing::Inbox::default(),
            live: broadcast::channel(live::WAITING).0,
            typists: typing::Typists::default(),
            presence: presence::Presence::default(),
            places: receipts::Places::default(),
            calls_hint: calls::Hint::default(),
            attendances: calls::Attendances::default(),
            ice: ice::IceMemory::new(),
            doubts: catch_up::Doubts::default(),
            strangers: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(STRANGERS_REMEMBERED)
                .build(),
            replay_forgotten: AtomicBool::new(true),
            line: OnceCell::new(),
            accounts: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(ACCOUNTS_REMEMBERED)
                .build(),
            provisioned: Cache::new(100_000),
            avatars: avatars::Avatars::new(),
            media: media::MediaState::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Who is a ghost.
    #[must_use]
    pub fn ghosts(&self) -> &Ghosts {
        &self.inner.ghosts
    }

    /// The database, for reading.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn homeserver(&self) -> &Homeserver {
        &self.inner.homeserver
    }

    /// A time-ordered id.
    fn id(&self, now: Timestamp) -> Uuid {
        self.inner.random.id(now)
    }

    fn bots(&self) -> Vec<String> {
        let settings = &self.inner.settings;
        vec![settings.bot.to_string(), settings.sender.to_string()]
    }

    /// Writes effects, commits, and wakes whoever has something to do now.
    async fn commit(&self, mut tx: Tx, effects: &Effects, now: Timestamp) -> Result<(), StoreError> {
        apply::apply(&mut tx, self.inner.store.clock_base(), effects, now).await?;
        let follows = self.spaces_follow(&mut tx, effects, now).await?;
        tx.commit().await?;
        self.wake(effects);
        if follows {
            self.inner.sender_wake.notify_one();
        }
        self.calls_saved(effects);
        Ok(())
    }

    fn wake(&self, effects: &Effects) {
        if !effects.feed.is_empty() {
            self.inner.feed_wake.notify_one();
        }
        if !effects.jobs.is_empty() {
            self.inner.sender_wake.notify_one();
        }
    }

    /// A ghost as the person behind it.
    fn ghost_person(&self, user: UserId, username: &str) -> Option<Person> {
        Some(Person {
            id: user,
            mxid: OwnedUserId::try_from(self.inner.ghosts.mxid(user)).ok()?,
            is_nova: true,
            username: Some(username.to_owned()),
            display_name: None,
            avatar_url: None,
        })
    }
}
