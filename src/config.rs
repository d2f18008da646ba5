//! Configuration: `config.yaml` < environment `NOVA_BRIDGE__SECTION__KEY`, validated once into rich types.
//!
//! [`load`] reads both, reports *every* problem with its key and its cure, and refuses the four example values while they
//! are still there. Nothing else in the program reads the environment or knows the names of the keys.

mod bot;
mod calls;
mod encryption;
mod environment;
mod error;
mod file;
mod media;
mod read;
mod redact;
mod secrets;
mod validate;
mod values;
mod yaml;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ruma::OwnedServerName;
use secrecy::SecretString;
use url::Url;

use crate::seal::Keyring;

pub use self::bot::{Bot, BotLevel};
pub use self::environment::Environment;
pub use self::error::{ConfigError, Problem};

/// The commented example, as `generate-config` writes it.
pub const EXAMPLE: &str = include_str!("../config.example.yaml");

/// The name of the environment as a source, in errors.
const FROM_ENVIRONMENT: &str = "environment";

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Synapse is and which server it is.
    pub homeserver: Homeserver,
    /// The Postgres database.
    pub database: Database,
    /// What people said, as it lies in the database.
    pub encryption_at_rest: EncryptionAtRest,
    /// The side that Synapse talks to.
    pub appservice: Appservice,
    /// The side that Nova's clients talk to.
    pub nova: Nova,
    /// When a conversation gets a Matrix room.
    pub rooms: Rooms,
    /// How long clients can resume.
    pub feed: Feed,
    /// Files, and where they may come from.
    pub media: Media,
    /// Calls, and the servers that help them to get through.
    pub calls: Calls,
    /// Searching messages.
    pub search: Search,
    /// Who may talk to the bot.
    pub bot: Bot,
    /// The admin API.
    pub admin: Admin,
    /// Metrics and health probes.
    pub metrics: Metrics,
    /// What is logged, and how.
    pub logging: Logging,
}

/// `homeserver`
#[derive(Debug, Clone)]
pub struct Homeserver {
    /// Where the bridge reaches Synapse.
    pub url: Url,
    /// The server name: the part of a Matrix id after the colon.
    pub domain: OwnedServerName,
    /// What clients are told; `url` where the file names nothing else.
    pub public_url: Url,
    /// The longest wait for an answer.
    pub request_timeout: Duration,
}

/// `database`
#[derive(Debug, Clone)]
pub struct Database {
    /// The address with user and password.
    pub url: SecretString,
    /// The file that the address was read from.
    pub url_file: Option<PathBuf>,
    /// The size of the pool.
    pub max_connections: u32,
}

/// `encryption_at_rest`
#[derive(Debug, Clone)]
pub struct EncryptionAtRest {
    /// The keys, the one that seals first; none, and nothing is sealed.
    pub keys: Keyring,
    /// Their ids, and the files that they were read from.
    pub files: Vec<(String, Option<PathBuf>)>,
}

/// `appservice`
#[derive(Debug, Clone)]
pub struct Appservice {
    /// Where the bridge listens for Synapse.
    pub listen: SocketAddr,
    /// How Synapse reaches that listener.
    pub url: Url,
    /// The registration with the two tokens.
    pub registration_file: PathBuf,
}

/// `nova`
#[derive(Debug, Clone)]
pub struct Nova {
    /// Where REST, WebSocket and the web page are served.
    pub listen: SocketAddr,
    /// How clients reach that listener, if it is not simply its address: see [`Nova::public_url`].
    pub public_url: Option<Url>,
    /// What the tokens of Nova's users are checked with.
    pub jwt_key: JwtKey,
    /// Whether a token must say `token_type: access`.
    pub require_access_token_type: bool,
    /// The origins that browsers may come from; `*` is any.
    pub cors_origins: Vec<String>,
    /// Whether the bare frame of client B is sent as well.
    pub bare_frames: bool,
    /// Whether `/ws/chat` begins with `connection.established`.
    pub greeting: bool,
    /// Where accounts that the bridge does not know are asked for.
    pub profile_source_url: Option<Url>,
    /// Messages that a user may send per second in the long run.
    pub messages_per_second: u32,
    /// Messages that a user may send at once.
    pub burst: u32,
}

impl Nova {
    /// How clients reach the listener that was bound to `bound`.
    ///
    /// # Errors
    /// The address makes no URL, which no socket address is known to do.
    pub fn public_url(&self, bound: SocketAddr) -> Result<Url, url::ParseError> {
        if let Some(url) = &self.public_url {
            return Ok(url.clone());
        }
        let reachable = if bound.ip().is_unspecified() {
            (Ipv4Addr::LOCALHOST, bound.port()).into()
        } else {
            bound
        };
        Url::parse(&format!("http://{reachable}"))
    }
}

/// What the tokens of Nova's users are checked with.
#[derive(Debug, Clone)]
pub enum JwtKey {
    /// An RSA public key.
    Pem {
        /// The key, as PEM.
        text: String,
        /// The file that it was read from.
        file: Option<PathBuf>,
    },
    /// Keys that are fetched.
    Jwks(Url),
}

/// `rooms`
#[derive(Debug, Clone)]
pub struct Rooms {
    /// When a conversation gets its room.
    pub create: CreateRooms,
    /// What is told in rooms when a Nova user has read something.
    pub receipts: Receipts,
    /// Whether it is told who is there, both ways.
    pub presence: bool,
    /// Who need not ask those Nova users who have not said so themselves.
    pub dm_permission: DmPermission,
    /// Whether each Nova account gets a space with the rooms of its conversations.
    pub space_per_user: bool,
}

/// Who may open a chat with a Nova user, or add them to a group, without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DmPermission {
    /// Everybody.
    Anyone,
    /// As `Mutuals`: follows are not known.
    Followers,
    /// Whoever they have a direct conversation with.
    Mutuals,
    /// Nobody.
    Nobody,
}

/// When a conversation gets its Matrix room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateRooms {
    /// At once.
    Always,
    /// When the first Matrix user becomes a member.
    WhenMatrixUserJoins,
}

/// What is told in rooms when a Nova user has read something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipts {
    /// Everybody in the room is told.
    Public,
    /// Only the user's own Matrix clients are told.
    Private,
    /// Nobody is told.
    Off,
}

/// `feed`
#[derive(Debug, Clone)]
pub struct Feed {
    /// How long an entry is kept.
    pub retention: Duration,
}

/// `media`
#[derive(Debug, Clone)]
pub struct Media {
    /// The largest file that Nova's clients may send, in bytes.
    pub max_size: u64,
    /// How long a link to a file is good.
    pub link_lifetime: Duration,
    /// Where files lie while they pass; the system's temporary folder where nothing is said.
    pub temp_dir: Option<PathBuf>,
    /// Hosts that files may be fetched from.
    pub storage_hosts: Vec<String>,
    /// The same, in a private network.
    pub internal_storage_hosts: Vec<String>,
    /// Storage that clients may upload to.
    pub s3: Option<S3>,
}

/// The bucket of `media`.
#[derive(Debug, Clone)]
pub struct S3 {
    /// Where the storage is.
    pub endpoint: Url,
    /// The bucket's name.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// The name of the key that requests are signed with.
    pub access_key: String,
    /// The key.
    pub secret_key: SecretString,
    /// The file that the key was read from.
    pub secret_key_file: Option<PathBuf>,
}

/// `calls`
#[derive(Debug, Clone)]
pub struct Calls {
    /// Whether there are any.
    pub enabled: bool,
    /// How long they ring at most.
    pub ring: Duration,
    /// How long somebody in a call may be without a socket.
    pub grace: Duration,
    /// A TURN server that shares a secret with the bridge.
    pub turn_uris: Vec<String>,
    /// The secret; there is one where there are addresses, and only there.
    pub turn_shared_secret: Option<SecretString>,
    /// The file that the secret was read from.
    pub turn_shared_secret_file: Option<PathBuf>,
    /// How long credentials made with it last.
    pub turn_credential_lifetime: Duration,
    /// Fixed servers.
    pub ice_servers: Vec<IceServer>,
    /// STUN servers.
    pub stun_uris: Vec<String>,
    /// Whether the Socket.IO dialect is open to clients that show no token.
    pub insecure_legacy: bool,
}

/// One of `calls.ice_servers`.
#[derive(Debug, Clone)]
pub struct IceServer {
    /// The addresses.
    pub urls: Vec<String>,
    /// The name, for TURN.
    pub username: Option<String>,
    /// The password, for TURN.
    pub credential: Option<SecretString>,
}

/// `search`
#[derive(Debug, Clone)]
pub struct Search {
    /// Whether there is an index, and so a search. Where nothing is said: as long as nothing is sealed.
    pub enabled: bool,
}

/// `admin`
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where the admin API listens.
    pub listen: SocketAddr,
    /// Its token; without one the API is off.
    pub token: Option<SecretString>,
    /// The file that the token was read from.
    pub token_file: Option<PathBuf>,
}

/// `metrics`
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Where `/metrics` and `/health/*` are served.
    pub listen: SocketAddr,
}

/// `logging`
#[derive(Debug, Clone)]
pub struct Logging {
    /// A level, or directives as in `RUST_LOG`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For eyes.
    Text,
}

/// The part of the configuration that `generate-registration` needs.
#[derive(Debug, Clone)]
pub struct RegistrationSettings {
    /// The server name.
    pub domain: OwnedServerName,
    /// How Synapse reaches the bridge.
    pub url: Url,
    /// Where the registration is kept.
    pub file: PathBuf,
}

/// Reads the file at `path` and the environment.
///
/// # Errors
/// Names everything that is wrong, not only the first thing.
pub fn load(path: &Path, environment: &Environment) -> Result<Config, ConfigError> {
    let name = path.display().to_string();
    parse(&name, &file_text(path, &name)?, environment)
}

/// As [`load`], with the text of the file in hand.
///
/// # Errors
/// Names everything that is wrong, not only the first thing.
pub fn parse(name: &str, text: &str, environment: &Environment) -> Result<Config, ConfigError> {
    let mut problems = Vec::new();
    let file = read::read(yaml::Yaml { name, text }, environment, &mut problems);
    let config = validate::config(&file, &mut problems);
    config
        .filter(|_| problems.is_empty())
        .ok_or_else(|| error(name, problems))
}

/// Reads only what a registration needs, so that it can be generated before the rest of the file is right.
///
/// # Errors
/// Names everything that is wrong with `homeserver.domain` and `appservice`.
pub fn load_for_registration(path: &Path, environment: &Environment) -> Result<RegistrationSettings, ConfigError> {
    let name = path.display().to_string();
    let text = file_text(path, &name)?;
    let mut problems = Vec::new();
    let file = read::read(
        yaml::Yaml {
            name: &name,
            text: &text,
        },
        environment,
        &mut problems,
    );
    problems.retain(|problem| {
        problem.key.is_empty()
            || problem.key == "homeserver.domain"
            || problem.key.split('.').next() == Some("appservice")
    });
    let settings = validate::registration(&file, &mut problems);
    settings
        .filter(|_| problems.is_empty())
        .ok_or_else(|| error(&name, problems))
}

fn error(name: &str, mut problems: Vec<Problem>) -> ConfigError {
    // A key that cannot be read also lacks its value: say only the first of the two.
    let mut seen = std::collections::HashSet::new();
    problems.retain(|problem| problem.key.is_empty() || seen.insert(problem.key.clone()));
    if problems.iter().any(|problem| problem.key.is_empty()) {
        problems.retain(|problem| problem.key.is_empty());
    }
    problems.sort_by_key(|problem| {
        let section = problem.key.split('.').next();
        file::SECTIONS
            .iter()
            .position(|name| Some(*name) == section)
            .unwrap_or(usize::MAX)
    });
    ConfigError {
        file: name.to_owned(),
        problems,
    }
}

fn file_text(path: &Path, name: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|cause| ConfigError {
        file: name.to_owned(),
        problems: vec![Problem::new(
            "",
            format!("the file cannot be read: {cause}"),
            "write one with `nova-bridge generate-config`, or name it with --config or NOVA_BRIDGE_CONFIG",
        )],
    })
}

#[cfg(test)]
mod tests;
