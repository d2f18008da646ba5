//! `/zajel/{token}`: what the clients of Zajel expect of their own server besides the call frames (`call-dialects.md` §2.1).
//!
//! Their frames prove nothing, so the token in the path says who it is. Pairing decides nothing either: the people of a
//! user's direct conversations may be called, under a code that never changes, and nobody else.

mod lobby;
mod words;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::faults::{Fault, text};
use super::{Kind, Line};
use crate::domain::contact_code::ContactCode;
use crate::domain::feed::Cursor;
use crate::domain::ids::UserId;
use crate::nova::error::ApiError;

pub use lobby::Lobby;
use lobby::{Greeted, Place};

/// Pair requests a minute.
const PAIRS: Quota = Quota::per_minute(match NonZeroU32::new(10) {
    Some(ten) => ten,
    None => NonZeroU32::MIN,
});

/// How long a public key is, in bytes.
const KEY: usize = 32;

/// How much of an unknown type is repeated, in characters.
const SHOWN_TYPE: usize = 64;

/// What follows for the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nova) enum Next {
    /// Nothing more.
    Nothing,
    /// A client is there that was not before: it is shown what rings.
    Begin,
    /// A client is back, and has seen everything up to here; more of it was sent, perhaps into nothing.
    Resume(Cursor),
    /// The client has to come again with another code.
    Close,
}

/// A frame was heard.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::nova) struct Heard {
    pub(in crate::nova) frames: Vec<Utf8Bytes>,
    pub(in crate::nova) next: Next,
    /// Whether there are too many frames.
    pub(in crate::nova) too_fast: bool,
}

impl Heard {
    fn answered(frame: &Value) -> Self {
        Self::so(vec![text(frame)], Next::Nothing)
    }

    const fn so(frames: Vec<Utf8Bytes>, next: Next) -> Self {
        Self {
            frames,
            next,
            too_fast: false,
        }
    }
}

impl From<Fault> for Heard {
    fn from(fault: Fault) -> Self {
        Self {
            frames: fault.frames(None),
            next: Next::Nothing,
            too_fast: fault.is_too_fast(),
        }
    }
}

/// One socket of a Zajel client.
pub(in crate::nova) struct Desk {
    line: Line,
    lobby: Lobby,
    place: Option<Place>,
    /// Cancelled when the same client is there on another socket.
    replaced: CancellationToken,
    pairs: DefaultDirectRateLimiter,
}

impl Desk {
    pub(in crate::nova) fn new(line: Line, lobby: Lobby) -> Self {
        Self {
            line,
            lobby,
            place: None,
            replaced: CancellationToken::new(),
            pairs: RateLimiter::direct(PAIRS),
        }
    }

    /// What a socket says first.
    pub(in crate::nova) fn greeting(&self) -> Utf8Bytes {
        text(&words::server_info(&self.line.nova().settings.public_url))
    }

    /// Cancelled when the socket has to go, because its client has another one.
    pub(in crate::nova) fn replaced(&self) -> CancellationToken {
        self.replaced.clone()
    }

    /// The calls, once somebody has registered: nobody is rung before.
    pub(in crate::nova) const fn line(&mut self) -> Option<&mut Line> {
        if self.place.is_some() {
            Some(&mut self.line)
        } else {
            None
        }
    }

    /// What a client that is new is told of its calls, besides what rings.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::nova) async fn answers(&mut self) -> Result<Vec<Utf8Bytes>, ApiError> {
        self.line.answers().await
    }

    /// The socket is gone. Its client, which has seen everything up to `cursor` for sure, may come again and go on there.
    pub(in crate::nova) fn leave(self, cursor: Cursor) {
        if let Some(place) = self.place {
            self.lobby.leave(&place, self.line, cursor);
        }
    }

    /// Hears a frame. `over` is whether there were too many; candidates are counted elsewhere.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::nova) async fn hear(&mut self, said: &str, over: impl FnOnce() -> bool) -> Result<Heard, ApiError> {
        let frame: Map<String, Value> = match serde_json::from_str(said) {
            Ok(frame) => frame,
            Err(_) => return Ok(Fault::invalid("Invalid message format: JSON parse error").into()),
        };
        let name = frame.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = Kind::parse(name);
        if kind != Some(Kind::Ice) && over() {
            return Ok(Fault::too_fast().into());
        }
        match (kind, name) {
            (Some(_), _) if self.place.is_none() => Ok(Fault::invalid("Not registered").into()),
            (Some(kind), _) => Ok(match self.line.hear(kind, &frame).await {
                Ok(_) => Heard::so(Vec::new(), Next::Nothing),
                Err(fault) => fault.into(),
            }),
            (None, "ping") => Ok(Heard::answered(&words::pong())),
            (None, "register") => self.register(&frame).await,
            (None, "pair_request") => self.pair(&frame).await,
            (None, "pair_response") => Ok(Heard::answered(&words::pair_error("No pending pair request"))),
            (None, "") => Ok(Fault::invalid("Missing required field: type").into()),
            (None, name) => {
                let shown: String = name.chars().take(SHOWN_TYPE).collect();
                Ok(Fault::invalid(format!("Unknown message type: {shown}")).into())
            }
        }
    }

    async fn register(&mut self, frame: &Map<String, Value>) -> Result<Heard, ApiError> {
        let (code, key) = match registration(frame) {
            Ok(read) => read,
            Err(what) => return Ok(Fault::invalid(what).into()),
        };
        if let Some(before) = self.place.take() {
            self.lobby.forget(&before);
        }
        let user = self.line.user();
        let greeted = self.lobby.greet(user, &code, &key, &self.replaced).await;
        let registered = text(&words::registered(&code));
        Ok(match greeted {
            Greeted::Taken => Heard::so(vec![text(&words::collision())], Next::Close),
            Greeted::New(place) => {
                self.place = Some(place);
                Heard::so(vec![registered], Next::Begin)
            }
            Greeted::Back(place, line, cursor) => {
                self.place = Some(place);
                self.line = *line;
                self.line.renew();
                Heard::so(vec![registered], Next::Resume(cursor))
            }
        })
    }

    /// Makes somebody known to the client. Who talks with them has their consent, so that nobody is asked.
    async fn pair(&mut self, frame: &Map<String, Value>) -> Result<Heard, ApiError> {
        const NOBODY: &str = "Could not process pair request";
        if self.place.is_none() {
            return Ok(Fault::invalid("Not registered").into());
        }
        if self.pairs.check().is_err() {
            return Ok(Fault::too_fast().into());
        }
        let Some(target) = frame.get("targetCode").and_then(Value::as_str) else {
            return Ok(Fault::invalid("Missing required field: targetCode").into());
        };
        let Some(peer) = self.peer(target).await? else {
            return Ok(Heard::answered(&words::pair_error(NOBODY)));
        };
        let nova = self.line.nova();
        let code = nova.bridge.contact_code(self.line.user(), peer).await?;
        let key = self.lobby.key_of(peer).unwrap_or_else(|| words::no_key(peer));
        Ok(Heard::answered(&words::matched(&code, &key)))
    }

    /// A contact, by any name, or by the code that they have registered with just now.
    async fn peer(&self, target: &str) -> Result<Option<UserId>, ApiError> {
        let (user, bridge) = (self.line.user(), &self.line.nova().bridge);
        let known = self.line.person(target).await?;
        let Some(peer) = known.or_else(|| self.lobby.owner(&ContactCode::parse(target)?)) else {
            return Ok(None);
        };
        Ok(bridge.direct_with(user, peer).await?.map(|_| peer))
    }
}

/// What a client registers with: its code and its key.
fn registration(frame: &Map<String, Value>) -> Result<(ContactCode, Arc<str>), &'static str> {
    let field = |key: &str| frame.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
    let code = field("pairingCode").ok_or("Missing required field: pairingCode")?;
    let key = field("publicKey").ok_or("Missing required field: publicKey")?;
    let code = ContactCode::parse(code).ok_or("Invalid pairing code format")?;
    let bytes = STANDARD.decode(key).map_err(|_| "Invalid public key format")?;
    if bytes.len() != KEY {
        return Err("Invalid public key length");
    }
    Ok((code, key.into()))
}
