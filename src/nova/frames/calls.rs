//! News of calls as frames (nova-api §5). No client that ever was decodes a nested copy of one.

use serde_json::{Map, Value, json};

use super::{frame, time};
use crate::domain::call::{Candidate, Description, DescriptionKind, News, Sdp, StreamMetadata};
use crate::domain::feed::FeedEntry;
use crate::domain::ids::CallId;
use crate::nova::media::Links;

/// The frames of one piece of news, in order.
pub(super) fn frames(entry: &FeedEntry, call: CallId, news: &News, links: &Links) -> Vec<Value> {
    // What nobody did concerns the one who is told.
    let by = news.by().or(entry.audience);
    let one = |name: &str, own: Fields| {
        let mut own = own.0;
        own.insert("call_id".to_owned(), json!(call));
        vec![frame(entry, name, by, Value::Object(own))]
    };
    match news {
        News::Initiated { .. } => one("call.initiated", initiated(news, links)),
        // Only that it is taken: the frame with what the callee sends follows.
        News::Answered { answer: None, .. } => Vec::new(),
        News::Answered {
            by,
            participant,
            answer: Some(answer),
            metadata,
        } => one(
            "call.answered",
            Fields::of(json!({ "answerer_id": by, "participant_id": participant }))
                .description("answer", DescriptionKind::Answer, answer)
                .metadata(metadata.as_ref()),
        ),
        News::AnsweredElsewhere { participant } => one(
            "call.answered_elsewhere",
            Fields::of(json!({ "participant_id": participant })),
        ),
        News::Candidates { candidates, .. } => candidates
            .iter()
            .flat_map(|candidate| one("call.ice_candidate", way(candidate)))
            .collect(),
        News::Negotiate {
            description: Description { kind, sdp },
            metadata,
            ..
        } => one(
            "call.negotiate",
            Fields::default()
                .description("description", *kind, sdp)
                .metadata(metadata.as_ref()),
        ),
        News::MediaState {
            audio, video, metadata, ..
        } => one(
            "call.media_state",
            Fields::of(json!({ "audio_enabled": audio, "video_enabled": video })).metadata(metadata.as_ref()),
        ),
        News::ParticipantJoined { participant, sdp, .. } => one(
            "call.participant_joined",
            Fields::of(json!({ "participant_id": participant, "sdp": sdp })),
        ),
        News::ParticipantLeft { participant, .. } => one(
            "call.participant_left",
            Fields::of(json!({ "participant_id": participant })),
        ),
        News::Rejected { by, reason } => one(
            "call.rejected",
            Fields::of(json!({ "rejected_by": by, "reason": reason })),
        ),
        News::Missed { by, reason, is_video } => one(
            "call.missed",
            Fields::of(json!({ "initiator_id": by, "reason": reason, "is_video": is_video })),
        ),
        News::Ended {
            by,
            reason,
            duration_ms,
            detail,
        } => one(
            "call.ended",
            Fields::of(json!({ "ended_by": by, "reason": reason, "duration_ms": duration_ms }))
                .with("detail", detail.as_ref().map(|it| json!(it))),
        ),
    }
}

/// The fields of a frame.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn of(fields: Value) -> Self {
        if let Value::Object(fields) = fields {
            Self(fields)
        } else {
            Self::default()
        }
    }

    fn with(mut self, key: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value);
        }
        self
    }

    /// The description as an object, and its text once more for clients that read only that.
    fn description(self, key: &str, kind: DescriptionKind, sdp: &Sdp) -> Self {
        self.with(key, Some(json!({ "type": kind.as_str(), "sdp": sdp })))
            .with("sdp", Some(json!(sdp)))
    }

    fn metadata(self, metadata: Option<&StreamMetadata>) -> Self {
        let metadata = metadata.filter(|it| !it.is_empty());
        self.with("sdp_stream_metadata", metadata.map(|it| json!(it)))
    }
}

fn initiated(news: &News, links: &Links) -> Fields {
    let News::Initiated {
        by,
        name,
        avatar,
        topology,
        is_video,
        max_participants,
        invitee,
        offer,
        metadata,
        expires_at,
        replaces,
    } = news
    else {
        return Fields::default();
    };
    // By both names that a picture has elsewhere.
    let avatar = links.avatar(by.0, avatar.as_deref()).map(|it| json!(it));
    let caller = Fields::of(json!({ "id": by, "name": name }))
        .with("avatar", avatar.clone())
        .with("avatar_url", avatar);
    let fields = Fields::of(json!({
        "initiator_id": by,
        "caller": caller.0,
        "call_type": topology.as_str(),
        "max_participants": max_participants,
        "is_video": is_video,
        "invitee": invitee,
        "expires_at": time(*expires_at),
    }))
    .metadata(metadata.as_ref())
    .with("replaces", replaces.map(|it| json!(it)))
    .with("auto_accept", replaces.map(|_| json!(true)));
    match offer {
        Some(offer) => fields.description("offer", DescriptionKind::Offer, offer),
        None => fields,
    }
}

/// An empty candidate is the end of them.
fn way(it: &Candidate) -> Fields {
    Fields::of(json!({
        "candidate": it.candidate, "sdp_mid": it.sdp_mid, "sdp_mline_index": it.sdp_mline_index,
    }))
    .with("username_fragment", it.username_fragment.as_ref().map(|it| json!(it)))
}

#[cfg(test)]
mod tests;
