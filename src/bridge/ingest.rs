//! Takes a transaction from Synapse: one commit that holds everything it means, and only then a 200 (architecture §2).

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ruma::{OwnedRoomId, RoomId};
use serde_json::value::RawValue;

use super::Bridge;
use super::adopt::Strange;
use crate::domain::clock::Timestamp;
use crate::domain::event::{InboundEvent, Malformed, Meaning, RawEvent};
use crate::domain::ids::UserId;
use crate::domain::ingest::{self, Context, DeadLetter, Effects, Outcome, reason};
use crate::matrix::translate::inbound;
use crate::metrics::{EventKind, EventOutcome};
use crate::store::server::Run;
use crate::store::{StoreError, Tx, context, conversations, dead_letters};

/// How often a transaction starts over because somebody else wrote the same key first.
const CONFLICT_ATTEMPTS: u8 = 5;

/// How many events put aside for a room are looked up at once.
const REPLAY_BATCH: i64 = 200;

/// Why a transaction is not taken. Synapse then keeps it and tries again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// Postgres cannot work or was restarted.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something older has to be read from a room before, and cannot be now.
    #[error("a room has to be read before, and cannot be now")]
    NotYet,
}

/// What came of a try to apply events.
enum Tried {
    /// They are applied. With the rooms that became portals.
    Done(Vec<OwnedRoomId>),
    /// Nothing was done: something is said in rooms that are no portals, and nobody has looked whether they are ours.
    Strange(Vec<Strange>),
}

impl Bridge {
    /// Applies the events of a transaction, in order, unless Postgres was restarted since `run`, and before them what is
    /// missing of their rooms. When this returns, they are safe.
    ///
    /// # Errors
    /// When Postgres cannot work or was restarted, or for a while when a room cannot be read that has to be: Synapse then
    /// keeps the events and tries again.
    #[tracing::instrument(name = "appservice.txn", skip_all, fields(events = events.len()))]
    pub async fn accept(&self, events: &[Box<RawValue>], run: Run) -> Result<(), NotTaken> {
        self.inner.pushed.note();
        self.look_into_rooms_of(events).await?;
        if let Tried::Strange(rooms) = self.try_events(events, run, true).await? {
            for room in rooms {
                Box::pin(self.adopt(room)).await?;
            }
            self.apply(events, run).await?;
        }
        Ok(())
    }

    /// As [`Self::accept`], without reading anything from the homeserver before.
    pub(super) async fn apply(&self, events: &[Box<RawValue>], run: Run) -> Result<(), StoreError> {
        self.try_events(events, run, false).await?;
        Ok(())
    }

    async fn try_events(&self, events: &[Box<RawValue>], run: Run, ask: bool) -> Result<Tried, StoreError> {
        if events.is_empty() {
            return Ok(Tried::Done(Vec::new()));
        }
        let started = Instant::now();
        let forgotten = &self.inner.replay_forgotten;
        if forgotten.swap(false, Ordering::Relaxed) {
            self.replay_forgotten()
                .await
                .inspect_err(|_| forgotten.store(true, Ordering::Relaxed))?;
        }
        let mut rooms = Vec::new();
        match self.ingest(events, run, ask).await {
            Ok(Tried::Done(portals)) => rooms.extend(portals),
            Ok(strange) => return Ok(strange),
            Err(error) if error.refuses_data() => {
                // One event spoils the batch: take them one by one, so that only that one is put aside.
                tracing::warn!(error = %error_chain(&error), "a transaction is taken apart");
                for event in events {
                    rooms.extend(self.ingest_alone(event, run).await?);
                }
            }
            Err(error) => return Err(error),
        }
        self.replay_all(rooms)
            .await
            .inspect_err(|_| forgotten.store(true, Ordering::Relaxed))?;
        tracing::debug!(
            events = events.len(),
            took_ms = started.elapsed().as_millis(),
            "transaction committed"
        );
        Ok(Tried::Done(Vec::new()))
    }

    /// Applies the current state of a room, as the homeserver gave it, unless state of the room was pushed since
    /// `version` was read: then what was given may be older, and the answer is false.
    ///
    /// Its events are applied again when they are pushed; what is pushed is in order and has the last word.
    pub(super) async fn accept_state(
        &self,
        mut events: Vec<Box<RawValue>>,
        room: &RoomId,
        version: i64,
    ) -> Result<bool, StoreError> {
        // Roles are for members, so members come first; and who has which decides who hears of those who knock.
        events.sort_by_key(|event| {
            let json = event.get();
            (json.contains("\"knock\""), json.contains("\"m.room.power_levels\""))
        });
        let now = self.now();
        let events: Vec<RawEvent> = events.into_iter().map(|raw| inbound::read(raw, now)).collect();
        let mut tx = self.inner.store.begin().await?;
        let mut context = self.enter(&mut tx, &events, now).await?;
        match context.rooms.get(room) {
            // Nobody's room any more: its state must not make a conversation of it.
            None => return Ok(true),
            Some(portal) if portal.current && portal.state_version != version => return Ok(false),
            Some(_) => {}
        }
        context.seen.clear();
        let (mut effects, _) = ingest::plan(context, events, &mut || self.id(now));
        effects.processed.clear();
        effects.dead_letters.clear();
        effects.touched.clear();
        self.commit(tx, &effects, now).await?;
        Ok(true)
    }

    async fn ingest_alone(&self, event: &RawValue, run: Run) -> Result<Vec<OwnedRoomId>, StoreError> {
        let event = event.to_owned();
        match self.ingest(std::slice::from_ref(&event), run, false).await {
            Err(error) if error.refuses_data() => {
                tracing::error!(error = %error_chain(&error), "an event cannot be stored and is put aside");
                self.put_aside(&event, &error).await?;
                Ok(Vec::new())
            }
            Ok(Tried::Done(portals)) => Ok(portals),
            Ok(Tried::Strange(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Keeps an event that Postgres refuses to store in its place, as a string if it must be.
    async fn put_aside(&self, event: &RawValue, error: &StoreError) -> Result<(), StoreError> {
        let read = inbound::read(event.to_owned(), self.now());
        let (event_id, room) = match read.decoded {
            Ok(InboundEvent { id, room, .. }) => (Some(id), Some(room.to_string())),
            Err(Malformed { event_id, room, .. }) => (event_id, room),
        };
        let letter = |payload: Box<RawValue>| DeadLetter {
            reason: reason::MALFORMED,
            detail: format!("the database refused it: {}", error_chain(error)),
            room: room.clone(),
            event_id: event_id.clone(),
            conversation: None,
            payload,
        };
        let now = self.now();
        for payload in [event.to_owned(), serde_json::value::to_raw_value(event.get())?] {
            let effects = Effects {
                dead_letters: vec![letter(payload)],
                ..Effects::default()
            };
            let tx = self.inner.store.begin().await?;
            match self.commit(tx, &effects, now).await {
                Err(error) if error.refuses_data() => {}
                done => return done,
            }
        }
        tracing::error!(event.id = event_id, "an event cannot even be put aside and is lost");
        Ok(())
    }

    /// One transaction. Where it may `ask`, it does nothing before it is known whose the strange rooms are.
    async fn ingest(&self, raws: &[Box<RawValue>], run: Run, ask: bool) -> Result<Tried, StoreError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.ingest_once(raws, run, ask).await {
                Err(error) if error.conflict().is_some() && attempt < CONFLICT_ATTEMPTS => {
                    tracing::debug!(attempt, "somebody else was faster, starting over");
                }
                done => return done,
            }
        }
    }

    async fn ingest_once(&self, raws: &[Box<RawValue>], run: Run, ask: bool) -> Result<Tried, StoreError> {
        let now = self.now();
        let events: Vec<RawEvent> = raws.iter().map(|raw| inbound::read(raw.clone(), now)).collect();
        let kinds: Vec<EventKind> = events.iter().map(kind).collect();
        // What is read again by ourselves goes the long way: the short one is Synapse's.
        let events = if ask && ingest::is_plain(&events) {
            if let Some(outcomes) = self.ingest_plain(events, now, run).await? {
                self.count(kinds, outcomes);
                return Ok(Tried::Done(Vec::new()));
            }
            raws.iter().map(|raw| inbound::read(raw.clone(), now)).collect()
        } else {
            events
        };
        let mut tx = self.inner.store.begin().await?;
        self.inner.store.server().still_in(run)?;
        let context = self.enter(&mut tx, &events, now).await?;
        let mut strange = if ask {
            self.strange_rooms(&context, &events)
        } else {
            Vec::new()
        };
        let (effects, outcomes) = ingest::plan(context, events, &mut || self.id(now));
        strange.retain(|it| !effects.portals.iter().any(|(_, room)| *room == it.room));
        if !strange.is_empty() {
            return Ok(Tried::Strange(strange));
        }
        self.commit(tx, &effects, now).await?;
        self.inner.places.note(effects.places);
        self.count(kinds, outcomes);
        Ok(Tried::Done(effects.replay))
    }

    /// The short way of a transaction of nothing but messages: planned from what is nearly always so, and written by one
    /// statement that looks whether it is. `None`, and nothing written, where it is not.
    async fn ingest_plain(
        &self,
        events: Vec<RawEvent>,
        now: Timestamp,
        run: Run,
    ) -> Result<Option<Vec<Outcome>>, StoreError> {
        let ghosts = self.inner.ghosts.clone();
        let Some(plain) = ingest::plan_plain(ghosts, self.bots(), now, events, &mut || self.id(now)) else {
            return Ok(None);
        };
        let done = self.inner.store.say_in_rooms(&plain, now, run).await;
        // One part may be there where another is not.
        self.inner.feed_wake.notify_one();
        Ok(done?.then_some(plain.outcomes))
    }

    fn count(&self, kinds: Vec<EventKind>, outcomes: Vec<Outcome>) {
        for (kind, outcome) in kinds.into_iter().zip(outcomes) {
            let (kind, outcome) = counted(kind, outcome);
            self.inner.metrics.events(kind, outcome, 1);
        }
    }

    /// Applies what was put aside for a room before it was a portal. Returns the rooms that became portals by that.
    async fn replay(&self, room: &str) -> Result<Vec<OwnedRoomId>, StoreError> {
        let mut portals = Vec::new();
        let mut last = 0;
        loop {
            let mut connection = self.inner.store.read().await?;
            let letters = dead_letters::of_room(&mut connection, room, last, REPLAY_BATCH).await?;
            drop(connection);
            if letters.is_empty() {
                return Ok(portals);
            }
            for (seq, id) in letters {
                last = seq;
                match self.retry_event(id).await {
                    Ok(made) => portals.extend(made.unwrap_or_default()),
                    // It stays where it is, and must not hold up what comes after it.
                    Err(error) if error.refuses_data() => {
                        tracing::error!(error = %error_chain(&error), letter = %id, "a dead letter cannot be applied");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Applies what is left over for rooms that are portals: somebody died between the commit that made one and this.
    async fn replay_forgotten(&self) -> Result<(), StoreError> {
        let mut connection = self.inner.store.read().await?;
        let rooms = dead_letters::forgotten_rooms(&mut connection).await?;
        drop(connection);
        for room in rooms {
            self.replay_all(self.replay(&room).await?).await?;
        }
        Ok(())
    }

    pub(super) async fn replay_all(&self, rooms: Vec<OwnedRoomId>) -> Result<(), StoreError> {
        let mut rooms = VecDeque::from(rooms);
        while let Some(room) = rooms.pop_front() {
            rooms.extend(self.replay(room.as_str()).await?);
        }
        Ok(())
    }

    /// Takes an event out of the dead letters and applies it, in one transaction. `None` where there is no such letter.
    pub(super) async fn retry_event(&self, id: uuid::Uuid) -> Result<Option<Vec<OwnedRoomId>>, StoreError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.retry_event_once(id).await {
                Err(error) if error.conflict().is_some() && attempt < CONFLICT_ATTEMPTS => {}
                done => return done,
            }
        }
    }

    async fn retry_event_once(&self, id: uuid::Uuid) -> Result<Option<Vec<OwnedRoomId>>, StoreError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        // The lock of the conversation has to come before the first write, so the event is read before it is taken.
        let Some(raw) = dead_letters::peek_event(&mut tx, id).await? else {
            return Ok(None);
        };
        let events = vec![inbound::read(raw, now)];
        let mut context = self.enter(&mut tx, &events, now).await?;
        context.seen.clear();
        if !dead_letters::discard(&mut tx, id).await? {
            // Somebody else applied it while we waited for our turn.
            return Ok(None);
        }
        let (effects, _) = ingest::plan(context, events, &mut || self.id(now));
        self.commit(tx, &effects, now).await?;
        Ok(Some(effects.replay))
    }

    async fn enter(&self, tx: &mut Tx, events: &[RawEvent], now: Timestamp) -> Result<Context, StoreError> {
        self.enter_with(tx, events, None, now).await
    }

    /// As [`Self::enter`], with the direct conversation of two people.
    pub(super) async fn enter_with(
        &self,
        tx: &mut Tx,
        events: &[RawEvent],
        two: Option<(UserId, UserId)>,
        now: Timestamp,
    ) -> Result<Context, StoreError> {
        let rules = context::Rules {
            calls: self.inner.settings.calls.rules(),
            dm_permission: self.inner.settings.dm_permission,
            two,
        };
        context::enter(tx, self.inner.ghosts.clone(), self.bots(), events, rules, now).await
    }

    /// Locks a conversation and reads it.
    pub(super) async fn locked(
        &self,
        tx: &mut Tx,
        id: crate::domain::ids::ConversationId,
    ) -> Result<Option<crate::domain::conversation::Conversation>, StoreError> {
        conversations::lock(tx, &[id]).await?;
        conversations::find(tx, id).await
    }
}

fn kind(event: &RawEvent) -> EventKind {
    match event.decoded.as_ref().map(|event| &event.meaning) {
        Ok(Meaning::Message { .. } | Meaning::Encrypted | Meaning::NotYet { .. }) => EventKind::Message,
        Ok(Meaning::Act { .. }) => EventKind::Act,
        Ok(Meaning::Member(_)) => EventKind::Member,
        Ok(Meaning::Call { .. } | Meaning::RtcRing { .. }) => EventKind::Call,
        Ok(
            Meaning::Create { .. }
            | Meaning::Name(_)
            | Meaning::Topic(_)
            | Meaning::Avatar(_)
            | Meaning::PowerLevels { .. }
            | Meaning::Pinned { .. }
            | Meaning::Tombstone { .. },
        ) => EventKind::State,
        Ok(Meaning::Nothing) | Err(_) => EventKind::Other,
    }
}

/// As what an event is counted, after what became of it.
const fn counted(kind: EventKind, outcome: Outcome) -> (EventKind, EventOutcome) {
    match outcome {
        Outcome::Applied => (kind, EventOutcome::Applied),
        Outcome::Echo => (EventKind::Echo, EventOutcome::Applied),
        Outcome::Duplicate => (kind, EventOutcome::Duplicate),
        Outcome::Ignored => (kind, EventOutcome::Ignored),
        Outcome::DeadLetter => (kind, EventOutcome::DeadLetter),
    }
}

/// An error with its causes, on one line.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
