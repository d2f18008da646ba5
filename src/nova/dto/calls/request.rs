//! What a client wants of a call: read in one place, for REST and for frames.

use serde_json::Value;
use uuid::Uuid;

use super::body::{Body, described, invalid, kind_of};
use crate::bridge::calls::PlaceCall;
use crate::domain::call::{Candidate, Description, DescriptionKind, Dialect, EndReason, Sdp, StreamMetadata, Topology};
use crate::domain::ids::{CallId, ConversationId};
use crate::nova::error::ApiError;

/// How many take part in a group call where nobody says otherwise, and the most that may be asked for.
const GROUP_SIZE: u16 = 8;
const LARGEST_GROUP: u64 = 50;

/// Which call a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// By its id.
    Call(CallId),
    /// The one that a conversation has at the moment.
    In(ConversationId),
}

impl Which {
    /// What the fields name.
    ///
    /// # Errors
    /// When they name nothing, or something that is no id.
    pub fn read(body: &Body) -> Result<Self, ApiError> {
        let call = match body.id("call_id")? {
            Some(call) => Some(call),
            None => body.id("callId")?,
        };
        match (call, body.id("conversation_id")?) {
            (Some(call), _) => Ok(Self::Call(call)),
            (None, Some(conversation)) => Ok(Self::In(conversation)),
            (None, None) => Err(invalid("call_id is missing")),
        }
    }
}

/// Something that is done in a call.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Take it, and say later what is sent.
    Accept {
        /// The device's own key.
        claim: Option<String>,
    },
    /// Take it.
    Answer {
        /// What the callee sends.
        answer: Sdp,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
        /// The key with which it was accepted before.
        claim: Option<String>,
    },
    /// Decline it.
    Reject {
        /// Whether because of another call.
        busy: bool,
    },
    /// Hang up.
    End {
        /// Why.
        reason: EndReason,
    },
    /// Ways to get through.
    Candidates {
        /// For whom: a user or a part, in a group call.
        to: Option<Uuid>,
        /// Which.
        candidates: Vec<Candidate>,
    },
    /// Change what is sent.
    Negotiate {
        /// For whom, in a group call.
        to: Option<Uuid>,
        /// To what.
        description: Description,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
    },
    /// Switch microphone or camera.
    Media {
        /// The microphone.
        audio: Option<bool>,
        /// The camera.
        video: Option<bool>,
    },
    /// Come into a group call.
    Join {
        /// What is sent to everybody.
        sdp: Option<Sdp>,
    },
    /// Leave a group call.
    Leave,
}

/// A call to be placed, in the conversation of the path or of the body.
///
/// # Errors
/// When a field is not as it has to be.
pub fn place(body: &Body, conversation: Option<ConversationId>) -> Result<PlaceCall, ApiError> {
    let said = body.id("conversation_id")?;
    let conversation = match (conversation, said) {
        (Some(path), Some(said)) if path != said => {
            return Err(invalid("conversation_id is not that of the path"));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => return Err(invalid("conversation_id is missing")),
    };
    // An old document has `audio` and `video` here; the conversation decides anyway.
    let (topology, video) = match body.text("call_type")? {
        None | Some("direct") => (Topology::Direct, None),
        Some("group") => (Topology::Group, None),
        Some("audio") => (Topology::Direct, Some(false)),
        Some("video") => (Topology::Direct, Some(true)),
        Some(_) => return Err(invalid("call_type must be direct or group")),
    };
    let max_participants = match body.number("max_participants")? {
        None => GROUP_SIZE,
        Some(number @ 2..=LARGEST_GROUP) => u16::try_from(number).unwrap_or(GROUP_SIZE),
        Some(_) => return Err(invalid(format!("max_participants must be 2 to {LARGEST_GROUP}"))),
    };
    let offer = body.sdp(&["offer", "initiator_sdp", "sdp_offer", "sdp"], DescriptionKind::Offer)?;
    Ok(PlaceCall {
        conversation,
        topology,
        offer,
        metadata: body.metadata()?,
        is_video: body.flag("is_video")?.or(video),
        max_participants,
        idempotency_key: body.text("idempotency_key")?.map(str::to_owned),
        dialect: Dialect::Nova,
    })
}

/// An answer.
///
/// # Errors
/// When it is missing, or a field is not as it has to be.
pub fn answer(body: &Body) -> Result<Action, ApiError> {
    let answer = body.sdp(&["answer", "answer_sdp", "sdp_answer", "sdp"], DescriptionKind::Answer)?;
    Ok(Action::Answer {
        answer: answer.ok_or_else(|| invalid("answer is missing"))?,
        metadata: body.metadata()?,
        claim: body.text("claim")?.map(str::to_owned),
    })
}

/// A claim: the call is taken, what is sent comes later.
///
/// # Errors
/// When the key is not as it has to be.
pub fn accept(body: &Body) -> Result<Action, ApiError> {
    let claim = body.text("claim")?.filter(|key| !key.is_empty());
    let claim = claim.ok_or_else(|| invalid("claim is missing: a key of the device's own"))?;
    Ok(Action::Accept {
        claim: Some(claim.to_owned()),
    })
}

/// A refusal.
///
/// # Errors
/// When the reason is none of ours.
pub fn reject(body: &Body) -> Result<Action, ApiError> {
    match body.text("reason")? {
        None | Some("" | "declined") => Ok(Action::Reject { busy: false }),
        Some("busy") => Ok(Action::Reject { busy: true }),
        Some(_) => Err(invalid("reason must be declined or busy")),
    }
}

/// The end.
///
/// # Errors
/// When the reason is none of ours.
pub fn end(body: &Body) -> Result<Action, ApiError> {
    let reason = match body.text("reason")? {
        None | Some("" | "user_hangup") => EndReason::UserHangup,
        Some("ice_failed") => EndReason::IceFailed,
        Some("media_failed") => EndReason::MediaFailed,
        Some("error") => EndReason::Error,
        Some(_) => return Err(invalid("reason must be user_hangup, ice_failed, media_failed or error")),
    };
    Ok(Action::End { reason })
}

/// Candidates.
///
/// # Errors
/// When they are missing, or a field is not as it has to be.
pub fn candidates(body: &Body) -> Result<Action, ApiError> {
    Ok(Action::Candidates {
        to: body.id("to")?,
        candidates: body.candidates()?,
    })
}

/// A new description: `description`, or one under the name of its type.
///
/// # Errors
/// When it is missing, or a field is not as it has to be.
pub fn negotiate(body: &Body) -> Result<Action, ApiError> {
    let Some((key, value)) = body.first(&["description", "offer", "answer"]) else {
        return Err(invalid("description is missing"));
    };
    let (said, sdp) = described(key, value)?;
    let beside = body.get("description_type");
    let beside = beside.map(|it| kind_of("description_type", it)).transpose()?;
    let named = match key {
        "offer" => Some(DescriptionKind::Offer),
        "answer" => Some(DescriptionKind::Answer),
        _ => None,
    };
    let mut kinds = [said, beside, named].into_iter().flatten();
    let kind = kinds
        .next()
        .ok_or_else(|| invalid("description.type is missing: offer or answer"))?;
    if kinds.any(|other| other != kind) {
        return Err(invalid("the types of the description contradict each other"));
    }
    Ok(Action::Negotiate {
        to: body.id("to")?,
        description: Description { kind, sdp },
        metadata: body.metadata()?,
    })
}

/// Microphone and camera.
///
/// # Errors
/// When neither is named, or a field is not as it has to be.
pub fn media(body: &Body) -> Result<Action, ApiError> {
    let (audio, video) = (body.flag("audio_enabled")?, body.flag("video_enabled")?);
    if audio.is_none() && video.is_none() {
        return Err(invalid("audio_enabled or video_enabled is missing"));
    }
    Ok(Action::Media { audio, video })
}

/// Whether something is switched on.
///
/// # Errors
/// When that is not said.
pub fn enabled(body: &Body) -> Result<bool, ApiError> {
    body.flag("enabled")?.ok_or_else(|| invalid("enabled is missing"))
}

/// Somebody comes into a group call.
///
/// # Errors
/// When a field is not as it has to be.
pub fn join(body: &Body) -> Result<Action, ApiError> {
    let Some((key, value)) = body.first(&["sdp", "offer"]) else {
        return Ok(Action::Join { sdp: None });
    };
    // The first service took an empty one from who says later, one to one, what they send.
    if matches!(value, Value::String(text) if text.is_empty()) {
        return Ok(Action::Join { sdp: None });
    }
    Ok(Action::Join {
        sdp: Some(described(key, value)?.1),
    })
}
