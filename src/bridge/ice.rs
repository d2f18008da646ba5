//! The servers that help two clients to get through to each other (nova-api §5).
//!
//! In this order: what Synapse gives to the caller's ghost, credentials of our own from a secret that a TURN server
//! shares, fixed servers, and STUN alone. A call never fails for want of them.

mod credentials;

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use chrono::TimeDelta;
use moka::sync::Cache;
use ruma::OwnedUserId;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::Bridge;
use crate::bridge::ingest::error_chain;
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;
use crate::matrix::TurnServer;

/// How long the homeserver may take. Somebody waits for the call.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a homeserver that did not answer is not asked again.
const AWAY: TimeDelta = TimeDelta::seconds(30);
/// How long it is believed that the homeserver has no TURN server.
const NONE: TimeDelta = TimeDelta::minutes(5);
/// How long what has no end of its own is said to last.
const LASTING: Duration = Duration::from_hours(24);
/// The shortest and the longest time that a homeserver's credentials are believed to last.
const LIFETIMES: (u64, u64) = (60, 7 * 24 * 60 * 60);
/// How many people's credentials are kept.
const REMEMBERED: u64 = 10_000;

/// What an admin has set up.
#[derive(Debug, Clone, Default)]
pub struct IceSettings {
    /// A TURN server that shares a secret with us.
    pub turn: Option<SharedTurn>,
    /// Fixed servers.
    pub servers: Vec<IceServer>,
    /// STUN servers.
    pub stun_uris: Vec<String>,
}

/// A TURN server that takes what is signed with a secret (coturn: `use-auth-secret`).
#[derive(Debug, Clone)]
pub struct SharedTurn {
    /// Its addresses.
    pub uris: Vec<String>,
    /// The secret.
    pub secret: SecretString,
    /// How long what is signed lasts.
    pub lifetime: Duration,
}

/// A password for a TURN server. It is shown to its user and never logged.
#[derive(Clone)]
pub struct Credential(SecretString);

impl Credential {
    /// The password.
    #[must_use]
    pub fn exposed(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Credential {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<SecretString> for Credential {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.exposed() == other.exposed()
    }
}

impl Eq for Credential {}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

/// One server, or several with the same credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// The addresses.
    pub urls: Vec<String>,
    /// The name, for TURN.
    pub username: Option<String>,
    /// The password, for TURN.
    pub credential: Option<Credential>,
}

impl IceServer {
    fn open(urls: &[String]) -> Self {
        Self {
            urls: urls.to_vec(),
            username: None,
            credential: None,
        }
    }
}

/// All servers for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServers {
    /// The servers; there may be none.
    pub servers: Vec<IceServer>,
    /// How long they can be used from now.
    pub lifetime: Duration,
}

/// What the homeserver gave out.
pub(super) struct IceMemory {
    given: Cache<UserId, Given>,
    /// Until when the homeserver is not asked, because it does not answer.
    away_until: Mutex<Option<Timestamp>>,
}

#[derive(Debug, Clone)]
struct Given {
    /// Nothing where the homeserver has no TURN server.
    server: Option<IceServer>,
    ask_again: Timestamp,
    ends: Timestamp,
}

impl IceMemory {
    pub(super) fn new() -> Self {
        Self {
            given: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(Duration::from_hours(24))
                .build(),
            away_until: Mutex::default(),
        }
    }

    fn is_away(&self, now: Timestamp) -> bool {
        let until = self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| now < until)
    }

    fn note_away(&self, until: Option<Timestamp>) {
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Bridge {
    /// The servers that a Nova user may use now.
    pub async fn ice_servers(&self, user: UserId) -> IceServers {
        let settings = &self.inner.settings.ice;
        let now = self.now();
        let (turn, lifetime) = match self.given(user, now).await {
            Some((server, lifetime)) => (vec![server], lifetime),
            None => match &settings.turn {
                Some(turn) => (vec![credentials::signed(turn, user, now)], turn.lifetime),
                None => (settings.servers.clone(), LASTING),
            },
        };
        let stun = Some(IceServer::open(&settings.stun_uris)).filter(|stun| !stun.urls.is_empty());
        IceServers {
            servers: turn.into_iter().chain(stun).collect(),
            lifetime,
        }
    }

    /// What the homeserver gives to the user's ghost, if it has a TURN server and answers in time.
    async fn given(&self, user: UserId, now: Timestamp) -> Option<(IceServer, Duration)> {
        let memory = &self.inner.ice;
        let known = memory.given.get(&user).filter(|it| now < it.ask_again);
        let given = match known {
            Some(known) => known,
            None if memory.is_away(now) => return None,
            None => {
                let given = self.ask_for_turn(user, now).await?;
                memory.given.insert(user, given.clone());
                given
            }
        };
        let lasts = (given.ends - now).to_std().unwrap_or_default();
        given.server.map(|server| (server, lasts))
    }

    async fn ask_for_turn(&self, user: UserId, now: Timestamp) -> Option<Given> {
        let asked = async {
            let ghost = OwnedUserId::try_from(self.ghosts().mxid(user)).map_err(|error| error.to_string())?;
            // The homeserver knows nobody who was not registered.
            self.ensure_ghost(user).await.map_err(|error| error_chain(&error))?;
            self.homeserver()
                .turn_server(Some(&ghost))
                .await
                .map_err(|error| error_chain(&error))
        };
        let answer: Result<TurnServer, String> = match timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => Err("no answer in time".to_owned()),
        };
        match answer {
            Ok(turn) => {
                self.inner.ice.note_away(None);
                Some(remembered(turn, now))
            }
            Err(error) => {
                tracing::warn!(error, "the homeserver gives out no TURN servers, others are used");
                self.inner.ice.note_away(Some(now + AWAY));
                None
            }
        }
    }
}

/// What the homeserver gave, and for how long that is used: half of its life, so that what is handed out lasts.
fn remembered(turn: TurnServer, now: Timestamp) -> Given {
    if turn.uris.is_empty() {
        return Given {
            server: None,
            ask_again: now + NONE,
            ends: now,
        };
    }
    let seconds = turn.ttl.clamp(LIFETIMES.0, LIFETIMES.1);
    let lasts = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(60));
    Given {
        server: Some(IceServer {
            urls: turn.uris,
            username: turn.username,
            credential: turn.password.map(Credential::from),
        }),
        ask_again: now + lasts / 2,
        ends: now + lasts,
    }
}

#[cfg(test)]
mod tests;
