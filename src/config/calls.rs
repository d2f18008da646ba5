//! The section `calls`: read into its rich type, and back.

use std::time::Duration;

use secrecy::SecretString;

use super::error::Problem;
use super::file::{CallsSection, IceServerEntry};
use super::secrets::secret;
use super::values::{Problems, keep, positive};
use super::{Calls, IceServer};

/// The longest that it may ring: the lifetime of an invite in Matrix is meant in minutes.
const LONGEST_RING: u64 = 600;
/// The longest that somebody may be without a socket: nobody waits that long in silence.
const LONGEST_GRACE: u64 = 600;
/// The least that credentials have to last: those of a call that has just begun must not end.
const SHORTEST_LIFETIME: u64 = 600;

/// The section, or `None` with the reasons in `problems`.
pub(super) fn calls(section: &CallsSection, problems: Problems<'_>) -> Option<Calls> {
    let ring = seconds("calls.ring_seconds", section.ring_seconds, 1..=LONGEST_RING, problems);
    let grace = seconds(
        "calls.grace_seconds",
        section.grace_seconds,
        1..=LONGEST_GRACE,
        problems,
    );
    let lifetime = seconds(
        "calls.turn_credential_lifetime_seconds",
        section.turn_credential_lifetime_seconds,
        SHORTEST_LIFETIME..=u64::from(u32::MAX),
        problems,
    );
    let secret = keep(
        secret(
            "calls.turn_shared_secret",
            section.turn_shared_secret.as_ref(),
            section.turn_shared_secret_file.as_deref(),
        ),
        problems,
    );
    addresses("calls.turn_uris", &section.turn_uris, &["turn", "turns"], problems);
    addresses("calls.stun_uris", &section.stun_uris, &["stun", "stuns"], problems);
    for server in &section.ice_servers {
        fixed(server, problems);
    }
    let secret = secret?;
    if secret.is_some() == section.turn_uris.is_empty() {
        let (key, is, cure) = match secret {
            Some(_) => (
                "calls.turn_uris",
                "is empty, but there is a secret",
                "name the TURN server's addresses, or remove the secret",
            ),
            None => (
                "calls.turn_shared_secret",
                "is missing, but there are turn_uris",
                "set it to static-auth-secret of turnserver.conf, or put servers with fixed passwords into calls.ice_servers",
            ),
        };
        problems.push(Problem::new(key, is, cure));
    }
    Some(Calls {
        enabled: section.enabled,
        ring: ring?,
        grace: grace?,
        turn_uris: section.turn_uris.clone(),
        turn_shared_secret: secret,
        turn_shared_secret_file: section.turn_shared_secret_file.as_ref().map(Into::into),
        turn_credential_lifetime: lifetime?,
        ice_servers: section.ice_servers.iter().map(IceServer::from).collect(),
        stun_uris: section.stun_uris.clone(),
        insecure_legacy: section.insecure_legacy,
    })
}

fn seconds(key: &str, value: u64, range: std::ops::RangeInclusive<u64>, problems: Problems<'_>) -> Option<Duration> {
    let value = positive(key, value, problems)?;
    if !range.contains(&value) {
        problems.push(Problem::new(
            key,
            format!("is {value}"),
            format!("set it to {} to {}", range.start(), range.end()),
        ));
        return None;
    }
    Some(Duration::from_secs(value))
}

/// Whether the texts are addresses of such servers: `turn:host`, `turn:host:port?transport=udp`.
fn addresses(key: &str, uris: &[String], schemes: &[&str], problems: Problems<'_>) {
    let fits = |uri: &str| {
        let parts = uri.split_once(':');
        parts.is_some_and(|(scheme, host)| {
            schemes.contains(&scheme) && !host.is_empty() && !host.starts_with(['/', '?', ':']) && !host.contains(' ')
        })
    };
    for uri in uris.iter().filter(|uri| !fits(uri)) {
        let example = schemes.first().copied().unwrap_or_default();
        problems.push(Problem::new(
            key,
            format!("holds {uri:?}, which is no address of such a server"),
            format!("write it as {example}:host or {example}:host:port, without slashes"),
        ));
    }
}

fn fixed(server: &IceServerEntry, problems: Problems<'_>) {
    const KEY: &str = "calls.ice_servers";
    addresses(KEY, &server.urls, &["turn", "turns", "stun", "stuns"], problems);
    if server.urls.is_empty() {
        problems.push(Problem::new(
            KEY,
            "holds a server without urls",
            "give it urls: [\"turn:host\"]",
        ));
    }
    let turn = server.urls.iter().any(|url| url.starts_with("turn"));
    if turn && (server.username.is_none() || server.credential.is_none()) {
        problems.push(Problem::new(
            KEY,
            "holds a TURN server without username or credential",
            "browsers refuse one: give it both",
        ));
    }
}

impl From<&IceServerEntry> for IceServer {
    fn from(entry: &IceServerEntry) -> Self {
        Self {
            urls: entry.urls.clone(),
            username: entry.username.clone(),
            credential: entry.credential.clone(),
        }
    }
}

impl Calls {
    /// The section as it could be written. Its secrets are redacted when it is.
    pub(super) fn to_section(&self) -> CallsSection {
        let from_file = self.turn_shared_secret_file.as_ref();
        CallsSection {
            enabled: self.enabled,
            ring_seconds: self.ring.as_secs(),
            grace_seconds: self.grace.as_secs(),
            turn_uris: self.turn_uris.clone(),
            turn_shared_secret: self.turn_shared_secret.clone().map(SecretString::from),
            turn_shared_secret_file: from_file.map(|path| path.display().to_string()),
            turn_credential_lifetime_seconds: self.turn_credential_lifetime.as_secs(),
            ice_servers: self
                .ice_servers
                .iter()
                .map(|server| IceServerEntry {
                    urls: server.urls.clone(),
                    username: server.username.clone(),
                    credential: server.credential.clone(),
                })
                .collect(),
            stun_uris: self.stun_uris.clone(),
            insecure_legacy: self.insecure_legacy,
        }
    }

    /// Whether the bridge knows a TURN server without Synapse.
    #[must_use]
    pub fn has_turn(&self) -> bool {
        let fixed = self.ice_servers.iter().flat_map(|server| &server.urls);
        !self.turn_uris.is_empty() || fixed.into_iter().any(|url| url.starts_with("turn"))
    }
}
