//! What people say lies sealed in the database: nothing of it is found there, keys change, and nothing starts without one.

use nova_bridge::cli::seal::seal;
use nova_bridge::config::Environment;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::chat::direct;
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, On};

/// What every text says, and every name.
const SECRET: &str = "quincunx";

/// The section with these keys, each from its own byte.
fn keys(ids: &[(&str, u8)]) -> String {
    let key = |(id, byte): &(&str, u8)| format!("{{ id: {id}, key: {:?} }}", nova_bridge::seal::fresh([*byte; 32]));
    let keys: Vec<String> = ids.iter().map(key).collect();
    format!("encryption_at_rest: {{ keys: [{}] }}\n", keys.join(", "))
}

/// The columns of all tables, of whatever type, that show the secret.
async fn open_columns(pool: &PgPool) -> Vec<String> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns
         WHERE table_schema = 'public' ORDER BY table_name, column_name",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(columns.len() > 100, "they are looked at");
    let mut open = Vec::new();
    for (table, column) in columns {
        let found: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            r#"SELECT EXISTS (SELECT FROM "{table}" WHERE "{column}"::text ILIKE '%{SECRET}%' OR strpos("{column}"::text, encode('{SECRET}', 'hex')) > 0)"#
        )))
        .fetch_one(pool)
        .await
        .unwrap();
        if found {
            open.push(format!("{table}.{column}"));
        }
    }
    open
}

/// `nova-bridge seal` with these keys: what it says, and how it fails.
async fn sealed(bridge: &TestBridge, keys: &str) -> (String, Option<String>) {
    let file = bridge.config_file(keys);
    let mut out = Vec::new();
    let failed = seal(&file, &Environment::default(), &mut out).await.err();
    (String::from_utf8(out).unwrap(), failed.map(|error| error.to_string()))
}

/// Says something in each way that leaves text in the database, all with the secret. Nothing goes out meanwhile.
async fn talk(bridge: &TestBridge, ana: &NovaUser, room: &str, conversation: &str, n: usize) {
    let alice = bridge.homeserver.user("@alice:example.org");
    let body = |text: &str| json!({ "msgtype": "m.text", "body": text, "format": "org.matrix.custom.html", "formatted_body": format!("<b>{text}</b>") });
    let first = alice.send(room, "m.room.message", body(&format!("{SECRET} {n} from Element")));
    let mut edit = body(&format!("{SECRET} {n} edited"));
    edit["m.new_content"] = body(&format!("{SECRET} {n} edited"));
    edit["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": first });
    alice.send(room, "m.room.message", edit.clone());
    // Waits for a message that nobody knows.
    edit["m.relates_to"]["event_id"] = json!(format!("$unknown{n}"));
    alice.send(room, "m.room.message", edit);
    let mxc = bridge.homeserver.keep("text/plain", SECRET);
    let file = json!({ "msgtype": "m.file", "body": format!("the {SECRET}"), "filename": format!("{SECRET}.txt"), "url": mxc });
    alice.send(room, "m.room.message", file);
    bridge.homeserver.wait_until_pushed().await;
    // Put aside: without a sender.
    let event =
        json!({ "type": "m.room.message", "event_id": format!("$bad{n}"), "room_id": room, "content": body(SECRET) });
    assert_eq!(bridge.homeserver.push_raw(vec![event]).await, 200);
    let said = ana.say(conversation, &format!("{SECRET} {n} from Nova")).await;
    let path = format!("/messages/{}", said["id"].as_str().unwrap());
    let edited = json!({ "content": format!("{SECRET} {n} from Nova, edited") });
    assert_eq!(ana.request(Method::PUT, &path, Some(edited)).await.0, 200);
    let (status, brought) = ana
        .bring(&format!("file_name={SECRET}.txt"), "text/plain", SECRET)
        .await;
    assert!(status < 300, "{brought}");
}

/// What the conversation shows of one round of [`talk`].
fn shown(n: usize) -> [String; 3] {
    [
        format!("{SECRET} {n} edited"),
        format!("the {SECRET}"),
        format!("{SECRET} {n} from Nova, edited"),
    ]
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn nothing_that_was_said_lies_open_and_keys_can_be_changed(pool: PgPool) {
    // The index of words is for another test.
    let mut bridge = TestBridge::with_sections(pool, "", "search: { enabled: false }\n").await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    bridge
        .homeserver
        .fail_every(On::Send, Fault::Status(502, "M_UNKNOWN", None));
    talk(&bridge, &ana, &room, &conversation, 1).await;
    assert_eq!(
        open_columns(&bridge.pool).await,
        [
            "dead_letters.payload",
            "early_acts.act",
            "message_media.media",
            "message_versions.content",
            "message_versions.formatted",
            "messages.content",
            "messages.formatted",
            "outbox.job",
            "uploads.media",
        ],
        "without a key it is found where it has to be sealed with one"
    );

    // A key, while a bridge runs that does not know it.
    let (old, new) = (keys(&[("old", 1)]), keys(&[("new", 2), ("old", 1)]));
    let (said, failed) = sealed(&bridge, &old).await;
    assert!(said.contains("a bridge that runs does not seal at all"), "{said}");
    assert!(failed.unwrap().contains("restart every bridge"));
    bridge.restart_with(&old).await;
    let ana = ana.at(&bridge);
    talk(&bridge, &ana, &room, &conversation, 2).await;
    let (said, failed) = sealed(&bridge, &old).await;
    assert_eq!((said.as_str(), failed), ("everything is sealed by the key old\n", None));
    assert_eq!(open_columns(&bridge.pool).await, [""; 0]);
    assert_eq!(ana.texts(&conversation).await, [shown(1), shown(2)].concat());
    let (_, list) = ana.get("/conversations").await;
    assert_eq!(list["conversations"][0]["last_message"]["content"], shown(2)[2]);
    let (status, found) = ana.get(&format!("/messages/search?q={SECRET}")).await;
    assert_eq!((status, found), (200, json!([])), "search is off with a key");

    // Another key, while a bridge seals by the one before.
    let (said, failed) = sealed(&bridge, &new).await;
    assert!(
        said.contains("the key old has to stay: a bridge that runs seals by it"),
        "{said}"
    );
    assert!(failed.is_some());
    bridge.restart_with(&new).await;
    let ana = ana.at(&bridge);
    let (said, failed) = sealed(&bridge, &new).await;
    assert!(said.contains("the key old may be removed"), "{said}");
    assert_eq!(failed, None);
    bridge.restart_with(&keys(&[("new", 2)])).await;
    let ana = ana.at(&bridge);
    assert_eq!(ana.texts(&conversation).await, [shown(1), shown(2)].concat());

    // Everything goes on: what waited is sent, and what was put aside is there as it came.
    let mut socket = ana.socket().await;
    bridge.homeserver.heal();
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.send_text(&room, "hello");
    assert_eq!(socket.next("message.new").await["content"], "hello");
    bridge
        .homeserver
        .wait_for("what was said in Nova arrives", |world| {
            let texts = world.rooms[&room].texts();
            let arrived = |n: usize| {
                texts
                    .iter()
                    .any(|text| text.contains(&format!("{SECRET} {n} from Nova")))
            };
            (arrived(1) && arrived(2)).then_some(())
        })
        .await;
    let (_, letters) = bridge.admin(Method::GET, "/dead-letters", None).await;
    assert_eq!(letters["dead_letters"].as_array().map(Vec::len), Some(2), "{letters}");
    assert_eq!(open_columns(&bridge.pool).await, [""; 0]);

    // Nothing starts without the key, or with another one under its name.
    bridge.stop().await;
    for (wrong, reason) in [
        (String::new(), "sealed by the key new, which is not in"),
        (keys(&[("old", 1)]), "sealed by the key new, which is not in"),
        (
            keys(&[("new", 3)]),
            "the key new of encryption_at_rest.keys is not the one",
        ),
    ] {
        let refusal = bridge.refuses_to_start(&wrong).await;
        assert!(refusal.contains(reason), "{refusal}");
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_text_that_does_not_open_keeps_nobody_from_the_others(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let section = keys(&[("k", 1)]);
    bridge.restart_with(&section).await;
    let ana = bridge.account("ana").await;
    let (_, conversation) = direct(&bridge, &ana).await;
    let ids: Vec<Value> = [ana.say(&conversation, "one").await, ana.say(&conversation, "two").await]
        .map(|said| said["id"].clone())
        .to_vec();
    let moved = "UPDATE messages SET content = (SELECT content FROM messages WHERE id = $2::uuid) WHERE id = $1::uuid";
    let query = sqlx::query(moved).bind(ids[0].as_str()).bind(ids[1].as_str());
    query.execute(&bridge.pool).await.unwrap();
    assert_eq!(ana.texts(&conversation).await, ["", "two"]);
    let (_, failed) = sealed(&bridge, &keys(&[("new", 2), ("k", 1)])).await;
    let failed = failed.unwrap();
    assert!(
        failed.contains(&format!("messages.content of {}", ids[0].as_str().unwrap())) && !failed.contains("two"),
        "{failed}"
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn search_can_be_kept_and_goes_where_it_is_not(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let section = keys(&[("k", 1)]);
    bridge
        .restart_with(&format!("{section}search: {{ enabled: true }}\n"))
        .await;
    let ana = bridge.account("ana").await;
    let (_, conversation) = direct(&bridge, &ana).await;
    let shown = ana.get(&format!("/conversations/{conversation}")).await.1;
    assert_eq!(shown["is_searchable"], true, "{shown}");
    ana.say(&conversation, SECRET).await;
    loop {
        let (_, found) = ana.get(&format!("/messages/search?q={SECRET}")).await;
        if found[0]["content"] == SECRET {
            break;
        }
    }
    assert_eq!(open_columns(&bridge.pool).await, ["message_search.words"]);
    bridge.restart_with(&section).await;
    assert_eq!(open_columns(&bridge.pool).await, [""; 0]);
    let shown = ana.at(&bridge).get(&format!("/conversations/{conversation}")).await.1;
    assert_eq!(shown["is_searchable"], false, "{shown}");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn requests_and_places_are_read_through_the_seal(pool: PgPool) {
    let bridge = TestBridge::with_sections(pool, "", &keys(&[("one", 1)])).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let body = json!({ "dm_permission": "nobody" });
    let (status, _) = ben.request(Method::PUT, "/settings/dm-permission", Some(body)).await;
    assert_eq!(status, 200);
    let (_, chat) = ana
        .post(
            "/conversations",
            json!({ "type": "direct", "participant_ids": [ben.id] }),
        )
        .await;
    let chat = chat["id"].as_str().unwrap().to_owned();
    ana.say(&chat, SECRET).await;
    let (_, requests) = ben.get("/message-requests").await;
    assert_eq!(requests[0]["message_preview"], SECRET);
    let (status, _) = ben.post(&format!("/message-requests/{chat}/accept"), json!({})).await;
    assert_eq!(status, 200);
    let place = json!({ "latitude": 1.5, "longitude": 2.5, "description": SECRET });
    assert_eq!(ana.post(&format!("/conversations/{chat}/location"), place).await.0, 200);
    let (_, nearby) = ben.get("/nearby-users").await;
    assert_eq!(
        (&nearby["users"][0]["user_id"], &nearby["users"][0]["latitude"]),
        (&json!(ana.id), &json!(1.5))
    );
    assert_eq!(open_columns(&bridge.pool).await, [""; 0]);
}
