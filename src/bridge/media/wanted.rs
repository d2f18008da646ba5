//! What a client wants a message to carry.

use url::Url;
use uuid::Uuid;

use super::{Bucket, Refused};
use crate::bridge::{Bridge, CommandError};
use crate::domain::ids::{MessageId, UserId};
use crate::domain::media::{File, Kind, Media, Source, has_path, mime, waveform};

/// The longest sound or film, in milliseconds: a day.
const LONGEST: u64 = 24 * 60 * 60 * 1000;

/// The largest edge, in pixels.
const MAX_EDGE: u32 = 1 << 20;

/// Where the file is that a message shall carry.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// It was brought here before.
    Upload(Uuid),
    /// In Nova's storage, by its address.
    Url(Url),
    /// In the bucket, by its key.
    Object(String),
}

/// A file that a message shall carry, with what the client says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMedia {
    /// Where it is.
    pub origin: Origin,
    /// What it shall be shown as.
    pub kind: Option<Kind>,
    /// Its name.
    pub name: Option<String>,
    /// Its type.
    pub mime: Option<String>,
    /// Its size, in bytes.
    pub size: Option<u64>,
    /// Width and height, in pixels.
    pub dimensions: Option<(u32, u32)>,
    /// How long it plays, in milliseconds.
    pub duration_ms: Option<u64>,
    /// How loud it is over time, from 0 to 1024.
    pub waveform: Vec<u64>,
    /// The message that it is added to.
    pub attached_to: Option<MessageId>,
}

impl NewMedia {
    /// A file of which nothing is said.
    #[must_use]
    pub const fn from(origin: Origin) -> Self {
        Self {
            origin,
            kind: None,
            name: None,
            mime: None,
            size: None,
            dimensions: None,
            duration_ms: None,
            waveform: Vec::new(),
            attached_to: None,
        }
    }
}

fn invalid(complaint: impl Into<String>) -> CommandError {
    CommandError::Invalid(complaint.into())
}

impl Bridge {
    /// What a message of `sender` carries, if they may send it.
    ///
    /// # Errors
    /// When there is no such file of theirs, or what is said of it makes no sense.
    pub async fn carried(&self, sender: UserId, wanted: NewMedia) -> Result<Media, CommandError> {
        if wanted.name.as_deref().is_some_and(has_path) {
            return Err(Refused::Path.into());
        }
        let claimed = wanted.mime.as_deref().and_then(mime);
        let guessed = || claimed.as_deref().map_or(Kind::File, Kind::of_mime);
        let settings = &self.inner.settings.media;
        let mut file = match &wanted.origin {
            Origin::Upload(id) => {
                let file = self.brought(*id, sender).await?;
                file.ok_or_else(|| invalid("there is no such upload of yours"))?
            }
            Origin::Url(url) => {
                settings
                    .storage
                    .check(url)
                    .map_err(|error| invalid(format!("media_url: {error}")))?;
                let last = url
                    .path_segments()
                    .and_then(|mut steps| steps.next_back())
                    .unwrap_or_default();
                let kind = wanted.kind.unwrap_or_else(|| kind_by_name(last, guessed()));
                File::new(kind, Source::Url(url.as_str().to_owned()), last)
            }
            Origin::Object(key) => {
                if settings.bucket.is_none() {
                    return Err(invalid("there is no bucket; s3_key must be one that this service gave"));
                }
                if !Bucket::is_of(key, sender) {
                    return Err(invalid("s3_key must be one that this service gave to you"));
                }
                let last = key.rsplit('/').next().unwrap_or_default();
                let kind = wanted.kind.unwrap_or_else(|| kind_by_name(last, guessed()));
                File::new(kind, Source::Object(key.clone()), last)
            }
        };
        if let Some(kind) = wanted.kind {
            file.kind = shown_as(file.kind, kind, file.mxc().is_some())?;
        }
        if let Some(name) = wanted.name.filter(|name| !name.trim().is_empty()) {
            file.name = crate::domain::media::file_name(&name, file.kind);
        }
        if file.mxc().is_none() {
            if wanted.size.is_some_and(|size| size > settings.max_size) {
                return Err(Refused::TooLarge {
                    limit: settings.max_size,
                }
                .into());
            }
            file.mime = claimed;
            file.size = wanted.size;
        }
        let edge = |pixels: u32| (1..=MAX_EDGE).contains(&pixels);
        let dimensions = wanted
            .dimensions
            .filter(|(width, height)| edge(*width) && edge(*height));
        file.dimensions = file.dimensions.or(dimensions);
        if wanted.duration_ms.is_some_and(|length| length > LONGEST) {
            return Err(invalid(format!("duration_ms must be at most {LONGEST}")));
        }
        file.duration_ms = wanted.duration_ms;
        file.waveform = waveform(wanted.waveform);
        file.attached_to = wanted.attached_to;
        Ok(Media::File(Box::new(file)))
    }

    /// The key of a bucket's object that an address names.
    #[must_use]
    pub fn object_key(&self, url: &Url) -> Option<String> {
        self.inner.settings.media.bucket.as_ref()?.key_of(url)
    }

    /// The bucket, where there is one.
    #[must_use]
    pub fn bucket(&self) -> Option<&Bucket> {
        self.inner.settings.media.bucket.as_ref()
    }
}

/// What a file that was looked at may be shown as: what it is, or less.
fn shown_as(is: Kind, wanted: Kind, looked_at: bool) -> Result<Kind, Refused> {
    let fits = match wanted {
        _ if !looked_at || wanted == is => true,
        Kind::File => true,
        Kind::Sticker => is == Kind::Image,
        Kind::Voice | Kind::Audio => matches!(is, Kind::Audio | Kind::Voice),
        Kind::Image | Kind::Video => false,
    };
    if fits {
        return Ok(wanted);
    }
    Err(Refused::WrongType {
        claimed: wanted.noun().to_owned(),
        found: is.noun().to_owned(),
    })
}

/// A first guess, until the content is there.
fn kind_by_name(name: &str, otherwise: Kind) -> Kind {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("png" | "jpg" | "jpeg" | "gif" | "webp" | "heic" | "heif" | "avif") => Kind::Image,
        Some("mp4" | "mov" | "m4v" | "webm" | "mkv") => Kind::Video,
        Some("mp3" | "m4a" | "aac" | "ogg" | "oga" | "opus" | "wav" | "flac") => Kind::Audio,
        Some(_) | None => otherwise,
    }
}
