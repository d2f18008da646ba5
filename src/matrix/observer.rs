//! What the metrics learn about a request: which one, how it ended, how long it took. Never who or where.

use std::sync::Arc;
use std::time::Duration;

use super::error::HomeserverError;

/// Called once for each finished request.
pub type Observer = Arc<dyn Fn(Endpoint, Outcome, Duration) + Send + Sync>;

/// An observer that looks away.
#[must_use]
pub fn unobserved() -> Observer {
    Arc::new(|_, _, _| {})
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $label:literal),+ $(,)?) => {
        /// The requests that the bridge makes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Endpoint {
            $($(#[$doc])* $name),+
        }

        impl Endpoint {
            /// Every endpoint, so that a metric can exist before its first use.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The label of the endpoint in metrics and logs.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $label),+ }
            }
        }
    };
}

endpoints! {
    /// `GET /versions`
    Versions = "versions",
    /// `GET /account/whoami`
    Whoami = "whoami",
    /// `POST /appservice/{id}/ping`
    Ping = "ping",
    /// `POST /register`
    Register = "register",
    /// `POST /login`
    Login = "login",
    /// `POST /account/deactivate`
    Deactivate = "deactivate",
    /// `GET /profile/{user}`
    Profile = "profile",
    /// `PUT /profile/{user}/{displayname,avatar_url}`
    SetProfile = "set_profile",
    /// `POST /createRoom`
    CreateRoom = "create_room",
    /// `PUT /rooms/{room}/send/{type}/{txn}`
    SendEvent = "send_event",
    /// `PUT /rooms/{room}/redact/{event}/{txn}`
    Redact = "redact",
    /// `PUT /rooms/{room}/state/{type}/{key}`
    SendState = "send_state",
    /// `GET /rooms/{room}/state/{type}/{key}`
    StateEvent = "state_event",
    /// `GET /rooms/{room}/state`
    RoomState = "room_state",
    /// `GET /rooms/{room}/messages`
    Messages = "messages",
    /// `GET /rooms/{room}/joined_members`
    JoinedMembers = "joined_members",
    /// `POST /rooms/{room}/receipt/{type}/{event}`
    Receipt = "receipt",
    /// `PUT /rooms/{room}/typing/{user}`
    Typing = "typing",
    /// `PUT /presence/{user}/status`
    Presence = "presence",
    /// `GET /joined_rooms`
    JoinedRooms = "joined_rooms",
    /// `POST /rooms/{room}/join`
    Join = "join",
    /// `POST /rooms/{room}/leave`
    Leave = "leave",
    /// `POST /rooms/{room}/invite`
    Invite = "invite",
    /// `POST /rooms/{room}/kick`
    Kick = "kick",
    /// `POST /rooms/{room}/ban`
    Ban = "ban",
    /// `GET /directory/room/{alias}`
    ResolveAlias = "resolve_alias",
    /// `PUT /directory/room/{alias}`
    CreateAlias = "create_alias",
    /// `GET /voip/turnServer`
    TurnServer = "turn_server",
    /// `POST /media/upload`
    Upload = "upload",
    /// `GET /media/thumbnail/{server}/{id}`
    Thumbnail = "thumbnail",
    /// `GET /media/download/{server}/{id}`, until the answer begins
    Download = "download",
    /// `GET /media/config`
    MediaConfig = "media_config",
    /// A file from Nova's storage
    Storage = "storage",
    /// A picture from some other server
    External = "external",
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It did what it should.
    Ok,
    /// The homeserver asks us to wait.
    RateLimited,
    /// The homeserver answered that it will not (4xx).
    Refused,
    /// The homeserver or a proxy before it is in trouble (5xx).
    ServerError,
    /// Nobody listens there.
    Unreachable,
    /// The request went out and no answer came back.
    NoAnswer,
    /// The answer makes no sense, or is too large.
    Unreadable,
    /// The request was never sent.
    Unsent,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: &[Self] = &[
        Self::Ok,
        Self::RateLimited,
        Self::Refused,
        Self::ServerError,
        Self::Unreachable,
        Self::NoAnswer,
        Self::Unreadable,
        Self::Unsent,
    ];

    /// The label of the outcome in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::RateLimited => "rate_limited",
            Self::Refused => "refused",
            Self::ServerError => "server_error",
            Self::Unreachable => "unreachable",
            Self::NoAnswer => "no_answer",
            Self::Unreadable => "unreadable",
            Self::Unsent => "unsent",
        }
    }

    /// The outcome that a result stands for.
    pub(super) fn of<T>(result: &Result<T, HomeserverError>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(error) => match error {
                HomeserverError::Connect(_) => Self::Unreachable,
                HomeserverError::Timeout(_) | HomeserverError::Broken(_) => Self::NoAnswer,
                HomeserverError::Unreadable(_) | HomeserverError::TooLarge { .. } | HomeserverError::Unsuitable(_) => {
                    Self::Unreadable
                }
                HomeserverError::Setup(_) | HomeserverError::Request(_) => Self::Unsent,
                HomeserverError::Refused(refusal) => match refusal.status {
                    429 => Self::RateLimited,
                    500.. => Self::ServerError,
                    _ => Self::Refused,
                },
            },
        }
    }
}
