//! What Synapse forgot to push is found in the rooms: by the ids of events, in order, once.

use chrono::TimeDelta;
use serde_json::json;
use sqlx::PgPool;

use super::{conversation_of, direct, membership};
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, Gate, On};

/// Notes that something was away, and waits until every room was looked into.
async fn after_an_outage(bridge: &TestBridge, noticed: TimeDelta) {
    bridge
        .app()
        .bridge
        .doubt(bridge.app().bridge.now() + noticed)
        .await
        .unwrap();
    sound(bridge).await;
}

/// Waits until every room was looked into.
async fn sound(bridge: &TestBridge) {
    let all = "SELECT NOT EXISTS (SELECT FROM matrix_room_mapping WHERE looked_into < newest_outage())";
    tokio::time::timeout(std::time::Duration::from_mins(1), bridge.until(all))
        .await
        .expect("every room is looked into");
}

async fn numbered(ana: &NovaUser, conversation: &str, texts: &[&str]) {
    assert_eq!(ana.texts(conversation).await, texts);
    let (_, page) = ana.get(&format!("/conversations/{conversation}/messages")).await;
    let mut numbers: Vec<usize> = page
        .as_array()
        .unwrap()
        .iter()
        .map(|message| usize::try_from(message["sequence_number"].as_u64().unwrap()).unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=texts.len()).collect::<Vec<_>>());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_was_forgotten_comes_before_what_is_new_whatever_the_clocks_say(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.send_text(&room, "one");
    bridge.homeserver.wait_until_pushed().await;
    bridge.homeserver.pause_push();
    for (text, years) in [
        ("lost in the past", -20),
        ("lost in the future", 20),
        ("lost again", -3),
    ] {
        bridge.homeserver.set_clock_off_by(TimeDelta::days(365 * years));
        alice.send_text(&room, text);
    }
    bridge.homeserver.forget_queue();
    bridge.app().bridge.doubt(bridge.app().bridge.now()).await.unwrap();
    alice.send_text(&room, "after");
    bridge.homeserver.resume_push();
    bridge.homeserver.wait_until_pushed().await;
    let all = ["one", "lost in the past", "lost in the future", "lost again", "after"];
    numbered(&ana, &conversation, &all).await;
    // Again and again, with nothing to find.
    after_an_outage(&bridge, TimeDelta::zero()).await;
    after_an_outage(&bridge, TimeDelta::minutes(10)).await;
    numbered(&ana, &conversation, &all).await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_was_forgotten_in_a_room_that_stays_quiet_is_shown_too(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    bridge.homeserver.wait_until_pushed().await;
    bridge.stop().await;
    alice.send_text(&room, "lost while both were away");
    bridge.homeserver.forget_queue();
    bridge.start_again().await;
    let ana = ana.at(&bridge);
    sound(&bridge).await;
    numbered(&ana, &conversation, &["lost while both were away"]).await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn nothing_is_looked_for_below_what_came_well_before_the_outage(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    bridge.homeserver.wait_until_pushed().await;
    sound(&bridge).await;
    bridge.homeserver.pause_push();
    alice.send_text(&room, "below");
    bridge.homeserver.forget_queue();
    alice.send_text(&room, "known");
    bridge.homeserver.resume_push();
    bridge.homeserver.wait_until_pushed().await;
    // By our own clock an hour passes.
    after_an_outage(&bridge, TimeDelta::hours(1)).await;
    numbered(&ana, &conversation, &["known"]).await;
    // What came just before may have overtaken something. It gets its place by its coming.
    after_an_outage(&bridge, TimeDelta::zero()).await;
    numbered(&ana, &conversation, &["known", "below"]).await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn more_than_a_page_is_found_in_order_also_by_two_bridges_after_each_other(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    bridge.homeserver.wait_until_pushed().await;
    sound(&bridge).await;
    bridge.homeserver.pause_push();
    let texts: Vec<String> = (0..230).map(|n| format!("lost {n}")).collect();
    for text in &texts {
        alice.send_text(&room, text);
    }
    bridge.homeserver.forget_queue();
    bridge.homeserver.resume_push();
    // The oldest page is applied, and the bridge stops before the next one: three were read on the way back.
    let gate = Gate::new();
    bridge.homeserver.fail_next(On::Messages, Fault::Hang(gate.clone()));
    bridge.app().bridge.doubt(bridge.app().bridge.now()).await.unwrap();
    gate.reached().await;
    bridge.restart().await;
    gate.release();
    sound(&bridge).await;
    let ana = ana.at(&bridge);
    let count = "SELECT array_agg(matrix_event_id ORDER BY sequence_number) FROM messages";
    let found: Vec<String> = sqlx::query_scalar(count).fetch_one(&bridge.pool).await.unwrap();
    let said: Vec<String> = bridge
        .homeserver
        .timeline(&room)
        .iter()
        .filter(|event| event["type"] == "m.room.message")
        .map(|event| event["event_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, said);
    assert_eq!(ana.get(&format!("/conversations/{conversation}")).await.0, 200);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_room_that_cannot_be_read_for_a_moment_holds_up_what_is_new_in_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    bridge.homeserver.wait_until_pushed().await;
    sound(&bridge).await;
    bridge.homeserver.pause_push();
    alice.send_text(&room, "lost");
    bridge.homeserver.forget_queue();
    bridge
        .homeserver
        .fail_every(On::Messages, Fault::Status(500, "M_UNKNOWN", None));
    bridge.app().bridge.doubt(bridge.app().bridge.now()).await.unwrap();
    alice.send_text(&room, "after");
    bridge.homeserver.resume_push();
    bridge
        .homeserver
        .wait_for("a refused transaction", |world| {
            world.deliveries.iter().any(|it| it.status == 503).then_some(())
        })
        .await;
    bridge.homeserver.heal();
    bridge.homeserver.wait_until_pushed().await;
    numbered(&ana, &conversation, &["lost", "after"]).await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn all_rooms_are_looked_into_not_only_the_lively_ones(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let ghost = bridge.homeserver.user(&ana.mxid);
    let alice = bridge.homeserver.user("@alice:example.org");
    bridge.homeserver.wait_until_pushed().await;
    let mut rooms = Vec::new();
    // More than are asked for at once.
    for n in 0..130 {
        let room = ghost.create_room(&json!({ "name": format!("Room {n}"), "invite": ["@alice:example.org"] }));
        alice.join(&room);
        rooms.push(room);
    }
    bridge.homeserver.wait_until_pushed().await;
    bridge.stop().await;
    for room in &rooms {
        alice.send_text(room, "lost");
    }
    bridge.homeserver.forget_queue();
    bridge.start_again().await;
    sound(&bridge).await;
    let found: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT conversation_id) FROM messages WHERE sequence_number = 1")
            .fetch_one(&bridge.pool)
            .await
            .unwrap();
    assert_eq!(found, 130);
    let outages: i64 = sqlx::query_scalar("SELECT count(*) FROM outages")
        .fetch_one(&bridge.pool)
        .await
        .unwrap();
    assert!(outages >= 1, "the newest stays, so that its number is not given again");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn of_state_only_what_holds_is_taken_and_what_is_known_no_more_changes_nothing(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let room = alice.create_room(&json!({ "name": "First", "invite": [ana.mxid] }));
    membership(&bridge, &room, &ana.mxid, "join").await;
    bridge.homeserver.wait_until_pushed().await;
    let conversation = conversation_of(&ana, &room).await;
    let bob = bridge.homeserver.user("@bob:example.org");
    alice.invite(&room, bob.id());
    bob.join(&room);
    bob.leave(&room);
    alice.set_room_name(&room, "Second");
    bridge.homeserver.wait_until_pushed().await;
    sound(&bridge).await;
    bridge.homeserver.pause_push();
    alice.set_room_name(&room, "Third");
    alice.set_room_name(&room, "Fourth");
    bridge.homeserver.forget_queue();
    // The ids of all that is no message are dropped with the feed.
    sqlx::query("DELETE FROM processed_events")
        .execute(&bridge.pool)
        .await
        .unwrap();
    // Roles come when the room's state has been read, whenever that is.
    let feed = || async {
        let told = "SELECT count(*) FROM conversation_feed
                    WHERE payload->>'type' IN ('updated', 'member_joined', 'member_left')";
        sqlx::query_scalar::<_, i64>(told)
            .fetch_one(&bridge.pool)
            .await
            .unwrap()
    };
    let before = feed().await;
    after_an_outage(&bridge, TimeDelta::zero()).await;
    let (_, shown) = ana.get(&format!("/conversations/{conversation}")).await;
    assert_eq!(shown["name"], "Fourth");
    assert_eq!(shown["members"].as_array().map(Vec::len), Some(2), "{shown}");
    assert_eq!(feed().await, before + 1, "one change of the name");
}
