//! The configuration as it is written: one struct per section, every key with its default.
//!
//! Values are plain here (texts, numbers, switches); [`super::validate`] turns them into rich types. Serialising a section
//! gives its redacted form, so that no secret can leave through a log line or `check-config`.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

/// What is shown in place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// The sections in the order of the example.
pub(super) const SECTIONS: [&str; 14] = [
    "homeserver",
    "database",
    "encryption_at_rest",
    "appservice",
    "nova",
    "rooms",
    "feed",
    "media",
    "calls",
    "search",
    "bot",
    "admin",
    "metrics",
    "logging",
];

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $key:ident: $kind:ty = $default:expr,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Serialize, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub(super) struct $name { $($(#[$attr])* pub(super) $key: $kind,)* }

            impl Default for $name {
                fn default() -> Self {
                    Self { $($key: $default,)* }
                }
            }
        )*
    };
}

sections! {
    /// The whole file.
    File {
        homeserver: HomeserverSection = HomeserverSection::default(),
        database: DatabaseSection = DatabaseSection::default(),
        encryption_at_rest: EncryptionSection = EncryptionSection::default(),
        appservice: AppserviceSection = AppserviceSection::default(),
        nova: NovaSection = NovaSection::default(),
        rooms: RoomsSection = RoomsSection::default(),
        feed: FeedSection = FeedSection::default(),
        media: MediaSection = MediaSection::default(),
        calls: CallsSection = CallsSection::default(),
        search: SearchSection = SearchSection::default(),
        bot: BotSection = BotSection::default(),
        admin: AdminSection = AdminSection::default(),
        metrics: MetricsSection = MetricsSection::default(),
        logging: LoggingSection = LoggingSection::default(),
    }

    /// Where Synapse is and which server it is.
    HomeserverSection {
        url: Option<String> = None,
        domain: Option<String> = None,
        public_url: Option<String> = None,
        request_timeout_seconds: u64 = 30,
    }

    /// The Postgres database.
    DatabaseSection {
        #[serde(serialize_with = "redact_url")]
        url: Option<SecretString> = None,
        url_file: Option<String> = None,
        max_connections: u32 = 10,
    }

    /// What people said, as it lies in the database.
    EncryptionSection {
        #[serde(deserialize_with = "master_keys")]
        keys: Vec<MasterKeyEntry> = Vec::new(),
    }

    /// One of the master keys.
    MasterKeyEntry {
        id: String = String::new(),
        #[serde(serialize_with = "redact")]
        key: Option<SecretString> = None,
        key_file: Option<String> = None,
    }

    /// The side that Synapse talks to.
    AppserviceSection {
        listen: String = "127.0.0.1:29340".to_owned(),
        url: String = "http://localhost:29340".to_owned(),
        registration_file: String = "registration.yaml".to_owned(),
    }

    /// The side that Nova's clients talk to.
    NovaSection {
        listen: String = "0.0.0.0:8080".to_owned(),
        public_url: Option<String> = None,
        jwt_public_key_file: Option<String> = None,
        jwt_public_key: Option<String> = None,
        jwks_url: Option<String> = None,
        require_access_token_type: bool = false,
        cors_origins: Vec<String> = vec!["*".to_owned()],
        bare_frames: bool = false,
        greeting: bool = false,
        profile_source_url: Option<String> = None,
        messages_per_second: u32 = 10,
        burst: u32 = 50,
    }

    /// When a conversation gets a Matrix room, and what is told in passing.
    RoomsSection {
        create: String = "always".to_owned(),
        #[serde(deserialize_with = "word")]
        receipts: String = "public".to_owned(),
        presence: bool = false,
        dm_permission: String = "anyone".to_owned(),
        space_per_user: bool = false,
    }

    /// How long clients can resume.
    FeedSection {
        retention_days: u32 = 7,
    }

    /// Files, and where they may come from.
    MediaSection {
        max_size_mb: u64 = 100,
        link_hours: u64 = 24,
        temp_dir: Option<String> = None,
        storage_hosts: Vec<String> = Vec::new(),
        internal_storage_hosts: Vec<String> = Vec::new(),
        s3_endpoint: Option<String> = None,
        s3_bucket: Option<String> = None,
        s3_region: String = "us-east-1".to_owned(),
        s3_access_key: Option<String> = None,
        #[serde(serialize_with = "redact")]
        s3_secret_key: Option<SecretString> = None,
        s3_secret_key_file: Option<String> = None,
    }

    /// Calls, and the servers that help them to get through.
    CallsSection {
        enabled: bool = true,
        ring_seconds: u64 = 60,
        grace_seconds: u64 = 30,
        turn_uris: Vec<String> = Vec::new(),
        #[serde(serialize_with = "redact")]
        turn_shared_secret: Option<SecretString> = None,
        turn_shared_secret_file: Option<String> = None,
        turn_credential_lifetime_seconds: u64 = 86_400,
        ice_servers: Vec<IceServerEntry> = Vec::new(),
        stun_uris: Vec<String> = Vec::new(),
        insecure_legacy: bool = false,
    }

    /// One of the fixed servers.
    IceServerEntry {
        urls: Vec<String> = Vec::new(),
        username: Option<String> = None,
        #[serde(serialize_with = "redact")]
        credential: Option<SecretString> = None,
    }

    /// Searching messages.
    SearchSection {
        #[serde(deserialize_with = "switch")]
        enabled: Option<bool> = None,
    }

    /// Who may talk to the bot.
    BotSection {
        permissions: BTreeMap<String, String> = BTreeMap::from([("*".to_owned(), "user".to_owned())]),
    }

    /// The admin API.
    AdminSection {
        listen: String = "127.0.0.1:29341".to_owned(),
        #[serde(serialize_with = "redact")]
        token: Option<SecretString> = None,
        token_file: Option<String> = None,
    }

    /// Metrics and health probes.
    MetricsSection {
        listen: String = "127.0.0.1:29342".to_owned(),
    }

    /// What is logged, and how.
    LoggingSection {
        level: String = "info".to_owned(),
        format: String = "json".to_owned(),
    }
}

/// Keys as sections, or as the environment writes them: `id=key`.
fn master_keys<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<MasterKeyEntry>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a list of { id, key_file }, or of id=key")]
    enum Written {
        Pair(String),
        Section(MasterKeyEntry),
    }
    let entry = |written| match written {
        Written::Section(entry) => entry,
        Written::Pair(text) => {
            let (id, key) = text.split_once('=').unwrap_or_default();
            MasterKeyEntry {
                id: id.to_owned(),
                key: Some(key.into()),
                key_file: None,
            }
        }
    };
    Ok(Vec::<Written>::deserialize(value)?.into_iter().map(entry).collect())
}

/// A switch that may be unset, which the environment writes as a word.
fn switch<'de, D: Deserializer<'de>>(value: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "true or false")]
    enum Written {
        Switch(bool),
        Word(Word),
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        True,
        False,
    }
    Ok(Option::<Written>::deserialize(value)?.map(|written| match written {
        Written::Switch(on) => on,
        Written::Word(word) => matches!(word, Word::True),
    }))
}

/// A word, where YAML takes the unquoted `off` for a switch.
fn word<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a word")]
    enum Written {
        Switch(bool),
        Word(String),
    }
    Ok(match Written::deserialize(value)? {
        Written::Switch(false) => "off".to_owned(),
        Written::Switch(true) => "on".to_owned(),
        Written::Word(word) => word,
    })
}

#[expect(clippy::ref_option, reason = "serde hands the field over like this")]
fn redact<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| REDACTED).serialize(serializer)
}

/// Keeps user, host and database name of the address, because they are what an admin wants to check.
#[expect(clippy::ref_option, reason = "serde hands the field over like this")]
fn redact_url<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret
        .as_ref()
        .map(|secret| without_password(secret.expose_secret()))
        .serialize(serializer)
}

/// The address without its password, also where that is a parameter.
pub(super) fn without_password(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return REDACTED.to_owned();
    };
    if url.password().is_some() && url.set_password(Some("redacted")).is_err() {
        return REDACTED.to_owned();
    }
    if url.query().is_some_and(|query| query.contains("pass")) {
        url.set_query(Some("redacted"));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_database_is_shown_without_its_password() {
        assert_eq!(
            without_password("postgres://nova:hunter2@db/nova"),
            "postgres://nova:redacted@db/nova"
        );
        assert_eq!(
            without_password("postgres:///nova?host=/run/postgresql"),
            "postgres:///nova?host=/run/postgresql"
        );
        assert_eq!(
            without_password("postgres:///nova?password=hunter2"),
            "postgres:///nova?redacted"
        );
        assert_eq!(without_password("hunter2"), REDACTED);
    }
}
