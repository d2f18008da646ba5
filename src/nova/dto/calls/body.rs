//! The fields of a request or a frame. Old clients write them in several ways; what is there and is wrong is refused.

use serde_json::{Map, Value};

use crate::domain::call::media::MAX_CANDIDATE;
use crate::domain::call::{Candidate, DescriptionKind, Sdp, StreamMetadata};
use crate::nova::error::ApiError;

/// The longest id, key or name, in bytes.
pub const MAX_ID: usize = 255;
/// The most candidates at once.
const MAX_CANDIDATES: usize = 200;
/// The largest `sdp_stream_metadata`, in bytes of JSON, and how deep it goes at most.
const MAX_METADATA: usize = 16 * 1024;
const METADATA_DEPTH: usize = 8;

pub(super) fn invalid(what: impl Into<String>) -> ApiError {
    ApiError::Invalid(what.into())
}

/// The fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Body(Map<String, Value>);

impl From<Map<String, Value>> for Body {
    fn from(fields: Map<String, Value>) -> Self {
        Self(fields)
    }
}

impl Body {
    /// What stands there; null is absent.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The first of these names that is used.
    pub(super) fn first<'a>(&self, keys: &[&'a str]) -> Option<(&'a str, &Value)> {
        keys.iter().find_map(|key| Some((*key, self.get(key)?)))
    }

    /// A short text.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, ApiError> {
        self.get(key).map(|value| short_text(key, value)).transpose()
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ApiError> {
        let flag = |value: &Value| {
            value
                .as_bool()
                .ok_or_else(|| invalid(format!("{key} must be true or false")))
        };
        self.get(key).map(flag).transpose()
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, ApiError> {
        let number = |value: &Value| {
            value
                .as_u64()
                .ok_or_else(|| invalid(format!("{key} must be a whole number of 0 or more")))
        };
        self.get(key).map(number).transpose()
    }

    /// A UUID, in any case.
    pub(super) fn id<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, ApiError> {
        let id = |text: &str| {
            text.trim()
                .parse()
                .map_err(|_| invalid(format!("{key} must be a UUID")))
        };
        self.text(key)?.map(id).transpose()
    }

    /// What somebody sends, under one of these names: an object `{type, sdp}`, or the SDP itself.
    pub(super) fn sdp(&self, keys: &[&str], kind: DescriptionKind) -> Result<Option<Sdp>, ApiError> {
        let Some((key, value)) = self.first(keys) else {
            return Ok(None);
        };
        let (said, sdp) = described(key, value)?;
        if said.is_some_and(|said| said != kind) {
            return Err(invalid(format!("{key} must be of the type {}", kind.as_str())));
        }
        Ok(Some(sdp))
    }

    /// What the streams of a description are.
    pub(super) fn metadata(&self) -> Result<Option<StreamMetadata>, ApiError> {
        const KEY: &str = "sdp_stream_metadata";
        let Some(value) = self.get(KEY) else {
            return Ok(None);
        };
        if value.to_string().len() > MAX_METADATA || depth(value) > METADATA_DEPTH || holds_nul(value) {
            return Err(invalid(format!("{KEY} is too large")));
        }
        let read = StreamMetadata::read(value);
        read.map(Some)
            .ok_or_else(|| invalid(format!("{KEY} must be an object with an object for each stream")))
    }

    /// Candidates in any form: `candidates`, the browser's own object, or its fields.
    pub(in crate::nova) fn candidates(&self) -> Result<Vec<Candidate>, ApiError> {
        let listed = |list: &[Value]| {
            if list.is_empty() || list.len() > MAX_CANDIDATES {
                return Err(invalid(format!("candidates must be 1 to {MAX_CANDIDATES}")));
            }
            list.iter().map(one_candidate).collect()
        };
        match (self.get("candidates"), self.get("candidate")) {
            (Some(Value::Array(list)), None) | (None, Some(Value::Array(list))) => listed(list),
            (Some(_), _) => Err(invalid("candidates must be a list, without candidate beside it")),
            (None, Some(Value::Object(fields))) => Ok(vec![candidate(fields)?]),
            (None, Some(_)) => Ok(vec![candidate(&self.0)?]),
            // The browser's way to say that no more will come.
            (None, None) if self.has("candidate") => Ok(vec![candidate(&self.0)?]),
            (None, None) => Err(invalid("candidate is missing")),
        }
    }
}

fn short_text<'a>(key: &str, value: &'a Value) -> Result<&'a str, ApiError> {
    let text = value.as_str().ok_or_else(|| invalid(format!("{key} must be a text")))?;
    if text.len() > MAX_ID || text.contains('\0') {
        return Err(invalid(format!("{key} must have at most {MAX_ID} bytes, and no NUL")));
    }
    Ok(text)
}

/// A description, with its type where it says one.
pub(super) fn described(key: &str, value: &Value) -> Result<(Option<DescriptionKind>, Sdp), ApiError> {
    let (kind, text) = match value {
        Value::String(text) => (None, text),
        Value::Object(fields) => {
            let kind = fields.get("type").filter(|it| !it.is_null());
            let kind = kind.map(|it| kind_of(&format!("{key}.type"), it)).transpose()?;
            match fields.get("sdp") {
                Some(Value::String(text)) => (kind, text),
                Some(_) => return Err(invalid(format!("{key}.sdp must be a text"))),
                None => return Err(invalid(format!("{key}.sdp is missing"))),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err(invalid(format!(
                "{key} must be an object {{type, sdp}}, or the SDP as a text"
            )));
        }
    };
    let sdp = Sdp::read(text.clone()).map_err(|error| invalid(format!("{key}: {error}")))?;
    Ok((kind, sdp))
}

pub(super) fn kind_of(key: &str, value: &Value) -> Result<DescriptionKind, ApiError> {
    match value.as_str() {
        Some("offer") => Ok(DescriptionKind::Offer),
        Some("answer") => Ok(DescriptionKind::Answer),
        Some(_) | None => Err(invalid(format!("{key} must be offer or answer"))),
    }
}

fn one_candidate(value: &Value) -> Result<Candidate, ApiError> {
    match value {
        Value::Object(fields) => candidate(fields),
        Value::String(line) => candidate_of(line, None, None, None),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err(invalid("a candidate must be an object or a text"))
        }
    }
}

fn candidate(fields: &Map<String, Value>) -> Result<Candidate, ApiError> {
    let given = |keys: [&'static str; 2]| {
        keys.into_iter()
            .find_map(|key| Some((key, fields.get(key).filter(|value| !value.is_null())?)))
    };
    let short = |keys| {
        given(keys)
            .map(|(key, value)| short_text(key, value).map(str::to_owned))
            .transpose()
    };
    let line = match fields.get("candidate") {
        Some(Value::String(line)) => line.as_str(),
        Some(Value::Null) => "",
        Some(_) => return Err(invalid("candidate must be a text")),
        None => return Err(invalid("candidate is missing")),
    };
    let index = given(["sdp_mline_index", "sdpMLineIndex"]).map(|(key, value)| {
        let index = value.as_u64().and_then(|it| u16::try_from(it).ok());
        index.ok_or_else(|| invalid(format!("{key} must be a whole number from 0 to 65535")))
    });
    candidate_of(
        line,
        short(["sdp_mid", "sdpMid"])?,
        index.transpose()?,
        short(["username_fragment", "usernameFragment"])?,
    )
}

fn candidate_of(
    line: &str,
    sdp_mid: Option<String>,
    sdp_mline_index: Option<u16>,
    username_fragment: Option<String>,
) -> Result<Candidate, ApiError> {
    if line.len() > MAX_CANDIDATE || line.contains('\0') {
        return Err(invalid(format!(
            "candidate must have at most {MAX_CANDIDATE} bytes, and no NUL"
        )));
    }
    Ok(Candidate {
        candidate: line.to_owned(),
        sdp_mid,
        sdp_mline_index,
        username_fragment,
    })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
