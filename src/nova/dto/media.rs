//! Files and places, as clients send them and as they are shown.

use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;
use crate::bridge::Bridge;
use crate::bridge::media::{NewMedia, Origin};
use crate::domain::media::{File, Kind, Media, Place};
use crate::domain::message::Text;
use crate::nova::error::ApiError;
use crate::nova::media::Links;
use crate::store::media::Attached;

/// How the keys of uploads to the bridge itself begin.
pub const UPLOAD_KEY: &str = "upload/";

fn invalid(what: &str) -> ApiError {
    ApiError::Invalid(what.to_owned())
}

/// A type of message by name, or by the gateway's number.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum KindName {
    /// 0 text, 1 image, 2 video, 3 audio, 4 file, 5 location.
    Number(i64),
    /// `text`, `image`, `video`, `audio`, `voice`, `file` or `location`.
    Name(String),
}

/// What a type of message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// A file, shown like this.
    File(Kind),
    /// A place.
    Place,
}

impl Carried {
    /// What a file is shown as.
    #[must_use]
    pub const fn file(self) -> Option<Kind> {
        match self {
            Self::File(kind) => Some(kind),
            Self::Place => None,
        }
    }
}

impl KindName {
    /// What it means; `None` for text.
    ///
    /// # Errors
    /// When nobody knows it.
    pub fn kind(&self) -> Result<Option<Carried>, ApiError> {
        let found = match self {
            Self::Number(0) => None,
            Self::Number(number) => Some(match number {
                1 => Carried::File(Kind::Image),
                2 => Carried::File(Kind::Video),
                3 => Carried::File(Kind::Audio),
                4 => Carried::File(Kind::File),
                5 => Carried::Place,
                _ => return Err(invalid("message_type must be 0 to 5")),
            }),
            Self::Name(name) => match name.as_str() {
                "" | "text" => None,
                "image" => Some(Carried::File(Kind::Image)),
                "video" => Some(Carried::File(Kind::Video)),
                "audio" => Some(Carried::File(Kind::Audio)),
                "voice" => Some(Carried::File(Kind::Voice)),
                "file" => Some(Carried::File(Kind::File)),
                "location" => Some(Carried::Place),
                _ => {
                    return Err(invalid(
                        "message_type must be text, image, video, audio, voice, file or location",
                    ));
                }
            },
        };
        Ok(found)
    }
}

/// The gateway's number of a type of message.
#[must_use]
pub fn number(message_type: &str) -> u8 {
    match message_type {
        "image" => 1,
        "video" => 2,
        "audio" => 3,
        "file" => 4,
        "location" => 5,
        _ => 0,
    }
}

/// What a message shall carry. Of `media_id`, `media_url` and `s3_key` one is enough, and more are none.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
pub struct Carrying {
    /// What it is: 0 to 5, or a word. Known by itself, where nothing is said.
    pub message_type: Option<KindName>,
    /// A file that was brought to `POST /media`.
    pub media_id: Option<Uuid>,
    /// A file in Nova's storage, by its address; or a link to an upload.
    pub media_url: Option<String>,
    /// An upload to a presigned address.
    pub s3_key: Option<String>,
    /// The file's name, without a path.
    pub file_name: Option<String>,
    /// The file's type.
    pub file_type: Option<String>,
    /// Its width, in pixels. Only where it is not known by itself.
    pub width: Option<u32>,
    /// Its height, in pixels.
    pub height: Option<u32>,
    /// How long it plays, in milliseconds.
    pub duration_ms: Option<u64>,
    /// How loud it is over time, from 0 to 1024.
    #[serde(default)]
    pub waveform: Vec<u64>,
    /// Where it is, in degrees, for a location.
    pub latitude: Option<f64>,
    /// The same.
    pub longitude: Option<f64>,
    /// How exact that is, in metres.
    pub accuracy_meters: Option<f64>,
}

/// What a message shall carry, once that is clear.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// A file.
    File(Box<NewMedia>),
    /// A place.
    Place(Place),
}

impl Carrying {
    /// Whether anything is to be carried.
    #[must_use]
    pub fn is_something(&self) -> bool {
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let place = self.latitude.is_some() || self.longitude.is_some();
        place || self.media_id.is_some() || given(&self.media_url) || given(&self.s3_key)
    }

    /// What is to be carried. `None` for a message of text alone.
    ///
    /// # Errors
    /// When it is not clear, or the place is not on earth.
    pub fn wanted(self, links: &Links, bridge: &Bridge) -> Result<Option<Wanted>, ApiError> {
        let kind = self.message_type.as_ref().map(KindName::kind).transpose()?.flatten();
        let has_place = self.latitude.is_some() || self.longitude.is_some();
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let origins = [
            self.media_id.map(Origin::Upload),
            given(&self.media_url)
                .map(|url| origin_of_url(&url, links, bridge))
                .transpose()?,
            given(&self.s3_key).map(|key| origin_of_key(&key)).transpose()?,
        ];
        let mut origins = origins.into_iter().flatten();
        let (origin, another) = (origins.next(), origins.next());
        if another.is_some() || (has_place && origin.is_some()) {
            return Err(invalid("a message carries one thing"));
        }
        let kind = match kind {
            Some(Carried::Place) => {
                let place = self.latitude.zip(self.longitude);
                let place = place.ok_or_else(|| invalid("a location has latitude and longitude"))?;
                return self.place(place).map(Some);
            }
            Some(Carried::File(kind)) => Some(kind),
            None => None,
        };
        if let Some(place) = self.latitude.zip(self.longitude).filter(|_| kind.is_none()) {
            return self.place(place).map(Some);
        }
        let Some(origin) = origin else {
            return match kind {
                None => Ok(None),
                Some(_) => Err(invalid("media_id, media_url or s3_key is missing")),
            };
        };
        Ok(Some(Wanted::File(Box::new(NewMedia {
            kind,
            name: self.file_name,
            mime: self.file_type,
            dimensions: self.width.zip(self.height),
            duration_ms: self.duration_ms,
            waveform: self.waveform,
            ..NewMedia::from(origin)
        }))))
    }

    fn place(&self, (latitude, longitude): (f64, f64)) -> Result<Wanted, ApiError> {
        let place = Place::new(latitude, longitude, self.accuracy_meters);
        let complaint = || invalid("latitude must be -90 to 90, longitude -180 to 180");
        place.map(Wanted::Place).ok_or_else(complaint)
    }
}

/// Where an address leads: to an upload of ours, into the bucket, or anywhere else.
pub(crate) fn origin_of_url(text: &str, links: &Links, bridge: &Bridge) -> Result<Origin, ApiError> {
    // Old clients name an upload by its key wherever an address is asked for.
    if !text.contains("://") {
        return origin_of_key(text);
    }
    let url = Url::parse(text).map_err(|_| invalid("media_url is no address"))?;
    if let Some(id) = links.upload_of(&url) {
        return Ok(Origin::Upload(id));
    }
    Ok(match bridge.object_key(&url) {
        Some(key) => Origin::Object(key),
        None => Origin::Url(url),
    })
}

pub(crate) fn origin_of_key(key: &str) -> Result<Origin, ApiError> {
    match key.strip_prefix(UPLOAD_KEY) {
        Some(id) => Uuid::parse_str(id)
            .map(Origin::Upload)
            .map_err(|_| invalid("s3_key is none of ours")),
        None => Ok(Origin::Object(key.to_owned())),
    }
}

/// A message that carries something: its caption, or what stands for it.
#[must_use]
pub fn said(media: Media, text: Text) -> Text {
    let caption = text.plain.clone();
    let place = |place: Place| Media::Place(place.described(Some(&caption)));
    let media = match media {
        Media::Place(it) => place(it),
        file @ Media::File(_) => file,
    };
    Text {
        formatted: text.formatted.filter(|_| !caption.trim().is_empty()),
        ..Text::carrying(media, &caption)
    }
}

/// A file that was brought.
#[derive(Debug, Serialize, ToSchema)]
pub struct Upload {
    /// What a message names it by.
    pub media_id: Uuid,
    /// The same, as a key.
    #[schema(example = "upload/5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26")]
    pub s3_key: String,
    /// What it is, by its content: `image`, `video`, `audio`, `voice`, `file`.
    #[schema(value_type = String, example = "image")]
    pub kind: Kind,
    #[serde(flatten)]
    file: FileShown,
}

impl Upload {
    /// A file that was brought, with links to it.
    #[must_use]
    pub fn new(id: Uuid, file: &File, links: &Links) -> Self {
        Self {
            media_id: id,
            s3_key: format!("{UPLOAD_KEY}{id}"),
            kind: file.kind,
            file: FileShown::new(id, file, links),
        }
    }
}

/// What is shown of a file wherever it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FileShown {
    /// Its name.
    #[schema(example = "hill.jpg")]
    file_name: String,
    /// Its type.
    #[schema(example = "image/jpeg")]
    file_type: String,
    /// Its size in bytes; 0 where that is not known.
    #[schema(example = 48_213)]
    file_size: u64,
    /// A link to it, good for a while.
    url: String,
    /// A link to a small picture of it, where there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail_url: Option<String>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// How long it plays, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    /// How loud it is over time, from 0 to 1024.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waveform: Vec<u16>,
    /// Its colours, before it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    blurhash: Option<String>,
}

impl FileShown {
    fn new(id: Uuid, file: &File, links: &Links) -> Self {
        let (width, height) = file.dimensions.unzip();
        let has_small = file.mxc().is_some() && (file.kind.is_picture() || file.thumbnail.is_some());
        Self {
            file_name: file.name.clone(),
            file_type: file
                .mime
                .clone()
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            file_size: file.size.unwrap_or_default(),
            url: links.file(id),
            thumbnail_url: has_small.then(|| links.thumbnail(id)),
            width,
            height,
            duration_ms: file.duration_ms,
            waveform: file.waveform.clone(),
            blurhash: file.blurhash.clone(),
        }
    }
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Attachment {
    /// Its id: that of the message that carries it.
    id: Uuid,
    /// The message that it belongs to.
    message_id: Uuid,
    /// What it is shown as: `image`, `video`, `audio`, `voice`, `file`, `sticker`.
    #[schema(value_type = String, example = "image")]
    kind: Kind,
    /// For clients that want one.
    #[schema(example = "message/5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26")]
    s3_key: String,
    /// When it was added.
    created_at: Time,
    #[serde(flatten)]
    file: FileShown,
}

impl Attachment {
    /// A file that `message` carries, as one of the files of `of`.
    #[must_use]
    pub fn new(message: Uuid, of: Uuid, at: Time, file: &File, links: &Links) -> Self {
        Self {
            id: message,
            message_id: of,
            kind: file.kind,
            s3_key: format!("message/{message}"),
            created_at: at,
            file: FileShown::new(message, file, links),
        }
    }

    /// A file that was added to a message afterwards.
    #[must_use]
    pub fn added(it: &Attached, links: &Links) -> Self {
        Self::new(it.message.0, it.to.0, Time(it.at), &it.file, links)
    }
}

/// The files of a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attachments {
    /// The message.
    pub message_id: Uuid,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// How many.
    #[schema(example = 1)]
    pub count: usize,
}

/// A place of a message.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Location {
    /// In degrees.
    #[schema(example = 51.5008)]
    latitude: f64,
    /// In degrees.
    #[schema(example = -0.1247)]
    longitude: f64,
    /// How exact it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy_meters: Option<f64>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// What a message shows of what it carries, beside its attachments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Shown {
    /// A link to its file, good for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_url: Option<String>,
    /// A link to a small picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<String>,
    /// Audio: the same as `media_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_url: Option<String>,
    /// Audio: how long it is; 0 where nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Audio: `opus`, `aac`, `mp3`, `wav`, `flac` or `ogg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "opus")]
    pub audio_codec: Option<&'static str>,
    /// A place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The message that this one is an attachment of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached_to: Option<Uuid>,
}

impl Shown {
    /// What a message shows of what it carries.
    #[must_use]
    pub fn new(message: Uuid, media: Option<&Media>, links: &Links) -> Self {
        match media {
            None => Self::default(),
            Some(Media::Place(place)) => {
                let (latitude, longitude) = place.degrees();
                Self {
                    location: Some(Location {
                        latitude,
                        longitude,
                        accuracy_meters: place.accuracy(),
                        description: place.description.clone(),
                    }),
                    ..Self::default()
                }
            }
            Some(Media::File(file)) => {
                let shown = FileShown::new(message, file, links);
                let heard = matches!(file.kind, Kind::Audio | Kind::Voice);
                Self {
                    audio_url: heard.then(|| shown.url.clone()),
                    audio_codec: heard.then(|| file.audio_codec()),
                    duration_ms: file.duration_ms.or(heard.then_some(0)),
                    media_url: Some(shown.url),
                    thumbnail_url: shown.thumbnail_url,
                    location: None,
                    attached_to: file.attached_to.map(|id| id.0),
                }
            }
        }
    }
}
