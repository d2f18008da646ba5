//! Every Nova client that ever was, as the rules by which it decodes frames (nova-client-protocol §5.6), over the frames
//! that the running bridge really emits.

use std::collections::HashSet;

use chrono::DateTime;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, On};
use crate::support::socket::Socket;

/// What a client makes of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Message { id: String, text: Option<String> },
    Typing,
    Nothing,
}

fn uuid(value: &Value) -> bool {
    value.as_str().is_some_and(|text| Uuid::parse_str(text).is_ok())
}

/// `.iso8601` of Foundation: no fraction of a second.
fn iso8601(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok() && !text.contains('.'))
}

/// A1, iOS ≤ 2025-10-26. Shows only what its own encryption opens; here it is checked that it decodes.
fn a1(frame: &Value) -> Result<Seen, String> {
    match frame["type"].as_str() {
        Some("typing") if uuid(&frame["user_id"]) => Ok(Seen::Typing),
        Some("message.new") => {
            let data = &frame["data"];
            let decodes = uuid(&data["id"])
                && uuid(&data["sender_id"])
                && data["encrypted_content"].is_string()
                && data["nonce"].is_string()
                && iso8601(&data["created_at"]);
            if decodes {
                Ok(Seen::Nothing)
            } else {
                Err(format!("A1 cannot decode {frame}"))
            }
        }
        _ => Ok(Seen::Nothing),
    }
}

/// A2, iOS ≤ 2025-11-15: any frame with an object `message`.
fn a2(frame: &Value, seen: &mut HashSet<String>) -> Result<Seen, String> {
    if frame["type"] == "typing" {
        return Ok(Seen::Typing);
    }
    let Some(message) = frame["message"].as_object() else {
        return Ok(Seen::Nothing);
    };
    let sequence = message.get("sequence_number").and_then(Value::as_i64);
    let (true, true, Some(sequence)) = (
        uuid(&frame["message"]["id"]),
        uuid(&frame["message"]["sender_id"]),
        sequence,
    ) else {
        return Err(format!("A2 cannot decode {frame}"));
    };
    let id = frame["message"]["id"].as_str().unwrap().to_owned();
    // It drops what has an id or a number that it has seen.
    let key = format!("{} {sequence}", frame["conversation_id"]);
    let fresh = sequence > 0 && seen.insert(id.clone()) && seen.insert(key);
    if !fresh {
        return Err(format!("A2 drops {frame}"));
    }
    Ok(Seen::Message {
        id,
        text: frame["content"].as_str().map(str::to_owned),
    })
}

/// W, the React client: the same, and it would store any other truthy `message` as an empty row.
fn w(frame: &Value) -> Result<Seen, String> {
    match frame["type"].as_str() {
        Some("pong") => Ok(Seen::Nothing),
        Some("typing") => Ok(Seen::Typing),
        _ => {
            let message = &frame["message"];
            let truthy = !matches!(message, Value::Null | Value::Bool(false)) && *message != "" && *message != 0;
            if !truthy {
                return Ok(Seen::Nothing);
            }
            let whole =
                message["id"].is_string() && message["sender_id"].is_string() && message["sequence_number"].is_i64();
            if !whole {
                return Err(format!("W stores an empty row for {frame}"));
            }
            let text = message["content"].as_str().map(str::to_owned);
            Ok(Seen::Message {
                id: message["id"].as_str().unwrap().to_owned(),
                text,
            })
        }
    }
}

/// B, iOS until 2026-01: with a `type`, its decoder finds nothing whatever comes; without one, the frame is a message.
fn b(frame: &Value) -> Result<Seen, String> {
    match &frame["type"] {
        Value::String(_) => Ok(Seen::Nothing),
        Value::Null => match frame["id"].as_str() {
            Some(id) => Ok(Seen::Message {
                id: id.to_owned(),
                text: frame["content"].as_str().map(str::to_owned),
            }),
            None => Err(format!("B cannot decode {frame}")),
        },
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(format!("B expects a text as type: {frame}"))
        }
    }
}

/// What the contract promises of every frame from the feed (nova-api §1).
fn contract(frame: &Value) -> Result<(), String> {
    let lower = |value: &Value| value.as_str().is_some_and(|it| it == it.to_lowercase());
    let stream_id = frame["stream_id"].as_str().is_some_and(|id| {
        id.split_once('-')
            .is_some_and(|(ms, n)| ms.parse::<u64>().is_ok() && n.parse::<u32>().is_ok())
    });
    let keeps = frame["type"].is_string()
        && uuid(&frame["conversation_id"])
        && lower(&frame["conversation_id"])
        && iso8601(&frame["timestamp"])
        && frame["timestamp"].as_str().is_some_and(|time| time.ends_with('Z'))
        && stream_id
        && uuid(&frame["user_id"])
        && uuid(&frame["sender_id"]);
    if keeps {
        Ok(())
    } else {
        Err(format!("against the contract: {frame}"))
    }
}

/// Runs through a life of two conversations and returns what two sockets were shown.
async fn a_life(bridge: &TestBridge) -> (Vec<Value>, Vec<Value>) {
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (mut at_ana, mut at_ben) = (ana.socket().await, ben.socket().await);
    let group = json!({ "name": "Hiking", "member_ids": [ben.id, "@alice:example.org"] });
    bridge.homeserver.user("@alice:example.org").set_name("Alice");
    let (_, made) = ana.post("/conversations/groups", group).await;
    let conversation = made["id"].as_str().unwrap().to_owned();
    let room = super::chat::room_of(bridge, &conversation).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.join(&room);
    alice.send_text(&room, "Hello 👋\nNova");
    alice.send(
        &room,
        "m.room.message",
        json!({ "msgtype": "m.emote", "body": "waves" }),
    );
    bridge.homeserver.wait_until_pushed().await;
    ana.say(&conversation, "Hello Alice").await;
    bridge
        .homeserver
        .wait_for("Alice is greeted", |world| {
            world
                .rooms
                .get(&room)?
                .texts()
                .contains(&"Hello Alice".to_owned())
                .then_some(())
        })
        .await;
    bridge
        .homeserver
        .fail_next(On::Send, Fault::Status(400, "M_BAD_JSON", None));
    ana.say(&conversation, "refused").await;
    let settings = format!("/conversations/{conversation}/settings");
    ana.request(
        Method::PUT,
        &settings,
        Some(json!({ "name": "Hills", "description": "up" })),
    )
    .await;
    let role = format!("/conversations/{conversation}/members/{}/role", ben.id);
    ana.request(Method::PUT, &role, Some(json!({ "role": "admin" }))).await;
    let mut for_ben = until(&mut at_ben, |frame| {
        frame["type"] == "member.role_changed" && frame["new_role"] == "admin" && frame["user_id"] == json!(ben.id)
    })
    .await;
    ana.request(
        Method::DELETE,
        &format!("/conversations/{conversation}/members/{}", ben.id),
        None,
    )
    .await;
    let for_ana = until(&mut at_ana, |frame| {
        frame["type"] == "message.delivery" && frame["status"] == "failed"
    })
    .await;
    for_ben.extend(until(&mut at_ben, |frame| frame["type"] == "member_left").await);
    (for_ana, for_ben)
}

/// What a socket is shown up to something.
async fn until(socket: &mut Socket, last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut shown = Vec::new();
    loop {
        let frame = socket.frame().await;
        let is_last = last(&frame);
        shown.push(frame);
        if is_last {
            return shown;
        }
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn every_client_decodes_what_the_bridge_emits(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = a_life(&bridge).await;
    for frames in [&ana, &ben] {
        let mut at_a2 = HashSet::new();
        let mut texts = Vec::new();
        for frame in frames {
            contract(frame).unwrap();
            a1(frame).unwrap();
            let seen = a2(frame, &mut at_a2).unwrap();
            assert_eq!(w(frame).unwrap(), seen, "A2 and W agree");
            assert_eq!(b(frame).unwrap(), Seen::Nothing);
            assert_eq!(
                frame.get("message").is_some(),
                frame["type"] == "message.new",
                "{frame}"
            );
            if let Seen::Message { text, .. } = seen {
                texts.push(text.unwrap());
            }
        }
        assert_eq!(texts, ["Hello 👋\nNova", "waves", "Hello Alice", "refused"]);
    }
    let mut kinds: Vec<&str> = ben.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let all = [
        "conversation.created",
        "conversation.updated",
        "member.joined",
        "member.left",
        "member.role_changed",
        "member_left",
        "message.new",
    ];
    assert_eq!(kinds, all);
    let own: Vec<&Value> = ana.iter().filter(|frame| frame["type"] == "message.delivery").collect();
    assert_eq!(
        own.iter()
            .map(|frame| frame["status"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["sent", "failed"]
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_bare_frame_of_client_b_goes_to_recipients_only(pool: PgPool) {
    let bridge = TestBridge::with(pool, "bare_frames: true").await;
    let (ana, ben) = a_life(&bridge).await;
    let bare = |frames: &[Value]| -> Vec<String> {
        let untyped = frames.iter().filter(|frame| frame["type"].is_null());
        untyped
            .map(|frame| match b(frame).unwrap() {
                Seen::Message { text, .. } => text.unwrap(),
                other @ (Seen::Typing | Seen::Nothing) => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(bare(&ana), ["Hello 👋\nNova", "waves"]);
    assert_eq!(bare(&ben), ["Hello 👋\nNova", "waves", "Hello Alice", "refused"]);
    for frame in ana.iter().chain(&ben).filter(|frame| frame["type"].is_null()) {
        assert_eq!(a1(frame).unwrap(), Seen::Nothing);
        assert_eq!(a2(frame, &mut HashSet::new()).unwrap(), Seen::Nothing);
        assert_eq!(w(frame).unwrap(), Seen::Nothing);
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn every_client_knows_who_types_and_stumbles_over_nothing_told_in_passing(pool: PgPool) {
    let bridge = TestBridge::with_rooms(pool, "presence: true").await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (_, made) = ana
        .post("/conversations", json!({ "user_a": ana.id, "user_b": ben.id }))
        .await;
    let conversation = made["id"].as_str().unwrap();
    let mut at_ana = ana.socket().await;
    ana.say(conversation, "hi").await;
    let mut at_ben = ben.socket().await;
    for name in ["typing.start", "typing.stop", "message.read"] {
        at_ben
            .send(json!({ "type": name, "conversation_id": conversation }))
            .await;
        at_ben.send(json!({ "type": "ping" })).await;
        at_ben.next("pong").await;
    }
    let mut kinds = HashSet::new();
    while kinds.len() < 7 {
        let frame = at_ana.frame().await;
        let kind = frame["type"].as_str().unwrap().to_owned();
        if kind.starts_with("message.new") || kind == "message.delivery" || kind == "conversation.created" {
            continue;
        }
        if ["read_receipt", "message.read"].contains(&&*kind) {
            contract(&frame).unwrap();
            assert!(uuid(&frame["data"]["last_read_message_id"]), "{frame}");
        }
        let types = if kind == "typing" { Seen::Typing } else { Seen::Nothing };
        assert_eq!(a1(&frame).unwrap(), types, "{frame}");
        assert_eq!(a2(&frame, &mut HashSet::new()).unwrap(), types, "{frame}");
        assert_eq!(w(&frame).unwrap(), types, "{frame}");
        assert_eq!(b(&frame).unwrap(), Seen::Nothing, "{frame}");
        if kind.starts_with("typing") {
            assert!(uuid(&frame["conversation_id"]) && uuid(&frame["user_id"]), "{frame}");
        }
        assert!(iso8601(&frame["timestamp"]), "{frame}");
        kinds.insert(kind);
    }
    let mut kinds: Vec<String> = kinds.into_iter().collect();
    kinds.sort_unstable();
    let all = [
        "message.read",
        "presence",
        "read_receipt",
        "typing",
        "typing.indicator",
        "typing.started",
        "typing.stopped",
    ];
    assert_eq!(kinds, all);
}

/// What §5.4 says of a call's frame, and so whoever was written by it expects.
fn documented(frame: &Value) -> Result<(), String> {
    let ids: &[&str] = match frame["type"].as_str().unwrap_or_default() {
        "call.initiated" => &["call_id", "initiator_id"],
        "call.answered" => &["call_id", "answerer_id"],
        "call.rejected" => &["call_id", "rejected_by"],
        "call.participant_joined" | "call.participant_left" => &["call_id", "participant_id", "user_id"],
        _ => &["call_id"],
    };
    let fits = match frame["type"].as_str().unwrap_or_default() {
        "call.initiated" => {
            matches!(frame["call_type"].as_str(), Some("direct" | "group")) && frame["max_participants"].is_i64()
        }
        "call.ice_candidate" => {
            frame["candidate"].is_string() && frame["sdp_mid"].is_string() && frame["sdp_mline_index"].is_u64()
        }
        "call.ended" => uuid(&frame["ended_by"]) || frame["ended_by"].is_null(),
        _ => true,
    };
    if fits && ids.iter().all(|key| uuid(&frame[*key])) {
        Ok(())
    } else {
        Err(format!("not as documented: {frame}"))
    }
}

/// Calls of every kind, until what is shown at last.
async fn a_life_of_calls(bridge: &TestBridge) -> Vec<Value> {
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (mut at_ana, mut at_ben) = (ana.socket().await, ben.socket().await);
    let (_, direct) = ana
        .post("/conversations", json!({ "user_a": ana.id, "user_b": ben.id }))
        .await;
    let (_, group) = ana
        .post(
            "/conversations/groups",
            json!({ "name": "Tea", "member_ids": [ben.id] }),
        )
        .await;
    let sdp = super::nova_calls::sdp("x");
    let call = async |conversation: &Value| {
        let path = format!("/conversations/{}/calls", conversation["id"].as_str().unwrap());
        let (status, placed) = ana.post(&path, json!({ "initiator_sdp": sdp })).await;
        assert_eq!(status, 201, "{placed}");
        format!("/calls/{}", placed["id"].as_str().unwrap())
    };
    let act = async |user: &NovaUser, path: String, body: Value| {
        let (status, answer) = user.post(&path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    };
    let first = call(&direct).await;
    act(&ben, format!("{first}/reject"), json!({})).await;
    let second = call(&direct).await;
    act(&ana, format!("{second}/end"), json!({})).await;
    let third = call(&direct).await;
    let candidate = json!({ "candidate": "candidate:1", "sdp_mid": "0", "sdp_mline_index": 0 });
    act(&ana, format!("{third}/ice-candidate"), candidate.clone()).await;
    act(&ben, format!("{third}/answer"), json!({ "answer_sdp": sdp })).await;
    act(&ben, format!("{third}/ice-candidate"), candidate).await;
    let description = json!({ "description": { "type": "offer", "sdp": super::nova_calls::sdp("y") } });
    act(&ana, format!("{third}/negotiate"), description).await;
    act(&ben, format!("{third}/toggle-audio"), json!({ "enabled": false })).await;
    act(&ana, format!("{third}/end"), json!({})).await;
    let fourth = call(&group).await;
    act(&ben, format!("{fourth}/join"), json!({ "sdp": sdp })).await;
    act(&ben, format!("{fourth}/leave"), json!({})).await;
    act(&ana, format!("{fourth}/end"), json!({})).await;
    let mut shown = Vec::new();
    for socket in [&mut at_ana, &mut at_ben] {
        ana.say(direct["id"].as_str().unwrap(), "over").await;
        shown.extend(until(socket, |frame| frame["content"] == "over").await);
    }
    shown.retain(|frame| frame["type"].as_str().is_none_or(|it| it.starts_with("call.")));
    shown
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn no_client_stumbles_over_calls(pool: PgPool) {
    let bridge = TestBridge::with(pool, "bare_frames: true").await;
    let frames = a_life_of_calls(&bridge).await;
    for frame in &frames {
        contract(frame).unwrap();
        documented(frame).unwrap();
        assert_eq!(a1(frame).unwrap(), Seen::Nothing);
        assert_eq!(a2(frame, &mut HashSet::new()).unwrap(), Seen::Nothing);
        assert_eq!(w(frame).unwrap(), Seen::Nothing);
        assert_eq!(b(frame).unwrap(), Seen::Nothing);
    }
    let mut kinds: Vec<&str> = frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let all = [
        "call.answered",
        "call.answered_elsewhere",
        "call.ended",
        "call.ice_candidate",
        "call.initiated",
        "call.media_state",
        "call.missed",
        "call.negotiate",
        "call.participant_joined",
        "call.participant_left",
        "call.rejected",
    ];
    assert_eq!(kinds, all);
}
