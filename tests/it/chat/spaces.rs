//! A space for each Nova user, with the rooms of their conversations.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{conversation_of, direct, membership, room_of};
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, On, Room, World};

const ALICE: &str = "@alice:example.org";

async fn start(pool: PgPool) -> TestBridge {
    TestBridge::with_rooms(pool, "space_per_user: true").await
}

fn is_space(room: &Room) -> bool {
    room.content("m.room.create", "")
        .is_some_and(|content| content["type"] == "m.space")
}

/// The rooms that the spaces of a ghost hold, in the order that clients show. Nobody else makes spaces in these tests.
fn children(world: &World, ghost: &str) -> Vec<String> {
    let spaces = world.rooms.values().filter(|room| is_space(room));
    let own = spaces.filter(|room| room.membership(ghost) == "join");
    let mut children: Vec<(String, String)> = own
        .flat_map(|space| space.state.iter())
        .filter(|((event_type, _), event)| event_type == "m.space.child" && event["content"]["via"][0] == "example.org")
        .map(|((_, room), event)| (event["content"]["order"].as_str().unwrap().to_owned(), room.clone()))
        .collect();
    children.sort();
    children.into_iter().map(|(_, room)| room).collect()
}

/// Waits until the space of a Nova user holds these rooms and no others.
async fn holds(bridge: &TestBridge, nova: &NovaUser, rooms: &[&str]) {
    bridge
        .homeserver
        .wait_for(&format!("the space of {} holds {rooms:?}", nova.mxid), |world| {
            (children(world, &nova.mxid) == rooms && spaces(world, &nova.mxid) == 1).then_some(())
        })
        .await;
}

fn spaces(world: &World, ghost: &str) -> usize {
    let made = |room: &&Room| room.timeline[0]["sender"] == ghost && is_space(room);
    world.rooms.values().filter(made).count()
}

async fn no_dead_letters(bridge: &TestBridge) {
    let letters: Vec<Value> = sqlx::query_scalar("SELECT to_jsonb(d) FROM dead_letters AS d")
        .fetch_all(&bridge.pool)
        .await
        .unwrap();
    assert_eq!(letters, Vec::<Value>::new());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_space_holds_the_rooms_of_its_owner(pool: PgPool) {
    let bridge = start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (first, _) = direct(&bridge, &ana).await;
    holds(&bridge, &ana, &[&first]).await;
    let group = json!({ "name": "Tea", "member_ids": [ben.id, ALICE] });
    let (_, made) = ana.post("/conversations/groups", group).await;
    let id = made["id"].as_str().unwrap();
    let tea = room_of(&bridge, id).await;
    holds(&bridge, &ana, &[&first, &tea]).await;
    holds(&bridge, &ben, &[&tea]).await;

    // One leaves, in Matrix and in Nova.
    bridge.homeserver.user(&ben.mxid).leave(&tea);
    holds(&bridge, &ben, &[]).await;
    let (status, gone) = ana.request(Method::DELETE, &format!("/conversations/{id}"), None).await;
    assert!((200..300).contains(&status), "{status}: {gone}");
    holds(&bridge, &ana, &[&first]).await;

    // Nothing of it is anybody's conversation.
    bridge.homeserver.wait_until_pushed().await;
    let (_, list) = ana.get("/conversations").await;
    assert_eq!(list["conversations"].as_array().unwrap().len(), 1, "{list}");
    no_dead_letters(&bridge).await;
    let space = bridge
        .homeserver
        .inspect(|world| world.rooms.values().find(|room| is_space(room)).cloned())
        .unwrap();
    assert_eq!(space.content("m.room.name", "").unwrap()["name"], "Nova");
    assert_eq!((space.version.as_str(), space.joined().len()), ("11", 1));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_space_follows_room_upgrades(pool: PgPool) {
    let bridge = start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user(ALICE);
    let old = alice.create_room(&json!({ "preset": "private_chat", "name": "Tea", "invite": [ana.mxid] }));
    holds(&bridge, &ana, &[&old]).await;
    bridge.homeserver.wait_until_pushed().await;
    let new = alice.upgrade_room(&old);
    alice.invite(&new, &ana.mxid);
    holds(&bridge, &ana, &[&new]).await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_lost_answer_makes_no_second_space_whatever_restarts(pool: PgPool) {
    let mut bridge = start(pool).await;
    let ana = bridge.account("ana").await;
    bridge.homeserver.fail_next(On::CreateRoom, Fault::LoseAnswer);
    let (first, _) = direct(&bridge, &ana).await;
    holds(&bridge, &ana, &[&first]).await;
    bridge.homeserver.wait_until_pushed().await;
    bridge.restart().await;
    let ana = ana.at(&bridge);
    bridge
        .homeserver
        .fail_next(On::Path("/m.space.child/"), Fault::LoseAnswer);
    let (second, _) = direct_with(&bridge, &ana, "@bob:example.org").await;
    holds(&bridge, &ana, &[&first, &second]).await;
}

async fn direct_with(bridge: &TestBridge, nova: &NovaUser, who: &str) -> (String, String) {
    let room = bridge.homeserver.user(who).create_dm(&nova.mxid);
    membership(bridge, &room, &nova.mxid, "join").await;
    (room.clone(), conversation_of(nova, &room).await)
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn who_was_there_before_gets_a_space_when_they_come_and_not_before(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (first, _) = direct(&bridge, &ana).await;
    direct_with(&bridge, &ben, "@bob:example.org").await;
    bridge.restart_with("rooms: { space_per_user: true }\n").await;
    let ana = ana.at(&bridge);
    drop(ana.socket().await);
    holds(&bridge, &ana, &[&first]).await;
    bridge.homeserver.inspect(|world| {
        assert_eq!(spaces(world, &ben.mxid), 0, "nobody has heard of him since");
    });

    // Switched off again, it stays as it is.
    bridge.restart_with("").await;
    let ana = ana.at(&bridge);
    direct_with(&bridge, &ana, "@bob:example.org").await;
    bridge.homeserver.wait_until_pushed().await;
    bridge
        .homeserver
        .inspect(|world| assert_eq!(children(world, &ana.mxid), std::slice::from_ref(&first)));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_its_owner_does_with_it_is_left_alone(pool: PgPool) {
    let bridge = start(pool).await;
    let ana = bridge.account("ana").await;
    let (first, _) = direct(&bridge, &ana).await;
    holds(&bridge, &ana, &[&first]).await;
    let space = bridge
        .homeserver
        .inspect(|world| world.rooms.values().find(|room| is_space(room)).unwrap().id.clone());
    let own_client = bridge.homeserver.user(&ana.mxid);
    let games = json!({ "via": ["example.org"], "order": "games" });
    own_client.send_state(&space, "m.space.child", "!games:example.org", games);
    let (second, _) = direct_with(&bridge, &ana, "@bob:example.org").await;
    holds(&bridge, &ana, &[&first, &second, "!games:example.org"]).await;
    // They leave it: they get no other one, and nothing fails.
    own_client.leave(&space);
    let (third, conversation) = direct_with(&bridge, &ana, "@cara:example.org").await;
    ana.say(&conversation, "hello").await;
    bridge
        .homeserver
        .wait_for("the message", |world| {
            world.rooms[&third].texts().contains(&"hello".to_owned()).then_some(())
        })
        .await;
    bridge
        .homeserver
        .inspect(|world| assert_eq!(spaces(world, &ana.mxid), 1));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn spaces_of_others_are_no_conversations(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user(ALICE);
    let body = |preset: &str| json!({ "preset": preset, "name": "Games", "creation_content": { "type": "m.space" } });
    let conversations = async || {
        ana.get("/conversations").await.1["conversations"]
            .as_array()
            .unwrap()
            .len()
    };

    // Invited, and come with her own client.
    let invited = alice.create_room(&body("private_chat"));
    alice.invite(&invited, &ana.mxid);
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(
        bridge.homeserver.room(&invited).membership(&ana.mxid),
        "invite",
        "nobody answers for her"
    );
    let own_client = bridge.homeserver.user(&ana.mxid);
    own_client.join(&invited);
    alice.send_text(&invited, "who plays?");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(conversations().await, 0);

    // Made with her own client.
    own_client.create_room(&body("private_chat"));
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(conversations().await, 0);

    // Come to one that is open to all: what it is, its state says.
    let open = alice.create_room(&body("public_chat"));
    let mut socket = ana.socket().await;
    own_client.join(&open);
    socket.next("group_deleted").await;
    assert_eq!(conversations().await, 0);
    assert_eq!(
        bridge.homeserver.room(&open).membership(&ana.mxid),
        "join",
        "for her it is there"
    );
    alice.send_text(&open, "who plays?");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(conversations().await, 0);
    no_dead_letters(&bridge).await;
}
