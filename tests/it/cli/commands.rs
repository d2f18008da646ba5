//! The other commands, one after the other as an admin would use them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use nova_bridge::domain::ingest::DeadLetter;
use nova_bridge::store::{MIGRATOR, Store, dead_letters};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, PgPool};

use super::installation::{Installation, PUBLIC_KEY};

const ALICE: &str = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11";
const BOB: &str = "8c5f1a52-6f0e-4d6b-9c43-0f1e2d3c4b5a";

#[sqlx::test]
async fn a_configuration_that_cannot_be_used_tells_everything_at_once(database: PgPool) {
    let installation = Installation::new(&database);
    let example = installation.run(&["generate-config"]).await;
    assert_eq!(example.code, 0);
    installation.write("example.yaml", &example.out);
    let plain = Installation::plain();
    plain.write("config.yaml", &example.out);
    let answer = plain.run(&["check-config"]).await;
    assert_eq!((answer.code, answer.out.as_str()), (3, ""));
    insta::assert_snapshot!("the_example_values_are_refused", answer.err);

    let bad = "homeserver: { url: ftp://x, domain: example.org, colour: red }\nadmin: { listen: here }\nroom: {}\n";
    plain.write("config.yaml", bad);
    for command in ["check-config", "migrate", "doctor"] {
        assert_eq!(plain.run(&[command]).await.code, 3, "{command}");
    }
    insta::assert_snapshot!("every_problem_is_told", plain.run(&["migrate"]).await.err);

    let answer = installation.run(&["check-config"]).await;
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
}

#[sqlx::test]
async fn a_registration_is_secret_and_stays(database: PgPool) {
    let installation = Installation::new(&database);
    let file = installation.path("registration.yaml");
    let answer = installation.run(&["generate-registration"]).await;
    assert_eq!(answer.code, 3);
    insta::assert_snapshot!(answer.err, @"nova-bridge: (folder)/registration.yaml exists: with new tokens Synapse has to load it anew; --force overwrites it");

    fs::remove_file(&file).unwrap();
    let answer = installation
        .run(&["accounts", "put", ALICE, "--username", "alice"])
        .await;
    assert_eq!(answer.code, 3);
    assert!(answer.err.contains("`nova-bridge generate-registration`"), "{answer:?}");

    assert_eq!(installation.run(&["generate-registration"]).await.code, 0);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[sqlx::test]
async fn a_token_is_one_that_the_bridge_takes(database: PgPool) {
    let installation = Installation::new(&database);
    installation.write("private.pem", include_str!("../../../src/cli/token/test-key.pem"));
    let words = [
        "token",
        "--user",
        ALICE,
        "--username",
        "alice",
        "--private-key-file",
        "private.pem",
    ];
    let answer = installation.run(&words).await;
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).unwrap();
    let token = jsonwebtoken::decode::<Value>(answer.out.trim_end(), &key, &Validation::new(Algorithm::RS256)).unwrap();
    assert_eq!(
        (&token.claims["sub"], &token.claims["username"]),
        (&ALICE.into(), &"alice".into())
    );
}

#[sqlx::test(migrations = false)]
async fn a_database_is_migrated_once(database: PgPool) {
    let installation = Installation::new(&database);
    let answer = installation.run(&["accounts", "list"]).await;
    assert_eq!((answer.code, answer.out.as_str()), (4, ""));
    let steps = MIGRATOR.iter().count().to_string();
    insta::assert_snapshot!(answer.err.replace(&steps, "N"), @"
    nova-bridge: N migrations are pending
        → run `nova-bridge migrate` (`nova-bridge run` does it by itself)
    ");

    let answer = installation.run(&["migrate"]).await;
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let mut lines = answer.out.lines();
    assert_eq!(lines.next(), Some("applied 20261120000001 foundation"));
    assert_eq!(lines.next_back(), Some("the schema of (database) is up to date"));
    assert_eq!(lines.count() + 1, MIGRATOR.iter().count());

    let answer = installation.run(&["migrate"]).await;
    assert_eq!(
        (answer.code, answer.out.as_str()),
        (0, "the schema of (database) is up to date\n")
    );
    assert_eq!(installation.run(&["accounts", "list"]).await.code, 0);
}

#[sqlx::test]
async fn a_database_that_is_not_there_is_named_without_its_password(database: PgPool) {
    let mut installation = Installation::new(&database);
    installation.set("database.url", "postgres://nova:secret@127.0.0.1:1/nova");
    for command in [["accounts", "list"].as_slice(), &["dead-letters", "list"], &["migrate"]] {
        assert_eq!(installation.run(command).await.code, 4, "{command:?}");
    }
    insta::assert_snapshot!(installation.run(&["migrate"]).await.err);

    let options = (*database.connect_options()).clone().database("nowhere");
    installation.set("database.url", options.to_url_lossy().as_str());
    let answer = installation.run(&["migrate"]).await;
    assert_eq!(answer.code, 4);
    assert!(
        answer.err.contains("does not let us in") && answer.err.contains("`createdb`"),
        "{answer:?}"
    );

    installation.set("database.url", "postgres://nova:secret@127.0.0.1:many/nova");
    let answer = installation.run(&["migrate"]).await;
    assert!(
        matches!(answer.code, 3 | 4) && !answer.err.contains("secret"),
        "{answer:?}"
    );
}

#[sqlx::test]
async fn accounts_are_put_and_listed(database: PgPool) {
    let installation = Installation::new(&database);
    let alice = [
        "accounts",
        "put",
        ALICE,
        "--username",
        "alice",
        "--display-name",
        "Alice\tin Chains",
    ];
    let answer = installation.run(&alice).await;
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    assert_eq!(answer.out, format!("written {ALICE} @nova-{ALICE}:example.org\n"));
    let answer = installation.run(&alice).await;
    assert_eq!(answer.out, format!("unchanged {ALICE} @nova-{ALICE}:example.org\n"));
    let avatar = "https://cdn.example.org/bob.png";
    let bob = ["accounts", "put", BOB, "--username", "bob", "--avatar-url", avatar];
    assert_eq!(installation.run(&bob).await.code, 0);
    insta::assert_snapshot!(installation.run(&["accounts", "list"]).await.out);

    // The bridge that runs has something to do.
    let jobs = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM outbox");
    assert_eq!(jobs.fetch_one(&database).await.unwrap(), 2);

    let quiet = [
        "accounts",
        "put",
        BOB,
        "--username",
        "bob",
        "--avatar-url",
        avatar,
        "--calls",
        "false",
    ];
    assert_eq!(installation.run(&quiet).await.code, 0);
    let wants_none = sqlx::query_scalar::<_, String>("SELECT username FROM users WHERE NOT calls_enabled");
    assert_eq!(wants_none.fetch_all(&database).await.unwrap(), ["bob"]);

    let answer = installation.run(&["accounts", "put", ALICE, "--username", " "]).await;
    assert_eq!(answer.code, 1);
    insta::assert_snapshot!(answer.err, @"nova-bridge: username must have 1 to 255 bytes");
    assert_eq!(
        installation
            .run(&["accounts", "put", "alice", "--username", "a"])
            .await
            .code,
        2
    );
}

#[sqlx::test]
async fn many_accounts_are_all_listed(database: PgPool) {
    let installation = Installation::new(&database);
    sqlx::query(
        "INSERT INTO users (id, mxid, is_nova, username, created_at, updated_at)
         SELECT id, '@nova-' || id || ':example.org', true, 'user' || n, now(), now()
         FROM (SELECT gen_random_uuid() AS id, n FROM generate_series(1, 1203) AS n) AS person",
    )
    .execute(&database)
    .await
    .unwrap();
    let listed = installation.run(&["accounts", "list"]).await.out;
    let mut ids: Vec<_> = listed
        .lines()
        .skip(1)
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1203);
}

/// Two refused jobs of Alice's account.
async fn refused_jobs(database: &PgPool) -> [String; 2] {
    let ids = [1, 2].map(|n| format!("0000000{n}-0000-4000-8000-000000000000"));
    let letters = "INSERT INTO dead_letters (id, direction, reason, detail, actor_id, payload, created_at)
        VALUES ($1::uuid, 'to_matrix', 'refused', E'M_FORBIDDEN:\\nno', $3::uuid,
                '{\"do\":\"provision_ghost\"}', '2026-11-20 10:00:00Z'),
               ($2::uuid, 'to_matrix', 'refused', 'M_EXCLUSIVE', $3::uuid,
                '{\"do\":\"deactivate_ghost\"}', '2026-11-20 10:00:01.5Z')";
    let query = sqlx::query(letters).bind(&ids[0]).bind(&ids[1]).bind(ALICE);
    query.execute(database).await.unwrap();
    ids
}

/// A message without a sender.
async fn malformed_event(database: &PgPool) {
    let event = json!({ "type": "m.room.message", "event_id": "$event", "room_id": "!room:example.org" });
    let letter = DeadLetter {
        reason: "malformed",
        detail: "no sender".to_owned(),
        room: Some("!room:example.org".to_owned()),
        event_id: Some("$event".to_owned()),
        conversation: None,
        payload: to_raw_value(&event).unwrap(),
    };
    let mut connection = Store::open(database.clone()).await.unwrap().read().await.unwrap();
    let now = "2026-11-20T10:00:02Z".parse().unwrap();
    dead_letters::keep(&mut connection, &[letter], now).await.unwrap();
}

#[sqlx::test]
async fn dead_letters_are_listed_retried_and_dropped(database: PgPool) {
    let installation = Installation::new(&database);
    let header = installation.run(&["dead-letters", "list"]).await.out;
    assert_eq!(header.lines().count(), 1);
    let [job, other] = refused_jobs(&database).await;
    malformed_event(&database).await;
    insta::assert_snapshot!(installation.run(&["dead-letters", "list"]).await.out);

    let answer = installation.run(&["dead-letters", "retry", &job]).await;
    assert_eq!((answer.code, answer.out), (0, format!("retried {job}\n")));
    let waiting = sqlx::query_scalar::<_, String>("SELECT job::text FROM outbox");
    assert_eq!(
        waiting.fetch_all(&database).await.unwrap(),
        [r#"{"do":"provision_ghost"}"#]
    );

    let answer = installation.run(&["dead-letters", "retry", &job]).await;
    assert_eq!((answer.code, answer.out.as_str()), (1, ""));
    insta::assert_snapshot!(answer.err, @"nova-bridge: 00000001-0000-4000-8000-000000000000: `nova-bridge dead-letters list` shows what there is: no such dead letter");

    let answer = installation.run(&["dead-letters", "drop", &other]).await;
    assert_eq!((answer.code, answer.out), (0, format!("dropped {other}\n")));
    assert_eq!(installation.run(&["dead-letters", "drop", &other]).await.code, 1);

    let answer = installation.run(&["dead-letters", "retry", "--all"]).await;
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.out.starts_with("failed again ") && !answer.out.contains(&job),
        "{answer:?}"
    );

    assert_eq!(installation.run(&["dead-letters", "drop", "--all"]).await.code, 0);
    assert_eq!(installation.run(&["dead-letters", "list"]).await.out, header);
    assert_eq!(installation.run(&["dead-letters", "drop"]).await.code, 2);
}
