//! From [`File`] to [`Config`]: each value is read into its rich type, each problem is kept, nothing stops at the first.

use std::time::Duration;

use ruma::OwnedServerName;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::error::Problem;
use super::file::{DatabaseSection, File, NovaSection};
use super::secrets::{secret, text_file};
use super::values::{Problems, choice, is_origin, keep, listen, optional, positive, required, web_url};
use super::{
    Admin, Appservice, Config, CreateRooms, Database, DmPermission, Feed, Homeserver, JwtKey, LogFormat, Logging,
    Metrics, Nova, Receipts, RegistrationSettings, Rooms, Search,
};

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// With how many connections to Postgres the bridge works at least.
const FEWEST_CONNECTIONS: u32 = 4;

/// The configuration, or `None` with the reasons in `problems`.
pub(super) fn config(file: &File, problems: Problems<'_>) -> Option<Config> {
    // Every section is looked at before the first `?` gives up.
    let homeserver = homeserver(file, problems);
    let database = database(&file.database, problems);
    let encryption = super::encryption::encryption(&file.encryption_at_rest, problems);
    let appservice = appservice(file, problems);
    let nova = nova(&file.nova, problems);
    let told = [
        ("public", Receipts::Public),
        ("private", Receipts::Private),
        ("off", Receipts::Off),
    ];
    let receipts = choice("rooms.receipts", &file.rooms.receipts, &told, problems);
    let create = choice(
        "rooms.create",
        &file.rooms.create,
        &[
            ("always", CreateRooms::Always),
            ("when_matrix_user_joins", CreateRooms::WhenMatrixUserJoins),
        ],
        problems,
    );
    let permissions = [
        ("anyone", DmPermission::Anyone),
        ("followers", DmPermission::Followers),
        ("mutuals", DmPermission::Mutuals),
        ("nobody", DmPermission::Nobody),
    ];
    let dm_permission = choice("rooms.dm_permission", &file.rooms.dm_permission, &permissions, problems);
    let retention_days = positive("feed.retention_days", file.feed.retention_days.into(), problems);
    let media = super::media::media(&file.media, problems);
    let calls = super::calls::calls(&file.calls, problems);
    let bot = super::bot::bot(&file.bot, problems);
    let admin = admin(file, problems);
    let metrics = listen("metrics.listen", &file.metrics.listen, problems);
    let logging = logging(file, problems);
    let encryption_at_rest = encryption?;
    Some(Config {
        homeserver: homeserver?,
        database: database?,
        appservice: appservice?,
        nova: nova?,
        rooms: Rooms {
            create: create?,
            receipts: receipts?,
            presence: file.rooms.presence,
            space_per_user: file.rooms.space_per_user,
            dm_permission: dm_permission?,
        },
        feed: Feed {
            retention: Duration::from_secs(retention_days?.saturating_mul(SECONDS_PER_DAY)),
        },
        media: media?,
        calls: calls?,
        search: Search {
            enabled: (file.search.enabled).unwrap_or(encryption_at_rest.keys.first().is_none()),
        },
        encryption_at_rest,
        bot: bot?,
        admin: admin?,
        metrics: Metrics { listen: metrics? },
        logging: logging?,
    })
}

/// What a registration needs, or `None` with the reasons in `problems`.
pub(super) fn registration(file: &File, problems: Problems<'_>) -> Option<RegistrationSettings> {
    let domain = domain(file, problems);
    let appservice = appservice(file, problems);
    let Appservice {
        url, registration_file, ..
    } = appservice?;
    Some(RegistrationSettings {
        domain: domain?,
        url,
        file: registration_file,
    })
}

fn homeserver(file: &File, problems: Problems<'_>) -> Option<Homeserver> {
    let section = &file.homeserver;
    let url = required(
        "homeserver.url",
        section.url.as_deref(),
        "set it to the address at which the bridge reaches Synapse",
        problems,
    )
    .and_then(|text| web_url("homeserver.url", text, problems));
    let domain = domain(file, problems);
    let public_url = optional(section.public_url.as_deref(), |text| {
        web_url("homeserver.public_url", text, problems)
    });
    let timeout = positive(
        "homeserver.request_timeout_seconds",
        section.request_timeout_seconds,
        problems,
    );
    let url = url?;
    let public_url = public_url?.unwrap_or_else(|| url.clone());
    Some(Homeserver {
        url,
        domain: domain?,
        public_url,
        request_timeout: Duration::from_secs(timeout?),
    })
}

fn domain(file: &File, problems: Problems<'_>) -> Option<OwnedServerName> {
    let cure = "set it to `server_name` of Synapse's homeserver.yaml";
    let text = required("homeserver.domain", file.homeserver.domain.as_deref(), cure, problems)?;
    let domain = OwnedServerName::try_from(text).ok();
    if domain.is_none() {
        problems.push(Problem::new(
            "homeserver.domain",
            format!("is {text:?}, which is no server name"),
            cure,
        ));
    }
    domain
}

fn database(section: &DatabaseSection, problems: Problems<'_>) -> Option<Database> {
    let cure =
        "set it to postgres://user:password@host/database, or put that into a file and name it with database.url_file";
    let enough = section.max_connections >= FEWEST_CONNECTIONS;
    if !enough {
        problems.push(Problem::new(
            "database.max_connections",
            format!(
                "is {}, which is too few: one follows the feed at all times",
                section.max_connections
            ),
            format!("set it to {FEWEST_CONNECTIONS} or more, or remove the line for its default"),
        ));
    }
    let value = section.url.as_ref().map(SecretString::expose_secret);
    required("database.url", value.or(section.url_file.as_deref()), cure, problems)?;
    let url = keep(
        secret("database.url", section.url.as_ref(), section.url_file.as_deref()),
        problems,
    )??;
    let scheme = Url::parse(url.expose_secret()).map(|url| url.scheme().to_owned());
    if !matches!(scheme.as_deref(), Ok("postgres" | "postgresql")) {
        problems.push(Problem::new(
            "database.url",
            "is no address of a Postgres database",
            cure,
        ));
        return None;
    }
    enough.then_some(Database {
        url,
        url_file: section.url_file.as_ref().map(Into::into),
        max_connections: section.max_connections,
    })
}

fn appservice(file: &File, problems: Problems<'_>) -> Option<Appservice> {
    let section = &file.appservice;
    let listen = listen("appservice.listen", &section.listen, problems);
    let url = web_url("appservice.url", &section.url, problems);
    if section.registration_file.is_empty() {
        problems.push(Problem::new(
            "appservice.registration_file",
            "is empty",
            "name the file that Synapse loads, too",
        ));
    }
    Some(Appservice {
        listen: listen?,
        url: url?,
        registration_file: section.registration_file.clone().into(),
    })
}

fn nova(section: &NovaSection, problems: Problems<'_>) -> Option<Nova> {
    let listen = listen("nova.listen", &section.listen, problems);
    let public_url = optional(section.public_url.as_deref(), |text| {
        web_url("nova.public_url", text, problems)
    });
    let jwt_key = jwt_key(section, problems);
    let profile_source_url = optional(section.profile_source_url.as_deref(), |text| {
        web_url("nova.profile_source_url", text, problems)
    });
    let rate = positive("nova.messages_per_second", section.messages_per_second.into(), problems);
    let burst = positive("nova.burst", section.burst.into(), problems);
    for origin in section.cors_origins.iter().filter(|origin| !is_origin(origin)) {
        let cure = "write origins as https://chat.example.com, without a path, or \"*\" for any";
        problems.push(Problem::new(
            "nova.cors_origins",
            format!("holds {origin:?}, which is no origin"),
            cure,
        ));
    }
    rate.and(burst)?;
    Some(Nova {
        listen: listen?,
        public_url: public_url?,
        jwt_key: jwt_key?,
        require_access_token_type: section.require_access_token_type,
        cors_origins: section.cors_origins.clone(),
        bare_frames: section.bare_frames,
        greeting: section.greeting,
        profile_source_url: profile_source_url?,
        messages_per_second: section.messages_per_second,
        burst: section.burst,
    })
}

fn jwt_key(section: &NovaSection, problems: Problems<'_>) -> Option<JwtKey> {
    const KEY: &str = "nova.jwt_public_key_file";
    let cure = "set it to the PEM file with the public key of Nova's identity service, \
                or use nova.jwt_public_key or nova.jwks_url instead";
    let file = section.jwt_public_key_file.as_deref().filter(|text| !text.is_empty());
    let pem = section.jwt_public_key.as_deref().filter(|text| !text.is_empty());
    let jwks = section.jwks_url.as_deref().filter(|text| !text.is_empty());
    required(KEY, file.or(pem).or(jwks), cure, problems)?;
    match (file, pem, jwks) {
        (Some(file), None, None) => {
            let text = keep(text_file(KEY, file), problems)?;
            public_key(KEY, text, Some(file), problems)
        }
        (None, Some(pem), None) => public_key("nova.jwt_public_key", pem.to_owned(), None, problems),
        (None, None, Some(url)) => web_url("nova.jwks_url", url, problems).map(JwtKey::Jwks),
        _ => {
            problems.push(Problem::new(
                KEY,
                "is not the only key: of nova.jwt_public_key_file, nova.jwt_public_key and nova.jwks_url exactly one can be used",
                "remove the others",
            ));
            None
        }
    }
}

fn public_key(key: &str, text: String, file: Option<&str>, problems: Problems<'_>) -> Option<JwtKey> {
    // The library would take a private key as well, and fail at the first token.
    let public = text.contains("PUBLIC KEY-----");
    if !public || jsonwebtoken::DecodingKey::from_rsa_pem(text.as_bytes()).is_err() {
        let cure = "it must begin with -----BEGIN PUBLIC KEY-----; `openssl rsa -in key.pem -pubout` writes one";
        problems.push(Problem::new(key, "holds no RSA public key in PEM form", cure));
        return None;
    }
    Some(JwtKey::Pem {
        text,
        file: file.map(Into::into),
    })
}

fn admin(file: &File, problems: Problems<'_>) -> Option<Admin> {
    let section = &file.admin;
    let listen = listen("admin.listen", &section.listen, problems);
    let token = keep(
        secret("admin.token", section.token.as_ref(), section.token_file.as_deref()),
        problems,
    );
    Some(Admin {
        listen: listen?,
        token: token?,
        token_file: section.token_file.as_ref().map(Into::into),
    })
}

fn logging(file: &File, problems: Problems<'_>) -> Option<Logging> {
    let formats = [("json", LogFormat::Json), ("text", LogFormat::Text)];
    let format = choice("logging.format", &file.logging.format, &formats, problems);
    let level = file.logging.level.trim();
    if level.is_empty() || tracing_subscriber::EnvFilter::try_new(level).is_err() {
        let cure = "use error, warn, info, debug or trace, or directives as in RUST_LOG";
        problems.push(Problem::new(
            "logging.level",
            format!("is {level:?}, which is no level"),
            cure,
        ));
        return None;
    }
    Some(Logging {
        level: level.to_owned(),
        format: format?,
    })
}
