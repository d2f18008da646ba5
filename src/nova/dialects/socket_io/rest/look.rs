//! Looking: what rings, how a call stands, where everything is.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::caller::Asked;
use super::{Answer, Failure, Id, room, servers};
use crate::bridge::CommandError;
use crate::domain::call::{Call, EndReason, Participant, Phase, Presence};
use crate::domain::clock::Timestamp;
use crate::nova::dialects::socket_io::{DialectState, wire};
use crate::nova::error::ApiError;
use crate::store::calls;

/// What rings for the caller.
pub(super) async fn active(State(state): State<DialectState>, asked: Asked) -> Answer {
    if asked.claimed().is_none() {
        return Err(Failure::Missing("Missing required query parameter: userId"));
    }
    let user = asked.caller(&state).await?;
    let mut shown = Vec::new();
    for call in state.nova.bridge.active_calls(user).await? {
        if call.ring_for(user).is_empty() {
            continue;
        }
        let room = room(&state, &call).await?;
        shown.push(json!({
            "call_id": wire::shown_id(call.id),
            "room_id": room,
            "call_type": wire::call_type(call.is_video),
            "initiator_id": wire::shown_user(state.nova.bridge.ghosts(), &call, call.initiator),
            "status": status_of(&call),
            "created_at": time(call.created_at),
        }));
    }
    Ok(Json(
        json!({ "calls": shown, "iceServers": servers(&state, user).await }),
    ))
}

/// How a call stands, for who takes part in it.
pub(super) async fn status(State(state): State<DialectState>, id: Id, asked: Asked) -> Answer {
    let id = id.0.ok_or(CommandError::UnknownCall)?;
    // The dialect asks without a name: whoever knows the id is let in, where everybody is believed.
    let call = if state.insecure_legacy && asked.token().is_none() {
        let mut connection = state.nova.bridge.store().read().await?;
        let found = calls::find(&mut connection, id).await?;
        found.ok_or(CommandError::UnknownCall)?
    } else {
        let user = asked.caller(&state).await?;
        state.nova.bridge.call(id, user).await?
    };
    let ghosts = state.nova.bridge.ghosts();
    let participant = |person: &Participant| {
        json!({
            "matrix_user_id": wire::shown_user(ghosts, &call, person.user),
            "status": presence(person.presence),
            "audio_enabled": person.audio,
            "video_enabled": person.video,
            "joined_at": person.joined_at.map(time),
            "left_at": person.left_at.map(time),
        })
    };
    Ok(Json(json!({
        "session": {
            "id": call.id.to_string(),
            "call_id": wire::shown_id(call.id),
            "room_id": room(&state, &call).await?,
            "call_type": wire::call_type(call.is_video),
            "status": status_of(&call),
            "initiator_id": wire::shown_user(ghosts, &call, call.initiator),
            "started_at": call.started_at.map(time),
            "ended_at": call.ended_at.map(time),
            "created_at": time(call.created_at),
        },
        "participants": call.people.iter().map(participant).collect::<Vec<_>>(),
    })))
}

/// Where everything is. With a token it names the servers that its owner may use, without one only the open ones.
pub(super) async fn config(State(state): State<DialectState>, asked: Asked) -> Result<Json<Value>, Failure> {
    let settings = &state.nova.settings;
    let base = settings.public_url.as_str().trim_end_matches('/');
    let servers = match asked.token() {
        Some(_) => {
            let user = asked.caller(&state).await?;
            serde_json::to_value(servers(&state, user).await).map_err(|_| ApiError::Bug)?
        }
        None => state.stun.iter().map(|uri| json!({ "urls": uri })).collect(),
    };
    let base = asked
        .in_path()
        .map_or_else(|| base.to_owned(), |token| format!("{base}/u/{token}"));
    Ok(Json(json!({
        "baseUrl": base,
        "websocketUrl": base,
        "homeserverUrl": settings.homeserver_url.as_str().trim_end_matches('/'),
        "iceServers": servers,
    })))
}

fn time(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

const fn status_of(call: &Call) -> &'static str {
    match (call.phase, call.reason) {
        (Phase::Preparing | Phase::Ringing, _) => "ringing",
        (Phase::Accepted | Phase::Connected, _) => "active",
        (Phase::Ended, Some(EndReason::Declined | EndReason::Busy)) => "rejected",
        (Phase::Ended, _) => "ended",
    }
}

const fn presence(presence: Presence) -> &'static str {
    match presence {
        Presence::Invited => "invited",
        Presence::Joined => "joined",
        Presence::Rejected => "rejected",
        Presence::Left => "left",
    }
}
