//! What the process as a whole asks of the homeserver, outside any conversation.

use std::time::Duration;

use url::Url;

use super::Bridge;
use crate::matrix::HomeserverError;
use crate::store::StoreError;

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
