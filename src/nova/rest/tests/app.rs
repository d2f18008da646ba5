//! A bridge without a homeserver, and a way to talk to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::TimeDelta;
use prometheus_client::registry::Registry;
use ruma::{server_name, user_id};
use secrecy::SecretString;
use serde_json::Value;
use sqlx::PgPool;
use tower::ServiceExt;
use url::Url;

use crate::bridge::ice::IceSettings;
use crate::bridge::{Bridge, CreateRooms, Parts, Settings as BridgeSettings};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ghost::Ghosts;
use crate::domain::random::Random;
use crate::matrix::{self, Homeserver};
use crate::metrics;
use crate::nova::auth::tests::{authenticator, now, token};
use crate::nova::limit::SendLimiter;
use crate::nova::media::Links;
use crate::nova::{NovaState, Settings, rest};
use crate::store::Store;

pub(crate) const ALICE: &str = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11";
pub(crate) const BOB: &str = "8a6d0e42-51bf-4c39-9e7a-2b4f1d8c6a90";
pub(crate) const CAROL: &str = "c0ffee00-0000-4000-8000-000000000003";

/// A clock that moves only when told to.
struct Standing(Mutex<Timestamp>);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Chance that is the same every time.
struct Counting(AtomicU64);

impl Random for Counting {
    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bytes
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The id of what was made or found.
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().expect("an id").to_owned()
    }
}

/// The bridge under test.
pub(crate) struct App {
    pub(crate) state: NovaState,
    pub(crate) router: Router,
    pub(crate) pool: PgPool,
    pub(crate) registry: Registry,
    clock: Arc<Standing>,
}

impl App {
    /// With accounts for Alice, Bob and Carol.
    pub(crate) async fn new(pool: PgPool) -> Self {
        Self::with(pool, Self::no_limit()).await
    }

    /// More than any test sends.
    pub(crate) fn no_limit() -> SendLimiter {
        SendLimiter::with_clock(1, 1000, Arc::new(|| Duration::ZERO))
    }

    /// With another rate.
    pub(crate) async fn with(pool: PgPool, sends: SendLimiter) -> Self {
        Self::beside("http://127.0.0.1:9", pool, sends).await
    }

    /// With a homeserver there.
    pub(crate) async fn beside(homeserver: &str, pool: PgPool, sends: SendLimiter) -> Self {
        Self::built(homeserver, pool, sends, IceSettings::default()).await
    }

    /// With servers for calls, and no homeserver.
    pub(crate) async fn with_ice(pool: PgPool, ice: IceSettings) -> Self {
        Self::built("http://127.0.0.1:9", pool, Self::no_limit(), ice).await
    }

    async fn built(homeserver: &str, pool: PgPool, sends: SendLimiter, ice: IceSettings) -> Self {
        let clock = Arc::new(Standing(Mutex::new(now())));
        let homeserver = Url::parse(homeserver).unwrap();
        let homeserver = matrix::Settings::new(homeserver, SecretString::from("as"), Duration::from_secs(1));
        let (metrics, registry) = metrics::new();
        let bridge = Bridge::new(Parts {
            store: Store::open(pool.clone()).await.unwrap(),
            homeserver: Homeserver::new(homeserver).unwrap(),
            profile_source: None,
            ghosts: Ghosts::new(server_name!("example.org")),
            settings: BridgeSettings {
                create_rooms: CreateRooms::Always,
                dm_permission: crate::domain::request::DmPermission::Anyone,
                space_per_user: false,
                bot: user_id!("@nova:example.org").to_owned(),
                sender: user_id!("@nova-sender:example.org").to_owned(),
                line: ruma::owned_room_alias_id!("#nova_line:example.org"),
                permissions: crate::domain::bot::Permissions(std::collections::BTreeMap::new()),
                receipts: crate::bridge::receipts::ReceiptsTold::Public,
                presence: false,
                calls: crate::bridge::calls::CallSettings::default(),
                ice,
                media: crate::bridge::media::MediaSettings::default(),
            },
            clock: Arc::<Standing>::clone(&clock),
            random: Arc::new(Counting(AtomicU64::new(1))),
            metrics: metrics.clone(),
        });
        let settings = Settings {
            public_url: Url::parse("https://nova.example.org/").unwrap(),
            homeserver_url: Url::parse("https://matrix.example.org/").unwrap(),
            cors_origins: vec!["https://web.example.org".to_owned()],
            bare_frames: false,
            greeting: false,
            messages_per_second: 1,
            burst: 1000,
        };
        let day = Duration::from_hours(24);
        let links = Links::new(&settings.public_url, b"as", day, Arc::<Standing>::clone(&clock));
        let state = NovaState {
            links: Arc::new(links),
            bridge,
            auth: Arc::new(authenticator()),
            settings: Arc::new(settings),
            sends,
            candidates: SendLimiter::with_clock(1, 100, Arc::new(|| Duration::ZERO)),
            metrics,
        };
        let router = rest::router(state.clone());
        let app = Self {
            state,
            router,
            pool,
            registry,
            clock,
        };
        for user in [ALICE, BOB, CAROL] {
            app.get(user, "/conversations").await;
        }
        app
    }

    pub(crate) fn wait(&self, seconds: i64) {
        *self.clock.0.lock().unwrap() += TimeDelta::seconds(seconds);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 24).await.unwrap();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or_else(|_| text()),
        }
    }

    /// A request of `user`, with `body` as it is.
    pub(crate) async fn raw(&self, method: &str, user: &str, path: &str, body: Body) -> Answer {
        let username = match user {
            ALICE => "alice",
            BOB => "bob",
            _ => "carol",
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", token(user, username)))
            .body(body)
            .unwrap();
        self.send(request).await
    }

    pub(crate) async fn get(&self, user: &str, path: &str) -> Answer {
        self.raw("GET", user, path, Body::empty()).await
    }

    pub(crate) async fn post(&self, user: &str, path: &str, body: &Value) -> Answer {
        self.raw("POST", user, path, Body::from(body.to_string())).await
    }

    pub(crate) async fn put(&self, user: &str, path: &str, body: &Value) -> Answer {
        self.raw("PUT", user, path, Body::from(body.to_string())).await
    }

    pub(crate) async fn delete(&self, user: &str, path: &str) -> Answer {
        self.raw("DELETE", user, path, Body::empty()).await
    }

    /// The direct conversation of Alice and Bob.
    pub(crate) async fn direct(&self) -> String {
        let body = serde_json::json!({ "user_a": ALICE, "user_b": BOB });
        self.post(ALICE, "/conversations", &body).await.id()
    }

    /// A group of Alice's, with Bob in it.
    pub(crate) async fn group(&self) -> String {
        let body = serde_json::json!({ "name": "Tea", "member_ids": [BOB] });
        self.post(ALICE, "/conversations/groups", &body).await.id()
    }

    /// How much there is of everything that a request could change.
    pub(crate) async fn footprint(&self) -> Vec<i64> {
        let mut counts = Vec::new();
        for table in [
            "conversations",
            "conversation_members",
            "messages",
            "conversation_feed",
            "outbox",
            "users",
        ] {
            let count = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")));
            counts.push(count.fetch_one(&self.pool).await.unwrap());
        }
        counts
    }
}
