//! `doctor`, with each leg broken in turn.

use std::fmt::Write;

use axum::Router;
use axum::routing::post;
use nova_bridge::store::MIGRATOR;
use sqlx::PgPool;
use tokio_util::task::TaskTracker;

use super::installation::{Answer, Installation};
use crate::support::address::free_address;
use crate::support::homeserver::{FakeHomeserver, Fault, On, Options};

#[sqlx::test]
async fn everything_works_before_the_bridge_runs(database: PgPool) {
    let (installation, homeserver) = Installation::with_homeserver(&database, Options::default()).await;
    let answer = installation.run(&["doctor"]).await;
    assert_eq!(answer.code, 0, "{answer:?}");
    insta::assert_snapshot!(answer.out);
    let asked = homeserver.requests();
    let first = asked.first().unwrap();
    assert_eq!(first.target, "/_matrix/client/versions");
}

#[sqlx::test]
async fn everything_works_while_the_bridge_runs(database: PgPool) {
    let (installation, _homeserver) = Installation::with_homeserver(&database, Options::default()).await;
    answering_pings(installation.listen, 200).await;
    let answer = installation.run(&["doctor"]).await;
    assert_eq!(answer.code, 0, "{answer:?}");
    let ping = answer.out.lines().find(|line| line.contains("ping"));
    insta::assert_snapshot!(ping.unwrap(), @"✓ ping           Synapse reaches the bridge that runs at (listen), in 3 ms");
}

#[sqlx::test]
async fn calls_want_a_turn_server(database: PgPool) {
    let mut findings = Findings::default();
    let none = Options {
        turn_uri: None,
        ..Options::default()
    };
    let (mut installation, homeserver) = with(&database, none).await;
    let mut turn = async |what: &str, installation: &Installation| {
        let answer = installation.run(&["doctor"]).await;
        assert!(answer.err.is_empty(), "{answer:?}");
        let lines: Vec<&str> = answer.out.lines().skip_while(|line| !line.contains(" turn ")).collect();
        writeln!(findings.0, "{what}: exit code {}\n{}\n", answer.code, lines.join("\n")).unwrap();
    };
    turn("none", &installation).await;
    homeserver.fail_next(On::Path("turnServer"), Fault::Status(404, "M_UNRECOGNIZED", None));
    turn("a homeserver without calls", &installation).await;
    homeserver.fail_next(On::Path("turnServer"), Fault::Status(500, "M_UNKNOWN", None));
    turn("a homeserver that fails", &installation).await;
    installation.set("calls.turn_uris", "turn:own.example.org");
    installation.set("calls.turn_shared_secret", "north");
    turn("one that shares a secret with the bridge", &installation).await;
    installation.set("calls.enabled", "false");
    turn("no calls", &installation).await;
    insta::assert_snapshot!(findings.0);
}

/// Listens as a bridge would, or somebody else.
async fn answering_pings(address: std::net::SocketAddr, status: u16) {
    let status = http::StatusCode::from_u16(status).unwrap();
    let router = Router::new().route("/_matrix/app/v1/ping", post(async move || (status, "{}")));
    let socket = tokio::net::TcpListener::bind(address).await.unwrap();
    TaskTracker::new().spawn(async move { axum::serve(socket, router).await.unwrap() });
}

/// The legs that are broken, behind the exit code.
#[derive(Default)]
struct Findings(String);

impl Findings {
    fn add(&mut self, what: &str, answer: &Answer) {
        let broken = answer
            .out
            .lines()
            .filter(|line| line.starts_with(['✗', ' ']))
            .collect::<Vec<_>>();
        assert!(answer.err.is_empty(), "{answer:?}");
        // How many there are changes with every step of the schema.
        let pending = format!("{} migrations are", MIGRATOR.iter().count());
        let broken = broken.join("\n").replace(&pending, "N migrations are");
        writeln!(self.0, "{what}: exit code {}\n{broken}\n", answer.code).unwrap();
    }
}

async fn with(database: &PgPool, options: Options) -> (Installation, FakeHomeserver) {
    Installation::with_homeserver(database, options).await
}

#[sqlx::test]
async fn each_broken_leg_to_the_homeserver_has_its_cure_and_exit_code(database: PgPool) {
    let mut findings = Findings::default();

    let mut installation = Installation::new(&database);
    installation.set("homeserver.url", "http://127.0.0.1:1");
    findings.add("nobody listens", &installation.run(&["doctor"]).await);

    let (installation, homeserver) = with(&database, Options::default()).await;
    homeserver.fail_every(On::Any, Fault::Body(200, "text/html", "<h1>It works!</h1>".into()));
    findings.add("another web server answers", &installation.run(&["doctor"]).await);

    let other_token = Options {
        as_token: "another".to_owned(),
        ..Options::default()
    };
    let (installation, _homeserver) = with(&database, other_token).await;
    findings.add("the registration is not loaded", &installation.run(&["doctor"]).await);

    let other_sender = Options {
        sender_localpart: "_another_bridge".to_owned(),
        ..Options::default()
    };
    let (installation, _homeserver) = with(&database, other_sender).await;
    findings.add(
        "another registration has the token",
        &installation.run(&["doctor"]).await,
    );

    let (mut installation, _homeserver) = with(&database, Options::default()).await;
    installation.set("homeserver.domain", "example.net");
    installation.register("example.net");
    findings.add("another domain", &installation.run(&["doctor"]).await);

    let no_ghosts = Options {
        covers_ghosts: false,
        ..Options::default()
    };
    let (installation, _homeserver) = with(&database, no_ghosts).await;
    findings.add("no namespace", &installation.run(&["doctor"]).await);

    insta::assert_snapshot!(findings.0);
}

#[sqlx::test]
async fn each_broken_way_back_has_its_cure_and_exit_code(database: PgPool) {
    let mut findings = Findings::default();

    let (installation, homeserver) = with(&database, Options::default()).await;
    homeserver.set_appservice_url(&"http://127.0.0.1:1".parse().unwrap());
    findings.add("nobody listens at the url", &installation.run(&["doctor"]).await);

    let elsewhere = free_address();
    answering_pings(elsewhere, 200).await;
    homeserver.set_appservice_url(&format!("http://{elsewhere}").parse().unwrap());
    findings.add(
        "another bridge listens at the url",
        &installation.run(&["doctor"]).await,
    );

    homeserver.fail_next(On::Ping, Fault::Status(504, "M_CONNECTION_TIMEOUT", None));
    findings.add("no answer from the url", &installation.run(&["doctor"]).await);

    homeserver.fail_next(On::Ping, Fault::Status(400, "M_URL_NOT_SET", None));
    findings.add("the registration has no url", &installation.run(&["doctor"]).await);

    homeserver.fail_next(On::Ping, Fault::Status(403, "M_FORBIDDEN", None));
    findings.add("the registration has another id", &installation.run(&["doctor"]).await);

    let other_token = Options {
        hs_token: "another".to_owned(),
        ..Options::default()
    };
    let (mut installation, _homeserver) = with(&database, other_token).await;
    findings.add("another hs_token", &installation.run(&["doctor"]).await);

    answering_pings(installation.listen, 501).await;
    findings.add("another program at our address", &installation.run(&["doctor"]).await);

    installation.set("appservice.listen", "192.0.2.1:29340");
    findings.add("no address of this machine", &installation.run(&["doctor"]).await);

    insta::assert_snapshot!(findings.0);
}

#[sqlx::test(migrations = false)]
async fn each_broken_leg_on_our_side_has_its_cure_and_exit_code(database: PgPool) {
    let mut findings = Findings::default();
    let (mut installation, _homeserver) = with(&database, Options::default()).await;
    findings.add("not migrated", &installation.run(&["doctor"]).await);

    let tables = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
    assert_eq!(tables.fetch_one(&database).await.unwrap(), 0, "doctor changes nothing");

    assert_eq!(installation.run(&["migrate"]).await.code, 0);
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (99991231235959, 'from the future', true, '\\x00', 0)";
    sqlx::query(newer).execute(&database).await.unwrap();
    findings.add("migrated by a newer version", &installation.run(&["doctor"]).await);

    installation.set("database.url", "postgres://nova:secret@127.0.0.1:1/nova");
    findings.add("no database", &installation.run(&["doctor"]).await);

    installation.register("example.net");
    findings.add("a registration of another domain", &installation.run(&["doctor"]).await);

    std::fs::remove_file(installation.path("registration.yaml")).unwrap();
    findings.add("no registration", &installation.run(&["doctor"]).await);

    installation.set("homeserver.domain", "no domain");
    findings.add("no usable configuration", &installation.run(&["doctor"]).await);

    insta::assert_snapshot!(findings.0);
}
