//! Files and places: what a message carries beside its text.

use serde::{Deserialize, Serialize};

use super::ids::MessageId;

mod name;
mod place;

pub use name::{file_name, has_path};
pub use place::Place;

/// The largest number of values in a waveform, and the largest value (MSC3245).
const WAVEFORM: (usize, u16) = (1024, 1024);

/// The longest blurhash and the longest type, in bytes.
const MAX_WORD_BYTES: usize = 100;

/// What a message carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A file of some kind.
    File(Box<File>),
    /// A place on earth.
    Place(Place),
}

/// What a file is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `m.image`.
    Image,
    /// `m.video`.
    Video,
    /// `m.audio`.
    Audio,
    /// `m.audio` that somebody spoke (MSC3245).
    Voice,
    /// `m.file`.
    File,
    /// `m.sticker`.
    Sticker,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// On the homeserver, by its `mxc://` address.
    Mxc(String),
    /// In Nova's storage, by an address that is fetched before the message goes to Matrix.
    Url(String),
    /// In the bucket, by its key.
    Object(String),
}

/// A file and what is known of it. All but the source is a claim of whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// What it is shown as.
    pub kind: Kind,
    /// Where it is.
    pub source: Source,
    /// Its name, without a path.
    pub name: String,
    /// Its type, such as `image/png`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Its size, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Width and height, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<(u32, u32)>,
    /// How long it plays, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// How loud it is over time, from 0 to 1024.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waveform: Vec<u16>,
    /// Its colours, before it is there (<https://blurha.sh>).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blurhash: Option<String>,
    /// A small picture of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Thumbnail>,
    /// The message that it was added to afterwards (Nova's attachments).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_to: Option<MessageId>,
}

/// A small picture of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// Its `mxc://` address.
    pub mxc: String,
    /// Its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Its size, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Width and height, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<(u32, u32)>,
}

impl Kind {
    /// The type of message that Nova's clients know it by.
    #[must_use]
    pub const fn message_type(self) -> &'static str {
        match self {
            Self::Image | Self::Sticker => "image",
            Self::Video => "video",
            Self::Audio | Self::Voice => "audio",
            Self::File => "file",
        }
    }

    /// What it is called where it has no name.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Voice => "voice message",
            Self::File => "file",
            Self::Sticker => "sticker",
        }
    }

    /// Whether it is something to see.
    #[must_use]
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::Image | Self::Sticker)
    }

    /// The kind that a type makes a file.
    #[must_use]
    pub fn of_mime(mime: &str) -> Self {
        match mime.split_once('/') {
            Some(("image", _)) => Self::Image,
            Some(("video", _)) => Self::Video,
            Some(("audio", _)) => Self::Audio,
            Some(_) | None => Self::File,
        }
    }
}

impl Media {
    /// The type of message that Nova's clients know it by.
    #[must_use]
    pub const fn message_type(&self) -> &'static str {
        match self {
            Self::File(file) => file.kind.message_type(),
            Self::Place(_) => "location",
        }
    }

    /// The file, where it is one.
    #[must_use]
    pub const fn file(&self) -> Option<&File> {
        match self {
            Self::File(file) => Some(file),
            Self::Place(_) => None,
        }
    }

    /// What stands for it where only text is shown: the file's name, or that it is a place. Never an address.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::File(file) => &file.name,
            Self::Place(place) => place.label(),
        }
    }
}

impl File {
    /// A file of which nothing but its place is known.
    #[must_use]
    pub fn new(kind: Kind, source: Source, name: &str) -> Self {
        Self {
            kind,
            source,
            name: file_name(name, kind),
            mime: None,
            size: None,
            dimensions: None,
            duration_ms: None,
            waveform: Vec::new(),
            blurhash: None,
            thumbnail: None,
            attached_to: None,
        }
    }

    /// Its `mxc://` address, once it is on the homeserver.
    #[must_use]
    pub fn mxc(&self) -> Option<&str> {
        match &self.source {
            Source::Mxc(mxc) => Some(mxc),
            Source::Url(_) | Source::Object(_) => None,
        }
    }

    /// The codec of an audio file, by the names that Nova's clients use.
    #[must_use]
    pub fn audio_codec(&self) -> &'static str {
        let mime = self.mime.as_deref().unwrap_or_default();
        match mime.split_once('/').map_or(mime, |(_, name)| name) {
            "aac" | "mp4" | "m4a" | "x-m4a" | "aacp" => "aac",
            "mpeg" | "mp3" => "mp3",
            "wav" | "x-wav" | "wave" | "vnd.wave" => "wav",
            "flac" | "x-flac" => "flac",
            "vorbis" => "ogg",
            _ => "opus",
        }
    }
}

/// A type as it may be repeated to clients: `image/png`, in lower case and without parameters.
#[must_use]
pub fn mime(text: &str) -> Option<String> {
    let text = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (family, name) = text.split_once('/')?;
    let word = |word: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c);
        !word.is_empty() && word.chars().all(fits)
    };
    // Synapse's HTTP server would read a file of such a type as a form.
    let form = family == "multipart" || text == "application/x-www-form-urlencoded";
    (text.len() <= MAX_WORD_BYTES && word(family) && word(name) && !form).then_some(text)
}

/// A blurhash, if it may be one.
#[must_use]
pub fn blurhash(text: &str) -> Option<String> {
    let fits = (6..=MAX_WORD_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// A waveform within the limits; values that are too large are cut, and so is the end.
#[must_use]
pub fn waveform(values: impl IntoIterator<Item = u64>) -> Vec<u16> {
    let (most, loudest) = WAVEFORM;
    let cut = |value: u64| u16::try_from(value).unwrap_or(loudest).min(loudest);
    values.into_iter().take(most).map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_words_and_nothing_else() {
        assert_eq!(mime("Image/PNG; charset=\"x\"").as_deref(), Some("image/png"));
        for bad in ["", "image", "image/", "/png", "a/b/c", "image/p\r\nng", "image/<x>"] {
            assert_eq!(mime(bad), None, "{bad:?}");
        }
        for form in ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"] {
            assert_eq!(mime(form), None, "{form:?}");
        }
        assert_eq!(mime(&format!("a/{}", "b".repeat(200))), None);
    }

    #[test]
    fn waveforms_and_blurhashes_keep_their_limits() {
        assert_eq!(waveform([0, 1024, 1025, u64::MAX]), [0, 1024, 1024, 1024]);
        assert_eq!(waveform(std::iter::repeat_n(1, 5000)).len(), 1024);
        assert!(blurhash("LEHV6nWB2yk8pyo0adR*.7kCMdnj").is_some());
        assert!(blurhash("L E").is_none());
        assert!(blurhash(&"x".repeat(101)).is_none());
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let mut file = File::new(Kind::Voice, Source::Mxc("mxc://x/y".to_owned()), "a.ogg");
        file.waveform = vec![1, 2];
        file.dimensions = Some((1, 2));
        let media = Media::File(Box::new(file));
        let text = serde_json::to_string(&media).unwrap();
        assert_eq!(serde_json::from_str::<Media>(&text).unwrap(), media);
    }
}
