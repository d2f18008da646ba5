//! New people for each test, so that tests disturb neither each other nor themselves when they are repeated.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::{Api, enc};
use super::env::Env;
use super::matrix::MatrixUser;
use super::nova::NovaUser;
use super::wait::until;

const PASSWORD: &str = "not a secret on this machine";

/// A running copy, seen by its admins.
pub(crate) struct World {
    pub(crate) env: &'static Env,
    pub(crate) homeserver: Api,
    /// The bridge's admin API.
    pub(crate) bridge_admin: Api,
    homeserver_admin: Api,
}

impl World {
    /// The copy that `NOVA_DEV_ENV` names, if it names one.
    pub(crate) async fn open() -> Option<Self> {
        let env = Env::load()?;
        let homeserver = Api::new(env.get("HOMESERVER_URL"), "");
        let login = password_login(env.get("MATRIX_ADMIN_ID"), env.get("MATRIX_ADMIN_PASSWORD"));
        let login = homeserver.post("/_matrix/client/v3/login", &login).await;
        let homeserver_admin = homeserver.with_token(login["access_token"].as_str().unwrap());
        let bridge_admin = Api::new(&format!("{}/admin/v1", env.get("ADMIN_URL")), env.get("ADMIN_TOKEN"));
        Some(Self {
            env,
            homeserver,
            bridge_admin,
            homeserver_admin,
        })
    }

    /// The homeserver's admin, as somebody who talks.
    pub(crate) async fn matrix_admin(&self) -> MatrixUser {
        let login = password_login(self.env.get("MATRIX_ADMIN_ID"), self.env.get("MATRIX_ADMIN_PASSWORD"));
        MatrixUser::login(&self.homeserver, "admin", login).await
    }

    pub(crate) fn server(&self) -> &'static str {
        self.env.get("SERVER_NAME")
    }

    /// A new Matrix user, logged in by password.
    pub(crate) async fn matrix_user(&self, name: &str) -> MatrixUser {
        let id = format!("@{name}-{}:{}", unique(), self.server());
        let account = json!({ "password": PASSWORD, "displayname": name });
        self.homeserver_admin
            .put(&format!("/_synapse/admin/v2/users/{}", enc(&id)), &account)
            .await;
        MatrixUser::login(&self.homeserver, name, password_login(&id, PASSWORD)).await
    }

    /// A new Nova account whose ghost is there.
    pub(crate) async fn nova_user(&self, name: &str) -> NovaUser {
        let user = self.nova_stranger(name);
        let profile = json!({ "username": user.username, "display_name": name });
        self.put_account(&user, &profile).await;
        let path = format!("/_matrix/client/v3/profile/{}", enc(&user.mxid));
        until(&format!("{} has its name", user.mxid), async || {
            let (status, profile) = self.homeserver.call(reqwest::Method::GET, &path, None).await;
            (status == 200 && profile["displayname"] == name).then_some(())
        })
        .await;
        user
    }

    pub(crate) async fn put_account(&self, user: &NovaUser, profile: &Value) {
        self.bridge_admin.put(&format!("/accounts/{}", user.id), profile).await;
    }

    /// Somebody with a token of whom the bridge has not heard.
    pub(crate) fn nova_stranger(&self, name: &str) -> NovaUser {
        let (id, username) = (Uuid::new_v4(), format!("{name}-{}", unique()));
        let token = self.token(id, &username);
        let api = Api::new(self.env.get("BRIDGE_URL"), &token);
        NovaUser {
            id,
            username,
            mxid: format!("@nova-{id}:{}", self.server()),
            api,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the bridge under test has the real time too")]
    fn token(&self, user: Uuid, username: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "sub": user, "iat": now, "exp": now + 24 * 3600, "token_type": "access", "email": "x@example.org",
            "username": username, "jti": Uuid::new_v4(),
        });
        let pem = std::fs::read(self.env.get("JWT_PRIVATE_KEY_FILE")).unwrap();
        encode(
            &Header::new(Algorithm::RS256),
            &claims,
            &EncodingKey::from_rsa_pem(&pem).unwrap(),
        )
        .unwrap()
    }

    /// A client of a Nova user's own that speaks Matrix: the bridge logs it in on the account of the ghost.
    pub(crate) async fn own_matrix_client(&self, user: &NovaUser) -> MatrixUser {
        let device = json!({ "device_id": format!("NOVA_{}", Uuid::new_v4().simple()) });
        let login = user.api.post("/api/v2/matrix/token", &device).await;
        assert_eq!(login["matrix_user_id"], user.mxid);
        assert_eq!(login["homeserver_url"], self.env.get("HOMESERVER_URL"));
        let token = login["access_token"].as_str().unwrap();
        MatrixUser::logged_in(&self.homeserver, &user.username, &user.mxid, token)
    }

    /// Pushes events to the bridge as Synapse does, under a transaction id that was never there.
    pub(crate) async fn push(&self, events: &[Value], ephemeral: &[Value]) {
        let appservice = Api::new(self.env.get("APPSERVICE_URL"), self.env.get("HS_TOKEN"));
        let path = format!("/_matrix/app/v1/transactions/{}", Uuid::new_v4());
        let body = json!({ "events": events, "ephemeral": ephemeral });
        assert_eq!(appservice.put(&path, &body).await, json!({}));
    }

    /// The dead letters of some rooms.
    pub(crate) async fn dead_letters(&self, rooms: &[&str]) -> Vec<Value> {
        let mut found = Vec::new();
        let mut offset = 0;
        loop {
            let list = self
                .bridge_admin
                .get(&format!("/dead-letters?limit=50&offset={offset}"))
                .await;
            let page = list["dead_letters"].as_array().unwrap();
            if page.is_empty() {
                return found;
            }
            offset += page.len();
            let ours = |letter: &&Value| rooms.iter().any(|room| letter["room_id"] == *room);
            found.extend(page.iter().filter(ours).cloned());
        }
    }
}

fn password_login(user: &str, password: &str) -> Value {
    json!({ "type": "m.login.password", "identifier": { "type": "m.id.user", "user": user }, "password": password })
}

fn unique() -> String {
    Uuid::new_v4().simple().to_string().split_at(8).0.to_owned()
}
