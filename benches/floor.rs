//! What nobody can go below in this run: a commit of one row, an empty request, and one after the other in a handler.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::put;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::Mutex;

use crate::line::{self, Line};

pub(crate) struct Floor {
    connection: Arc<Mutex<PgConnection>>,
    line: Line,
}

impl Floor {
    pub(crate) async fn start(tasks: &tokio_util::task::TaskTracker, database: &str) -> Self {
        let mut connection = PgConnection::connect(database).await.expect("Postgres lets us in");
        sqlx::query("CREATE TABLE floor (id bigint PRIMARY KEY, body text NOT NULL)")
            .execute(&mut connection)
            .await
            .unwrap();
        let connection = Arc::new(Mutex::new(connection));
        let done = ([("content-type", "application/json")], "{}");
        let commits = async move |State(connection): State<Arc<Mutex<PgConnection>>>, Path(id): Path<i64>| {
            insert(&connection, id, &"x".repeat(100)).await;
            done
        };
        let router = Router::new()
            .route("/empty", put(async move || done))
            .route("/commit/{id}", put(commits))
            .with_state(Arc::clone(&connection));
        let address = crate::homeserver::serve(tasks, router).await;
        Self {
            connection,
            line: Line::open(address),
        }
    }

    /// Commits of one row of 100 bytes each.
    pub(crate) async fn commits(&self, from: i64, count: i64) -> Vec<Duration> {
        let body = "x".repeat(100);
        let mut times = Vec::new();
        for id in from..from + count {
            let started = Instant::now();
            insert(&self.connection, id, &body).await;
            times.push(started.elapsed());
        }
        times
    }

    /// Requests to a handler that commits one row for each: what a push costs at least that is safe when it is answered.
    pub(crate) fn safe_requests(&mut self, from: i64, count: i64) -> Vec<Duration> {
        let one = |id| {
            let request = line::put(&format!("/commit/{id}"), "token", "{}");
            let started = Instant::now();
            assert_eq!(self.line.call(&request), 200);
            started.elapsed()
        };
        (from..from + count).map(one).collect()
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

async fn insert(connection: &Mutex<PgConnection>, id: i64, body: &str) {
    let insert = sqlx::query("INSERT INTO floor (id, body) VALUES ($1, $2)")
        .bind(id)
        .bind(body);
    insert.execute(&mut *connection.lock().await).await.unwrap();
}
