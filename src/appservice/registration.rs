//! The registration: the file that tells Synapse of the bridge and holds the two tokens.
//!
//! Written once by `generate-registration`, read at every start. It is written from a template in which every text is
//! quoted, because Synapse reads YAML 1.1, where a bare `no`, `1e5` or `1:20` is no text.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::distr::{Alphanumeric, SampleString};
use rand::{CryptoRng, Rng};
use ruma::ServerName;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::domain::ghost::Ghosts;

/// The id of the bridge in Synapse.
pub const ID: &str = "nova";

/// The owner of the `as_token`: a name that nobody uses, because Synapse answers 500 to some calls made as it.
pub const SENDER_LOCALPART: &str = "_nova_bridge";

/// The localpart of the bot that people talk to.
pub const BOT_LOCALPART: &str = "novabot";

/// How an alias of the bridge begins, behind the `#`.
pub const ALIAS_PREFIX: &str = "nova_";

/// The two placeholder tokens of the sample, which must never be used.
const PLACEHOLDER: &str = "CHANGE_ME";

const TOKEN_LENGTH: usize = 64;

const OWNER_ONLY: u32 = 0o600;

/// What the bridge needs of its registration.
#[derive(Debug, Clone, Deserialize)]
pub struct Registration {
    /// [`ID`], unless an admin changed it.
    pub id: String,
    /// How Synapse reaches the bridge.
    pub url: String,
    /// The token that the bridge shows to Synapse.
    pub as_token: SecretString,
    /// The token that Synapse shows to the bridge.
    pub hs_token: SecretString,
    /// [`SENDER_LOCALPART`], unless an admin changed it.
    pub sender_localpart: String,
    namespaces: Namespaces,
}

#[derive(Debug, Clone, Deserialize)]
struct Namespaces {
    #[serde(default)]
    users: Vec<Namespace>,
}

#[derive(Debug, Clone, Deserialize)]
struct Namespace {
    regex: String,
}

/// A registration cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// There is none yet.
    #[error(
        "{} does not exist: write it with `nova-bridge generate-registration`, name it in app_service_config_files \
         of Synapse's homeserver.yaml, and restart Synapse", path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// There is one already, and new tokens would lock the bridge out of Synapse.
    #[error("{} exists: with new tokens Synapse has to load it anew; --force overwrites it", path.display())]
    Exists {
        /// Where it is.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("{} cannot be {action}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// It is no registration.
    #[error("{} is no registration{place}: compare it with what `nova-bridge generate-registration --output -` prints", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where in it; the text itself may hold a token.
        place: String,
    },
    /// A token is empty or still the placeholder.
    #[error("{} has no usable {token}: write a new registration with `nova-bridge generate-registration --force`", path.display())]
    Token {
        /// Which file.
        path: PathBuf,
        /// Which token.
        token: &'static str,
    },
}

impl Registration {
    /// Reads the registration that Synapse has loaded, too.
    ///
    /// # Errors
    /// Says what to do about a file that is missing, unreadable or no registration.
    pub fn read(path: &Path) -> Result<Self, RegistrationError> {
        let text = fs::read_to_string(path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                return RegistrationError::Missing { path: path.to_owned() };
            }
            RegistrationError::Io {
                path: path.to_owned(),
                action: "read",
                source,
            }
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, RegistrationError> {
        let registration: Self = serde_saphyr::from_str(text).map_err(|error| {
            let place = error
                .location()
                .map_or_else(String::new, |place| format!(" (line {})", place.line()));
            RegistrationError::Malformed {
                path: path.to_owned(),
                place,
            }
        })?;
        for (token, secret) in [
            ("as_token", &registration.as_token),
            ("hs_token", &registration.hs_token),
        ] {
            let text = secret.expose_secret();
            if text.trim().is_empty() || text.starts_with(PLACEHOLDER) {
                return Err(RegistrationError::Token {
                    path: path.to_owned(),
                    token,
                });
            }
        }
        Ok(registration)
    }

    /// Where the file does not fit the configuration: each entry is a sentence for the admin.
    #[must_use]
    pub fn differences(&self, domain: &ServerName, url: &Url) -> Vec<String> {
        let mut differences = Vec::new();
        if Url::parse(&self.url).ok().as_ref() != Some(url) {
            differences.push(format!("url is {:?}, but appservice.url is {:?}", self.url, plain(url)));
        }
        let ghosts = Ghosts::new(domain).namespace_regex();
        if !self.namespaces.users.iter().any(|namespace| namespace.regex == ghosts) {
            differences.push(format!(
                "no user namespace has the regex {ghosts:?}, which covers the ghosts of {domain}"
            ));
        }
        differences
    }
}

/// A new registration as YAML, with tokens from `rng`.
#[must_use]
pub fn generate(domain: &ServerName, url: &Url, rng: &mut (impl CryptoRng + Rng)) -> String {
    let mut token = || Alphanumeric.sample_string(rng, TOKEN_LENGTH);
    let (as_token, hs_token) = (token(), token());
    render(domain, url, &as_token, &hs_token)
}

/// Writes `text` so that only its owner can read it.
///
/// # Errors
/// The file exists and `force` is not set, or the file system refuses.
pub fn write(path: &Path, text: &str, force: bool) -> Result<(), RegistrationError> {
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return RegistrationError::Exists { path: path.to_owned() };
        }
        RegistrationError::Io {
            path: path.to_owned(),
            action: "written",
            source,
        }
    };
    let mut options = OpenOptions::new();
    options.write(true).mode(OWNER_ONLY);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = options.open(path).map_err(failed)?;
    // An existing file keeps its mode when it is opened.
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

fn render(domain: &ServerName, url: &Url, as_token: &str, hs_token: &str) -> String {
    let server = literal(domain.as_str());
    let ghosts = quoted(&Ghosts::new(domain).namespace_regex());
    let bot = quoted(&format!("^@{BOT_LOCALPART}:{server}$"));
    let aliases = quoted(&format!("^#{ALIAS_PREFIX}.*:{server}$"));
    format!(
        r#"# Registration of nova-bridge, written by `nova-bridge generate-registration`.
# Name this file in app_service_config_files of Synapse's homeserver.yaml and restart Synapse.
# It holds secrets: only Synapse and the bridge may read it.
id: "{ID}"
url: {url}
as_token: {as_token}
hs_token: {hs_token}
# A name that nobody uses.
sender_localpart: "{SENDER_LOCALPART}"
rate_limited: false
protocols: ["{ID}"]
# Typing, receipts and presence; the second line is for homeservers from before Matrix 1.13.
receive_ephemeral: true
de.sorunome.msc2409.push_ephemeral: true
namespaces:
  users:
    # The ghosts of Nova's users, and the bot that people talk to.
    - exclusive: true
      regex: {ghosts}
    - exclusive: true
      regex: {bot}
  aliases:
    - exclusive: true
      regex: {aliases}
  rooms: []
"#,
        url = quoted(&plain(url)),
        as_token = quoted(as_token),
        hs_token = quoted(hs_token),
    )
}

/// A text in double quotes: what JSON writes is YAML, of every version.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `text` in a regular expression that stands for nothing but itself. A server name holds no other special characters.
fn literal(text: &str) -> String {
    text.replace('.', r"\.").replace('[', r"\[").replace(']', r"\]")
}

/// The address without the slash that [`Url`] adds: Synapse appends a path to it.
fn plain(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests;
