//! The dialect's spelling: which fields a frame has, in both shapes that are published, and what a call is called.

use serde_json::{Map, Value};
use uuid::{Uuid, Version};

use crate::domain::call::{Candidate, Sdp};
use crate::domain::ids::CallId;
use crate::nova::dto::calls::body::{Body, MAX_ID};
use crate::nova::error::ApiError;

/// The longest `candidate`, in bytes of JSON. What is in it has limits of its own.
const MAX_CANDIDATE_JSON: usize = 10_000;

/// What the key of a call begins with that was made with an id of its caller's.
const KEY: &str = "frames:";

/// Which frame it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nova) enum Kind {
    Offer,
    Answer,
    Reject,
    Hangup,
    Ice,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::Offer, Self::Answer, Self::Reject, Self::Hangup, Self::Ice];

    /// The frame's type.
    pub(in crate::nova) const fn name(self) -> &'static str {
        match self {
            Self::Offer => "call_offer",
            Self::Answer => "call_answer",
            Self::Reject => "call_reject",
            Self::Hangup => "call_hangup",
            Self::Ice => "call_ice",
        }
    }

    /// The frame of this type.
    pub(in crate::nova) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The call, as the client knows it.
    pub(super) call: Uuid,
    /// For whom: only an offer needs it, the others are for the other one of the call.
    pub(super) target: String,
    pub(super) act: Act,
}

/// What a client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Offer { sdp: Sdp, with_video: Option<bool> },
    Answer(Sdp),
    Reject(Reason),
    Hangup,
    Ice(Vec<Candidate>),
}

/// Why a client rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Busy,
    /// Also everything that we do not know.
    Declined,
}

/// Which call a frame is about, where it says so: for the answer to one that cannot be read.
pub(super) fn named(frame: &Map<String, Value>) -> Option<Uuid> {
    Fields::of(frame).ok()?.call().ok()
}

/// Reads a frame: `{target, payload: {callId, …}}`, or `{targetId, callId, …}`.
pub(super) fn read(kind: Kind, frame: &Map<String, Value>) -> Result<Frame, ApiError> {
    let fields = Fields::of(frame)?;
    let target = ["target", "targetId"]
        .into_iter()
        .find_map(|key| Some((key, present(frame, key)?)));
    let (key, target) = target.ok_or_else(|| missing("target"))?;
    let target = short(key, target)?.to_owned();
    let call = fields.call()?;
    let act = match kind {
        Kind::Offer => Act::Offer {
            sdp: fields.sdp()?,
            with_video: fields.flag("withVideo")?,
        },
        Kind::Answer => Act::Answer(fields.sdp()?),
        Kind::Reject => Act::Reject(fields.reason()?),
        Kind::Hangup => Act::Hangup,
        Kind::Ice => Act::Ice(fields.candidate()?),
    };
    Ok(Frame { call, target, act })
}

/// The fields besides the target.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn of(frame: &'a Map<String, Value>) -> Result<Self, ApiError> {
        match present(frame, "payload") {
            None => Ok(Self(frame)),
            Some(Value::Object(payload)) => Ok(Self(payload)),
            Some(_) => Err(invalid("payload must be an object")),
        }
    }

    fn needed(&self, key: &str) -> Result<&'a Value, ApiError> {
        present(self.0, key).ok_or_else(|| missing(key))
    }

    fn call(&self) -> Result<Uuid, ApiError> {
        let text = short("callId", self.needed("callId")?)?;
        let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
        id.filter(|id| id.get_version() == Some(Version::Random))
            .ok_or_else(|| invalid("callId must be a UUID v4"))
    }

    fn sdp(&self) -> Result<Sdp, ApiError> {
        let text = self.needed("sdp")?.as_str();
        let text = text.ok_or_else(|| invalid("sdp must be a text"))?;
        Sdp::read(text.to_owned()).map_err(|error| invalid(format!("sdp: {error}")))
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, ApiError> {
        let flag = |value: &Value| {
            let flag = value.as_bool();
            flag.ok_or_else(|| invalid(format!("{key} must be true or false")))
        };
        present(self.0, key).map(flag).transpose()
    }

    fn reason(&self) -> Result<Reason, ApiError> {
        let reason = present(self.0, "reason").map(|it| short("reason", it)).transpose()?;
        Ok(if reason == Some("busy") {
            Reason::Busy
        } else {
            Reason::Declined
        })
    }

    /// A candidate is an object, written as a text.
    fn candidate(&self) -> Result<Vec<Candidate>, ApiError> {
        const WRONG: &str = "candidate must be a text with a JSON object";
        let text = self
            .needed("candidate")?
            .as_str()
            .ok_or_else(|| invalid(WRONG.to_owned()))?;
        if text.len() > MAX_CANDIDATE_JSON {
            return Err(invalid(format!(
                "candidate must have at most {MAX_CANDIDATE_JSON} bytes"
            )));
        }
        let fields: Map<String, Value> = serde_json::from_str(text).map_err(|_| invalid(WRONG))?;
        Body::from(fields).candidates()
    }
}

fn present<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    fields.get(key).filter(|value| !value.is_null())
}

fn short<'a>(key: &str, value: &'a Value) -> Result<&'a str, ApiError> {
    let text = value.as_str().ok_or_else(|| invalid(format!("{key} must be a text")))?;
    if text.is_empty() || text.len() > MAX_ID || text.contains('\0') {
        return Err(invalid(format!("{key} must have 1 to {MAX_ID} bytes, and no NUL")));
    }
    Ok(text)
}

fn missing(key: &str) -> ApiError {
    // The words of the service that these clients know.
    invalid(format!("Missing required field: {key}"))
}

fn invalid(what: impl Into<String>) -> ApiError {
    ApiError::Invalid(what.into())
}

/// How a call is called for who did not make it with an id of their own. Our ids are of version 7, and these clients take
/// version 4 only, so that one digit is another.
pub(super) const fn shown_id(call: CallId) -> Uuid {
    with_version(call.0, 4)
}

/// The call that [`shown_id`] names so.
pub(super) const fn call_id(shown: Uuid) -> CallId {
    CallId(with_version(shown, 7))
}

const fn with_version(id: Uuid, version: u128) -> Uuid {
    const PLACE: u32 = 76;
    Uuid::from_u128(id.as_u128() & !(0xF << PLACE) | (version << PLACE))
}

/// The key under which a call is made whose caller gave it an id.
pub(super) fn key(id: Uuid) -> String {
    format!("{KEY}{id}")
}

/// The id in a key.
pub(super) fn id_of_key(key: &str) -> Option<Uuid> {
    Uuid::try_parse(key.strip_prefix(KEY)?).ok()
}
