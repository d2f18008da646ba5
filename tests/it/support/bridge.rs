//! The bridge itself, in this process, between a fake homeserver and Nova clients on real sockets.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use nova_bridge::app::{App, Options};
use nova_bridge::config::{self, Environment};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, PgPool};
use tempfile::TempDir;
use uuid::Uuid;

use super::homeserver::FakeHomeserver;
use super::socket::Socket;

const ADMIN_TOKEN: &str = "admin-token";

/// A running bridge. Everything it listens on is on a free port.
pub(crate) struct TestBridge {
    pub(crate) homeserver: FakeHomeserver,
    pub(crate) pool: PgPool,
    app: Option<App>,
    http: reqwest::Client,
    files: TempDir,
    settings: String,
    /// Further sections of the configuration.
    sections: String,
}

impl TestBridge {
    /// Starts a bridge on the test's own database.
    pub(crate) async fn start(pool: PgPool) -> Self {
        Self::with(pool, "").await
    }

    /// Starts one with further settings: lines of the `nova` section of the configuration.
    pub(crate) async fn with(pool: PgPool, nova_settings: &str) -> Self {
        Self::with_sections(pool, nova_settings, "").await
    }

    /// Starts one with settings of the `rooms` section.
    pub(crate) async fn with_rooms(pool: PgPool, rooms_settings: &str) -> Self {
        Self::with_sections(pool, "", &format!("rooms: {{ {rooms_settings} }}\n")).await
    }

    /// Starts one with further settings, and further sections of the configuration.
    pub(crate) async fn with_sections(pool: PgPool, nova_settings: &str, sections: &str) -> Self {
        // Shown by the test runner when the test fails.
        let log = tracing_subscriber::fmt()
            .with_env_filter("warn,nova_bridge=debug")
            .with_test_writer();
        drop(log.try_init());
        let homeserver = FakeHomeserver::start().await;
        let mut bridge = Self {
            homeserver,
            pool,
            app: None,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            files: TempDir::new().unwrap(),
            settings: nova_settings.to_owned(),
            sections: sections.to_owned(),
        };
        bridge.launch().await;
        bridge
    }

    async fn launch(&mut self) {
        let app = self.started().await.unwrap();
        let url = format!("http://{}", app.addresses.appservice).parse().unwrap();
        self.homeserver.set_appservice_url(&url);
        self.app = Some(app);
    }

    async fn started(&self) -> anyhow::Result<App> {
        let registration = self.files.path().join("registration.yaml");
        std::fs::write(&registration, REGISTRATION).unwrap();
        let config = config::parse(
            "test",
            &self.config(&registration),
            &std::iter::empty::<(&str, &str)>().collect::<Environment>(),
        );
        App::start(config.unwrap(), &Options::default()).await
    }

    /// Writes the configuration with these further sections to a file.
    pub(crate) fn config_file(&self, sections: &str) -> PathBuf {
        let text = self.config_with(&self.files.path().join("registration.yaml"), sections);
        let file = self.files.path().join("config.yaml");
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Why a stopped bridge does not start with these further sections.
    pub(crate) async fn refuses_to_start(&mut self, sections: &str) -> String {
        sections.clone_into(&mut self.sections);
        format!("{:#}", self.started().await.err().expect("it does not start"))
    }

    /// Stops the bridge as SIGTERM does, and starts it again with other further sections.
    pub(crate) async fn restart_with(&mut self, sections: &str) {
        self.stop().await;
        sections.clone_into(&mut self.sections);
        self.launch().await;
    }

    fn config(&self, registration: &std::path::Path) -> String {
        self.config_with(registration, &self.sections)
    }

    fn config_with(&self, registration: &std::path::Path, sections: &str) -> String {
        let database = self.pool.connect_options().to_url_lossy();
        let key = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/token/test-key.pub.pem"));
        let mut text = String::new();
        write!(
            text,
            "homeserver: {{ url: {:?}, domain: example.org }}\n\
             database: {{ url: {:?}, max_connections: 5 }}\n\
             appservice: {{ listen: 127.0.0.1:0, url: 'http://localhost:1', registration_file: {:?} }}\n\
             admin: {{ listen: 127.0.0.1:0, token: {ADMIN_TOKEN} }}\n\
             metrics: {{ listen: 127.0.0.1:0 }}\n\
             nova:\n  listen: 127.0.0.1:0\n  jwt_public_key_file: {:?}\n",
            self.homeserver.url().as_str(),
            database.as_str(),
            registration.display().to_string(),
            key.display().to_string()
        )
        .unwrap();
        for line in self.settings.lines() {
            writeln!(text, "  {line}").unwrap();
        }
        text.push_str(sections);
        text
    }

    /// Stops the bridge as SIGTERM does, and starts it again on the same database.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.launch().await;
    }

    /// Stops the bridge as SIGTERM does.
    pub(crate) async fn stop(&mut self) {
        if let Some(app) = self.app.take() {
            app.stop().await;
        }
    }

    /// Starts a stopped bridge.
    pub(crate) async fn start_again(&mut self) {
        self.launch().await;
    }

    /// Waits until a query answers true.
    pub(crate) async fn until(&self, condition: &'static str) {
        while !sqlx::query_scalar::<_, bool>(condition)
            .fetch_one(&self.pool)
            .await
            .unwrap()
        {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until everything is pushed and nothing waits to be sent.
    pub(crate) async fn settled(&self) {
        loop {
            self.homeserver.wait_until_pushed().await;
            let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
                .fetch_one(&self.pool)
                .await
                .unwrap();
            if waiting == 0 {
                return;
            }
        }
    }

    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().expect("the bridge runs")
    }

    /// A new Nova account with its ghost.
    pub(crate) async fn account(&self, username: &str) -> NovaUser {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, username.as_bytes());
        let user = NovaUser {
            id,
            mxid: format!("@nova-{id}:example.org"),
            token: token(id, username),
            base: self.app().addresses.nova.to_string(),
            http: self.http.clone(),
            pool: self.pool.clone(),
        };
        let profile = json!({ "username": username, "display_name": username.to_uppercase() });
        let (status, _) = self
            .admin(reqwest::Method::PUT, &format!("/accounts/{id}"), Some(profile))
            .await;
        assert!(status < 300, "the account is made: {status}");
        let ghost = user.mxid.clone();
        self.homeserver
            .wait_for("the ghost has its name", |world| {
                world.accounts.get(&ghost)?.display_name.clone()
            })
            .await;
        user
    }

    /// A request to the admin's API.
    pub(crate) async fn admin(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let address = self.app().addresses.admin.expect("the admin listens");
        let mut request = self
            .http
            .request(method, format!("http://{address}/admin/v1{path}"))
            .bearer_auth(ADMIN_TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }
}

/// A Nova user with a token.
#[derive(Clone)]
pub(crate) struct NovaUser {
    pub(crate) id: Uuid,
    pub(crate) mxid: String,
    pub(crate) token: String,
    base: String,
    http: reqwest::Client,
    pool: PgPool,
}

impl NovaUser {
    /// The same user at a bridge that was restarted on other ports.
    pub(crate) fn at(&self, bridge: &TestBridge) -> Self {
        Self {
            base: bridge.app().addresses.nova.to_string(),
            ..self.clone()
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.request(reqwest::Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.request(reqwest::Method::POST, path, Some(body)).await
    }

    pub(crate) async fn request(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self
            .http
            .request(method, format!("http://{}{path}", self.base))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    /// Brings a file.
    pub(crate) async fn bring(&self, query: &str, mime: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self
            .http
            .post(format!("http://{}/media?{query}", self.base))
            .bearer_auth(&self.token)
            .header("content-type", mime)
            .body(body);
        answer(request).await
    }

    /// Asks for a file by a link, without a token.
    pub(crate) fn open_link(&self, link: &str) -> reqwest::RequestBuilder {
        assert!(link.starts_with(&format!("http://{}/", self.base)), "{link}");
        self.http.get(link)
    }

    /// Puts a file to a link, without a token.
    pub(crate) async fn put_to(&self, link: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        answer(self.http.put(link).body(body)).await
    }

    /// Says something, and expects that it is taken.
    pub(crate) async fn say(&self, conversation: &str, text: &str) -> Value {
        let (status, answer) = self
            .post(
                &format!("/conversations/{conversation}/messages"),
                json!({ "content": text }),
            )
            .await;
        assert!((200..300).contains(&status), "{status}: {answer}");
        answer
    }

    /// Opens a conversation with a Matrix user.
    pub(crate) async fn open(&self, mxid: &str) -> String {
        let (status, answer) = self.post("/conversations/matrix", json!({ "mxid": mxid })).await;
        assert!((200..300).contains(&status), "{status}: {answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Opens a conversation with another Nova user.
    pub(crate) async fn chats_with(&self, other: &Self) -> String {
        let body = json!({ "user_a": self.id, "user_b": other.id });
        let (status, answer) = self.post("/conversations", body).await;
        assert!((200..300).contains(&status), "{status}: {answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// The texts of a conversation, in order.
    pub(crate) async fn texts(&self, conversation: &str) -> Vec<String> {
        let (status, list) = self
            .get(&format!("/conversations/{conversation}/messages?limit=200"))
            .await;
        assert_eq!(status, 200, "{list}");
        let text = |message: &Value| message["content"].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(text).collect()
    }

    /// A socket for all conversations, from now on: what is in the feed already may come late, and is passed over.
    pub(crate) async fn socket(&self) -> Socket {
        let published = "SELECT position, n FROM conversation_feed
                         UNION ALL SELECT position, n FROM messages WHERE n IS NOT NULL";
        let published: Vec<(i64, i32)> = sqlx::query_as(published).fetch_all(&self.pool).await.unwrap();
        let older = published.into_iter().map(|(position, n)| format!("{position}-{n}"));
        self.socket_with("").await.without(older.collect())
    }

    /// A socket with further parameters: `&since=…`.
    pub(crate) async fn socket_with(&self, parameters: &str) -> Socket {
        Socket::open(&format!("ws://{}/ws?token={}{parameters}", self.base, self.token)).await
    }

    /// A socket as Zajel's clients open it.
    pub(crate) async fn zajel(&self) -> Socket {
        Socket::open(&format!("ws://{}/zajel/{}", self.base, self.token)).await
    }

    /// The status with which a handshake is refused.
    pub(crate) async fn refused(&self, path_and_query: &str) -> u16 {
        Socket::refused(&format!("ws://{}{path_and_query}", self.base)).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("the bridge answers");
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[expect(clippy::disallowed_methods, reason = "the bridge reads the machine's clock too")]
/// A token that Nova could have signed.
pub(crate) fn token(user: Uuid, username: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "sub": user, "iat": now, "exp": now + 3600, "token_type": "access", "email": "x@example.org",
        "username": username, "jti": Uuid::new_v4(),
    });
    let key = EncodingKey::from_rsa_pem(include_bytes!("../../../src/cli/token/test-key.pem")).unwrap();
    encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

/// What `generate-registration` writes, with the fake homeserver's tokens.
const REGISTRATION: &str = r#"
id: "nova"
url: "http://localhost:1"
as_token: "as-token"
hs_token: "hs-token"
sender_localpart: "_nova_bridge"
rate_limited: false
receive_ephemeral: true
de.sorunome.msc2409.push_ephemeral: true
protocols: ["nova"]
namespaces:
  users: [{ exclusive: true, regex: "^@nova-.*:example\\.org$" }]
  aliases: []
  rooms: []
"#;
