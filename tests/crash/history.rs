//! What Synapse loses for certain, and a room that is older than all that the bridge was ever told.

use serde_json::json;
use uuid::Uuid;

use crate::rounds::turn;
use crate::support::api::{Api, enc};
use crate::support::env::Env;
use crate::support::nova::NovaUser;
use crate::support::wait::until;
use crate::support::world::World;

const V3: &str = "/_matrix/client/v3";

/// Drops what Synapse keeps for the bridge, as when it was only in its memory.
async fn synapse_forgets(env: &Env) {
    env.restart("synapse", &["--stop-only"]).await;
    let mut url: url::Url = env.get("DATABASE_URL").parse().unwrap();
    url.set_username("synapse").unwrap();
    url.set_path("/synapse");
    let pool = sqlx::PgPool::connect(url.as_str()).await.unwrap();
    sqlx::query("DELETE FROM application_services_txns")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    env.restart("synapse", &["--start-only"]).await;
}

/// Acts as a ghost by the token of the application service.
struct Ghost<'a> {
    api: Api,
    user: &'a NovaUser,
}

impl Ghost<'_> {
    fn path(&self, path: &str) -> String {
        format!("{V3}{path}?user_id={}", enc(&self.user.mxid))
    }

    async fn say(&self, room: &str, text: &str) {
        let path = format!("/rooms/{}/send/m.room.message/{}", enc(room), Uuid::new_v4());
        let content = json!({ "msgtype": "m.text", "body": text });
        self.api.put(&self.path(&path), &content).await;
    }
}

async fn texts(nova: &NovaUser, conversation: &str) -> Vec<String> {
    nova.said(conversation)
        .await
        .into_iter()
        .map(|(_, text)| text)
        .collect()
}

async fn says(nova: &NovaUser, conversation: &str, wanted: &[&str]) {
    until(&format!("{wanted:?} is all there"), async || {
        (texts(nova, conversation).await.len() >= wanted.len()).then_some(())
    })
    .await;
    assert_eq!(texts(nova, conversation).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_synapse_lost_is_found_and_older_rooms_are_mapped_when_they_are_used() {
    if Env::load().is_none() {
        return;
    }
    let _turn = turn();
    let world = World::open().await.unwrap();
    let env = world.env;
    let (ana, bea) = tokio::join!(world.nova_user("ana"), world.nova_user("bea"));
    let elena = world.matrix_user("elena").await;
    let room = elena.create_dm(&ana.mxid).await;
    elena.sees_member(&room, &ana.mxid, "join").await;
    let conversation = ana.conversation_of(&room).await;
    elena.say(&room, "before").await;
    says(&ana, &conversation, &["before"]).await;

    env.restart("bridge", &["--stop-only"]).await;
    // A room that the bridge never hears of, of a ghost and a Matrix user.
    let ghost = Ghost {
        api: world.homeserver.with_token(env.get("AS_TOKEN")),
        user: &bea,
    };
    let body = json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [elena.id] });
    let made = ghost.api.post(&ghost.path("/createRoom"), &body).await;
    let older = made["room_id"].as_str().unwrap();
    elena.accepts(older).await;
    ghost.say(older, "long ago").await;
    elena.say(older, "long ago, too").await;
    for text in ["lost 1", "lost 2", "lost 3"] {
        elena.say(&room, text).await;
    }
    elena.set_profile("displayname", "Elena the Lost").await;
    synapse_forgets(env).await;
    env.restart("bridge", &["--start-only"]).await;
    // Once more, before or while the rooms are looked into.
    env.restart("bridge", &["--kill"]).await;

    elena.say(&room, "after").await;
    says(&ana, &conversation, &["before", "lost 1", "lost 2", "lost 3", "after"]).await;
    ana.sees_member(&conversation, &elena.id, |member| {
        member["display_name"] == "Elena the Lost"
    })
    .await;

    assert_eq!(
        bea.conversations().await.len(),
        0,
        "nothing is mapped before it is used"
    );
    elena.say(older, "and now").await;
    let mapped = bea.conversation_of(older).await;
    ghost.say(older, "I am here").await;
    says(&bea, &mapped, &["and now", "I am here"]).await;
    let shown = bea.conversation(&mapped).await;
    assert_eq!(shown["type"], "direct", "{shown}");
    bea.say(&mapped, "from Nova").await;
    elena.hears(older, "from Nova").await;

    env.restart("synapse", &[]).await;
    env.restart("bridge", &[]).await;
    elena.say(older, "the end").await;
    says(&bea, &mapped, &["and now", "I am here", "from Nova", "the end"]).await;
    elena.say(&room, "the end").await;
    let all = ["before", "lost 1", "lost 2", "lost 3", "after", "the end"];
    says(&ana, &conversation, &all).await;
    assert_eq!(
        world.dead_letters(&[&room, older]).await,
        Vec::<serde_json::Value>::new()
    );
}
