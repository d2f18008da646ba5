//! Nova users' names and pictures in their rooms.

use nova_bridge::domain::ids::UserId;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::{conversation_of, direct, membership};
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, Gate, On};

/// Ana's membership, as it is shown in a room.
fn shown(bridge: &TestBridge, room: &str, ana: &NovaUser) -> Value {
    let content = bridge
        .homeserver
        .inspect(|world| world.rooms[room].content("m.room.member", &ana.mxid).cloned());
    content.unwrap_or_default()
}

async fn changes(bridge: &TestBridge, ana: &NovaUser, name: &str, picture: &str) {
    let profile = json!({ "username": "ana", "display_name": name, "avatar_url": picture });
    let path = format!("/accounts/{}", ana.id);
    let (status, answer) = bridge.admin(Method::PUT, &path, Some(profile)).await;
    assert!(status < 300, "{answer}");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_name_and_a_picture_that_change_at_once_are_both_seen_in_every_room(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (one, _) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let group = alice.create_room(&json!({ "name": "Boats" }));
    alice.invite(&group, &ana.mxid);
    membership(&bridge, &group, &ana.mxid, "join").await;
    conversation_of(&ana, &group).await;

    // Synapse leaves the rooms at the old picture, and refuses the first that we set right.
    bridge.homeserver.lose_pictures();
    let refusal = Fault::Status(403, "M_FORBIDDEN", None);
    bridge.homeserver.fail_next(On::Path("/state/m.room.member/"), refusal);
    changes(&bridge, &ana, "Ana Maria", "mxc://example.org/new").await;
    let expected = json!({
        "membership": "join", "displayname": "Ana Maria", "avatar_url": "mxc://example.org/new"
    });
    for room in [&one, &group] {
        bridge
            .homeserver
            .wait_for("the new face", |world| {
                let content = world.rooms[room.as_str()].content("m.room.member", &ana.mxid);
                content.filter(|it| it["avatar_url"] == expected["avatar_url"]).cloned()
            })
            .await;
        assert_eq!(shown(&bridge, room, &ana), expected);
    }
    // It is set right once, and where nothing is wrong nothing is set.
    bridge.homeserver.wait_until_pushed().await;
    let set = || {
        let requests = bridge.homeserver.requests().into_iter();
        let set = |it: &crate::support::homeserver::Recorded| {
            it.method == "PUT" && it.target.contains("/state/m.room.member/")
        };
        requests.filter(set).count()
    };
    let before = set();
    changes(&bridge, &ana, "Ana", "mxc://example.org/new").await;
    bridge
        .homeserver
        .wait_for("the new name", |world| {
            let content = world.rooms[&group].content("m.room.member", &ana.mxid)?;
            (content["displayname"] == "Ana").then_some(())
        })
        .await;
    // The job of this change comes behind that one in its lane.
    changes(&bridge, &ana, "Ana", "mxc://example.org/newer").await;
    bridge
        .homeserver
        .wait_for("the newer picture", |world| {
            let content = world.rooms[&group].content("m.room.member", &ana.mxid)?;
            (content["avatar_url"] == "mxc://example.org/newer").then_some(())
        })
        .await;
    assert!(set() <= before + 2, "only the picture was set, once in each room");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn who_is_late_with_an_older_name_sets_the_newer_one(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (first, second) = (Gate::new(), Gate::new());
    for gate in [&first, &second] {
        bridge
            .homeserver
            .fail_next(On::Path("/displayname"), Fault::Hang(gate.clone()));
    }
    // Two make the ghost at once: whoever made the account, and a device that logs in as it.
    let login = async {
        first.reached().await;
        let id = UserId(Uuid::new_v5(&Uuid::NAMESPACE_OID, b"ana"));
        bridge.app().bridge.log_in(id, "PHONE").await
    };
    let (_, ana) = tokio::join!(login, async {
        let (ana, ()) = tokio::join!(bridge.account("ana"), async {
            second.reached().await;
            first.release();
        });
        changes(&bridge, &ana, "Ana Maria", "mxc://example.org/new").await;
        bridge
            .homeserver
            .wait_for("the new face", |world| {
                (world.accounts[&ana.mxid].avatar_url.as_deref()? == "mxc://example.org/new").then_some(())
            })
            .await;
        second.release();
        ana
    });
    let name = bridge
        .homeserver
        .inspect(|world| world.accounts[&ana.mxid].display_name.clone());
    assert_eq!(name.as_deref(), Some("Ana Maria"));
}
