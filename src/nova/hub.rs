//! The sockets that are open here, and who of them is shown a feed entry.
//!
//! Entries come from one task, in order. A socket that cannot take one in time is marked as lagging and is given
//! nothing more until it has read the feed for itself; so no queue grows, and nobody sees a gap.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ws::Utf8Bytes;
use moka::sync::Cache;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::frames::{self, Frames, Ways};
use crate::bridge::feed::FeedSink;
use crate::bridge::live::{Live, LiveSink};
use crate::domain::clock::Timestamp;
use crate::domain::feed::{Change, Cursor, FeedEntry, FeedEvent, readers};
use crate::domain::ids::{ConversationId, UserId};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError, blocks, conversations, people};

/// How many entries wait for a socket before it counts as lagging. Several full transactions: they take a pointer each,
/// and catching up costs a query.
const QUEUE: usize = 512;

/// How many conversations' members are remembered.
const REMEMBERED: u64 = 50_000;

/// Pairs of people one of whom blocks the other, both ways round.
type Apart = HashSet<(UserId, UserId)>;

/// An entry on its way to sockets.
#[derive(Debug)]
pub struct Delivery {
    /// Its place.
    pub cursor: Cursor,
    /// Its conversation.
    pub conversation: ConversationId,
    /// What is sent.
    pub frames: Frames,
    /// What it shows, for who speaks another protocol.
    pub entry: FeedEntry,
}

/// What waits for a socket.
#[derive(Debug)]
pub enum Shown {
    /// An entry of the feed.
    Entry(Box<Delivery>),
    /// Something that is in no feed: frames that are shown now or never.
    Live(Vec<Utf8Bytes>),
}

/// One open socket, as the hub sees it.
#[derive(Debug)]
pub struct Slot {
    /// Its own id.
    pub id: Uuid,
    /// Whose it is.
    pub user: UserId,
    /// The one conversation that it is for, or all.
    pub only: Option<ConversationId>,
    /// Since when.
    pub connected_at: Timestamp,
    queue: mpsc::Sender<Arc<Shown>>,
    lagging: AtomicBool,
    position: AtomicI64,
}

impl Slot {
    /// Whether entries were withheld. Clears the mark: the caller reads the feed now.
    pub fn take_lagging(&self) -> bool {
        self.lagging.swap(false, Ordering::SeqCst)
    }

    /// Whether entries were withheld.
    pub fn is_lagging(&self) -> bool {
        self.lagging.load(Ordering::SeqCst)
    }

    /// Notes that there is more to read in the feed.
    pub fn lag(&self) {
        self.lagging.store(true, Ordering::SeqCst);
    }

    /// Notes how far the socket has come.
    pub fn came_to(&self, cursor: Cursor) {
        self.position.store(cursor.position, Ordering::Relaxed);
    }

    /// How far the socket has come.
    pub fn position(&self) -> i64 {
        self.position.load(Ordering::Relaxed)
    }
}

/// All sockets of this process. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    metrics: Metrics,
    ways: Ways,
    slots: Mutex<HashMap<UserId, Vec<Arc<Slot>>>>,
    /// Nova members of conversations, as of the last membership entry that was published.
    audiences: Cache<ConversationId, Arc<[UserId]>>,
    reached: Mutex<Cursor>,
}

impl Hub {
    /// A hub without sockets. Everything up to `reached` counts as published.
    #[must_use]
    pub fn new(store: Store, metrics: Metrics, ways: Ways, reached: Cursor) -> Self {
        let inner = Inner {
            store,
            metrics,
            ways,
            slots: Mutex::default(),
            audiences: Cache::new(REMEMBERED),
            reached: Mutex::new(reached),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Adds a socket. From now on it is given what is published; everything before is at or below the cursor.
    pub fn join(
        &self,
        id: Uuid,
        user: UserId,
        only: Option<ConversationId>,
        now: Timestamp,
    ) -> (Membership, mpsc::Receiver<Arc<Shown>>, Cursor) {
        let (queue, entries) = mpsc::channel(QUEUE);
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = self.reached();
        let slot = Arc::new(Slot {
            id,
            user,
            only,
            connected_at: now,
            queue,
            lagging: AtomicBool::new(false),
            position: AtomicI64::new(reached.position),
        });
        slots.entry(user).or_default().push(Arc::clone(&slot));
        drop(slots);
        (
            Membership {
                hub: self.clone(),
                slot,
            },
            entries,
            reached,
        )
    }

    /// Everything up to here was published. What a socket was not given of it, it has to read for itself.
    #[must_use]
    pub fn reached(&self) -> Cursor {
        *self.inner.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How frames are written.
    #[must_use]
    pub fn ways(&self) -> &Ways {
        &self.inner.ways
    }

    /// All sockets.
    #[must_use]
    pub fn slots(&self) -> Vec<Arc<Slot>> {
        let slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.values().flatten().cloned().collect()
    }

    fn leave(&self, slot: &Slot) {
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = slots.get_mut(&slot.user) {
            own.retain(|other| other.id != slot.id);
            if own.is_empty() {
                slots.remove(&slot.user);
            }
        }
    }

    /// Whether there are no sockets: then everything up to `last` counts as published.
    fn nobody_looks_on(&self, last: Cursor) -> bool {
        let slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if !slots.is_empty() {
            return false;
        }
        self.published(last);
        // What is remembered of members has to stay true.
        self.inner.audiences.invalidate_all();
        true
    }

    /// To be called under the lock of the slots, as [`Self::join`] reads it: so a socket is given an entry, or knows that it
    /// was published before.
    fn published(&self, cursor: Cursor) {
        *self.inner.reached.lock().unwrap_or_else(PoisonError::into_inner) = cursor;
    }

    /// Makes everybody read the feed for themselves: what they were to be shown up to `last` is not known here.
    fn doubt(&self, last: Cursor) {
        let slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        self.published(last);
        for slot in slots.values().flatten() {
            slot.lagging.store(true, Ordering::SeqCst);
        }
    }

    async fn show(&self, entry: FeedEntry, apart: &Apart) -> Result<(), StoreError> {
        let mut recipients: Arc<[UserId]> = match entry.audience {
            Some(user) => Arc::from([user]),
            None => self.recipients(&entry).await?,
        };
        if let Some(reader) = entry.reader().filter(|_| !apart.is_empty()) {
            let seen = recipients.iter().filter(|user| !apart.contains(&(reader, **user)));
            recipients = seen.copied().collect();
        }
        let slots: Vec<Arc<Slot>> = {
            let slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
            self.published(entry.cursor);
            let here = recipients.iter().filter_map(|user| slots.get(user)).flatten();
            here.filter(|slot| slot.only.is_none_or(|only| only == entry.conversation))
                .cloned()
                .collect()
        };
        if slots.is_empty() {
            return Ok(());
        }
        let delivery = Delivery {
            cursor: entry.cursor,
            conversation: entry.conversation,
            frames: frames::of_entry(&entry, &self.inner.ways),
            entry,
        };
        let frames = slots.len() * delivery.frames.all.len();
        let delivery = Arc::new(Shown::Entry(Box::new(delivery)));
        for slot in slots {
            if !slot.is_lagging() && slot.queue.try_send(Arc::clone(&delivery)).is_err() {
                slot.lagging.store(true, Ordering::SeqCst);
            }
        }
        self.inner.metrics.frames(u64::try_from(frames).unwrap_or_default());
        Ok(())
    }

    /// Who is shown an entry: the members, and whoever has just been removed.
    async fn recipients(&self, entry: &FeedEntry) -> Result<Arc<[UserId]>, StoreError> {
        let left = match &entry.event {
            FeedEvent::Change(change) => {
                if matches!(
                    change,
                    Change::MemberJoined { .. } | Change::MemberLeft { .. } | Change::Created { .. }
                ) {
                    self.inner.audiences.invalidate(&entry.conversation);
                }
                change.left()
            }
            FeedEvent::Message(_) | FeedEvent::Edited { .. } | FeedEvent::Requested { .. } => None,
        };
        let members = self.audience(entry.conversation).await?;
        match left {
            Some(user) if !members.contains(&user) => Ok(members.iter().copied().chain([user]).collect()),
            Some(_) | None => Ok(members),
        }
    }

    async fn audience(&self, conversation: ConversationId) -> Result<Arc<[UserId]>, StoreError> {
        if let Some(members) = self.inner.audiences.get(&conversation) {
            return Ok(members);
        }
        let mut connection = self.inner.store.read().await?;
        let rows = conversations::audience(&mut connection, &[conversation]).await?;
        let members: Arc<[UserId]> = rows.into_iter().map(|(_, user)| user).collect();
        self.inner.audiences.insert(conversation, Arc::clone(&members));
        Ok(members)
    }

    /// From whom those are apart who have read something.
    async fn apart_of_readers(&self, entries: &[FeedEntry]) -> Result<Apart, StoreError> {
        let readers = readers(entries);
        if readers.is_empty() {
            return Ok(Apart::new());
        }
        let mut connection = self.inner.store.read().await?;
        blocks::all_apart(&mut connection, &readers).await
    }

    /// Reads the members of many conversations at once, so that [`Hub::show`] finds them remembered.
    async fn remember(&self, entries: &[FeedEntry]) -> Result<(), StoreError> {
        let mut unknown: Vec<ConversationId> = entries
            .iter()
            .map(|entry| entry.conversation)
            .filter(|id| !self.inner.audiences.contains_key(id))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.len() < 2 {
            return Ok(());
        }
        let mut connection = self.inner.store.read().await?;
        let mut members: HashMap<ConversationId, Vec<UserId>> = unknown.iter().map(|id| (*id, Vec::new())).collect();
        for (conversation, user) in conversations::audience(&mut connection, &unknown).await? {
            members.entry(conversation).or_default().push(user);
        }
        for (conversation, users) in members {
            self.inner.audiences.insert(conversation, users.into());
        }
        Ok(())
    }
}

impl Hub {
    /// Shows frames to the sockets of these people that are for a conversation or for all of them. Who lags is shown nothing:
    /// it is not worth waiting for.
    fn show_now(&self, users: &[UserId], conversation: Option<ConversationId>, frames: Vec<Utf8Bytes>) {
        let slots: Vec<Arc<Slot>> = {
            let slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let here = users.iter().filter_map(|user| slots.get(user)).flatten();
            here.filter(|slot| slot.only.is_none() || conversation.is_none() || slot.only == conversation)
                .filter(|slot| !slot.is_lagging())
                .cloned()
                .collect()
        };
        let count = slots.len() * frames.len();
        let shown = Arc::new(Shown::Live(frames));
        for slot in slots {
            drop(slot.queue.try_send(Arc::clone(&shown)));
        }
        self.inner.metrics.frames(u64::try_from(count).unwrap_or_default());
    }

    /// The members of a conversation, for something that is no entry of the feed. What is read here is not remembered: the
    /// feed alone knows up to which entry the memory is true.
    async fn members_now(&self, conversation: ConversationId) -> Result<Vec<UserId>, StoreError> {
        if let Some(members) = self.inner.audiences.get(&conversation) {
            return Ok(members.to_vec());
        }
        let mut connection = self.inner.store.read().await?;
        let rows = conversations::audience(&mut connection, &[conversation]).await?;
        Ok(rows.into_iter().map(|(_, user)| user).collect())
    }

    fn is_empty(&self) -> bool {
        self.inner
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    async fn try_show_live(&self, live: Live) -> Result<(), StoreError> {
        match live {
            Live::Typing { typist, at } => {
                let mut members = self.members_now(typist.conversation).await?;
                let ids: Vec<Uuid> = members.iter().map(|user| user.0).collect();
                let mut connection = self.inner.store.read().await?;
                let apart = blocks::apart(&mut connection, typist.user, &ids).await?;
                drop(connection);
                // Old clients would take it for somebody else's.
                members.retain(|user| *user != typist.user && !apart.contains(user));
                let frames = frames::typing(&typist, at);
                self.show_now(&members, Some(typist.conversation), frames);
            }
            Live::Presence { seen, at } => {
                let here: Vec<UserId> = {
                    let slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
                    slots.keys().copied().collect()
                };
                let mut connection = self.inner.store.read().await?;
                let acquainted = people::acquainted(&mut connection, seen.user, &here).await?;
                drop(connection);
                self.show_now(&acquainted, None, vec![frames::presence(&seen, at)]);
            }
            Live::Block { by, user, blocks, at } => {
                self.show_now(&[by], None, vec![frames::block(user, blocks, at)]);
            }
        }
        Ok(())
    }
}

impl LiveSink for Hub {
    async fn show_live(&self, live: Live) {
        if self.is_empty() {
            return;
        }
        if let Err(error) = self.try_show_live(live).await {
            tracing::debug!(%error, "members cannot be read, nobody is shown who types");
        }
    }
}

impl FeedSink for Hub {
    async fn publish(&self, entries: Vec<FeedEntry>) {
        let Some(last) = entries.last().map(|entry| entry.cursor) else {
            return;
        };
        if self.nobody_looks_on(last) {
            return;
        }
        let shown = async {
            self.remember(&entries).await?;
            let apart = self.apart_of_readers(&entries).await?;
            for entry in entries {
                self.show(entry, &apart).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = shown.await {
            tracing::warn!(%error, "members cannot be read, sockets read the feed themselves");
            self.doubt(last);
        }
    }
}

/// A socket's place in the hub; given up when dropped.
pub struct Membership {
    hub: Hub,
    slot: Arc<Slot>,
}

impl Membership {
    /// The socket, as the hub sees it.
    #[must_use]
    pub fn slot(&self) -> &Slot {
        &self.slot
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.hub.leave(&self.slot);
    }
}
