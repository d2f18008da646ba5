//! The keys that tokens are checked with: fixed ones, or a key set that is fetched.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use tokio::sync::Mutex;

use super::Denied;
use crate::domain::clock::Timestamp;

/// How long a key set is left alone, however many tokens name a key that it lacks.
const QUIET: TimeDelta = TimeDelta::minutes(1);
/// The same while no key is known at all, and so nobody can get in.
const IMPATIENT: TimeDelta = TimeDelta::seconds(5);
/// How long a key that Nova took back stays good at most.
const STALE: TimeDelta = TimeDelta::hours(1);

/// Fetches a key set.
pub type FetchKeys = Arc<dyn Fn() -> BoxFuture<'static, Result<JwkSet, Box<dyn StdError + Send + Sync>>> + Send + Sync>;

/// A text that is no key.
#[derive(Debug, thiserror::Error)]
#[error("not an RSA public key in PEM form")]
pub struct KeyError(#[from] jsonwebtoken::errors::Error);

/// One key, and its name in the set.
#[derive(Clone)]
pub(super) struct Named {
    id: Option<String>,
    key: DecodingKey,
}

pub(super) enum Keys {
    Fixed(Vec<DecodingKey>),
    Fetched {
        fetch: FetchKeys,
        known: RwLock<Arc<[Named]>>,
        /// When the set was last asked for. Held while it is, so that one question is enough for all who wait.
        asked: Mutex<Option<Timestamp>>,
    },
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed",
            Self::Fetched { .. } => "Fetched",
        })
    }
}

impl Keys {
    pub(super) fn from_pem<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, KeyError> {
        let keys: Result<Vec<_>, _> = keys.into_iter().map(DecodingKey::from_rsa_pem).collect();
        Ok(Self::Fixed(keys?))
    }

    pub(super) fn from_key_set(fetch: FetchKeys) -> Self {
        Self::Fetched {
            fetch,
            known: RwLock::new(Arc::from([])),
            asked: Mutex::new(None),
        }
    }

    /// The keys that a token may be signed with. Those in PEM form have no name; a token that names none may be signed
    /// with any of the set.
    pub(super) async fn candidates(&self, id: Option<&str>, now: Timestamp) -> Result<Vec<DecodingKey>, Denied> {
        let (fetch, known, asked) = match self {
            Self::Fixed(keys) => return Ok(keys.clone()),
            Self::Fetched { fetch, known, asked } => (fetch, known, asked),
        };
        let fitting = || -> Vec<DecodingKey> {
            let known = known.read().unwrap_or_else(PoisonError::into_inner);
            let fits = |named: &&Named| id.is_none() || named.id.is_none() || named.id.as_deref() == id;
            known.iter().filter(fits).map(|named| named.key.clone()).collect()
        };
        // Whoever has a key need not wait for another one's answer.
        let mut asked = match asked.try_lock() {
            Ok(asked) => asked,
            Err(_) => match fitting() {
                keys if keys.is_empty() => asked.lock().await,
                keys => return Ok(keys),
            },
        };
        let nothing_known = || known.read().unwrap_or_else(PoisonError::into_inner).is_empty();
        let age = asked.map(|then| now.signed_duration_since(then));
        let wanted = age.is_none_or(|age| {
            let patience = if nothing_known() { IMPATIENT } else { QUIET };
            age >= STALE || (age >= patience && fitting().is_empty())
        });
        if wanted {
            *asked = Some(now);
            match fetch().await {
                Ok(set) => {
                    let keys: Arc<[Named]> = set.keys.iter().filter_map(usable).collect();
                    *known.write().unwrap_or_else(PoisonError::into_inner) = keys;
                }
                Err(error) if nothing_known() => return Err(Denied::NoKeys(error)),
                Err(error) => {
                    tracing::warn!(
                        error,
                        "the keys of Nova's tokens cannot be read; the known ones stay good"
                    );
                }
            }
        }
        if nothing_known() {
            return Err(Denied::NoKeys("there was no usable key a moment ago".into()));
        }
        Ok(fitting())
    }
}

/// An RSA key for signatures with RS256.
fn usable(key: &Jwk) -> Option<Named> {
    let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let algorithm = matches!(key.common.key_algorithm, None | Some(KeyAlgorithm::RS256));
    let rsa = matches!(key.algorithm, AlgorithmParameters::RSA(_));
    if !(signs && algorithm && rsa) {
        return None;
    }
    Some(Named {
        id: key.common.key_id.clone(),
        key: DecodingKey::from_jwk(key).ok()?,
    })
}
