//! Sealing what is stored: the one place where the keys of [`crate::seal`] meet rows.

use std::fmt::{self, Display};
use std::sync::Arc;

use super::StoreError;
use crate::domain::random::{Random, SystemRandom};
use crate::seal::{Keyring, MARK, NonceBytes, OpenError, Place};

/// What is sealed. Together with an id it is the place that a text is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// `content` of `messages`, and of `message_versions`: both by the message's id, because an edit that is taken back gives
    /// the message its earlier text again.
    Content,
    /// `formatted` of the same.
    Formatted,
    /// `media` of `message_media`, by the message's id.
    Media,
    /// `media` of `uploads`, by its id.
    Upload,
    /// `job` of `outbox`, by its id.
    Job,
    /// `payload` of `dead_letters`, by its id.
    Letter,
    /// `act` of `early_acts`, by its event's id.
    Act,
}

impl What {
    /// Its name, which every sealed text is bound to: never to be changed.
    const fn name(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Formatted => "formatted",
            Self::Media => "media",
            Self::Upload => "upload",
            Self::Job => "job",
            Self::Letter => "letter",
            Self::Act => "act",
        }
    }
}

/// The keys, and where nonces come from.
#[derive(Clone)]
pub struct Sealer {
    keys: Keyring,
    random: Arc<dyn Random>,
}

impl Sealer {
    /// Seals with these keys.
    #[must_use]
    pub const fn new(keys: Keyring, random: Arc<dyn Random>) -> Self {
        Self { keys, random }
    }

    /// The keys.
    #[must_use]
    pub const fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// A text as it is stored.
    pub(super) fn seal(&self, what: What, id: impl Display, text: &str) -> Result<String, StoreError> {
        self.seal_at(what.name(), id, text)
    }

    pub(super) fn seal_at(&self, what: &str, id: impl Display, text: &str) -> Result<String, StoreError> {
        let id = id.to_string();
        Ok(self.keys.seal(Place { what, id: &id }, self.nonce(), text)?)
    }

    /// The same, where there may be none.
    pub(super) fn seal_some(
        &self,
        what: What,
        id: impl Display,
        text: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        text.map(|text| self.seal(what, id, text)).transpose()
    }

    /// JSON as it is stored in a column that holds JSON: sealed it is a string.
    pub(super) fn seal_json(&self, what: What, id: impl Display, json: &str) -> Result<String, StoreError> {
        // Without a key it stays what it is, unless it could be taken for sealed.
        if self.keys.first().is_none() && !is_sealed_json(json) {
            return Ok(json.to_owned());
        }
        Ok(serde_json::to_string(&self.seal(what, id, json)?)?)
    }

    /// The text of what is stored.
    pub(super) fn open(&self, what: What, id: impl Display, stored: &str) -> Result<String, OpenError> {
        self.open_at(what.name(), id, stored)
    }

    pub(super) fn open_at(&self, what: &str, id: impl Display, stored: &str) -> Result<String, OpenError> {
        // Most of an installation without keys is plain.
        if !stored.starts_with(MARK) {
            return Ok(stored.to_owned());
        }
        let id = id.to_string();
        self.keys.open(Place { what, id: &id }, stored)
    }

    /// JSON from a column that holds JSON.
    pub(super) fn open_json(&self, what: What, id: impl Display, stored: String) -> Result<String, OpenError> {
        match serde_json::from_str::<String>(&stored) {
            Ok(sealed) if sealed.starts_with(MARK) => self.open(what, id, &sealed),
            Ok(_) | Err(_) => Ok(stored),
        }
    }

    /// A text that is shown among others. One that does not open is shown empty, so that it does not keep anybody from the
    /// others, and the log says which.
    pub(super) fn shown(&self, what: What, id: impl Display + Copy, stored: &str) -> String {
        self.open(what, id, stored)
            .map_err(|error| report(what, id, &error))
            .unwrap_or_default()
    }

    fn nonce(&self) -> NonceBytes {
        let (one, other) = (self.random.bytes(), self.random.bytes());
        let mut bytes = one.into_iter().chain(other);
        std::array::from_fn(|_| bytes.next().unwrap_or_default())
    }
}

impl Default for Sealer {
    /// Without a key.
    fn default() -> Self {
        Self::new(Keyring::default(), Arc::new(SystemRandom))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sealer").field(&self.keys).finish()
    }
}

/// Says in the log that something does not open.
pub(super) fn report(what: What, id: impl Display, error: &OpenError) {
    tracing::error!(%error, what = what.name(), row = %id, "a sealed text cannot be opened");
}

/// Whether JSON is a string that begins like a sealed text.
fn is_sealed_json(json: &str) -> bool {
    serde_json::from_str::<String>(json).is_ok_and(|text| text.starts_with(MARK))
}
