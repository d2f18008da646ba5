//! What a call's news is in the words of the dialect. Pure: a socket decides which of them reach it.

use serde_json::{Value, json};

use super::wire;
use crate::domain::call::{Call, Candidate, DescriptionKind, EndReason, News, Participant, Sdp, Topology};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::{CallId, UserId};

/// Who is in a call and where, for as long as a socket hears of it.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) call: CallId,
    pub(super) initiator: UserId,
    pub(super) is_video: bool,
    /// The Matrix room, or the conversation where there is none.
    pub(super) room: String,
    /// What the people are called.
    names: Vec<(UserId, String)>,
}

impl Facts {
    pub(super) fn new(ghosts: &Ghosts, call: &Call, room: Option<String>) -> Self {
        Self {
            call: call.id,
            initiator: call.initiator,
            is_video: call.is_video,
            room: room.unwrap_or_else(|| call.conversation.to_string()),
            names: call
                .people
                .iter()
                .map(|it| (it.user, wire::shown_user(ghosts, call, it.user)))
                .collect(),
        }
    }

    /// What somebody is called.
    pub(super) fn name(&self, user: UserId) -> String {
        let known = self.names.iter().find(|(it, _)| *it == user);
        known.map_or_else(|| user.to_string(), |(_, name)| name.clone())
    }

    /// What the other one is called.
    pub(super) fn peer(&self, user: UserId) -> String {
        let peer = self.names.iter().find(|(it, _)| *it != user);
        peer.map(|(_, name)| name.clone()).unwrap_or_default()
    }
}

/// An event for a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    pub(super) event: &'static str,
    pub(super) body: Value,
    /// Whether it is only for sockets that joined the call.
    pub(super) only_joined: bool,
}

impl Word {
    pub(super) const fn new(event: &'static str, body: Value) -> Self {
        Self {
            event,
            body,
            only_joined: false,
        }
    }

    fn left(name: &str) -> Self {
        Self {
            only_joined: true,
            ..Self::new("user-left", json!({ "userId": name }))
        }
    }
}

/// The ring, without the servers and the address that each socket adds for itself.
pub(super) fn incoming(facts: &Facts, name: &str) -> Word {
    let caller = facts.name(facts.initiator);
    Word::new(
        "incoming-call",
        json!({
            "eventType": "incoming_call",
            "callId": wire::shown_id(facts.call),
            "callType": wire::call_type(facts.is_video),
            "roomId": facts.room,
            "initiatorId": caller,
            "callerName": name,
            "callerId": caller,
        }),
    )
}

/// Somebody is there, so that an offer can be made to them.
pub(super) fn joined(name: &str) -> Word {
    Word::new("user-joined", json!({ "userId": name }))
}

/// A description for `me`.
pub(super) fn description(facts: &Facts, me: UserId, by: UserId, kind: DescriptionKind, sdp: &Sdp) -> Word {
    let (event, field) = match kind {
        DescriptionKind::Offer => ("webrtc-offer", "offer"),
        DescriptionKind::Answer => ("webrtc-answer", "answer"),
    };
    let body = json!({
        "callId": wire::shown_id(facts.call),
        field: wire::shown_description(kind, sdp),
        "targetUserId": facts.name(me),
        "fromUserId": facts.name(by),
    });
    Word::new(event, body)
}

/// Candidates for `me`, one event each. The end of them is left out: the published clients take it for a candidate.
pub(super) fn candidates(facts: &Facts, me: UserId, by: UserId, candidates: &[Candidate]) -> Vec<Word> {
    let shown = |candidate: &Candidate| {
        let body = json!({
            "callId": wire::shown_id(facts.call),
            "candidate": wire::shown_candidate(candidate),
            "targetUserId": facts.name(me),
            "fromUserId": facts.name(by),
        });
        Word::new("ice-candidate", body)
    };
    candidates.iter().filter(|it| !it.is_end()).map(shown).collect()
}

/// What the callee is shown to answer: the offer, then the caller's candidates.
pub(super) fn offer(facts: &Facts, me: UserId, caller: &Participant) -> Vec<Word> {
    let Some(sdp) = &caller.sdp else { return Vec::new() };
    let mut words = vec![description(facts, me, caller.user, DescriptionKind::Offer, sdp)];
    words.extend(candidates(facts, me, caller.user, &caller.candidates));
    words
}

/// That somebody took the call: what their own description follows.
pub(super) fn taken(facts: &Facts, by: UserId) -> Vec<Word> {
    let body = json!({
        "callId": wire::shown_id(facts.call),
        "answeredBy": facts.name(by),
        "roomId": facts.room,
        "callType": wire::call_type(facts.is_video),
    });
    vec![Word::new("call-answered", body), joined(&facts.name(by))]
}

fn ended(facts: &Facts, me: UserId, by: Option<UserId>) -> Vec<Word> {
    let name = by.map_or_else(|| "system".to_owned(), |by| facts.name(by));
    let body = json!({ "callId": wire::shown_id(facts.call), "endedBy": name });
    let mut words = vec![Word::new("call-ended", body)];
    if by != Some(me) {
        words.push(Word::left(&facts.peer(me)));
    }
    words
}

/// What `me` is told of a piece of news, where it needs no memory of what was told before.
///
/// A ring, an answer and a switch do: the session translates them.
pub(super) fn plain(facts: &Facts, me: UserId, news: &News) -> Vec<Word> {
    match news {
        News::Candidates { by, candidates: list } if *by != me => candidates(facts, me, *by, list),
        News::Negotiate {
            by, description: it, ..
        } if *by != me => {
            vec![description(facts, me, *by, it.kind, &it.sdp)]
        }
        News::Rejected { by, .. } if *by == me => ended(facts, me, Some(me)),
        News::Rejected { by, .. } => {
            let body = json!({ "callId": wire::shown_id(facts.call), "rejectedBy": facts.name(*by) });
            vec![Word::new("call-rejected", body), Word::left(&facts.name(*by))]
        }
        News::Missed { by, reason, .. } => ended(facts, me, (*reason != EndReason::NoAnswer).then_some(*by)),
        News::Ended { by, .. } => ended(facts, me, *by),
        News::Initiated { .. }
        | News::Answered { .. }
        | News::AnsweredElsewhere { .. }
        | News::Candidates { .. }
        | News::Negotiate { .. }
        | News::MediaState { .. }
        | News::ParticipantJoined { .. }
        | News::ParticipantLeft { .. } => Vec::new(),
    }
}

/// What of microphone and camera has changed.
pub(super) fn switched(name: &str, was: (bool, bool), is: (bool, bool)) -> Vec<Word> {
    let word = |event, enabled: bool| Word::new(event, json!({ "userId": name, "enabled": enabled }));
    let mut words = Vec::new();
    if was.0 != is.0 {
        words.push(word("audio-toggled", is.0));
    }
    if was.1 != is.1 {
        words.push(word("video-toggled", is.1));
    }
    words
}

/// Whether it is news of a call that the dialect can show: it knows no groups.
pub(super) const fn is_direct(news: &News) -> bool {
    !matches!(
        news,
        News::Initiated {
            topology: Topology::Group,
            ..
        } | News::ParticipantJoined { .. }
            | News::ParticipantLeft { .. }
    )
}

/// Whether it is the last that is heard of a call.
pub(super) const fn is_last(news: &News) -> bool {
    matches!(news, News::Rejected { .. } | News::Missed { .. } | News::Ended { .. })
}
