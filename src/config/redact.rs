//! The effective configuration as YAML, without its secrets: what `check-config` prints.

use std::path::PathBuf;

use super::file::{
    AdminSection, AppserviceSection, DatabaseSection, FeedSection, File, HomeserverSection, LoggingSection,
    MetricsSection, NovaSection, RoomsSection, SearchSection,
};
use super::{Config, CreateRooms, DmPermission, JwtKey, LogFormat, Receipts, Rooms};

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

impl Config {
    /// The configuration with every default filled in and every secret left out.
    ///
    /// # Errors
    /// The YAML writer fails, which plain texts and numbers give it no reason to.
    pub fn redacted(&self) -> Result<String, serde_saphyr::ser::Error> {
        serde_saphyr::to_string(&self.to_file())
    }

    fn to_file(&self) -> File {
        let path = |path: &PathBuf| path.display().to_string();
        let (pem, pem_file, jwks_url) = match &self.nova.jwt_key {
            JwtKey::Pem { file: Some(file), .. } => (None, Some(path(file)), None),
            JwtKey::Pem { text, file: None } => (Some(text.clone()), None, None),
            JwtKey::Jwks(url) => (None, None, Some(url.to_string())),
        };
        File {
            homeserver: HomeserverSection {
                url: Some(self.homeserver.url.to_string()),
                domain: Some(self.homeserver.domain.to_string()),
                public_url: Some(self.homeserver.public_url.to_string()),
                request_timeout_seconds: self.homeserver.request_timeout.as_secs(),
            },
            database: DatabaseSection {
                url: Some(self.database.url.clone()),
                url_file: self.database.url_file.as_ref().map(path),
                max_connections: self.database.max_connections,
            },
            encryption_at_rest: self.encryption_at_rest.to_section(),
            appservice: AppserviceSection {
                listen: self.appservice.listen.to_string(),
                url: self.appservice.url.to_string(),
                registration_file: path(&self.appservice.registration_file),
            },
            nova: NovaSection {
                listen: self.nova.listen.to_string(),
                public_url: self.nova.public_url.as_ref().map(ToString::to_string),
                jwt_public_key_file: pem_file,
                jwt_public_key: pem,
                jwks_url,
                require_access_token_type: self.nova.require_access_token_type,
                cors_origins: self.nova.cors_origins.clone(),
                bare_frames: self.nova.bare_frames,
                greeting: self.nova.greeting,
                profile_source_url: self.nova.profile_source_url.as_ref().map(ToString::to_string),
                messages_per_second: self.nova.messages_per_second,
                burst: self.nova.burst,
            },
            rooms: self.rooms.to_section(),
            feed: FeedSection {
                retention_days: u32::try_from(self.feed.retention.as_secs() / SECONDS_PER_DAY).unwrap_or(u32::MAX),
            },
            media: self.media.to_section(),
            calls: self.calls.to_section(),
            search: SearchSection {
                enabled: Some(self.search.enabled),
            },
            bot: self.bot.to_section(),
            admin: AdminSection {
                listen: self.admin.listen.to_string(),
                token: self.admin.token.clone(),
                token_file: self.admin.token_file.as_ref().map(path),
            },
            metrics: MetricsSection {
                listen: self.metrics.listen.to_string(),
            },
            logging: LoggingSection {
                level: self.logging.level.clone(),
                format: match self.logging.format {
                    LogFormat::Json => "json",
                    LogFormat::Text => "text",
                }
                .to_owned(),
            },
        }
    }
}

impl Rooms {
    fn to_section(&self) -> RoomsSection {
        RoomsSection {
            create: match self.create {
                CreateRooms::Always => "always",
                CreateRooms::WhenMatrixUserJoins => "when_matrix_user_joins",
            }
            .to_owned(),
            receipts: match self.receipts {
                Receipts::Public => "public",
                Receipts::Private => "private",
                Receipts::Off => "off",
            }
            .to_owned(),
            presence: self.presence,
            space_per_user: self.space_per_user,
            dm_permission: match self.dm_permission {
                DmPermission::Anyone => "anyone",
                DmPermission::Followers => "followers",
                DmPermission::Mutuals => "mutuals",
                DmPermission::Nobody => "nobody",
            }
            .to_owned(),
        }
    }
}
