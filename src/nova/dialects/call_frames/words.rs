//! What a call's news is in the dialect. Pure: a [`super::Line`] remembers what was shown.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::wire::Kind;
use crate::domain::call::{Candidate, EndReason, News, Sdp};
use crate::domain::ids::UserId;

/// What every frame of a call says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The call, as the client knows it.
    pub(super) call: Uuid,
    /// The other one, as the client knows them.
    pub(super) peer: String,
}

/// How far a call concerns one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It was found under way: a device that came back may be in it.
    Unsure,
    /// The socket was shown the ring.
    Rings,
    /// The call was made or taken by this socket.
    Here,
    /// Another device has it, or it was ended here.
    Over,
}

impl Place {
    /// What a piece of news makes of it, and whether the socket is shown it.
    pub(super) fn after(self, me: UserId, news: &News) -> (Self, bool) {
        match (self, news) {
            (Self::Unsure, News::Initiated { by, .. }) if *by != me => (Self::Rings, true),
            (Self::Rings, News::AnsweredElsewhere { .. }) => (Self::Over, true),
            (Self::Over, _)
            | (Self::Unsure | Self::Rings | Self::Here, News::Initiated { .. })
            | (Self::Unsure | Self::Here, News::AnsweredElsewhere { .. }) => (self, false),
            (Self::Unsure | Self::Rings | Self::Here, _) => (self, true),
        }
    }
}

/// A frame in both shapes at once: some clients read the top level, others the payload.
fn frame(kind: Kind, facts: &Facts, body: Value) -> Value {
    let mut fields = Map::new();
    fields.insert("callId".to_owned(), json!(facts.call));
    if let Value::Object(body) = body {
        fields.extend(body);
    }
    let mut frame = fields.clone();
    frame.insert("type".to_owned(), json!(kind.name()));
    frame.insert("from".to_owned(), json!(facts.peer));
    frame.insert("payload".to_owned(), Value::Object(fields));
    Value::Object(frame)
}

/// The answer of the other one.
pub(super) fn answer(facts: &Facts, sdp: &Sdp) -> Value {
    frame(Kind::Answer, facts, json!({ "sdp": sdp }))
}

/// A call that did not come about. Clients drop a frame with a reason that they do not know.
pub(super) fn reject(facts: &Facts, busy: bool) -> Value {
    let reason = if busy { "busy" } else { "declined" };
    frame(Kind::Reject, facts, json!({ "reason": reason }))
}

/// A candidate. Clients read it from a text.
fn ice(facts: &Facts, it: &Candidate) -> Value {
    let mut candidate = json!({
        "candidate": it.candidate, "sdpMid": it.sdp_mid, "sdpMLineIndex": it.sdp_mline_index,
    });
    if let (Some(fragment), Some(fields)) = (&it.username_fragment, candidate.as_object_mut()) {
        fields.insert("usernameFragment".to_owned(), json!(fragment));
    }
    frame(Kind::Ice, facts, json!({ "candidate": candidate.to_string() }))
}

/// What `me` is shown of a piece of news.
///
/// Nothing of mute and of changes: these clients take a new offer for a call of somebody else, and refuse it.
pub(super) fn of_news(facts: &Facts, me: UserId, news: &News) -> Vec<Value> {
    match news {
        News::Initiated {
            by,
            is_video,
            offer: Some(offer),
            ..
        } if *by != me => {
            let body = json!({ "sdp": offer, "withVideo": is_video });
            vec![frame(Kind::Offer, facts, body)]
        }
        News::Answered {
            by, answer: Some(sdp), ..
        } if *by != me => vec![answer(facts, sdp)],
        // The end of them is left out: not all of these clients know it.
        News::Candidates { by, candidates } if *by != me => candidates
            .iter()
            .filter(|it| !it.is_end())
            .map(|it| ice(facts, it))
            .collect(),
        News::Rejected { by, reason } if *by != me => vec![reject(facts, *reason == EndReason::Busy)],
        News::Rejected { .. } | News::Missed { .. } | News::Ended { .. } | News::AnsweredElsewhere { .. } => {
            vec![frame(Kind::Hangup, facts, Value::Null)]
        }
        News::Initiated { .. }
        | News::Answered { .. }
        | News::Candidates { .. }
        | News::Negotiate { .. }
        | News::MediaState { .. }
        | News::ParticipantJoined { .. }
        | News::ParticipantLeft { .. } => Vec::new(),
    }
}

/// Whether it is the last that is heard of a call.
pub(super) const fn is_last(news: &News) -> bool {
    matches!(news, News::Rejected { .. } | News::Missed { .. } | News::Ended { .. })
}
