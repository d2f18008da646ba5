//! The requests as the OpenAPI document describes them. They are read by `request`, which takes older spellings too.
#![expect(dead_code, reason = "only described, never made")]

use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Calls somebody. Without an offer it rings only when the offer follows, by `negotiate`.
#[derive(ToSchema)]
#[schema(example = json!({"offer": {"type": "offer", "sdp": "v=0…"}, "is_video": false, "idempotency_key": "7c1f"}))]
pub struct InitiateCall {
    /// Needed only where the path does not name it.
    conversation_id: Option<Uuid>,
    /// What the caller sends: `{type, sdp}`, or the SDP as a text.
    #[schema(value_type = Option<Object>)]
    offer: Option<Value>,
    /// The same, as a text.
    initiator_sdp: Option<String>,
    /// Whether it begins with video; seen from the offer where it is not said.
    is_video: Option<bool>,
    /// `direct` or `group`. The conversation decides.
    call_type: Option<String>,
    /// How many may take part in a group call: 2 to 50.
    max_participants: Option<u16>,
    /// What the streams of the offer are.
    #[schema(value_type = Option<Object>)]
    sdp_stream_metadata: Option<Value>,
    /// A key of the client's own: the same key is the same call.
    idempotency_key: Option<String>,
}

/// Takes a call.
#[derive(ToSchema)]
#[schema(example = json!({"answer": {"type": "answer", "sdp": "v=0…"}}))]
pub struct AnswerCall {
    /// What the callee sends: `{type, sdp}`, or the SDP as a text.
    #[schema(value_type = Option<Object>)]
    answer: Option<Value>,
    /// The same, as a text.
    answer_sdp: Option<String>,
    /// What its streams are.
    #[schema(value_type = Option<Object>)]
    sdp_stream_metadata: Option<Value>,
    /// The key with which this device accepted the call before.
    #[schema(max_length = 255)]
    claim: Option<String>,
}

/// Takes a call, and says later what is sent.
#[derive(ToSchema)]
#[schema(example = json!({"claim": "5c0e"}))]
pub struct AcceptCall {
    /// A key of the device's own. The answer has to show it; a repeated request with the same key gets the same reply.
    #[schema(max_length = 255)]
    claim: String,
}

/// Says why. The whole body may be left out.
#[derive(ToSchema)]
#[schema(example = json!({"reason": "user_hangup"}))]
pub struct WhyNot {
    /// To decline: `declined` or `busy`. To hang up: `user_hangup`, `ice_failed`, `media_failed` or
    /// `error`.
    reason: Option<String>,
}

/// A way to get through, flat, as the browser's own object in `candidate`, or several in `candidates`. An empty
/// `candidate` says that no more will come.
#[derive(ToSchema)]
#[schema(example = json!({"candidate": "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx",
    "sdp_mid": "0", "sdp_mline_index": 0, "username_fragment": "Qz1f"}))]
pub struct AddCandidate {
    /// Which call, where the path does not name it.
    call_id: Option<Uuid>,
    /// The candidate's line, or the browser's object.
    candidate: Option<String>,
    /// Of which media section, by name.
    sdp_mid: Option<String>,
    /// Of which media section, by place.
    sdp_mline_index: Option<u16>,
    /// Of which generation.
    username_fragment: Option<String>,
    /// Several of them.
    #[schema(value_type = Option<Vec<Object>>)]
    candidates: Option<Vec<Value>>,
    /// In a group call, for whom: a user's id or the id of a part.
    to: Option<Uuid>,
}

/// Changes what is sent.
#[derive(ToSchema)]
#[schema(example = json!({"description": {"type": "offer", "sdp": "v=0…"}}))]
pub struct Negotiate {
    /// `{type, sdp}`; or the SDP as a text, with `description_type` beside it.
    #[schema(value_type = Object)]
    description: Value,
    /// `offer` or `answer`, where the description is a text.
    description_type: Option<String>,
    /// What its streams are.
    #[schema(value_type = Option<Object>)]
    sdp_stream_metadata: Option<Value>,
    /// In a group call, for whom: a user's id or the id of a part.
    to: Option<Uuid>,
}

/// Switches something.
#[derive(ToSchema)]
pub struct Toggle {
    /// Whether it is on.
    enabled: bool,
}

/// Comes into a group call.
#[derive(ToSchema)]
pub struct JoinCall {
    /// What is sent to everybody; who sends to each alone leaves it out.
    sdp: Option<String>,
}

/// Names a call in the body.
#[derive(ToSchema)]
pub struct MatrixAnswer {
    /// Which call.
    call_id: Uuid,
    /// What the callee sends: `{type, sdp}`, or the SDP as a text.
    #[schema(value_type = Object)]
    answer: Value,
}

/// Names a call in the body.
#[derive(ToSchema)]
pub struct MatrixEnd {
    /// Which call.
    call_id: Uuid,
    /// `user_hangup`, `ice_failed`, `media_failed` or `error`.
    reason: Option<String>,
}
