//! The parts of the bridge, made from the configuration: for `run`, and for the commands that work beside it.

use std::sync::Arc;

use anyhow::Context;
use ruma::{OwnedRoomAliasId, OwnedUserId, ServerName, UserId};
use secrecy::ExposeSecret;

use crate::appservice::registration::{ALIAS_PREFIX, BOT_LOCALPART, Registration};
use crate::bridge::calls::CallSettings;
use crate::bridge::ice::{IceServer, IceSettings, SharedTurn};
use crate::bridge::media::{Bucket, MediaSettings};
use crate::bridge::receipts::ReceiptsTold;
use crate::bridge::{Bridge, CreateRooms, Parts, Settings};
use crate::config::{self, Config};
use crate::domain::bot::{Level, Permissions};
use crate::domain::clock::SystemClock;
use crate::domain::ghost::Ghosts;
use crate::domain::random::SystemRandom;
use crate::domain::request::DmPermission;
use crate::matrix::profile_source::ProfileSource;
use crate::matrix::{self, Homeserver, HomeserverError, Observer, StorageRules};
use crate::metrics::Metrics;
use crate::store::connect::{self, ConnectError};
use crate::store::server::Database;
use crate::store::{PgPool, Sealer, Store, StoreError, keys, search};

/// A database that is known to give connections, of any schema.
///
/// # Errors
/// The database cannot be reached.
pub async fn database(config: &Config) -> Result<Database, ConnectError> {
    let database = &config.database;
    connect::connect(database.url.expose_secret(), database.max_connections).await
}

/// The database, whose schema has to be this version's.
///
/// # Errors
/// The database cannot be reached, or is not migrated.
pub async fn store(config: &Config) -> Result<Store, ConnectError> {
    open(database(config).await?, config).await
}

/// Takes a database into use.
///
/// # Errors
/// The database is not migrated, holds what none of the keys opens, or fails.
pub async fn open(database: Database, config: &Config) -> Result<Store, ConnectError> {
    let pending = connect::pending(&database.pool).await?;
    if !pending.is_empty() {
        return Err(ConnectError::Behind { pending: pending.len() });
    }
    let sealer = sealer(config);
    keys::check(&database.pool, &sealer).await?;
    keys::register(&database.pool, &sealer).await?;
    Ok(Store::open(database).await?.sealed_by(sealer))
}

/// What seals and opens.
#[must_use]
pub fn sealer(config: &Config) -> Sealer {
    Sealer::new(config.encryption_at_rest.keys.clone(), Arc::new(SystemRandom))
}

/// Says whether what people say is sealed. Where it is, and search is off, the words of an earlier index go.
///
/// # Errors
/// The database fails.
pub async fn sealing(config: &Config, store: &Store) -> Result<(), StoreError> {
    match (config.encryption_at_rest.keys.first(), config.search.enabled) {
        (None, _) => tracing::warn!(
            "encryption_at_rest.keys is empty: what people say lies unencrypted in the database; \
             `nova-bridge generate-key` prints a key"
        ),
        (Some(key), true) => tracing::warn!(
            key,
            "what people say is sealed in the database, but search.enabled keeps its words there, too, unencrypted"
        ),
        (Some(key), false) => {
            tracing::info!(key, "what people say is sealed in the database");
            let mut connection = store.read().await?;
            search::clear(&mut connection).await?;
        }
    }
    Ok(())
}

/// Brings the schema up to this version's, and says which steps that took.
///
/// # Errors
/// The schema is from another version, or the database fails.
pub async fn migrate(pool: &PgPool) -> Result<Vec<connect::Step>, ConnectError> {
    let pending = connect::pending(pool).await?;
    crate::store::migrate(pool)
        .await
        .map_err(|error: StoreError| ConnectError::from(error))?;
    Ok(pending)
}

/// The homeserver, which is not asked anything yet.
///
/// # Errors
/// The client cannot be built.
pub fn homeserver(
    config: &Config,
    registration: &Registration,
    observer: Observer,
) -> Result<Homeserver, HomeserverError> {
    Homeserver::new(matrix::Settings {
        url: config.homeserver.url.clone(),
        as_token: registration.as_token.clone(),
        request_timeout: config.homeserver.request_timeout,
        observer,
    })
}

/// The use cases.
///
/// # Errors
/// The registration's user has no possible name.
pub fn bridge(
    config: &Config,
    registration: &Registration,
    store: Store,
    homeserver: Homeserver,
    metrics: Metrics,
) -> anyhow::Result<Bridge> {
    let domain = &config.homeserver.domain;
    let create_rooms = match config.rooms.create {
        config::CreateRooms::Always => CreateRooms::Always,
        config::CreateRooms::WhenMatrixUserJoins => CreateRooms::WhenMatrixUserJoins,
    };
    let source = config.nova.profile_source_url.clone();
    Ok(Bridge::new(Parts {
        store,
        profile_source: source.map(|url| ProfileSource::new(homeserver.clone(), url)),
        homeserver,
        ghosts: Ghosts::new(domain),
        settings: Settings {
            create_rooms,
            dm_permission: match config.rooms.dm_permission {
                config::DmPermission::Anyone => DmPermission::Anyone,
                config::DmPermission::Followers => DmPermission::Followers,
                config::DmPermission::Mutuals => DmPermission::Mutuals,
                config::DmPermission::Nobody => DmPermission::Nobody,
            },
            bot: local_user(BOT_LOCALPART, domain)?,
            sender: local_user(&registration.sender_localpart, domain)?,
            line: local_alias("line", domain)?,
            permissions: permissions(&config.bot),
            receipts: match config.rooms.receipts {
                config::Receipts::Public => ReceiptsTold::Public,
                config::Receipts::Private => ReceiptsTold::Private,
                config::Receipts::Off => ReceiptsTold::Off,
            },
            presence: config.rooms.presence,
            space_per_user: config.rooms.space_per_user,
            calls: CallSettings {
                enabled: config.calls.enabled,
                ring: config.calls.ring,
                grace: config.calls.grace,
            },
            ice: ice(&config.calls),
            media: media(&config.media)?,
        },
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        metrics,
    }))
}

fn permissions(bot: &config::Bot) -> Permissions {
    let level = |level: &config::BotLevel| match level {
        config::BotLevel::None => Level::None,
        config::BotLevel::User => Level::User,
        config::BotLevel::Admin => Level::Admin,
    };
    Permissions(
        bot.permissions
            .iter()
            .map(|(who, it)| (who.clone(), level(it)))
            .collect(),
    )
}

fn media(media: &config::Media) -> anyhow::Result<MediaSettings> {
    let bucket = |s3: &config::S3| {
        Bucket::new(
            &s3.endpoint,
            &s3.bucket,
            &s3.region,
            &s3.access_key,
            s3.secret_key.clone(),
        )
    };
    Ok(MediaSettings {
        max_size: media.max_size,
        temp_dir: media.temp_dir.clone().unwrap_or_else(std::env::temp_dir),
        storage: StorageRules {
            hosts: media.storage_hosts.clone(),
            internal_hosts: media.internal_storage_hosts.clone(),
        },
        bucket: media.s3.as_ref().map(bucket).transpose().context("media.s3_bucket")?,
    })
}

fn ice(calls: &config::Calls) -> IceSettings {
    let server = |server: &config::IceServer| IceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.clone().map(Into::into),
    };
    IceSettings {
        turn: calls.turn_shared_secret.as_ref().map(|secret| SharedTurn {
            uris: calls.turn_uris.clone(),
            secret: secret.clone(),
            lifetime: calls.turn_credential_lifetime,
        }),
        servers: calls.ice_servers.iter().map(server).collect(),
        stun_uris: calls.stun_uris.clone(),
    }
}

fn local_alias(name: &str, domain: &ServerName) -> anyhow::Result<OwnedRoomAliasId> {
    OwnedRoomAliasId::try_from(format!("#{ALIAS_PREFIX}{name}:{domain}"))
        .with_context(|| format!("{domain} makes no alias"))
}

fn local_user(localpart: &str, domain: &ServerName) -> anyhow::Result<OwnedUserId> {
    UserId::parse_with_server_name(localpart, domain)
        .with_context(|| format!("{localpart:?} on {domain} makes no Matrix id: correct the registration"))
}
