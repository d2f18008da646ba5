//! Events of calls, both ways.
//!
//! By hand over JSON, because ruma's typed call events lose fields and `false` values (`matrix-voip.md` §0.7). What comes
//! is read leniently: it was written by every client there is. What goes is what all of them understand (§1.2 there).

use ruma::OwnedUserId;
use serde_json::{Map, Value, json};

use crate::domain::call::media::MAX_CANDIDATE;
use crate::domain::call::{
    CallAct, CallEvent, Candidate, Description, DescriptionKind, HangupReason, Sdp, Signal, SignalAct, StreamMetadata,
    Version,
};
use crate::domain::clock::Timestamp;
use crate::domain::event::Meaning;

/// The longest id of a call or a device, in bytes.
const MAX_ID: usize = 255;

/// How long an invite counts whose sender does not say so, in milliseconds.
const LIFETIME_MS: i64 = 60_000;

/// How long a ring of `MatrixRTC` counts whose sender does not say so, in milliseconds.
const RTC_LIFETIME_MS: i64 = 30_000;

/// How long a new description counts, in milliseconds.
const NEGOTIATE_MS: i64 = 60_000;

/// Where clients say what each stream is: by the stable name first.
const METADATA: [&str; 2] = ["sdp_stream_metadata", "org.matrix.msc3077.sdp_stream_metadata"];

/// What of an event is beside its content.
#[derive(Debug, Clone, Copy)]
pub struct Outside<'a> {
    /// What the server adds: `unsigned`.
    pub unsigned: &'a Value,
    /// `origin_server_ts`.
    pub sent_at: Option<i64>,
    /// Whether it carries our marker.
    pub marked: bool,
    /// The time now.
    pub now: Timestamp,
}

impl Outside<'_> {
    /// How old the event is: as its server says, which does not depend on clocks, or else by its time.
    fn age_ms(&self) -> i64 {
        let by_time = || {
            self.sent_at
                .map_or(0, |at| self.now.timestamp_millis().saturating_sub(at))
        };
        number(self.unsigned.get("age")).unwrap_or_else(by_time).max(0)
    }
}

/// Reads an event of a call. `None` where its type is that of none.
///
/// # Errors
/// What is wrong with it, without anything of the content.
#[must_use]
pub fn read(event_type: &str, content: &Value, outside: Outside<'_>) -> Option<Result<Meaning, &'static str>> {
    if let Some(ring) = rtc_ring(event_type, content, outside) {
        return Some(Ok(ring));
    }
    let name = event_type
        .strip_prefix("m.call.")
        .or_else(|| event_type.strip_prefix("org.matrix.call."))?;
    let act = act(name, content)?;
    Some(act.and_then(|act| {
        let event = CallEvent {
            call: id(content.get("call_id")).ok_or("a call event without call_id")?,
            party: id(content.get("party_id")),
            // Only the integer: "0" is version 1, as in every other client.
            version: match content.get("version") {
                Some(version) if version.as_i64() == Some(0) => Version::V0,
                _ => Version::V1,
            },
            age_ms: outside.age_ms(),
            act,
        };
        Ok(Meaning::Call {
            event,
            marked: outside.marked,
        })
    }))
}

fn act(name: &str, content: &Value) -> Option<Result<CallAct, &'static str>> {
    let text = |key: &str| content.get(key).and_then(Value::as_str);
    Some(match name {
        "invite" => sdp(content.get("offer")).and_then(|offer| {
            Ok(CallAct::Invite {
                offer,
                metadata: metadata(content),
                lifetime_ms: number(content.get("lifetime")).unwrap_or(LIFETIME_MS).max(0),
                invitee: invitee(content.get("invitee"))?,
            })
        }),
        "answer" => sdp(content.get("answer")).map(|answer| CallAct::Answer {
            answer,
            metadata: metadata(content),
        }),
        "select_answer" => id(content.get("selected_party_id"))
            .map(|party| CallAct::SelectAnswer { party })
            .ok_or("a select_answer without selected_party_id"),
        "candidates" => candidates(content.get("candidates")).map(CallAct::Candidates),
        "reject" => Ok(CallAct::Reject {
            busy: text("reason") == Some("user_busy"),
        }),
        "hangup" => Ok(CallAct::Hangup(HangupReason::read(text("reason")))),
        "negotiate" => description(content.get("description")).map(|description| CallAct::Negotiate {
            description,
            metadata: metadata(content),
            lifetime_ms: number(content.get("lifetime")).unwrap_or(NEGOTIATE_MS).max(0),
        }),
        "sdp_stream_metadata_changed" => metadata(content)
            .map(CallAct::Metadata)
            .ok_or("a change of stream metadata without any"),
        "replaces" => Ok(CallAct::Replaces),
        _ => return None,
    })
}

/// An id: opaque, and not longer than it may be.
fn id(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?;
    (!text.is_empty() && text.len() <= MAX_ID && !text.contains('\0')).then(|| text.to_owned())
}

/// A number, or the text of one.
fn number(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Nobody in particular, or somebody.
fn invitee(value: Option<&Value>) -> Result<Option<OwnedUserId>, &'static str> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_str()
            .and_then(|it| OwnedUserId::try_from(it).ok())
            .map(Some)
            .ok_or("an invite for something that is no Matrix id"),
    }
}

fn sdp(description: Option<&Value>) -> Result<Sdp, &'static str> {
    let text = description.and_then(|it| it.get("sdp")).and_then(Value::as_str);
    let text = text.ok_or("a call event without its SDP")?;
    Sdp::read(text.to_owned()).map_err(|_| "a call event whose SDP is none, or too long")
}

fn description(value: Option<&Value>) -> Result<Description, &'static str> {
    let kind = match value.and_then(|it| it.get("type")).and_then(Value::as_str) {
        Some("offer") => DescriptionKind::Offer,
        Some("answer") => DescriptionKind::Answer,
        Some(_) | None => return Err("a description that is neither offer nor answer"),
    };
    Ok(Description { kind, sdp: sdp(value)? })
}

fn metadata(content: &Value) -> Option<StreamMetadata> {
    METADATA
        .into_iter()
        .find_map(|key| content.get(key).and_then(StreamMetadata::read))
}

fn candidates(list: Option<&Value>) -> Result<Vec<Candidate>, &'static str> {
    let list = list.and_then(Value::as_array).ok_or("candidates that are no list")?;
    Ok(list.iter().filter_map(candidate).collect())
}

/// A candidate; one that is too long or none is left out. Nheko's empty `sdpMid` is none (`matrix-voip.md` §2.10).
fn candidate(value: &Value) -> Option<Candidate> {
    let short = |key: &str| {
        let text = value.get(key).and_then(Value::as_str)?;
        (!text.is_empty() && text.len() <= MAX_ID && !text.contains('\0')).then(|| text.to_owned())
    };
    let line = value.get("candidate").and_then(Value::as_str)?;
    if line.len() > MAX_CANDIDATE || line.contains('\0') {
        return None;
    }
    Some(Candidate {
        candidate: line.to_owned(),
        sdp_mid: short("sdpMid"),
        sdp_mline_index: number(value.get("sdpMLineIndex")).and_then(|it| u16::try_from(it).ok()),
        username_fragment: short("usernameFragment"),
    })
}

/// The ring of a `MatrixRTC` call, by each name that it has had
/// ([MSC4075](https://github.com/matrix-org/matrix-spec-proposals/pull/4075)).
fn rtc_ring(event_type: &str, content: &Value, outside: Outside<'_>) -> Option<Meaning> {
    let field = |key: &str| {
        let application = content.get("application");
        content.get(key).or_else(|| application.and_then(|it| it.get(key)))
    };
    let kind = match event_type {
        "org.matrix.msc4075.rtc.notification" | "m.rtc.notification" => field("notification_type"),
        "org.matrix.msc4075.call.notify" => field("notify_type"),
        _ => return None,
    };
    if kind.and_then(Value::as_str) != Some("ring") {
        return None;
    }
    let session = content.get("m.relates_to").and_then(|it| it.get("event_id"));
    Some(Meaning::RtcRing {
        session: id(session),
        age_ms: outside.age_ms(),
        lifetime_ms: number(field("lifetime")).unwrap_or(RTC_LIFETIME_MS).max(0),
        is_video: field("m.call.intent").and_then(Value::as_str) == Some("video"),
    })
}

/// What of our side is in the room, so that an end can be said in words that the peer understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// We call, and our invite never went out.
    NoInvite,
    /// The peer calls, and our answer never went out.
    NoAnswer,
    /// The peer knows that we are in it.
    Everything,
}

/// An event as it is sent: its type and content. `None` where there is nothing to say. `lifetime_ms` is an invite's.
#[must_use]
pub fn write(signal: &Signal, said: Said, lifetime_ms: i64) -> Option<(&'static str, Value)> {
    if said == Said::NoInvite && !matches!(signal.act, SignalAct::Invite { .. }) {
        return None;
    }
    let mut content = Map::from_iter([("call_id".to_owned(), json!(signal.call))]);
    match signal.version {
        Version::V0 => content.insert("version".to_owned(), json!(0)),
        Version::V1 => {
            content.insert("party_id".to_owned(), json!(signal.party));
            content.insert("version".to_owned(), json!("1"))
        }
    };
    let event_type = act_into(&mut content, signal, said, lifetime_ms);
    Some((event_type, Value::Object(content)))
}

fn act_into(content: &mut Map<String, Value>, signal: &Signal, said: Said, lifetime_ms: i64) -> &'static str {
    let mut put = |key: &str, value: Value| drop(content.insert(key.to_owned(), value));
    match &signal.act {
        SignalAct::Invite {
            offer,
            metadata,
            invitee,
            ..
        } => {
            put("lifetime", json!(lifetime_ms));
            put("invitee", json!(invitee));
            put("offer", json!({ "type": "offer", "sdp": offer.as_str() }));
            put("capabilities", capabilities());
            put_metadata(content, metadata.as_ref());
            "m.call.invite"
        }
        SignalAct::Answer { answer, metadata } => {
            put("answer", json!({ "type": "answer", "sdp": answer.as_str() }));
            put("capabilities", capabilities());
            put_metadata(content, metadata.as_ref());
            "m.call.answer"
        }
        SignalAct::SelectAnswer { party } => {
            put("selected_party_id", json!(party));
            "m.call.select_answer"
        }
        SignalAct::Candidates(candidates) => {
            put("candidates", candidates.iter().map(candidate_as_sent).collect());
            "m.call.candidates"
        }
        SignalAct::Reject { busy: false } => decline(content, signal.version, HangupReason::UserHangup),
        SignalAct::Reject { busy: true } => decline(content, signal.version, HangupReason::UserBusy),
        SignalAct::End(reason) if said == Said::NoAnswer => decline(content, signal.version, *reason),
        SignalAct::End(reason) => {
            put("reason", json!(reason.as_sent()));
            "m.call.hangup"
        }
        SignalAct::Negotiate { description, metadata } => {
            put(
                "description",
                json!({ "type": description.kind.as_str(), "sdp": description.sdp.as_str() }),
            );
            put("lifetime", json!(NEGOTIATE_MS));
            put_metadata(content, Some(metadata));
            "m.call.negotiate"
        }
        SignalAct::Metadata(metadata) => {
            put_metadata(content, Some(metadata));
            // Every client that reads either type reads this one; it is the key that some know only by its old name.
            "m.call.sdp_stream_metadata_changed"
        }
    }
}

/// Not taking a call: Element ignores a hangup while it rings, and version 0 knows no reject (`matrix-voip.md` §0.1, §2.8).
fn decline(content: &mut Map<String, Value>, version: Version, reason: HangupReason) -> &'static str {
    let (event_type, reason) = match version {
        Version::V0 => ("m.call.hangup", Some(reason)),
        // The specification knows no reason here; the one that clients show all the same is that somebody is busy.
        Version::V1 => ("m.call.reject", Some(reason).filter(|it| *it == HangupReason::UserBusy)),
    };
    if let Some(reason) = reason {
        content.insert("reason".to_owned(), json!(reason.as_sent()));
    }
    event_type
}

fn capabilities() -> Value {
    json!({ "m.call.transferee": false, "m.call.dtmf": false })
}

/// Under both names: built Element and everything of dart know only the old one (`matrix-voip.md` §1.2).
fn put_metadata(content: &mut Map<String, Value>, metadata: Option<&StreamMetadata>) {
    if let Some(metadata) = metadata.filter(|it| !it.is_empty()) {
        for key in METADATA {
            content.insert(key.to_owned(), Value::Object(metadata.as_map().clone()));
        }
    }
}

/// Both ways to name the media section, because Element Android drops a candidate without the first and Nheko reads only the
/// second. Browsers number their sections, so one tells the other.
fn candidate_as_sent(candidate: &Candidate) -> Value {
    if candidate.is_end() {
        return json!({ "candidate": "" });
    }
    let by_name = candidate.sdp_mid.as_deref().and_then(|mid| mid.parse::<u16>().ok());
    let index = candidate.sdp_mline_index.or(by_name).unwrap_or(0);
    let mid = candidate.sdp_mid.clone().unwrap_or_else(|| index.to_string());
    let mut sent = json!({ "candidate": candidate.candidate, "sdpMid": mid, "sdpMLineIndex": index });
    if let (Some(fragment), Some(map)) = (&candidate.username_fragment, sent.as_object_mut()) {
        map.insert("usernameFragment".to_owned(), json!(fragment));
    }
    sent
}

#[cfg(test)]
mod tests;
