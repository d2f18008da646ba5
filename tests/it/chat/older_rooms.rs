//! Rooms that are older than the bridge become conversations when something is said in them, and from then on only.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{conversation_of, direct, membership, room_of};
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, Gate, On};

/// A room that the Nova user made with a Matrix client before there was a bridge, and what was said in it.
fn older_room(bridge: &TestBridge, ana: &NovaUser, body: &Value, others: &[&str]) -> String {
    bridge.homeserver.pause_push();
    let ghost = bridge.homeserver.user(&ana.mxid);
    let room = ghost.create_room(body);
    for other in others {
        let other = bridge.homeserver.user(other);
        ghost.invite(&room, other.id());
        other.join(&room);
        other.send_text(&room, "long ago");
    }
    ghost.send_text(&room, "long ago, too");
    bridge.homeserver.forget_queue();
    bridge.homeserver.resume_push();
    room
}

async fn conversations(ana: &NovaUser) -> Vec<Value> {
    let (_, list) = ana.get("/conversations").await;
    list["conversations"].as_array().unwrap().clone()
}

async fn letters(bridge: &TestBridge) -> usize {
    let (_, letters) = bridge.admin(reqwest::Method::GET, "/dead-letters", None).await;
    letters["dead_letters"].as_array().unwrap().len()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_room_of_two_becomes_their_direct_conversation_with_what_is_said_from_now_on(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    bridge.account("bea").await;
    bridge.homeserver.wait_until_pushed().await;
    let room = older_room(&bridge, &ana, &json!({}), &["@alice:example.org"]);
    assert_eq!(conversations(&ana).await.len(), 0);
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.send_text(&room, "new");
    alice.send_text(&room, "newer");
    bridge.homeserver.wait_until_pushed().await;
    let conversation = conversation_of(&ana, &room).await;
    assert_eq!(ana.texts(&conversation).await, ["new", "newer"]);
    let shown = &conversations(&ana).await[0];
    assert_eq!(shown["type"], "direct", "{shown}");
    assert_eq!(ana.open("@alice:example.org").await, conversation);
    // Nova answers into the same room.
    ana.say(&conversation, "hello").await;
    bridge
        .homeserver
        .wait_for("the answer", |world| {
            (world.rooms[&room].texts().last()? == "hello").then_some(())
        })
        .await;
    assert_eq!(letters(&bridge).await, 0);
    // What was there before is not missing, now or later.
    bridge
        .app()
        .bridge
        .doubt(bridge.app().bridge.now() - TimeDelta::hours(1))
        .await
        .unwrap();
    alice.send_text(&room, "newest");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(ana.texts(&conversation).await, ["new", "newer", "hello", "newest"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_room_of_several_becomes_a_group_as_its_state_says(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, bea) = (bridge.account("ana").await, bridge.account("bea").await);
    bridge.homeserver.user(&bea.mxid);
    bridge.homeserver.wait_until_pushed().await;
    let body = json!({ "name": "Hikers", "topic": "Up", "room_version": "11" });
    let others = ["@alice:example.org", "@bob:example.org", bea.mxid.as_str()];
    let room = older_room(&bridge, &ana, &body, &others);
    bridge.homeserver.user(&ana.mxid).send_text(&room, "from my own client");
    bridge.homeserver.wait_until_pushed().await;
    let conversation = conversation_of(&bea, &room).await;
    assert_eq!(bea.texts(&conversation).await, ["from my own client"]);
    let (_, shown) = bea.get(&format!("/conversations/{conversation}")).await;
    assert_eq!(
        (&shown["type"], &shown["name"], &shown["description"]),
        (&json!("group"), &json!("Hikers"), &json!("Up")),
        "{shown}"
    );
    let (_, list) = bea.get(&format!("/conversations/{conversation}/members")).await;
    let role = |user: &str| {
        let found = list["members"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["matrix_user_id"] == user);
        found.map(|it| it["role"].as_str().unwrap().to_owned())
    };
    let roles = ["@alice:example.org", "@bob:example.org", &bea.mxid, &ana.mxid].map(role);
    let expected = ["member", "member", "member", "owner"].map(|it| Some(it.to_owned()));
    assert_eq!(roles, expected, "{list}");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn first_events_that_come_at_once_and_again_make_one_conversation(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    bridge.homeserver.wait_until_pushed().await;
    let room = older_room(&bridge, &ana, &json!({}), &["@alice:example.org"]);
    bridge.homeserver.pause_push();
    let alice = bridge.homeserver.user("@alice:example.org");
    let first = alice.send_text(&room, "one");
    alice.send_text(&room, "two");
    bridge.homeserver.forget_queue();
    let event = |at: usize| {
        let timeline = bridge.homeserver.timeline(&room);
        timeline[timeline.len() - 2 + at].clone()
    };
    assert_eq!(event(0)["event_id"], first.as_str());
    let push = || bridge.homeserver.push_raw(vec![event(0), event(1)]);
    let answers = tokio::join!(push(), push(), push(), push());
    assert_eq!(answers, (200, 200, 200, 200));
    assert_eq!(bridge.homeserver.push_raw(vec![event(1), event(0)]).await, 200);
    assert_eq!(conversations(&ana).await.len(), 1);
    let conversation = conversation_of(&ana, &room).await;
    assert_eq!(ana.texts(&conversation).await, ["one", "two"]);
    assert_eq!(letters(&bridge).await, 0);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn two_people_who_have_a_conversation_keep_its_room(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (current, conversation) = direct(&bridge, &ana).await;
    bridge.homeserver.wait_until_pushed().await;
    let older = older_room(&bridge, &ana, &json!({}), &["@alice:example.org"]);
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.send_text(&older, "in the older room");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(conversations(&ana).await.len(), 1);
    assert_eq!(conversation_of(&ana, &current).await, conversation);
    assert_eq!(ana.texts(&conversation).await, ["in the older room"]);
    // Where a third person is, it is another conversation.
    let others = older_room(&bridge, &ana, &json!({}), &["@alice:example.org", "@bob:example.org"]);
    alice.send_text(&others, "to both of you");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(ana.texts(&conversation).await, ["in the older room"]);
    let group = conversation_of(&ana, &others).await;
    assert_eq!(ana.texts(&group).await, ["to both of you"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_room_without_a_nova_user_stays_a_strangers_room(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    bridge.homeserver.wait_until_pushed().await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let room = alice.create_room(&json!({}));
    alice.send_text(&room, "one");
    alice.send_text(&room, "two");
    let events = bridge.homeserver.timeline(&room);
    for event in &events[events.len() - 2..] {
        assert_eq!(bridge.homeserver.push_raw(vec![event.clone()]).await, 200);
    }
    assert_eq!(conversations(&ana).await.len(), 0);
    assert_eq!(letters(&bridge).await, 2);
    let asked = bridge.homeserver.requests();
    let asked = asked.iter().filter(|it| it.target.contains("/joined_rooms")).count();
    assert_eq!(asked, 1, "it is not looked for again at once");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_room_that_cannot_be_read_yet_holds_up_what_is_said_in_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    bridge.homeserver.wait_until_pushed().await;
    let room = older_room(&bridge, &ana, &json!({}), &["@alice:example.org"]);
    bridge
        .homeserver
        .fail_every(On::State, Fault::Status(500, "M_UNKNOWN", None));
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.send_text(&room, "one");
    bridge
        .homeserver
        .wait_for("a refused transaction", |world| {
            world.deliveries.iter().any(|it| it.status == 503).then_some(())
        })
        .await;
    alice.send_text(&room, "two");
    bridge.homeserver.heal();
    bridge.homeserver.wait_until_pushed().await;
    let conversation = conversation_of(&ana, &room).await;
    assert_eq!(ana.texts(&conversation).await, ["one", "two"]);
    assert_eq!(letters(&bridge).await, 0);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_room_of_a_deleted_group_is_no_older_room(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    bridge.homeserver.user("@alice:example.org");
    let (_, made) = ana
        .post(
            "/conversations/groups",
            json!({ "name": "Gone", "member_ids": ["@alice:example.org"] }),
        )
        .await;
    let conversation = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let room = room_of(&bridge, &conversation).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.join(&room);
    bridge.homeserver.wait_until_pushed().await;
    bridge
        .homeserver
        .fail_every(On::Leave, Fault::Status(500, "M_UNKNOWN", None));
    let (status, _) = ana
        .request(reqwest::Method::DELETE, &format!("/conversations/{conversation}"), None)
        .await;
    assert!(status < 300, "{status}");
    alice.send_text(&room, "is anybody there?");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(conversations(&ana).await.len(), 0);
    bridge.homeserver.heal();
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_matrix_still_says_of_a_deleted_group_makes_no_other_one(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    bridge.homeserver.user("@alice:example.org");
    // Nothing of it is pushed before it is gone.
    bridge.homeserver.pause_push();
    let members = json!([ben.id, "@alice:example.org"]);
    let (_, made) = ana
        .post(
            "/conversations/groups",
            json!({ "name": "Gone", "member_ids": members }),
        )
        .await;
    let conversation = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let room = room_of(&bridge, &conversation).await;
    ben.say(&conversation, "here I am").await;
    membership(&bridge, &room, &ben.mxid, "join").await;
    let gate = Gate::new();
    bridge.homeserver.fail_next(On::Leave, Fault::Hang(gate.clone()));
    let (status, _) = ana
        .request(reqwest::Method::DELETE, &format!("/conversations/{conversation}"), None)
        .await;
    assert!(status < 300, "{status}");
    gate.reached().await;
    bridge.homeserver.resume_push();
    bridge.homeserver.wait_until_pushed().await;
    gate.release();
    for nova in [&ana, &ben] {
        membership(&bridge, &room, &nova.mxid, "leave").await;
        assert_eq!(conversations(nova).await.len(), 0);
    }
    // Whoever is asked to come anew, comes.
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.join(&room);
    bridge.homeserver.wait_until_pushed().await;
    alice.invite(&room, &ben.mxid);
    membership(&bridge, &room, &ben.mxid, "join").await;
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(conversations(&ben).await.len(), 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_conversation_that_matrix_comes_to_gets_its_room_then_without_what_was_said_before(pool: PgPool) {
    let bridge = TestBridge::with_rooms(pool, "create: when_matrix_user_joins").await;
    let (ana, bea) = (bridge.account("ana").await, bridge.account("bea").await);
    bridge.homeserver.user("@alice:example.org");
    let (_, made) = ana
        .post(
            "/conversations/groups",
            json!({ "name": "Hikers", "member_ids": [bea.id] }),
        )
        .await;
    let conversation = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    ana.say(&conversation, "among us").await;
    assert_eq!(bridge.homeserver.inspect(|world| world.rooms.len()), 0);
    let path = format!("/conversations/{conversation}/members");
    let (status, body) = ana.post(&path, json!({ "user_ids": ["@alice:example.org"] })).await;
    assert!(status < 300, "{status} {body}");
    let room = room_of(&bridge, &conversation).await;
    bea.say(&conversation, "to all").await;
    bridge
        .homeserver
        .wait_for("the message", |world| {
            (world.rooms[&room].texts() == ["to all"]).then_some(())
        })
        .await;
    assert_eq!(ana.texts(&conversation).await, ["among us", "to all"]);
}
