//! A room of ten thousand: read once, shown in pages, and never worked on person by person.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;

use super::{conversation_of, membership};
use crate::support::bridge::TestBridge;

const CROWD: usize = 10_000;

/// Far more than any step takes on a busy machine (the longest takes three seconds on an idle one).
const SOON: Duration = Duration::from_mins(2);

fn person(n: usize) -> String {
    format!("@person{n}:example.org")
}

async fn soon<A>(what: &str, work: impl Future<Output = A>) -> A {
    let started = Instant::now();
    let result = work.await;
    let took = started.elapsed();
    eprintln!("{what}: {took:?}");
    assert!(took < SOON, "{what}: {took:?}");
    result
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn ten_thousand_people_are_in_a_room(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let room = alice.create_room(&json!({ "preset": "public_chat", "name": "Square" }));
    bridge.homeserver.were_there(&room, (0..CROWD).map(person));
    let before = bridge.homeserver.requests().len();
    alice.invite(&room, &ana.mxid);
    let id = soon("the invite is accepted and the state is read", async {
        membership(&bridge, &room, &ana.mxid, "join").await;
        bridge.homeserver.wait_until_pushed().await;
        let id = conversation_of(&ana, &room).await;
        let path = format!("/conversations/{id}/members?limit=1");
        while ana.get(&path).await.1["total"] != CROWD + 2 {
            tokio::task::yield_now().await;
        }
        id
    })
    .await;

    // Opened: the list, the conversation, what was said.
    soon("the conversation is opened", async {
        assert_eq!(ana.get("/conversations").await.0, 200);
        let (status, shown) = ana.get(&format!("/conversations/{id}")).await;
        assert_eq!((status, &shown["name"]), (200, &json!("Square")));
        assert!(shown.to_string().len() < 100_000, "{} bytes", shown.to_string().len());
        assert_eq!(ana.get(&format!("/conversations/{id}/messages")).await.0, 200);
    })
    .await;
    soon("all members in pages", async {
        let mut seen = BTreeSet::new();
        for offset in (0..CROWD + 200).step_by(200) {
            let path = format!("/conversations/{id}/members?limit=200&offset={offset}");
            let (_, page) = ana.get(&path).await;
            for member in page["members"].as_array().unwrap() {
                assert!(seen.insert(member["user_id"].to_string()), "twice: {member}");
            }
        }
        assert_eq!(seen.len(), CROWD + 2);
    })
    .await;

    // It lives: somebody speaks, is answered, is reacted to, more come and go.
    let mut socket = ana.socket().await;
    let somebody = bridge.homeserver.user(&person(7));
    soon("a hundred messages and reactions", async {
        for n in 0..50 {
            let event = somebody.send_text(&room, &format!("m{n}"));
            let content = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": "👍" } });
            somebody.send(&room, "m.reaction", content);
        }
        socket.texts(50).await;
        bridge.homeserver.wait_until_pushed().await;
    })
    .await;
    soon("an answer from Nova", async {
        ana.say(&id, "hello, all").await;
        let said = |world: &crate::support::homeserver::World| {
            world.rooms[&room]
                .texts()
                .contains(&"hello, all".to_owned())
                .then_some(())
        };
        bridge.homeserver.wait_for("the answer", said).await;
    })
    .await;
    soon("a hundred more come, and half of them go", async {
        for n in CROWD..CROWD + 100 {
            bridge.homeserver.user(&person(n)).join(&room);
        }
        for n in CROWD..CROWD + 50 {
            bridge.homeserver.user(&person(n)).leave(&room);
        }
        bridge.homeserver.wait_until_pushed().await;
        let (_, page) = ana.get(&format!("/conversations/{id}/members?limit=1")).await;
        assert_eq!(page["total"], CROWD + 52);
    })
    .await;

    // No request and no job for each of them.
    let requests = bridge.homeserver.requests();
    let of_people: Vec<&String> = requests[before..]
        .iter()
        .map(|request| &request.target)
        .filter(|target| target.contains("person"))
        .collect();
    assert!(
        of_people.is_empty(),
        "{} such as {:?}",
        of_people.len(),
        of_people.first()
    );
    assert!(requests.len() - before < 200, "{} requests", requests.len() - before);
    let outbox: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
        .fetch_one(&bridge.pool)
        .await
        .unwrap();
    let (_, letters) = bridge.admin(reqwest::Method::GET, "/dead-letters", None).await;
    assert_eq!((outbox, &letters["dead_letters"]), (0, &json!([])));
}
