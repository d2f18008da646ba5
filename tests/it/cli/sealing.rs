//! Keys of the encryption at rest, as an admin makes, names, changes and loses them.

use base64::Engine;
use nova_bridge::store::MIGRATOR;
use sqlx::PgPool;

use super::installation::Installation;

/// The line of `doctor` about it, with its cure.
async fn doctor(installation: &Installation) -> String {
    let out = installation.run(&["doctor"]).await.out;
    let lines = out.lines().skip_while(|line| !line.contains(" sealing "));
    let lines: Vec<&str> = lines.take_while(|line| !line.contains(" homeserver ")).collect();
    lines.join("\n")
}

#[sqlx::test]
async fn a_key_is_made_named_and_never_shown(database: PgPool) {
    MIGRATOR.run(&database).await.unwrap();
    let mut installation = Installation::new(&database);
    let key = installation.run(&["generate-key"]).await.out;
    let other = installation.run(&["generate-key"]).await.out;
    assert_ne!(key, other);
    let bytes = base64::engine::general_purpose::STANDARD.decode(key.trim());
    assert_eq!(bytes.unwrap().len(), 32);

    let answer = installation.run(&["seal"]).await;
    assert_eq!(answer.code, 1);
    insta::assert_snapshot!(answer.err, @"nova-bridge: encryption_at_rest.keys is empty: `nova-bridge generate-key` prints a key");
    insta::assert_snapshot!(doctor(&installation).await);

    installation.write("one.key", &key);
    let section = |more: &str| {
        format!(
            "encryption_at_rest:\n  keys:\n    - {{ id: one, key_file: one.key }}\n{more}search: {{ enabled: null }}\n"
        )
    };
    installation.write("config.yaml", &section(""));
    let shown = installation.run(&["check-config"]).await.out;
    assert!(
        shown.contains("key_file: one.key") && !shown.contains(key.trim()),
        "{shown}"
    );
    assert!(shown.contains("search:\n  enabled: false"), "{shown}");
    insta::assert_snapshot!(doctor(&installation).await, @"✓ sealing        what people say is sealed by the key one");
    let answer = installation.run(&["seal"]).await;
    assert_eq!(
        (answer.code, answer.out.as_str()),
        (0, "everything is sealed by the key one\n")
    );

    // The next one, in front.
    installation.set(
        "encryption_at_rest.keys",
        &format!("two={},one={}", other.trim(), key.trim()),
    );
    let shown = installation.run(&["check-config"]).await.out;
    assert!(shown.contains("id: two") && !shown.contains(other.trim()), "{shown}");
    let answer = installation.run(&["seal"]).await;
    assert_eq!(answer.code, 0, "{answer:?}");
    insta::assert_snapshot!(answer.out);

    // Search on, by the admin's own wish.
    installation.set("search.enabled", "true");
    insta::assert_snapshot!("search_is_open", doctor(&installation).await);

    // Lost, or mistaken.
    for (what, keys) in [("lost", String::new()), ("mistaken", format!("two={}", key.trim()))] {
        installation.set("encryption_at_rest.keys", &keys);
        installation.write("config.yaml", "");
        insta::assert_snapshot!(format!("{what}_doctor"), doctor(&installation).await);
        let answer = installation.run(&["run"]).await;
        assert_eq!(answer.code, 3, "{answer:?}");
        insta::assert_snapshot!(format!("{what}_run"), answer.err);
    }
}

#[sqlx::test]
async fn a_key_that_is_none_is_told_and_not_shown(database: PgPool) {
    let mut installation = Installation::new(&database);
    let mut told = String::new();
    for keys in ["one=hunter2", "hunter2", "hunter2 hunter2="] {
        installation.set("encryption_at_rest.keys", keys);
        let answer = installation.run(&["check-config"]).await;
        assert_eq!(answer.code, 3);
        told.push_str(&answer.err);
        told.push('\n');
    }
    installation.set("encryption_at_rest.keys", "");
    for keys in [
        "hunter2",
        "[7]",
        "[{ id: one }]",
        "[{ id: one, key_file: /nowhere }]",
        "[{ name: hunter2 }]",
    ] {
        installation.write("config.yaml", &format!("encryption_at_rest: {{ keys: {keys} }}\n"));
        installation.unset("encryption_at_rest.keys");
        let answer = installation.run(&["check-config"]).await;
        assert_eq!(answer.code, 3);
        told.push_str(&answer.err);
        told.push('\n');
    }
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(told);
}
