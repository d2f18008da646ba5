//! What two peers tell each other about their media: descriptions, candidates, and what each stream is.
//!
//! SDP is relayed byte for byte and never logged. It is read only for what a bridge has to know: whether a peer could
//! play it at all, and which streams are in it (`matrix-voip.md` §0.3 and §0.4).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The longest SDP, in bytes.
pub const MAX_SDP: usize = 64 * 1024;

/// The longest candidate, in bytes.
pub const MAX_CANDIDATE: usize = 4 * 1024;

/// A session description, as its author wrote it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sdp(String);

/// Why a text is no usable description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSdp {
    /// Not SDP at all.
    #[error("the SDP does not begin with v=0")]
    NotSdp,
    /// Longer than [`MAX_SDP`].
    #[error("the SDP has more than 65536 bytes")]
    TooLong,
    /// NUL, which no store keeps.
    #[error("the SDP contains a NUL")]
    Nul,
    /// No track that is sent, or none that belongs to a stream: the other side would neither ring nor hear anything.
    #[error("the SDP sends no track that belongs to a MediaStream (a=msid)")]
    Streamless,
}

impl Sdp {
    /// Takes a text for SDP.
    ///
    /// # Errors
    /// When it is none, or too long.
    pub fn read(text: String) -> Result<Self, BadSdp> {
        if text.len() > MAX_SDP {
            return Err(BadSdp::TooLong);
        }
        if text.contains('\0') {
            return Err(BadSdp::Nul);
        }
        if !text.starts_with("v=0") {
            return Err(BadSdp::NotSdp);
        }
        Ok(Self(text))
    }

    /// The text, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The media sections.
    fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        self.0
            .split("\nm=")
            .skip(1)
            .chain(self.0.strip_prefix("m="))
            .map(|text| Section { text })
    }

    /// Whether it sends video.
    #[must_use]
    pub fn sends_video(&self) -> bool {
        self.sections().any(|it| it.is("video") && it.sends())
    }

    /// The streams whose tracks it sends, each once, in order: the first word of `a=msid`.
    #[must_use]
    pub fn streams(&self) -> Vec<&str> {
        let mut streams = Vec::new();
        for stream in self.sections().filter(Section::sends).filter_map(|it| it.stream()) {
            if !streams.contains(&stream) {
                streams.push(stream);
            }
        }
        streams
    }

    /// Whether the other side can ring for it, or hear it.
    ///
    /// # Errors
    /// [`BadSdp::Streamless`] when not.
    pub fn playable(&self) -> Result<(), BadSdp> {
        if self.streams().is_empty() {
            return Err(BadSdp::Streamless);
        }
        Ok(())
    }

    /// Whether it sends tracks, but none that belongs to a stream: its peer would be connected and hear nothing.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.sections().any(|it| it.sends()) && self.streams().is_empty()
    }

    fn stream_sends_video(&self, stream: &str) -> bool {
        self.sections()
            .any(|it| it.is("video") && it.sends() && it.stream() == Some(stream))
    }
}

impl fmt::Debug for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sdp({} bytes)", self.0.len())
    }
}

/// One `m=` section.
struct Section<'a> {
    text: &'a str,
}

impl<'a> Section<'a> {
    fn is(&self, media: &str) -> bool {
        self.text.split_ascii_whitespace().next() == Some(media)
    }

    fn attributes(&self) -> impl Iterator<Item = &'a str> {
        self.text.lines().filter_map(|line| line.trim_end().strip_prefix("a="))
    }

    /// Sending is what a section does unless it says otherwise. Port 0 says that it is rejected.
    fn sends(&self) -> bool {
        (self.is("audio") || self.is("video"))
            && self.text.split_ascii_whitespace().nth(1) != Some("0")
            && !self.attributes().any(|it| it == "recvonly" || it == "inactive")
    }

    fn stream(&self) -> Option<&'a str> {
        self.attributes()
            .filter_map(|it| it.strip_prefix("msid:"))
            .filter_map(|it| it.split_ascii_whitespace().next())
            .find(|stream| *stream != "-")
    }
}

/// Which half of a negotiation a description is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescriptionKind {
    /// Asks.
    Offer,
    /// Answers.
    Answer,
}

impl DescriptionKind {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
        }
    }
}

/// A description and which half it is; in JSON as browsers write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Which half.
    #[serde(rename = "type")]
    pub kind: DescriptionKind,
    /// The text.
    pub sdp: Sdp,
}

/// A way to reach a peer. An empty `candidate` is the end of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The candidate's line.
    pub candidate: String,
    /// Of which media section, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// Of which media section, by place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdp_mline_index: Option<u16>,
    /// Of which generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

impl Candidate {
    /// Whether it says that no more will come.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.candidate.is_empty()
    }
}

/// What each stream of a description is, and what of it is muted: `sdp_stream_metadata`
/// ([MSC3077](https://github.com/matrix-org/matrix-spec-proposals/pull/3077)), by stream id. Unknown fields are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamMetadata(Map<String, Value>);

impl StreamMetadata {
    /// Takes JSON for metadata, if it has the form of some.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        map.values().all(Value::is_object).then(|| Self(map.clone()))
    }

    /// The JSON.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// What has to be said about a description whose author said nothing: every stream is of camera and microphone.
    #[must_use]
    pub fn of(sdp: &Sdp, audio: bool, video: bool) -> Self {
        let streams = sdp.streams().into_iter().map(|stream| {
            let sends_video = sdp.stream_sends_video(stream);
            (
                stream.to_owned(),
                json!({
                    "purpose": "m.usermedia", "audio_muted": !audio, "video_muted": !(video && sends_video),
                }),
            )
        });
        Self(streams.collect())
    }

    /// What is said about a description: what its author says, where that fits it exactly, or else what can be seen.
    /// Anything between makes Element drop the call without a word (`matrix-voip.md` §0.4).
    #[must_use]
    pub fn exact(given: Option<Self>, sdp: &Sdp, audio: bool, video: bool) -> Self {
        let streams = sdp.streams();
        let fits = |given: &Self| {
            !given.0.is_empty()
                && given.0.keys().all(|key| streams.contains(&key.as_str()))
                && given
                    .0
                    .values()
                    .all(|it| it.get("purpose").is_some_and(Value::is_string))
        };
        match given {
            Some(given) if fits(&given) => given.explicit(),
            Some(_) | None => Self::of(sdp, audio, video),
        }
    }

    /// With both switches in every entry: what is left out would be merged with what was said before (§0.6).
    fn explicit(mut self) -> Self {
        for entry in self.0.values_mut().filter_map(Value::as_object_mut) {
            for key in ["audio_muted", "video_muted"] {
                let muted = entry.get(key).and_then(Value::as_bool).unwrap_or(false);
                entry.insert(key.to_owned(), Value::Bool(muted));
            }
        }
        self
    }

    /// The same streams, with microphone and camera switched.
    #[must_use]
    pub fn switched(&self, audio: bool, video: bool) -> Self {
        let mut switched = self.clone().explicit();
        for entry in switched.0.values_mut().filter_map(Value::as_object_mut) {
            if entry.get("purpose").is_some_and(|it| it == "m.usermedia") {
                entry.insert("audio_muted".to_owned(), Value::Bool(!audio));
                entry.insert("video_muted".to_owned(), Value::Bool(!video));
            }
        }
        switched
    }

    /// Whether microphone and camera are on, as far as it says. What it leaves out is `None`.
    #[must_use]
    pub fn enabled(&self) -> (Option<bool>, Option<bool>) {
        let of = |key: &str| {
            let camera = self
                .0
                .values()
                .filter(|it| it.get("purpose").is_some_and(|it| it == "m.usermedia"));
            let muted: Vec<bool> = camera.filter_map(|it| it.get(key).and_then(Value::as_bool)).collect();
            (!muted.is_empty()).then(|| muted.iter().any(|muted| !muted))
        };
        (of("audio_muted"), of("video_muted"))
    }

    /// What was said before, with what is said now: entries and fields that are left out stay.
    #[must_use]
    pub fn merged(before: Option<Self>, now: &Self) -> Self {
        let mut merged = before.unwrap_or_default();
        for (stream, entry) in &now.0 {
            match (
                merged.0.get_mut(stream).and_then(Value::as_object_mut),
                entry.as_object(),
            ) {
                (Some(old), Some(new)) => old.extend(new.clone()),
                _ => {
                    merged.0.insert(stream.clone(), entry.clone());
                }
            }
        }
        merged
    }

    /// Whether a screen is among the streams.
    #[must_use]
    pub fn has_screen(&self) -> bool {
        self.0
            .values()
            .any(|it| it.get("purpose").is_some_and(|it| it == "m.screenshare"))
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
