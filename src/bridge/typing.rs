//! Who types: Nova users for Matrix and each other, Matrix users for Nova. Nothing of it is kept anywhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use ruma::{OwnedRoomId, OwnedUserId};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Bridge;
use super::ingest::error_chain;
use super::live::Live;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::typing::{News, TOLD_FOR_MS, Typing};
use crate::store::{StoreError, blocks, conversations};

/// How long nobody types before it is looked at again; whoever begins wakes.
const IDLE: Duration = Duration::from_mins(1);

/// How long Matrix may take to hear of it, and how many it hears of at once.
const PATIENCE: Duration = Duration::from_secs(5);
const REQUESTS: usize = 8;

/// Who types, and of whom Matrix has not been told.
#[derive(Debug, Default)]
pub(super) struct Typists {
    now: Mutex<Typing>,
    changed: Notify,
    /// The last word on each: a homeserver that is slow or away is not told what was before.
    untold: Mutex<HashMap<(ConversationId, UserId), bool>>,
    to_tell: Notify,
}

impl Typists {
    fn now(&self) -> MutexGuard<'_, Typing> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untold(&self) -> MutexGuard<'_, HashMap<(ConversationId, UserId), bool>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bridge {
    /// A Nova user types. Somebody who takes no part in the conversation is not heard.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn begins_typing(&self, conversation: ConversationId, user: UserId) -> Result<(), StoreError> {
        let known = self.inner.typists.now().knows(conversation, user);
        let name: Arc<str> = if let Some(name) = known {
            name
        } else {
            let mut connection = self.inner.store.read().await?;
            let found = conversations::joined_among(&mut connection, conversation, &[user.0]).await?;
            match found.into_iter().next() {
                Some((_, name)) => name.into(),
                None => return Ok(()),
            }
        };
        let news = self.inner.typists.now().begins(conversation, user, &name, self.now());
        self.typing_news(news);
        Ok(())
    }

    /// A Nova user no longer types.
    pub fn ends_typing(&self, conversation: ConversationId, user: UserId) {
        let news = self.inner.typists.now().ends(conversation, user);
        self.typing_news(news);
    }

    /// Everybody who types in a room now, as Matrix says. Of our ghosts it only repeats what we said.
    pub(super) async fn take_typing(&self, room: &str, users: &[OwnedUserId]) -> Result<(), StoreError> {
        let mut connection = self.inner.store.read().await?;
        let Some(conversation) = conversations::of_room(&mut connection, room).await? else {
            return Ok(());
        };
        let ids: Vec<uuid::Uuid> = users
            .iter()
            .filter(|user| self.ghosts().nova_user(user.as_str()).is_none())
            .map(|user| self.ghosts().person(user.as_str()).0)
            .collect();
        let members = if ids.is_empty() {
            Vec::new()
        } else {
            conversations::joined_among(&mut connection, conversation, &ids).await?
        };
        drop(connection);
        let members: Vec<(UserId, Arc<str>)> = members.into_iter().map(|(user, name)| (user, name.into())).collect();
        let news = self.inner.typists.now().in_matrix(conversation, &members, self.now());
        self.typing_news(news);
        Ok(())
    }

    /// Lets time pass for those who type, until `stop`.
    pub async fn watch_typing(&self, stop: CancellationToken) {
        let typists = &self.inner.typists;
        loop {
            let now = self.now();
            let news = typists.now().pass(now);
            self.typing_news(news);
            let next = typists.now().next();
            let wait = next.map_or(IDLE, |next| (next - now).to_std().unwrap_or_default());
            tokio::select! {
                () = stop.cancelled() => return,
                _ = timeout_at(Instant::now() + wait, typists.changed.notified()) => {}
            }
        }
    }

    fn typing_news(&self, news: News) {
        let typists = &self.inner.typists;
        if !news.told.is_empty() {
            let told = news.told.into_iter();
            typists
                .untold()
                .extend(told.map(|typist| ((typist.conversation, typist.user), typist.typing)));
            typists.to_tell.notify_one();
        }
        if !news.shown.is_empty() {
            typists.changed.notify_one();
        }
        let at = self.now();
        for typist in news.shown {
            self.show(Live::Typing { typist, at });
        }
    }

    /// Tells Matrix who types, until `stop`. What it does not take in time is forgotten.
    pub async fn send_typing(&self, stop: CancellationToken) {
        let typists = &self.inner.typists;
        while stop.run_until_cancelled(typists.to_tell.notified()).await.is_some() {
            // All of them, before the next word on any of them.
            let untold = std::mem::take(&mut *typists.untold());
            let told = untold.into_iter().map(|(place, typing)| async move {
                match timeout(PATIENCE, self.tell_typing(place, typing)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(error, "Matrix is not told who types"),
                    Err(_) => tracing::debug!("Matrix takes too long to hear who types"),
                }
            });
            let sent = iter(told).buffer_unordered(REQUESTS).collect::<()>();
            if stop.run_until_cancelled(sent).await.is_none() {
                return;
            }
        }
    }

    async fn tell_typing(&self, (conversation, user): (ConversationId, UserId), typing: bool) -> Result<(), String> {
        let room = async {
            let mut connection = self.inner.store.read().await?;
            // That somebody types no more may be told to anybody.
            if typing
                && !blocks::hushed(&mut connection, &[(conversation, user)])
                    .await?
                    .is_empty()
            {
                return Ok(None);
            }
            conversations::room_of(&mut connection, conversation).await
        };
        let room: Result<Option<String>, StoreError> = room.await;
        let room = room.map_err(|error| error_chain(&error))?;
        let room = room.and_then(|room| OwnedRoomId::try_from(room).ok());
        let ghost = OwnedUserId::try_from(self.ghosts().mxid(user)).ok();
        let (Some(room), Some(ghost)) = (room, ghost) else {
            return Ok(());
        };
        let lasts = typing.then_some(Duration::from_millis(TOLD_FOR_MS));
        let told = self.homeserver().set_typing(&ghost, &room, lasts).await;
        told.map_err(|error| error_chain(&error))
    }
}
