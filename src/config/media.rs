//! The section `media`: read into its rich type, and back.

use std::time::Duration;

use super::error::Problem;
use super::file::MediaSection;
use super::secrets::secret;
use super::values::{Problems, keep, optional, positive, web_url};
use super::{Media, S3};

/// The longest that a link may be good for: it needs no token.
const LONGEST_LINK: u64 = 24 * 30;
/// More than any homeserver takes.
const LARGEST_MB: u64 = 1 << 20;

/// The section, or `None` with the reasons in `problems`.
pub(super) fn media(section: &MediaSection, problems: Problems<'_>) -> Option<Media> {
    let size = at_most("media.max_size_mb", section.max_size_mb, LARGEST_MB, problems);
    let hours = at_most("media.link_hours", section.link_hours, LONGEST_LINK, problems);
    hosts("media.storage_hosts", &section.storage_hosts, problems);
    hosts(
        "media.internal_storage_hosts",
        &section.internal_storage_hosts,
        problems,
    );
    let s3 = s3(section, problems);
    Some(Media {
        max_size: size?.saturating_mul(1_000_000),
        link_lifetime: Duration::from_secs(hours?.saturating_mul(3600)),
        temp_dir: section.temp_dir.as_ref().map(Into::into),
        storage_hosts: section.storage_hosts.clone(),
        internal_storage_hosts: section.internal_storage_hosts.clone(),
        s3: s3?,
    })
}

fn at_most(key: &str, value: u64, most: u64, problems: Problems<'_>) -> Option<u64> {
    let value = positive(key, value, problems)?;
    if value > most {
        problems.push(Problem::new(
            key,
            format!("is {value}"),
            format!("set it to 1 to {most}"),
        ));
        return None;
    }
    Some(value)
}

fn hosts(key: &str, hosts: &[String], problems: Problems<'_>) {
    let fits = |host: &str| !host.is_empty() && !host.contains(['/', '*', ' ', '@', '?']);
    for host in hosts.iter().filter(|host| !fits(host)) {
        problems.push(Problem::new(
            key,
            format!("holds {host:?}, which is no host"),
            "write it as host or host:port",
        ));
    }
}

#[expect(clippy::option_option, reason = "absent and unreadable are two answers")]
fn s3(section: &MediaSection, problems: Problems<'_>) -> Option<Option<S3>> {
    let endpoint = optional(section.s3_endpoint.as_deref(), |text| {
        web_url("media.s3_endpoint", text, problems)
    });
    let secret_key = keep(
        secret(
            "media.s3_secret_key",
            section.s3_secret_key.as_ref(),
            section.s3_secret_key_file.as_deref(),
        ),
        problems,
    );
    let (Some(endpoint), secret_key) = (endpoint?, secret_key?) else {
        return Some(None);
    };
    let mut needed = |key: &str, value: Option<String>| {
        if value.is_none() {
            problems.push(Problem::new(
                key,
                "is missing, but there is an s3_endpoint",
                "set it, or remove s3_endpoint",
            ));
        }
        value
    };
    let bucket = needed("media.s3_bucket", section.s3_bucket.clone());
    let access_key = needed("media.s3_access_key", section.s3_access_key.clone());
    if secret_key.is_none() {
        needed("media.s3_secret_key", None);
    }
    Some(Some(S3 {
        endpoint,
        bucket: bucket?,
        region: section.s3_region.clone(),
        access_key: access_key?,
        secret_key: secret_key?,
        secret_key_file: section.s3_secret_key_file.as_ref().map(Into::into),
    }))
}

impl Media {
    /// The section as it could be written. Its secret is redacted when it is.
    pub(super) fn to_section(&self) -> MediaSection {
        let s3 = self.s3.as_ref();
        MediaSection {
            max_size_mb: self.max_size / 1_000_000,
            link_hours: self.link_lifetime.as_secs() / 3600,
            temp_dir: self.temp_dir.as_ref().map(|path| path.display().to_string()),
            storage_hosts: self.storage_hosts.clone(),
            internal_storage_hosts: self.internal_storage_hosts.clone(),
            s3_endpoint: s3.map(|s3| s3.endpoint.to_string()),
            s3_bucket: s3.map(|s3| s3.bucket.clone()),
            s3_region: s3.map_or_else(|| MediaSection::default().s3_region, |s3| s3.region.clone()),
            s3_access_key: s3.map(|s3| s3.access_key.clone()),
            s3_secret_key: s3.map(|s3| s3.secret_key.clone()),
            s3_secret_key_file: s3
                .and_then(|s3| s3.secret_key_file.as_ref())
                .map(|path| path.display().to_string()),
        }
    }
}
