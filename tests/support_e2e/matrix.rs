//! A Matrix user with a client, such as Element.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::api::{Api, enc};
use super::sync::{self, Room, Seen};
use super::wait::watched;

const V3: &str = "/_matrix/client/v3";

/// Somebody who is logged in and follows `/sync`.
pub(crate) struct MatrixUser {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) api: Api,
    seen: watch::Receiver<Seen>,
    /// Ends with its user.
    _sync: JoinSet<()>,
}

impl MatrixUser {
    /// Logs in with these credentials.
    pub(crate) async fn login(homeserver: &Api, name: &str, mut credentials: Value) -> Self {
        credentials["device_id"] = json!(format!("D{}", Uuid::new_v4().simple()));
        let login = homeserver.post(&format!("{V3}/login"), &credentials).await;
        let id = login["user_id"].as_str().unwrap();
        Self::logged_in(homeserver, name, id, login["access_token"].as_str().unwrap())
    }

    /// Is logged in with this token.
    pub(crate) fn logged_in(homeserver: &Api, name: &str, id: &str, token: &str) -> Self {
        let api = homeserver.with_token(token);
        let (sender, seen) = watch::channel(Seen::default());
        let mut task = JoinSet::new();
        task.spawn(sync::follow(api.clone(), sender));
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            api,
            seen,
            _sync: task,
        }
    }

    pub(crate) async fn create_room(&self, body: &Value) -> String {
        let made = self.api.post(&format!("{V3}/createRoom"), body).await;
        made["room_id"].as_str().unwrap().to_owned()
    }

    /// Starts a direct chat as Element does.
    pub(crate) async fn create_dm(&self, other: &str) -> String {
        self.create_room(&json!({ "is_direct": true, "preset": "trusted_private_chat", "invite": [other] }))
            .await
    }

    /// Sends a message. Returns its event.
    pub(crate) async fn send(&self, room: &str, content: &Value) -> String {
        self.send_event(room, "m.room.message", content).await
    }

    /// Sends any event. Returns it.
    pub(crate) async fn send_event(&self, room: &str, event_type: &str, content: &Value) -> String {
        let transaction = Uuid::new_v4();
        let path = format!("{V3}/rooms/{}/send/{event_type}/{transaction}", enc(room));
        self.api.put(&path, content).await["event_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn say(&self, room: &str, text: &str) -> String {
        self.send(room, &json!({ "msgtype": "m.text", "body": text })).await
    }

    pub(crate) async fn redact(&self, room: &str, event: &str) {
        let path = format!("{V3}/rooms/{}/redact/{}/{}", enc(room), enc(event), Uuid::new_v4());
        self.api.put(&path, &json!({})).await;
    }

    /// Tells that the room was read up to an event.
    pub(crate) async fn reads(&self, room: &str, event: &str) {
        let path = format!("{V3}/rooms/{}/receipt/m.read/{}", enc(room), enc(event));
        self.api.post(&path, &json!({})).await;
    }

    pub(crate) async fn types(&self, room: &str, typing: bool) {
        let path = format!("{V3}/rooms/{}/typing/{}", enc(room), enc(&self.id));
        let body = if typing {
            json!({ "typing": true, "timeout": 30_000 })
        } else {
            json!({ "typing": false })
        };
        self.api.put(&path, &body).await;
    }

    pub(crate) async fn is_there(&self, presence: &str) {
        let path = format!("{V3}/presence/{}/status", enc(&self.id));
        self.api.put(&path, &json!({ "presence": presence })).await;
    }

    pub(crate) async fn set_state(&self, room: &str, event_type: &str, content: &Value) {
        self.api
            .put(&format!("{V3}/rooms/{}/state/{event_type}/", enc(room)), content)
            .await;
    }

    pub(crate) async fn state(&self, room: &str, event_type: &str, key: &str) -> Value {
        self.api
            .get(&format!("{V3}/rooms/{}/state/{event_type}/{}", enc(room), enc(key)))
            .await
    }

    /// Gives somebody power.
    pub(crate) async fn set_power(&self, room: &str, user: &str, level: i64) {
        let mut levels = self.state(room, "m.room.power_levels", "").await;
        levels["users"][user] = json!(level);
        self.set_state(room, "m.room.power_levels", &levels).await;
    }

    pub(crate) async fn join(&self, room: &str) {
        self.api.post(&format!("{V3}/join/{}", enc(room)), &json!({})).await;
    }

    pub(crate) async fn leave(&self, room: &str) {
        self.api
            .post(&format!("{V3}/rooms/{}/leave", enc(room)), &json!({}))
            .await;
    }

    /// Invites, kicks, bans or unbans somebody.
    pub(crate) async fn act_on(&self, room: &str, act: &str, user: &str) {
        self.api
            .post(&format!("{V3}/rooms/{}/{act}", enc(room)), &json!({ "user_id": user }))
            .await;
    }

    /// Upgrades a room. Returns the new one.
    pub(crate) async fn upgrade(&self, room: &str, version: &str) -> String {
        let path = format!("{V3}/rooms/{}/upgrade", enc(room));
        let answer = self.api.post(&path, &json!({ "new_version": version })).await;
        answer["replacement_room"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn search_directory(&self, term: &str) -> Vec<Value> {
        let answer = self
            .api
            .post(&format!("{V3}/user_directory/search"), &json!({ "search_term": term }))
            .await;
        answer["results"].as_array().unwrap().clone()
    }

    pub(crate) async fn third_party(&self, what: &str) -> Value {
        self.api.get(&format!("{V3}/thirdparty/{what}")).await
    }

    pub(crate) async fn profile(&self, user: &str) -> Value {
        self.api.get(&format!("{V3}/profile/{}", enc(user))).await
    }

    pub(crate) async fn set_profile(&self, field: &str, value: &str) {
        self.api
            .put(
                &format!("{V3}/profile/{}/{field}", enc(&self.id)),
                &json!({ field: value }),
            )
            .await;
    }

    /// Uploads a picture and wears it. Returns its address.
    pub(crate) async fn wear(&self, png: Vec<u8>) -> String {
        let answer = self.api.upload("/_matrix/media/v3/upload", "image/png", png).await;
        let mxc = answer["content_uri"].as_str().unwrap().to_owned();
        self.set_profile("avatar_url", &mxc).await;
        mxc
    }

    /// The room of an alias, or the error.
    pub(crate) async fn resolve(&self, alias: &str) -> (u16, Value) {
        self.api
            .call(Method::GET, &format!("{V3}/directory/room/{}", enc(alias)), None)
            .await
    }

    /// Waits until the client has seen something.
    pub(crate) async fn sees<T>(&self, what: &str, look: impl FnMut(&Seen) -> Option<T>) -> T {
        watched(&self.seen, &format!("{} sees {what}", self.name), look).await
    }

    /// Waits until the client has seen something of a room.
    pub(crate) async fn sees_in<T>(&self, room: &str, what: &str, mut look: impl FnMut(&Room) -> Option<T>) -> T {
        self.sees(what, |seen| look(seen.rooms.get(room)?)).await
    }

    pub(crate) async fn sees_member(&self, room: &str, user: &str, membership: &str) {
        let what = format!("{user} as {membership} in {room}");
        self.sees_in(room, &what, |room| (room.membership(user)? == membership).then_some(()))
            .await;
    }

    /// Waits for a message, and returns its event.
    pub(crate) async fn hears(&self, room: &str, text: &str) -> Value {
        let short: String = text.chars().take(60).collect();
        self.sees_in(room, &format!("{short:?}"), |room| room.message(text).cloned())
            .await
    }

    /// Waits for an invite, and accepts it.
    pub(crate) async fn accepts(&self, room: &str) {
        self.sees("the invite", |seen| seen.invites.contains_key(room).then_some(()))
            .await;
        self.join(room).await;
    }

    /// All events of a room as the homeserver has them, the oldest first.
    pub(crate) async fn history(&self, room: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!("{V3}/rooms/{}/messages?dir=b&limit=1000{from}", enc(room));
            let page = self.api.get(&path).await;
            events.extend(page["chunk"].as_array().unwrap().iter().cloned());
            let Some(end) = page["end"].as_str() else { break };
            from = format!("&from={}", enc(end));
        }
        events.reverse();
        events
    }
}
