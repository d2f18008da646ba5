//! The dialect's spelling of ids, descriptions and candidates, with the limits that it lacks itself.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::call::media::MAX_CANDIDATE;
use crate::domain::call::{Call, Candidate, DescriptionKind, Sdp};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::{CallId, UserId};

/// The longest id, in bytes.
pub(super) const MAX_ID: usize = 255;

/// A text that serves as an id.
pub(super) fn id<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    let id = body.get(field)?.as_str()?;
    (!id.is_empty() && id.len() <= MAX_ID).then_some(id)
}

/// A call's id: 32 hex digits; the form with hyphens is understood too.
pub(super) fn call_id(text: &str) -> Option<CallId> {
    matches!(text.len(), 32 | 36)
        .then(|| Uuid::try_parse(text).ok())
        .flatten()
        .map(CallId)
}

/// A call's id, as clients know it.
pub(super) fn shown_id(call: CallId) -> String {
    call.0.as_simple().to_string()
}

/// The Nova user that a client names, by ghost or by id.
pub(super) fn user(ghosts: &Ghosts, text: &str) -> Option<UserId> {
    if text.len() > MAX_ID {
        return None;
    }
    ghosts
        .nova_user_asked_for(text)
        .or_else(|| Uuid::try_parse(text).ok().map(UserId))
}

/// How somebody in a call is called: a Matrix peer by their own id, everybody else by that of their ghost.
pub(super) fn shown_user(ghosts: &Ghosts, call: &Call, user: UserId) -> String {
    match &call.matrix {
        Some(leg) if leg.ghost != user => leg.peer.to_string(),
        Some(_) | None => ghosts.mxid(user),
    }
}

/// `voice` or `video`.
pub(super) const fn call_type(is_video: bool) -> &'static str {
    if is_video { "video" } else { "voice" }
}

/// A description: `{"type", "sdp"}`, or the bare text.
pub(super) fn description(value: &Value, kind: DescriptionKind) -> Option<Sdp> {
    let text = if let Some(text) = value.as_str() {
        text
    } else {
        let said = value.get("type").and_then(Value::as_str);
        if said.is_some_and(|said| said != kind.as_str()) {
            return None;
        }
        value.get("sdp")?.as_str()?
    };
    Sdp::read(text.to_owned()).ok()
}

/// A description, as browsers write it.
pub(super) fn shown_description(kind: DescriptionKind, sdp: &Sdp) -> Value {
    json!({ "type": kind.as_str(), "sdp": sdp.as_str() })
}

/// A candidate. None at all, or an empty one, is the end of them.
pub(super) fn candidate(value: &Value) -> Option<Candidate> {
    let text = |field: &str, limit: usize| match value.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= limit && !text.contains('\0') => Ok(Some(text.clone())),
        Some(_) => Err(()),
    };
    if !value.is_object() && !value.is_null() {
        return None;
    }
    let sdp_mline_index = match value.get("sdpMLineIndex") {
        None | Some(Value::Null) => None,
        Some(index) => Some(u16::try_from(index.as_u64()?).ok()?),
    };
    Some(Candidate {
        candidate: text("candidate", MAX_CANDIDATE).ok()?.unwrap_or_default(),
        sdp_mid: text("sdpMid", MAX_ID).ok()?,
        sdp_mline_index,
        username_fragment: text("usernameFragment", MAX_ID).ok()?,
    })
}

/// A candidate, as browsers write it.
pub(super) fn shown_candidate(candidate: &Candidate) -> Value {
    let mut shown = json!({
        "candidate": candidate.candidate,
        "sdpMid": candidate.sdp_mid,
        "sdpMLineIndex": candidate.sdp_mline_index,
    });
    if let (Some(fragment), Some(shown)) = (&candidate.username_fragment, shown.as_object_mut()) {
        shown.insert("usernameFragment".to_owned(), json!(fragment));
    }
    shown
}
