//! The client API as the bridge calls it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, OriginalUri, Path, Query, State};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use super::entrance::{Caller, intercept};
use super::world::{Answer, forbid, refuse};
use super::{Shared, files, push};

pub(super) type Server = State<Arc<Shared>>;
type Reply = Answer<Json<Value>>;

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let client = Router::new()
        .route(
            "/account/whoami",
            get(async |Caller(user): Caller| Json(json!({ "user_id": user }))),
        )
        .route("/voip/turnServer", get(turn_server))
        .route("/account/deactivate", post(deactivate))
        .route("/register", post(register))
        .route("/profile/{user}", get(profile))
        .route("/profile/{user}/{field}", put(set_profile))
        .route("/createRoom", post(create_room))
        .route("/joined_rooms", get(joined_rooms))
        .route("/rooms/{room}/{action}", post(act_on_room))
        .route("/rooms/{room}/send/{event_type}/{txn}", put(send))
        .route("/rooms/{room}/redact/{event}/{txn}", put(redact))
        .route("/rooms/{room}/state", get(room_state))
        .route("/rooms/{room}/state/{event_type}", get(state_event).put(set_state))
        .route("/rooms/{room}/state/{event_type}/", get(state_event).put(set_state))
        .route(
            "/rooms/{room}/state/{event_type}/{key}",
            get(state_event).put(set_state),
        )
        .route("/rooms/{room}/messages", get(messages))
        .route("/rooms/{room}/receipt/{kind}/{event}", post(receipt))
        .route("/rooms/{room}/typing/{user}", put(typing))
        .route("/presence/{user}/status", put(presence))
        .route("/directory/room/{alias}", get(resolve_alias).put(create_alias));
    Router::new()
        .route(
            "/_matrix/client/versions",
            get(async || Json(json!({ "versions": ["v1.1", "v1.11"] }))),
        )
        .nest("/_matrix/client/v3", client)
        .route("/_matrix/client/v1/appservice/{id}/ping", post(push::ping))
        .route("/_matrix/media/v3/upload", post(files::upload))
        .route("/_matrix/client/v1/media/config", get(files::config))
        .route(
            "/_matrix/client/v1/media/thumbnail/{server}/{id}",
            get(files::thumbnail),
        )
        .route("/_matrix/client/v1/media/download/{server}/{id}", get(files::download))
        .fallback(async || refuse::<()>(404, "M_UNRECOGNIZED", "Unrecognized request"))
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(shared.clone(), intercept))
        .with_state(shared.clone())
}

fn read(body: &[u8]) -> Answer<Value> {
    serde_json::from_slice(body).or_else(|_| refuse(400, "M_NOT_JSON", "Content not JSON."))
}

/// The text of a field that must be there.
fn text<'a>(body: &'a Value, field: &str) -> Answer<&'a str> {
    body[field]
        .as_str()
        .map_or_else(|| refuse(400, "M_MISSING_PARAM", format!("Missing key '{field}'")), Ok)
}

async fn register(State(shared): Server, _: Caller, body: Bytes) -> Reply {
    let body = read(&body)?;
    if body["type"] != "m.login.application_service" {
        return refuse(
            400,
            "M_INVALID_PARAM",
            "appservices register with m.login.application_service",
        );
    }
    let user = shared.change(|world| world.register(text(&body, "username")?))?;
    Ok(Json(
        json!({ "user_id": user, "home_server": shared.lock().options.server_name }),
    ))
}

async fn turn_server(State(shared): Server, Caller(user): Caller) -> Reply {
    let given =
        |uri: &String| json!({ "uris": [uri], "username": format!("1:{user}"), "password": "given", "ttl": 3600 });
    Ok(Json(
        shared.lock().options.turn_uri.as_ref().map_or_else(|| json!({}), given),
    ))
}

async fn deactivate(State(shared): Server, Caller(user): Caller, body: Bytes) -> Reply {
    read(&body)?;
    shared.change(|world| world.deactivate(&user));
    Ok(Json(json!({ "id_server_unbind_result": "success" })))
}

async fn profile(State(shared): Server, Path(user): Path<String>) -> Reply {
    let world = shared.lock();
    let Some(account) = world.accounts.get(&user) else {
        return refuse(404, "M_UNKNOWN", "No row found (profiles)");
    };
    let mut body = json!({});
    for (field, value) in [
        ("displayname", &account.display_name),
        ("avatar_url", &account.avatar_url),
    ] {
        if let Some(value) = value {
            body[field] = value.as_str().into();
        }
    }
    Ok(Json(body))
}

async fn set_profile(
    State(shared): Server,
    Caller(user): Caller,
    Path((target, field)): Path<(String, String)>,
    body: Bytes,
) -> Reply {
    if user != target {
        return forbid("Cannot set the profile of another user");
    }
    let body = read(&body)?;
    shared.change(|world| world.set_profile(&user, &field, &body))?;
    Ok(Json(json!({})))
}

async fn create_room(State(shared): Server, Caller(user): Caller, body: Bytes) -> Reply {
    let body = read(&body)?;
    let room = shared.change(|world| world.create_room(&user, &body))?;
    Ok(Json(json!({ "room_id": room })))
}

async fn joined_rooms(State(shared): Server, Caller(user): Caller) -> Json<Value> {
    Json(json!({ "joined_rooms": shared.lock().joined_rooms(&user) }))
}

async fn act_on_room(
    State(shared): Server,
    Caller(user): Caller,
    Path((room, action)): Path<(String, String)>,
    body: Bytes,
) -> Reply {
    let body = read(&body)?;
    let reason = body["reason"].as_str();
    shared.change(|world| match action.as_str() {
        "join" => world.join(&room, &user),
        "leave" => world.leave(&room, &user, reason),
        "invite" => world.invite(&room, &user, text(&body, "user_id")?, reason, false),
        "kick" | "ban" => world.remove(&room, &user, text(&body, "user_id")?, reason, action == "ban"),
        _ => refuse(404, "M_UNRECOGNIZED", "Unrecognized request"),
    })?;
    Ok(Json(if action == "join" {
        json!({ "room_id": room })
    } else {
        json!({})
    }))
}

async fn send(
    State(shared): Server,
    Caller(user): Caller,
    OriginalUri(uri): OriginalUri,
    Path((room, event_type, _txn)): Path<(String, String, String)>,
    body: Bytes,
) -> Reply {
    let content = read(&body)?;
    shared.change(|world| {
        if let Some(answer) = world.answered.get(uri.path()) {
            return Ok(Json(answer.clone()));
        }
        let event_id = match content["redacts"].as_str().filter(|_| event_type == "m.room.redaction") {
            Some(target) => world.redact(&room, &user, target, content["reason"].as_str())?,
            None => world.send(&room, &user, &event_type, None, content)?,
        };
        let answer = json!({ "event_id": event_id });
        world.answered.insert(uri.path().to_owned(), answer.clone());
        Ok(Json(answer))
    })
}

async fn redact(
    State(shared): Server,
    Caller(user): Caller,
    OriginalUri(uri): OriginalUri,
    Path((room, event, _txn)): Path<(String, String, String)>,
    body: Bytes,
) -> Reply {
    let body = read(&body)?;
    shared.change(|world| {
        if let Some(answer) = world.answered.get(uri.path()) {
            return Ok(Json(answer.clone()));
        }
        let event_id = world.redact(&room, &user, &event, body["reason"].as_str())?;
        let answer = json!({ "event_id": event_id });
        world.answered.insert(uri.path().to_owned(), answer.clone());
        Ok(Json(answer))
    })
}

/// `{room}`, `{event_type}` and, unless it is empty, `{key}`.
type StatePath = Path<HashMap<String, String>>;

async fn set_state(State(shared): Server, Caller(user): Caller, Path(path): StatePath, body: Bytes) -> Reply {
    let content = read(&body)?;
    let key = path.get("key").map_or("", String::as_str);
    let id = shared.change(|world| world.send(&path["room"], &user, &path["event_type"], Some(key), content))?;
    Ok(Json(json!({ "event_id": id })))
}

async fn state_event(State(shared): Server, Caller(user): Caller, Path(path): StatePath) -> Reply {
    let world = shared.lock();
    world.require_joined(&path["room"], &user)?;
    let key = path.get("key").map_or("", String::as_str);
    match world.room(&path["room"])?.content(&path["event_type"], key) {
        Some(content) => Ok(Json(content.clone())),
        None => refuse(404, "M_NOT_FOUND", "Event not found."),
    }
}

async fn room_state(State(shared): Server, Caller(user): Caller, Path(room): Path<String>) -> Reply {
    let world = shared.lock();
    world.require_joined(&room, &user)?;
    Ok(Json(world.room(&room)?.state.values().cloned().collect()))
}

async fn messages(
    State(shared): Server,
    Caller(user): Caller,
    Path(room): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Reply {
    if query.get("dir").map(String::as_str) != Some("b") {
        return refuse(400, "M_INVALID_PARAM", "the fake pages backwards only");
    }
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10);
    let from = query.get("from").map(String::as_str);
    let (chunk, end) = shared.lock().messages(&room, &user, from, limit)?;
    let mut body = json!({ "start": from.unwrap_or("t"), "chunk": chunk, "state": [] });
    if let Some(end) = end {
        body["end"] = end.into();
    }
    Ok(Json(body))
}

async fn receipt(
    State(shared): Server,
    Caller(user): Caller,
    Path((room, kind, event)): Path<(String, String, String)>,
) -> Reply {
    shared.change(|world| world.receipt(&room, &user, &kind, &event))?;
    Ok(Json(json!({})))
}

async fn typing(
    State(shared): Server,
    Caller(user): Caller,
    Path((room, target)): Path<(String, String)>,
    body: Bytes,
) -> Reply {
    if user != target {
        return forbid("Cannot set another user's typing state");
    }
    let body = read(&body)?;
    let lasts = body["timeout"].as_u64().filter(|_| body["typing"] == true);
    shared.change(|world| world.set_typing(&room, &user, lasts.is_some()))?;
    Ok(Json(json!({})))
}

async fn presence(State(shared): Server, Caller(user): Caller, Path(target): Path<String>, body: Bytes) -> Reply {
    if user != target {
        return forbid("Cannot set another user's presence state");
    }
    let body = read(&body)?;
    let state = text(&body, "presence")?;
    shared.change(|world| world.set_presence(&user, state, state == "online"));
    Ok(Json(json!({})))
}

async fn resolve_alias(State(shared): Server, Path(alias): Path<String>) -> Reply {
    let world = shared.lock();
    match world.aliases.get(&alias) {
        Some(room) => Ok(Json(json!({ "room_id": room, "servers": [world.options.server_name] }))),
        None => refuse(404, "M_NOT_FOUND", format!("Room alias {alias} not found")),
    }
}

async fn create_alias(State(shared): Server, Caller(user): Caller, Path(alias): Path<String>, body: Bytes) -> Reply {
    let body = read(&body)?;
    shared.change(|world| world.create_alias(&user, &alias, text(&body, "room_id")?))?;
    Ok(Json(json!({})))
}
