//! How a leg can be broken, and what an admin does about it.

use std::net::SocketAddr;
use std::path::PathBuf;

use ruma::{OwnedServerName, OwnedUserId};
use url::Url;

use super::Leg;
use crate::appservice::registration::RegistrationError;
use crate::cli::Exit;
use crate::config::ConfigError;
use crate::store::connect::ConnectError;

/// Why a leg is broken.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// The registration cannot be used.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The registration was written for another configuration.
    #[error("{} does not fit the configuration:\n{}", path.display(), differences.join("\n"))]
    RegistrationDiffers {
        /// Which file.
        path: PathBuf,
        /// One sentence for each difference.
        differences: Vec<String>,
    },
    /// The database cannot be used.
    #[error("{}", .0.what())]
    Database(ConnectError),
    /// What people say is not sealed.
    #[error("what people say lies unencrypted in the database")]
    Unsealed,
    /// It is, but the search index is not.
    #[error("what people say is sealed, but the search index holds its words unencrypted")]
    SearchOpen,
    /// The homeserver does not answer.
    #[error("{url} does not answer: {reason}")]
    HomeserverUnreachable {
        /// Where it should be.
        url: Url,
        /// What the network says.
        reason: String,
    },
    /// Something else answers there.
    #[error("{url} answers with status {status}, as no Matrix homeserver does")]
    NotAHomeserver {
        /// Where it should be.
        url: Url,
        /// The status of the answer.
        status: u16,
    },
    /// The homeserver does not know our token.
    #[error("Synapse does not know our as_token")]
    TokenUnknown,
    /// The token belongs to somebody else.
    #[error("our as_token belongs to {actual}, not to {expected}")]
    TokenOfAnother {
        /// Whose it is.
        actual: OwnedUserId,
        /// Whose it should be.
        expected: OwnedUserId,
    },
    /// The homeserver has another name.
    #[error("Synapse is {actual}, but homeserver.domain is {configured}")]
    DomainDiffers {
        /// Its name.
        actual: OwnedServerName,
        /// Its name in the configuration.
        configured: OwnedServerName,
    },
    /// The homeserver does not let us act as our ghosts.
    #[error("Synapse does not let us act as the ghost {ghost}")]
    NamespaceRefused {
        /// The ghost that was tried.
        ghost: OwnedUserId,
    },
    /// The homeserver does not reach us.
    #[error("Synapse does not reach us: {0}")]
    Ping(Ping),
    /// Nobody gives out TURN servers.
    #[error("there is no TURN server: calls between two networks will often not connect")]
    NoTurn,
    /// An answer that fits no other kind.
    #[error("unexpected answer: {reason}")]
    Unexpected {
        /// The leg, for the exit code.
        leg: Leg,
        /// What was said.
        reason: String,
    },
}

/// Why the homeserver does not reach us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ping {
    /// The homeserver knows no address of ours.
    #[error("the registration that it loaded has no url")]
    NoUrl,
    /// It knows the token under another id.
    #[error("it loaded the registration under another id")]
    OtherId,
    /// No connection.
    #[error("it finds nobody at the url of the registration ({0})")]
    NoConnection(String),
    /// A connection to us, but not with our token.
    #[error("its hs_token is not that of our registration")]
    OtherToken,
    /// We cannot listen where it should reach us.
    #[error("nothing can listen at appservice.listen, {address}: {reason}")]
    NoListener {
        /// Where we should listen.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// A connection, but no answer.
    #[error("whoever it reaches does not answer in time")]
    Timeout,
    /// We, or somebody else, refused.
    #[error("whoever it reaches answers: {0}")]
    BadStatus(String),
    /// It answered the ping, but nothing arrived here.
    #[error("its ping was answered, but not by this bridge")]
    NotHere,
    /// It is too old for a ping.
    #[error("it is too old to be asked")]
    Unsupported,
}

/// What the homeserver answered to a request that failed, as [`Failure::of_answer`] reads it.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status; `None` where no answer came.
    pub status: Option<u16>,
    /// The Matrix error code.
    pub errcode: Option<&'a str>,
    /// The error as text.
    pub text: &'a str,
}

impl Answer<'_> {
    /// Whether a refusal to act as a ghost still shows that the namespace covers it: Synapse looks at the namespace first
    /// and complains about a ghost that does not exist yet only then, with the same code.
    #[must_use]
    pub fn proves_namespace(&self) -> bool {
        self.status == Some(403) && self.text.contains("has not registered this user")
    }
}

impl Failure {
    /// Reads a failed request of one of the legs that ask the homeserver at `url`. `ghost` is the one that the namespace
    /// leg asks as.
    #[must_use]
    pub fn of_answer(leg: Leg, url: &Url, ghost: &OwnedUserId, answer: Answer<'_>) -> Self {
        let Some(status) = answer.status else {
            return Self::HomeserverUnreachable {
                url: url.clone(),
                reason: answer.text.to_owned(),
            };
        };
        let text = || answer.text.to_owned();
        match (leg, answer.errcode.unwrap_or_default()) {
            (Leg::Homeserver, _) => Self::NotAHomeserver {
                url: url.clone(),
                status,
            },
            (_, "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN") => Self::TokenUnknown,
            (Leg::Namespace, "M_FORBIDDEN" | "M_EXCLUSIVE") => Self::NamespaceRefused { ghost: ghost.clone() },
            (Leg::Ping, "M_URL_NOT_SET") => Self::Ping(Ping::NoUrl),
            (Leg::Ping, "M_FORBIDDEN") => Self::Ping(Ping::OtherId),
            (Leg::Ping, "M_CONNECTION_FAILED") => Self::Ping(Ping::NoConnection(text())),
            (Leg::Ping, "M_CONNECTION_TIMEOUT") => Self::Ping(Ping::Timeout),
            (Leg::Ping, "M_BAD_STATUS") => Self::Ping(Ping::BadStatus(text())),
            (Leg::Ping, "M_UNRECOGNIZED") => Self::Ping(Ping::Unsupported),
            _ => Self::Unexpected { leg, reason: text() },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn cure(&self) -> String {
        match self {
            Self::Configuration(_) => {
                "change the keys named above; `nova-bridge check-config` checks only them".to_owned()
            }
            Self::Registration(_) => "without a registration neither side knows the other's token".to_owned(),
            Self::RegistrationDiffers { .. } => "correct the configuration, or write a new registration with \
                `nova-bridge generate-registration --force` and restart Synapse"
                .to_owned(),
            Self::Database(error) => error.cure().to_owned(),
            Self::Unsealed => "give encryption_at_rest.keys a key, which `nova-bridge generate-key` prints; \
                `nova-bridge seal` then seals what is there"
                .to_owned(),
            Self::SearchOpen => "remove search.enabled, unless people need the search".to_owned(),
            Self::HomeserverUnreachable { .. } => {
                "start Synapse, or correct homeserver.url: it must be reachable from this machine".to_owned()
            }
            Self::NotAHomeserver { .. } => {
                "correct homeserver.url: it is the address before /_matrix; look at the proxy, \
                if there is one"
                    .to_owned()
            }
            Self::TokenUnknown => {
                "name the registration in app_service_config_files of Synapse's homeserver.yaml and restart \
                Synapse; both must read the same file"
                    .to_owned()
            }
            Self::TokenOfAnother { .. } => {
                "restart Synapse, so that it loads the same registration as the bridge".to_owned()
            }
            Self::DomainDiffers { actual, .. } => format!(
                "set homeserver.domain to {actual}, then `nova-bridge generate-registration --force` and restart Synapse; \
                 or correct homeserver.url, if this is the wrong Synapse"
            ),
            Self::NamespaceRefused { .. } => "the registration that Synapse loaded does not cover the ghosts: \
                `nova-bridge generate-registration --force`, then restart Synapse"
                .to_owned(),
            Self::Ping(ping) => ping.cure(),
            Self::NoTurn => {
                "run coturn with use-auth-secret and static-auth-secret; open its 3478 (udp and tcp), 5349 (tcp) and \
                its relay ports (udp);\nthen give turn_uris and turn_shared_secret to Synapse, in homeserver.yaml, \
                or calls.turn_uris and calls.turn_shared_secret to the bridge"
                    .to_owned()
            }
            Self::Unexpected { .. } => "look into the logs of Synapse and of the bridge".to_owned(),
        }
    }

    /// Whether the bridge works all the same.
    #[must_use]
    pub const fn is_advice(&self) -> bool {
        matches!(self, Self::NoTurn | Self::Unsealed | Self::SearchOpen)
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoTurn | Self::Unsealed | Self::SearchOpen => Exit::Done,
            Self::Configuration(_) | Self::Registration(_) | Self::RegistrationDiffers { .. } => Exit::Configuration,
            Self::Database(error) => error.into(),
            Self::HomeserverUnreachable { .. } | Self::NotAHomeserver { .. } => Exit::HomeserverUnreachable,
            Self::TokenUnknown
            | Self::TokenOfAnother { .. }
            | Self::DomainDiffers { .. }
            | Self::NamespaceRefused { .. } => Exit::HomeserverRefuses,
            Self::Ping(_) => Exit::Unreachable,
            Self::Unexpected { leg, .. } => match leg {
                Leg::Configuration | Leg::Registration => Exit::Configuration,
                Leg::Database | Leg::Migrations | Leg::Sealing => Exit::Database,
                Leg::Homeserver => Exit::HomeserverUnreachable,
                Leg::Token | Leg::Domain | Leg::Namespace | Leg::Turn => Exit::HomeserverRefuses,
                Leg::Ping => Exit::Unreachable,
            },
        }
    }
}

impl Ping {
    fn cure(&self) -> String {
        match self {
            Self::NoUrl => "restart Synapse, so that it loads the registration with its url",
            Self::OtherId | Self::OtherToken => "restart Synapse, so that it loads the same registration as the bridge",
            Self::NoListener { .. } => "set appservice.listen to an address of this machine and a port above 1023",
            Self::NoConnection(_) | Self::Timeout => {
                "appservice.url must lead from Synapse's machine to appservice.listen: look at both, at the firewall, and at \
                 containers, in which localhost is the container itself; after a change of the url write a new registration"
            }
            Self::BadStatus(_) => {
                "401 or 403: Synapse has another hs_token, so restart it to load this registration; \
                 anything else: another program listens at appservice.url"
            }
            Self::NotHere => "another bridge listens at appservice.url: stop it, or give this one an address of its own",
            Self::Unsupported => "update Synapse to 1.81 or newer",
        }
        .to_owned()
    }
}
