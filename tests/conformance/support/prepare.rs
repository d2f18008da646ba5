//! Makes a bridged room on a development copy of nova-bridge, through its real Synapse.
//!
//! Each case has a Matrix user and a room of its own, so that cases can run side by side in any order.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::call::segment;
use super::probe::{Probe, Room};
use super::settings::{DevelopmentCopy, RoomSource, Settings};

const TIME_LIMIT: Duration = Duration::from_mins(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The room of one case.
pub(crate) async fn prepare(client: &Client, settings: &Settings) -> Option<Room> {
    match &settings.room {
        RoomSource::None => None,
        RoomSource::Given { room, sender, probe } => Some(Room {
            id: room.clone(),
            sender: sender.clone(),
            probe: Probe::Command(probe.clone()),
        }),
        RoomSource::Made(copy) => {
            let ghost = settings.ghost.as_deref().expect("a development copy has a ghost");
            Some(make(client, copy, ghost).await)
        }
    }
}

async fn make(client: &Client, copy: &DevelopmentCopy, ghost: &str) -> Room {
    let synapse = Side {
        client,
        url: copy.value("HOMESERVER_URL"),
    };
    let (sender, token) = new_user(&synapse, copy).await;
    let wanted = json!({"is_direct": true, "preset": "trusted_private_chat", "invite": [ghost]});
    let created = synapse
        .ask(
            Method::POST,
            "/_matrix/client/v3/createRoom",
            Some(&token),
            Some(&wanted),
        )
        .await;
    let id = text(&created, "room_id");

    let members = format!("/_matrix/client/v3/rooms/{}/joined_members", segment(&id));
    wait_for("the ghost to join", async || {
        let members = synapse.ask(Method::GET, &members, Some(&token), None).await;
        members["joined"].get(ghost).map(|_| ())
    })
    .await;

    let nova = Side {
        client,
        url: copy.value("BRIDGE_URL"),
    };
    let nova_token = copy.value("NOVA_USER_1_TOKEN");
    let conversation = wait_for("the conversation to appear", async || {
        let answer = nova.ask(Method::GET, "/conversations", Some(nova_token), None).await;
        let conversations = answer["conversations"].as_array()?;
        let ours = conversations
            .iter()
            .find(|conversation| has_member(conversation, &sender))?;
        Some(text(ours, "id"))
    })
    .await;
    let url = format!("{}/conversations/{conversation}/messages", nova.url);
    Room {
        id,
        sender,
        probe: Probe::Messages {
            url,
            token: nova_token.to_owned(),
        },
    }
}

/// A Matrix user whom nobody has met, and an access token.
async fn new_user(synapse: &Side<'_>, copy: &DevelopmentCopy) -> (String, String) {
    let login = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": copy.value("MATRIX_ADMIN_ID")},
        "password": copy.value("MATRIX_ADMIN_PASSWORD"),
    });
    let admin = text(
        &synapse
            .ask(Method::POST, "/_matrix/client/v3/login", None, Some(&login))
            .await,
        "access_token",
    );
    let user = format!("@conformance-{}:{}", Uuid::new_v4(), copy.value("SERVER_NAME"));
    let path = format!("/_synapse/admin/v2/users/{}", segment(&user));
    let profile = json!({"displayname": "Conformance"});
    synapse.ask(Method::PUT, &path, Some(&admin), Some(&profile)).await;
    let path = format!("/_synapse/admin/v1/users/{}/login", segment(&user));
    let token = text(
        &synapse.ask(Method::POST, &path, Some(&admin), Some(&json!({}))).await,
        "access_token",
    );
    (user, token)
}

fn has_member(conversation: &Value, mxid: &str) -> bool {
    let mut members = conversation["members"].as_array().into_iter().flatten();
    members.any(|member| member["matrix_user_id"] == mxid)
}

/// A server that is asked to help.
struct Side<'a> {
    client: &'a Client,
    url: &'a str,
}

impl Side<'_> {
    async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Value {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let status = response.status();
        let answer = response
            .text()
            .await
            .unwrap_or_else(|error| panic!("{path}: {error:?}"));
        assert!(status.is_success(), "{path} was answered {status}: {answer}");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("there is no {key} in {value}"))
        .to_owned()
}

async fn wait_for<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {TIME_LIMIT:?} in vain for {what}");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
