//! What the process as a whole asks of the homeserver, outside any conversation.

use std::time::Duration;

use ruma::OwnedRoomId;
use serde_json::json;
use serde_json::value::to_raw_value;
use url::Url;

use super::Bridge;
use crate::matrix::HomeserverError;
use crate::store::StoreError;

/// What is said where nobody is.
const LINE_EVENT: &str = "social.nova.line";

impl Bridge {
    /// Has the homeserver ping us. When that succeeds, it also delivers at once what it kept for us.
    ///
    /// # Errors
    /// When the two do not reach each other.
    pub async fn ping_homeserver(&self, appservice_id: &str) -> Result<Duration, HomeserverError> {
        let transaction = self.id(self.now()).to_string();
        self.homeserver().ping(appservice_id, &transaction).await
    }

    /// Makes sure that the bot that people talk to exists.
    pub async fn register_bot(&self) {
        let bot = &self.inner.settings.bot;
        let made = async {
            self.homeserver().register(bot.localpart()).await?;
            self.homeserver().set_display_name(bot, Some("Nova")).await
        };
        if let Err(error) = made.await {
            tracing::warn!(%error, user.id = %bot, "the bot could not be registered");
        }
    }

    /// Says something where nobody is, so that Synapse has a transaction to push.
    ///
    /// When Synapse comes to the end of its backlog it may leave one transaction behind. That shows only by the number of the
    /// one after it; and if nobody says anything any more, there is none.
    ///
    /// # Errors
    /// When the homeserver does not answer, or refuses.
    pub async fn try_line(&self) -> Result<(), HomeserverError> {
        let bot = &self.inner.settings.bot;
        let room = self.inner.line.get_or_try_init(async || self.line_room().await).await?;
        let transaction = self.id(self.now()).to_string();
        let nothing = to_raw_value(&json!({})).map_err(|error| HomeserverError::Request(error.into()))?;
        self.homeserver()
            .send_event(bot, room, LINE_EVENT, &transaction, &nothing)
            .await?;
        Ok(())
    }

    /// A room of the bot's alone.
    async fn line_room(&self) -> Result<OwnedRoomId, HomeserverError> {
        let (bot, alias) = (&self.inner.settings.bot, &self.inner.settings.line);
        if let Some(room) = self.homeserver().resolve_alias(alias).await? {
            return Ok(room);
        }
        let body = json!({
            "preset": "private_chat",
            "name": "nova-bridge: tries the line",
            "room_alias_name": alias.alias(),
            "creation_content": { "m.federate": false },
        });
        self.homeserver().create_room(bot, &body).await
    }

    /// Whether Postgres answers now.
    pub async fn database_answers(&self) -> bool {
        let asked = async {
            let mut connection = self.inner.store.read().await?;
            self.inner.store.feed_horizon(&mut connection).await
        };
        asked
            .await
            .map_err(|error: StoreError| tracing::debug!(%error, "the database is still away"))
            .is_ok()
    }

    /// Fetches the keys that Nova signs its tokens with.
    ///
    /// # Errors
    /// When they cannot be had.
    pub async fn fetch_json<A: serde::de::DeserializeOwned>(&self, url: &Url) -> Result<Option<A>, HomeserverError> {
        self.homeserver().fetch_json(url).await
    }
}
