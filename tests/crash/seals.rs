//! What is said lies sealed in Postgres, and the keys change, while everybody talks and the bridge is killed.

use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, PgPool};

use crate::blows::Blow;
use crate::rounds::Play;
use crate::support::env::Env;

/// Every place where texts lie, but for the index of words, which is kept open on purpose.
const COLUMNS: [(&str, &str); 7] = [
    ("messages", "content"),
    ("messages", "formatted"),
    ("message_versions", "content"),
    ("message_media", "media"),
    ("uploads", "media"),
    ("outbox", "job"),
    ("early_acts", "act"),
];

/// The keys of the copy's bridge, the newest first, as its environment names them. They stay with its data.
struct Keys(Vec<String>);

impl Keys {
    const KEYS: &str = "NOVA_BRIDGE__ENCRYPTION_AT_REST__KEYS=";

    fn of_the_copy() -> Self {
        let settings = std::fs::read_to_string(Env::file("bridge.env")).unwrap_or_default();
        let keys = settings.lines().find_map(|line| line.strip_prefix(Self::KEYS));
        Self(keys.map_or_else(Vec::new, |keys| keys.split(',').map(str::to_owned).collect()))
    }

    /// One more, in front.
    fn renew(&mut self) {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let key = nova_bridge::seal::fresh(rand::random());
        self.0.insert(0, format!("{id}={key}"));
    }

    fn setting(&self) -> String {
        format!("{}{}", Self::KEYS, self.0.join(","))
    }

    async fn restart(&self, env: &Env) {
        // Other suites search.
        let settings = format!("{}\nNOVA_BRIDGE__SEARCH__ENABLED=true\n", self.setting());
        std::fs::write(Env::file("bridge.env"), settings).unwrap();
        env.restart("bridge", &[]).await;
    }

    /// `nova-bridge seal`: what it says, and whether that is the end.
    fn seal(&self) -> (bool, String) {
        let binary = std::fs::read_to_string(Env::file("bridge-binary")).unwrap();
        let setting = self.setting();
        let (name, value) = setting.split_once('=').unwrap();
        let sealing = Command::new(binary.trim())
            .arg("--config")
            .arg(Env::file("config.yaml"))
            .arg("seal")
            .env(name, value)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let said = String::from_utf8(sealing.stdout).unwrap();
        (sealing.status.success(), said)
    }
}

/// Where something of what was said can be read.
async fn open_columns(pool: &PgPool) -> Vec<String> {
    let mut open = Vec::new();
    for (table, column) in COLUMNS {
        let query = format!("SELECT EXISTS (SELECT FROM {table} WHERE {column}::text LIKE '%round %')");
        let found: bool = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(pool).await.unwrap();
        if found {
            open.push(format!("{table}.{column}"));
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_sealed_while_keys_change_and_the_bridge_is_killed() {
    let Some(mut play) = Play::begin().await else { return };
    let env = play.cast.world.env;
    let pool = PgPool::connect(env.get("DATABASE_URL")).await.unwrap();
    let mut keys = Keys::of_the_copy();
    let was_open = keys.0.is_empty();
    play.round(Blow::KillBridge).await;
    assert_eq!(open_columns(&pool).await.is_empty(), !was_open);

    // Sealed from now on, and then what was said before as well.
    keys.renew();
    keys.restart(env).await;
    play.round(Blow::KillBridge).await;
    let (done, said) = keys.seal();
    assert!(done, "{said}");
    assert_eq!(open_columns(&pool).await, Vec::<String>::new());
    play.check().await;

    // Another key, and the old ones go.
    keys.renew();
    keys.restart(env).await;
    play.round(Blow::KillBridge).await;
    let (done, said) = keys.seal();
    assert!(done && said.contains("may be removed"), "{said}");
    keys.0.truncate(1);
    keys.restart(env).await;
    play.round(Blow::KillBridge).await;
    assert_eq!(open_columns(&pool).await, Vec::<String>::new());
    pool.close().await;
}
