//! What nobody can go below in this run: a commit of one row, and an empty request.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::put;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::line::{self, Line};

pub(crate) struct Floor {
    connection: PgConnection,
    line: Line,
}

impl Floor {
    pub(crate) async fn start(tasks: &tokio_util::task::TaskTracker, database: &str) -> Self {
        let mut connection = PgConnection::connect(database).await.expect("Postgres lets us in");
        sqlx::query("CREATE TABLE floor (id bigint PRIMARY KEY, body text NOT NULL)")
            .execute(&mut connection)
            .await
            .unwrap();
        let router = Router::new().route("/empty", put(async || ([("content-type", "application/json")], "{}")));
        let address = crate::homeserver::serve(tasks, router).await;
        Self {
            connection,
            line: Line::open(address),
        }
    }

    /// Commits of one row of 100 bytes each.
    pub(crate) async fn commits(&mut self, from: i64, count: i64) -> Vec<Duration> {
        let body = "x".repeat(100);
        let mut times = Vec::new();
        for id in from..from + count {
            let started = Instant::now();
            let insert = sqlx::query("INSERT INTO floor (id, body) VALUES ($1, $2)")
                .bind(id)
                .bind(&body);
            insert.execute(&mut self.connection).await.unwrap();
            times.push(started.elapsed());
        }
        times
    }

    /// Empty requests to a handler that does nothing.
    pub(crate) fn requests(&mut self, count: usize) -> Vec<Duration> {
        let request = line::put("/empty", "token", "{}");
        let one = |_| {
            let started = Instant::now();
            assert_eq!(self.line.call(&request), 200);
            started.elapsed()
        };
        (0..count).map(one).collect()
    }
}
