//! How each leg is tried for real.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use ruma::{OwnedUserId, UserId};
use uuid::Uuid;

use super::{Answer, Failure, Leg, Ping};
use crate::app::connect as parts;
use crate::appservice::ping_responder::{self, PingResponder};
use crate::appservice::registration::Registration;
use crate::config::{self, Config, Environment};
use crate::domain::ghost::{Ghosts, parse_mxid};
use crate::domain::ids::UserId as NovaUser;
use crate::matrix::{Homeserver, HomeserverError, Settings, unobserved};
use crate::store::connect::{self, ConnectError};
use crate::store::{PgPool, keys};

/// What the legs tried so far have brought to light.
pub(super) struct Checks<'a> {
    path: &'a Path,
    environment: &'a Environment,
    /// By which our own ping is known from others.
    transaction_id: String,
    config: Option<Config>,
    registration: Option<Registration>,
    pool: Option<PgPool>,
    homeserver: Option<Homeserver>,
    /// Whom the homeserver takes us for.
    identity: Option<OwnedUserId>,
}

impl<'a> Checks<'a> {
    pub(super) fn new(path: &'a Path, environment: &'a Environment, transaction_id: String) -> Self {
        Self {
            path,
            environment,
            transaction_id,
            config: None,
            registration: None,
            pool: None,
            homeserver: None,
            identity: None,
        }
    }

    /// Tries one leg, after those that it needs.
    pub(super) async fn check(&mut self, leg: Leg) -> Result<String, Failure> {
        match leg {
            Leg::Configuration => {
                self.config = Some(config::load(self.path, self.environment)?);
                Ok(self.path.display().to_string())
            }
            Leg::Registration => self.registration(),
            Leg::Database => {
                let pool = parts::database(self.config(leg)?)
                    .await
                    .map_err(Failure::Database)?
                    .pool;
                let found = connect::place_of(&pool);
                self.pool = Some(pool);
                Ok(found)
            }
            Leg::Migrations => self.migrations().await,
            Leg::Sealing => self.sealing().await,
            Leg::Homeserver => self.homeserver().await,
            Leg::Token => self.token().await,
            Leg::Domain => self.domain(),
            Leg::Namespace => self.namespace().await,
            Leg::Ping => self.ping().await,
            Leg::Turn => self.turn().await,
        }
    }

    fn registration(&mut self) -> Result<String, Failure> {
        let config = self.config(Leg::Registration)?;
        let path = config.appservice.registration_file.clone();
        let registration = Registration::read(&path)?;
        let differences = registration.differences(&config.homeserver.domain, &config.appservice.url);
        if !differences.is_empty() {
            return Err(Failure::RegistrationDiffers { path, differences });
        }
        self.registration = Some(registration);
        Ok(path.display().to_string())
    }

    async fn migrations(&self) -> Result<String, Failure> {
        let pool = known(Leg::Migrations, self.pool.as_ref())?;
        let pending = connect::pending(pool).await.map_err(Failure::Database)?;
        if pending.is_empty() {
            return Ok("the schema is up to date".to_owned());
        }
        Err(Failure::Database(ConnectError::Behind { pending: pending.len() }))
    }

    async fn sealing(&self) -> Result<String, Failure> {
        let pool = known(Leg::Sealing, self.pool.as_ref())?;
        let config = self.config(Leg::Sealing)?;
        let sealer = parts::sealer(config);
        keys::check(pool, &sealer).await.map_err(Failure::Database)?;
        match sealer.keys().first() {
            None => Err(Failure::Unsealed),
            Some(_) if config.search.enabled => Err(Failure::SearchOpen),
            Some(key) => Ok(format!("what people say is sealed by the key {key}")),
        }
    }

    async fn homeserver(&mut self) -> Result<String, Failure> {
        let leg = Leg::Homeserver;
        let config = self.config(leg)?;
        let url = config.homeserver.url.clone();
        // This first question goes without the token.
        let token = self
            .registration
            .as_ref()
            .map(|registration| registration.as_token.clone());
        let homeserver = Homeserver::new(Settings {
            url: url.clone(),
            as_token: token.unwrap_or_default(),
            request_timeout: config.homeserver.request_timeout,
            observer: unobserved(),
        })
        .map_err(|error| self.failure(leg, &error))?;
        let versions = homeserver.versions().await.map_err(|error| self.failure(leg, &error))?;
        self.homeserver = Some(homeserver);
        let newest = versions.last().map_or("no version", String::as_str);
        Ok(format!("{url} speaks Matrix up to {newest}"))
    }

    async fn token(&mut self) -> Result<String, Failure> {
        let leg = Leg::Token;
        let homeserver = known(leg, self.homeserver.as_ref())?;
        let actual = homeserver
            .whoami(None)
            .await
            .map_err(|error| self.failure(leg, &error))?;
        let registration = known(leg, self.registration.as_ref())?;
        if actual.localpart() != registration.sender_localpart {
            let expected = UserId::parse_with_server_name(registration.sender_localpart.as_str(), actual.server_name());
            return Err(match expected {
                Ok(expected) => Failure::TokenOfAnother { actual, expected },
                Err(error) => unexpected(leg, &error),
            });
        }
        let found = format!("Synapse knows us as {actual}");
        self.identity = Some(actual);
        Ok(found)
    }

    fn domain(&self) -> Result<String, Failure> {
        let configured = &self.config(Leg::Domain)?.homeserver.domain;
        let actual = known(Leg::Domain, self.identity.as_ref())?.server_name();
        if actual == configured {
            return Ok(actual.to_string());
        }
        Err(Failure::DomainDiffers {
            actual: actual.to_owned(),
            configured: configured.clone(),
        })
    }

    async fn namespace(&self) -> Result<String, Failure> {
        let leg = Leg::Namespace;
        let ghost = self.probe(leg)?;
        let homeserver = known(leg, self.homeserver.as_ref())?;
        let covered = || Ok(format!("Synapse lets us act as {ghost}"));
        match homeserver.whoami(Some(&ghost)).await {
            Ok(_) => covered(),
            Err(error) if with_answer(&error, |answer| answer.proves_namespace()) => covered(),
            Err(error) => Err(self.failure(leg, &error)),
        }
    }

    /// A ghost that nobody has.
    fn probe(&self, leg: Leg) -> Result<OwnedUserId, Failure> {
        let ghosts = Ghosts::new(&self.config(leg)?.homeserver.domain);
        known(leg, parse_mxid(&ghosts.mxid(NovaUser(Uuid::nil()))))
    }

    /// Asks the homeserver to ping us. The bridge that runs answers; where none does, we answer in its place.
    async fn ping(&self) -> Result<String, Failure> {
        let leg = Leg::Ping;
        let address = self.config(leg)?.appservice.listen;
        let registration = known(leg, self.registration.as_ref())?;
        let homeserver = known(leg, self.homeserver.as_ref())?;
        let asked = homeserver.ping(&registration.id, &self.transaction_id);
        match PingResponder::bind(address, registration.hs_token.clone()).await {
            Ok(responder) => {
                let (answer, heard) = responder.answer_while(asked).await;
                self.judge(answer, &heard)
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let took = asked.await.map_err(|error| self.failure(leg, &error))?;
                Ok(format!(
                    "Synapse reaches the bridge that runs at {address}, in {} ms",
                    took.as_millis()
                ))
            }
            Err(error) => Err(Failure::Ping(Ping::NoListener {
                address,
                reason: error.to_string(),
            })),
        }
    }

    /// Who gives out TURN servers. Every local user is given the same ones; we ask for ourselves, because a ghost need not
    /// exist yet.
    async fn turn(&self) -> Result<String, Failure> {
        let leg = Leg::Turn;
        let calls = &self.config(leg)?.calls;
        if !calls.enabled {
            return Ok("not needed: calls are switched off".to_owned());
        }
        let homeserver = known(leg, self.homeserver.as_ref())?;
        let answer = homeserver.turn_server(None).await;
        let first = |uris: &[String]| uris.first().cloned().unwrap_or_default();
        match answer {
            Ok(turn) if !turn.uris.is_empty() => {
                Ok(format!("Synapse gives out {}, for {} s", first(&turn.uris), turn.ttl))
            }
            Ok(_) | Err(_) if !calls.turn_uris.is_empty() => {
                Ok(format!("the bridge gives out {}", first(&calls.turn_uris)))
            }
            Ok(_) | Err(_) if calls.has_turn() => Ok("the bridge gives out calls.ice_servers".to_owned()),
            Ok(_) => Err(Failure::NoTurn),
            // A homeserver that knows no calls at all.
            Err(error) if error.status() == Some(404) => Err(Failure::NoTurn),
            Err(error) => Err(self.failure(leg, &error)),
        }
    }

    /// What the homeserver says, beside what we heard.
    fn judge(
        &self,
        answer: Result<Duration, HomeserverError>,
        heard: &[ping_responder::Ping],
    ) -> Result<String, Failure> {
        let ours = |ping: &&ping_responder::Ping| ping.transaction_id.as_deref() == Some(&*self.transaction_id);
        match (answer, heard.iter().find(ours)) {
            (_, Some(ping)) if !ping.with_our_token => Err(Failure::Ping(Ping::OtherToken)),
            (Ok(took), Some(_)) => Ok(format!(
                "Synapse reaches us, in {} ms (the bridge does not run: doctor answered)",
                took.as_millis()
            )),
            (Ok(_), None) => Err(Failure::Ping(Ping::NotHere)),
            (Err(error), _) => Err(self.failure(Leg::Ping, &error)),
        }
    }

    fn config(&self, leg: Leg) -> Result<&Config, Failure> {
        known(leg, self.config.as_ref())
    }

    fn failure(&self, leg: Leg, error: &HomeserverError) -> Failure {
        // Synapse waits for us for longer than we wait for it.
        if leg == Leg::Ping && matches!(error, HomeserverError::Timeout(_)) {
            return Failure::Ping(Ping::Timeout);
        }
        let (config, ghost) = match (self.config(leg), self.probe(leg)) {
            (Ok(config), Ok(ghost)) => (config, ghost),
            (Err(failure), _) | (_, Err(failure)) => return failure,
        };
        with_answer(error, |answer| {
            Failure::of_answer(leg, &config.homeserver.url, &ghost, answer)
        })
    }
}

/// Hands on what the homeserver answered.
fn with_answer<A>(error: &HomeserverError, read: impl FnOnce(Answer<'_>) -> A) -> A {
    match error {
        HomeserverError::Refused(refusal) => {
            let whole = refusal.to_string();
            let said = if refusal.message.is_empty() {
                &*whole
            } else {
                &*refusal.message
            };
            read(Answer {
                status: Some(refusal.status),
                errcode: refusal.errcode.as_deref(),
                text: said,
            })
        }
        HomeserverError::Unreadable(_) | HomeserverError::TooLarge { .. } => read(Answer {
            status: Some(200),
            errcode: None,
            text: &chain(error),
        }),
        HomeserverError::Setup(_)
        | HomeserverError::Request(_)
        | HomeserverError::Connect(_)
        | HomeserverError::Timeout(_)
        | HomeserverError::Broken(_)
        | HomeserverError::Unsuitable(_) => read(Answer {
            status: None,
            errcode: None,
            text: &chain(error),
        }),
    }
}

/// What an earlier leg has found; [`Leg::needs`] sees to it that it did.
fn known<A>(leg: Leg, found: Option<A>) -> Result<A, Failure> {
    found.ok_or_else(|| Failure::Unexpected {
        leg,
        reason: "an earlier step found nothing".to_owned(),
    })
}

fn unexpected(leg: Leg, error: &dyn Error) -> Failure {
    Failure::Unexpected {
        leg,
        reason: chain(error),
    }
}

/// An error with its last cause, which is what the network says.
fn chain(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
