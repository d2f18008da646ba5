//! Reading: a conversation of a hundred thousand messages is opened, and words are looked for among a million.

use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::runs::{Bench, tell};

/// How many messages there are in all, and in the conversation that is opened.
const MESSAGES: i32 = 1_000_000;
const LONG: i32 = 100_000;

/// How many different words are said, the common ones often.
const WORDS: i32 = 20_000;

/// How often each thing is asked for in a round.
const TIMES: usize = 200;

const OPEN: &str = "opening a conversation of 100,000 messages at its end";
const HERE: &str = "searching it, among a million messages";
const EVERYWHERE: &str = "searching all of one's conversations";

impl Bench {
    /// Opens a long conversation and searches, in a database with many messages.
    pub(crate) async fn reading(&mut self, database: &str) {
        tell("reading: filling a million messages");
        self.people(self.sizes.rooms[0]).await;
        let long = self.bridge.conversation(0).await;
        fill(database, &long).await;
        tell("reading");
        let (base, token) = (format!("http://{}", self.bridge.nova), self.bridge.token(0));
        for round in 0..=self.sizes.rounds {
            let here = format!("/conversations/{long}/messages");
            let open = ask(&base, &token, (0..TIMES).map(|_| format!("{here}?limit=50"))).await;
            let search = |path: &'static str| move |n| format!("{path}?q={}", searched(n));
            let found = ask(
                &base,
                &token,
                (0..TIMES).map(|n| format!("{here}/search?q={}", searched(n))),
            )
            .await;
            let all = ask(&base, &token, (0..TIMES).map(search("/messages/search"))).await;
            self.measure_floor(self.sizes.rooms[0]).await;
            if round > 0 {
                self.results.add_times_to(OPEN, 95, open);
                self.results.add_times_to(HERE, 95, found);
                self.results.add_times_to(EVERYWHERE, 95, all);
            }
        }
        for (what, name, wanted) in [
            ("opening a long conversation, p95 ms", OPEN, 20.0),
            ("searching it, p95 ms", HERE, 50.0),
            ("searching everywhere, p95 ms", EVERYWHERE, 50.0),
        ] {
            let value = self.results.median(&format!("{name}, p95 ms"));
            self.results.at_most(what, value, wanted);
        }
    }
}

/// Fills the conversations: one with [`LONG`] messages, the others with the rest. The index is written as the bridge does.
async fn fill(database: &str, long: &str) {
    let mut connection = PgConnection::connect(database).await.expect("Postgres lets us in");
    let said = format!(
        "INSERT INTO messages (id, conversation_id, sender_id, sequence_number, content, created_at)
         SELECT gen_random_uuid(), c.id, c.created_by, c.last_sequence + row_number() OVER (PARTITION BY c.id ORDER BY told.n),
                (SELECT string_agg('word' || floor(power(random(), 3) * {WORDS})::int, ' ') FROM generate_series(1, 12) AS w
                 WHERE told.n IS NOT NULL),
                now()
         FROM (SELECT n, CASE WHEN n <= {LONG} THEN '{long}'::uuid ELSE others.ids[1 + n % cardinality(others.ids)] END AS id
               FROM generate_series(1, {MESSAGES}) AS n,
                    (SELECT array_agg(id) AS ids FROM conversations WHERE id <> '{long}') AS others) AS told
         JOIN conversations AS c ON c.id = told.id"
    );
    let steps = [
        said,
        "UPDATE conversations AS c SET last_sequence = (SELECT max(sequence_number) FROM messages WHERE conversation_id = c.id)"
            .to_owned(),
        "INSERT INTO message_search (message_id, conversation_id, sequence_number, words)
         SELECT id, conversation_id, sequence_number,
                array_to_tsvector(string_to_array(content, ' ') || ('#' || conversation_id))
         FROM messages ON CONFLICT DO NOTHING"
            .to_owned(),
        "VACUUM ANALYZE".to_owned(),
    ];
    for step in steps {
        sqlx::query(sqlx::AssertSqlSafe(step))
            .execute(&mut connection)
            .await
            .expect("the messages are written");
    }
}

/// Asks for something of the API again and again, and says how long each answer took.
async fn ask(base: &str, token: &str, paths: impl Iterator<Item = String>) -> Vec<Duration> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut times = Vec::new();
    for path in paths {
        let started = Instant::now();
        let answer = http
            .get(format!("{base}{path}"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let body = answer.bytes().await.unwrap();
        times.push(started.elapsed());
        assert!(!body.is_empty());
    }
    times
}

/// What people look for: a rare word, a common one, and two at once.
fn searched(number: usize) -> String {
    match number % 3 {
        0 => format!("word{}", 19_000 - number * 7),
        1 => format!("word{number}"),
        _ => format!("word{}%20word{}", number, number + 11),
    }
}
