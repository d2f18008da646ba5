//! Synapse's other half: it pushes transactions, one at a time and in order, asks for unknown users, and pings.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};

use super::Shared;
use super::entrance::Caller;
use super::world::{Answer, Delivery, MatrixError, refuse};

/// As many events as Synapse puts into one transaction.
const BATCH: usize = 100;
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

struct Batch {
    txn_id: u64,
    events: Vec<Value>,
    ephemeral: Vec<Value>,
}

/// Pushes until the server stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut changes = shared.changed.subscribe();
    loop {
        changes.mark_unchanged();
        if let Some(batch) = next_batch(&shared) {
            ask_for_unknown_users(&shared, &batch.events).await;
            deliver(&shared, batch).await;
            shared.change(|world| world.pushing = false);
        } else if changes.changed().await.is_err() {
            return;
        }
    }
}

fn next_batch(shared: &Shared) -> Option<Batch> {
    let mut world = shared.lock();
    if world.push_paused || world.appservice.is_none() || (world.queue.is_empty() && world.ephemeral.is_empty()) {
        return None;
    }
    world.pushing = true;
    let events = BATCH.min(world.queue.len());
    let ephemeral = BATCH.min(world.ephemeral.len());
    Some(Batch {
        txn_id: world.take_push_id(),
        events: world.queue.drain(..events).collect(),
        ephemeral: world.ephemeral.drain(..ephemeral).collect(),
    })
}

/// Tries until the bridge takes it. Ephemeral events get one try, as with Synapse.
async fn deliver(shared: &Shared, mut batch: Batch) {
    let mut wait = FIRST_WAIT;
    loop {
        let mut changes = shared.changed.subscribe();
        while shared.lock().push_paused {
            changes.changed().await.unwrap();
        }
        let body = json!({
            "events": batch.events.iter().map(as_pushed).collect::<Vec<_>>(), "ephemeral": batch.ephemeral,
            "de.sorunome.msc2409.ephemeral": batch.ephemeral, "de.sorunome.msc2409.to_device": [],
        });
        let status = put(shared, &batch.txn_id.to_string(), body.to_string().into()).await;
        let event_ids = batch
            .events
            .iter()
            .map(|event| event["event_id"].as_str().unwrap_or_default().to_owned());
        let delivery = Delivery {
            txn_id: batch.txn_id,
            event_ids: event_ids.collect(),
            ephemeral: batch.ephemeral.len(),
            status,
        };
        shared.change(|world| world.deliveries.push(delivery));
        if (200..300).contains(&status) {
            return;
        }
        batch.ephemeral.clear();
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Synapse pushes events in their oldest form, which repeats some fields at the top.
fn as_pushed(event: &Value) -> Value {
    let mut event = event.clone();
    event["user_id"] = event["sender"].clone();
    for field in ["age", "invite_room_state", "prev_content", "replaces_state"] {
        if let Some(value) = event["unsigned"].get(field).cloned() {
            event[field] = value;
        }
    }
    event
}

/// The status that the bridge answers; 0 for no answer.
pub(super) async fn put(shared: &Shared, txn_id: &str, body: Bytes) -> u16 {
    let path = format!("transactions/{txn_id}");
    let Some(request) = request(shared, reqwest::Method::PUT, &path) else {
        return 0;
    };
    let answer = request
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await;
    answer.map_or(0, |answer| answer.status().as_u16())
}

/// Synapse asks the application service before it pushes an event of a user in its namespace whom it does not know.
async fn ask_for_unknown_users(shared: &Shared, events: &[Value]) {
    let unknown: Vec<String> = shared.change(|world| {
        let named = events.iter().flat_map(|event| [&event["sender"], &event["state_key"]]);
        let named = named.filter_map(Value::as_str).filter(|user| *user != world.sender());
        let unknown = named.filter(|user| world.in_namespace(user) && !world.accounts.contains_key(*user));
        let unknown: Vec<_> = unknown
            .filter(|user| !world.asked_for.contains(*user))
            .map(str::to_owned)
            .collect();
        world.asked_for.extend(unknown.iter().cloned());
        unknown
    });
    for user in unknown {
        query_user(shared, &user).await;
    }
}

pub(super) async fn query_user(shared: &Shared, user: &str) -> u16 {
    let user: String = url::form_urlencoded::byte_serialize(user.as_bytes()).collect();
    let Some(request) = request(shared, reqwest::Method::GET, &format!("users/{user}")) else {
        return 0;
    };
    request.send().await.map_or(0, |answer| answer.status().as_u16())
}

fn request(shared: &Shared, method: reqwest::Method, path: &str) -> Option<reqwest::RequestBuilder> {
    let world = shared.lock();
    let url = format!("{}/_matrix/app/v1/{path}", world.appservice.as_ref()?);
    let request = shared.http.request(method, url).bearer_auth(&world.options.hs_token);
    Some(request.header("user-agent", "Synapse/1.163.2"))
}

/// The bridge asks to be pinged.
pub(super) async fn ping(State(shared): State<Arc<Shared>>, _: Caller, body: Bytes) -> Answer<Json<Value>> {
    let Some(request) = request(&shared, reqwest::Method::POST, "ping") else {
        return refuse(400, "M_URL_NOT_SET", "The application service does not have a URL set");
    };
    match request
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
    {
        Ok(answer) if answer.status().is_success() => Ok(Json(json!({ "duration_ms": 3 }))),
        Ok(answer) => {
            let error = format!("HTTP {} on ping", answer.status());
            Err(MatrixError {
                status: StatusCode::BAD_GATEWAY,
                errcode: "M_BAD_STATUS",
                error,
            })
        }
        Err(_) => refuse(502, "M_CONNECTION_FAILED", "cannot connect to the application service"),
    }
}
