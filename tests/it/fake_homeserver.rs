//! The fake homeserver keeps the rules that the bridge's tests rely on.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::support::homeserver::{FakeHomeserver, Options};

const GHOST: &str = "@nova-3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11:example.org";

/// What the application service was told.
#[derive(Default)]
pub(crate) struct Heard {
    /// Statuses to answer before it begins to answer 200.
    refusals: Vec<u16>,
    transactions: Vec<(String, Value)>,
    queries: Vec<String>,
}

pub(crate) type Ears = Arc<Mutex<Heard>>;

/// An application service that only listens.
pub(crate) async fn listener(homeserver: &FakeHomeserver) -> Ears {
    async fn transaction(
        State(ears): State<Ears>,
        Path(id): Path<String>,
        headers: HeaderMap,
        Json(body): Json<Value>,
    ) -> StatusCode {
        if headers["authorization"] != "Bearer hs-token" {
            return StatusCode::FORBIDDEN;
        }
        let mut heard = ears.lock().unwrap();
        heard.transactions.push((id, body));
        heard
            .refusals
            .pop()
            .map_or(StatusCode::OK, |status| StatusCode::from_u16(status).unwrap())
    }
    async fn query(State(ears): State<Ears>, Path(user): Path<String>) -> StatusCode {
        ears.lock().unwrap().queries.push(user);
        StatusCode::NOT_FOUND
    }
    let ears = Ears::default();
    let router = Router::new()
        .route("/_matrix/app/v1/transactions/{id}", put(transaction))
        .route("/_matrix/app/v1/users/{id}", get(query))
        .route("/_matrix/app/v1/ping", post(async || "{}"))
        .with_state(ears.clone());
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    homeserver.set_appservice_url(&format!("http://{}", socket.local_addr().unwrap()).parse().unwrap());
    TaskTracker::new().spawn(async move { axum::serve(socket, router).await.unwrap() });
    ears
}

fn bodies(transaction: &Value) -> Vec<&str> {
    transaction["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}

#[tokio::test]
async fn an_invite_of_a_ghost_is_pushed_with_the_rooms_face_after_a_query_for_the_unknown_user() {
    let homeserver = FakeHomeserver::start().await;
    let ears = listener(&homeserver).await;
    let alice = homeserver.user("@alice:example.org");
    alice.set_name("Alice");
    let room = alice.create_dm(GHOST);
    alice.send_text(&room, "unheard, because the ghost has not joined");
    homeserver.wait_until_pushed().await;

    let heard = ears.lock().unwrap();
    assert_eq!(heard.queries, [GHOST]);
    let [(id, transaction)] = &heard.transactions[..] else {
        panic!("{:?}", heard.transactions)
    };
    let event = &transaction["events"][0];
    assert_eq!((id.as_str(), transaction["events"].as_array().unwrap().len()), ("1", 1));
    assert_eq!(event["content"], json!({ "membership": "invite", "is_direct": true }));
    let shown = event["unsigned"]["invite_room_state"].as_array().unwrap();
    assert!(
        shown
            .iter()
            .any(|event| event["type"] == "m.room.create" && event["sender"] == alice.id())
    );
}

#[tokio::test]
async fn a_failed_push_is_repeated_in_order_under_its_id_without_its_ephemeral_events() {
    let homeserver = FakeHomeserver::start().await;
    let ears = listener(&homeserver).await;
    let (alice, room) = room_with_ghost(&homeserver);
    homeserver.wait_until_pushed().await;
    let before = homeserver.deliveries().last().unwrap().txn_id;
    ears.lock().unwrap().transactions.clear();
    ears.lock().unwrap().refusals = vec![500, 502];
    homeserver.pause_push();
    let mut last = String::new();
    for number in 0..150 {
        last = alice.send_text(&room, &number.to_string());
    }
    alice.set_typing(&room, true);
    alice.read_up_to(&room, &last);
    homeserver.resume_push();
    homeserver.wait_until_pushed().await;

    let deliveries = homeserver.deliveries();
    let last: Vec<_> = deliveries.iter().filter(|delivery| delivery.txn_id > before).collect();
    let shape: Vec<_> = last
        .iter()
        .map(|d| (d.txn_id - before, d.event_ids.len(), d.ephemeral, d.status))
        .collect();
    assert_eq!(
        shape,
        [
            (1, 100, 2, 500 + 2),
            (1, 100, 0, 500),
            (1, 100, 0, 200),
            (2, 50, 0, 200)
        ]
    );
    let heard = ears.lock().unwrap();
    let texts: Vec<_> = heard.transactions[2..]
        .iter()
        .flat_map(|(_, transaction)| bodies(transaction))
        .collect();
    assert_eq!(texts, (0..150).map(|number| number.to_string()).collect::<Vec<_>>());
    let first = &heard.transactions[0].1;
    assert_eq!(first["ephemeral"], first["de.sorunome.msc2409.ephemeral"]);
}

/// A room of Alice's with the ghost in it; the ghost joins as through the bridge.
fn room_with_ghost(homeserver: &FakeHomeserver) -> (crate::support::homeserver::User, String) {
    let alice = homeserver.user("@alice:example.org");
    let room = alice.create_dm(GHOST);
    homeserver.user(GHOST).join(&room);
    (alice, room)
}

#[tokio::test]
async fn what_users_do_to_a_room_is_seen_in_its_state_and_timeline() {
    let homeserver = FakeHomeserver::start().await;
    let (alice, room) = room_with_ghost(&homeserver);
    let bob = homeserver.user("@bob:elsewhere.net");
    alice.invite(&room, bob.id());
    bob.join(&room);
    bob.set_name("Bob");
    bob.set_avatar("mxc://elsewhere.net/face");
    alice.set_room_name(&room, "Tea");
    alice.set_power_levels(
        &room,
        &json!({ "users": { bob.id(): 50 }, "events": { "m.call.member": 100 } }),
    );
    let gone = bob.send_text(&room, "oops");
    alice.redact(&room, &gone);
    bob.send_text(&room, "hello");

    let now = homeserver.room(&room);
    assert_eq!(now.content("m.room.member", bob.id()).unwrap()["displayname"], "Bob");
    assert_eq!(
        now.content("m.room.member", bob.id()).unwrap()["avatar_url"],
        "mxc://elsewhere.net/face"
    );
    assert_eq!(now.content("m.room.power_levels", "").unwrap()["users"][bob.id()], 50);
    assert_eq!(homeserver.texts(&room), ["hello"]);
    assert_eq!(homeserver.timeline(&room).last().unwrap()["content"]["body"], "hello");

    let new = alice.upgrade_room(&room);
    assert_eq!(
        homeserver.room(&room).content("m.room.tombstone", "").unwrap()["replacement_room"],
        new
    );
    assert_eq!(
        homeserver.room(&new).content("m.room.create", "").unwrap()["predecessor"]["room_id"],
        room
    );
    alice.kick(&room, bob.id());
    assert_eq!(homeserver.room(&room).membership(bob.id()), "leave");
    alice.ban(&room, bob.id());
    assert_eq!(homeserver.room(&room).membership(bob.id()), "ban");
    homeserver.user(GHOST).leave(&room);
    assert_eq!(homeserver.room(&room).joined(), [alice.id()]);
}

#[tokio::test]
async fn any_transaction_can_be_pushed_by_hand() {
    let homeserver = FakeHomeserver::start().await;
    assert_eq!(homeserver.push_raw(vec![]).await, 0);
    let ears = listener(&homeserver).await;
    assert_eq!(homeserver.push_raw(vec![json!({ "type": "m.strange" })]).await, 200);
    assert_eq!(homeserver.push_body("7", "not json").await, 400);
    assert_eq!(homeserver.push_raw(vec![]).await, 200);
    assert_eq!(homeserver.query_user(GHOST).await, 404);
    let ids: Vec<_> = ears
        .lock()
        .unwrap()
        .transactions
        .iter()
        .map(|(id, _)| id.clone())
        .collect();
    let [first, second] = &ids[..] else { panic!("{ids:?}") };
    assert!(first.starts_with("raw-") && first != second, "{ids:?}");
}

#[tokio::test]
async fn the_creators_of_a_version_12_room_stand_above_its_power_levels() {
    let homeserver = FakeHomeserver::start().await;
    let (alice, room) = room_with_ghost(&homeserver);
    assert!(!room.contains(':'));
    let changes = json!({ "state_default": 200, "events": { "m.room.name": 200 } });
    alice.set_power_levels(&room, &changes);
    homeserver.user(GHOST).set_room_name(&room, "ours");
    assert_eq!(homeserver.inspect(|world| world.rooms[&room].version.clone()), "12");
}

#[tokio::test]
async fn the_creators_of_an_older_room_are_named_in_its_power_levels() {
    let options = Options {
        room_version: "11".to_owned(),
        ..Options::default()
    };
    let homeserver = FakeHomeserver::with(options).await;
    let (alice, room) = room_with_ghost(&homeserver);
    assert!(room.ends_with(":example.org"));
    let powers = &homeserver.room(&room).content("m.room.power_levels", "").unwrap()["users"].clone();
    assert_eq!(powers, &json!({ alice.id(): 100, GHOST: 100 }));
}
