//! A Nova user: REST, and a socket when wanted.

use serde_json::{Value, json};
use uuid::Uuid;

use super::api::Api;
use super::socket::NovaClient;
use super::wait::until;

/// Somebody with a Nova account and a token.
#[derive(Clone)]
pub(crate) struct NovaUser {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    /// The ghost.
    pub(crate) mxid: String,
    pub(crate) api: Api,
}

impl NovaUser {
    /// Opens the direct conversation with a Matrix user.
    pub(crate) async fn open(&self, mxid: &str) -> String {
        id_of(&self.api.post("/conversations/matrix", &json!({ "mxid": mxid })).await)
    }

    /// Opens the direct conversation with another Nova user.
    pub(crate) async fn open_nova(&self, other: &Self) -> String {
        id_of(
            &self
                .api
                .post("/conversations", &json!({ "user_a": self.id, "user_b": other.id }))
                .await,
        )
    }

    pub(crate) async fn create_group(&self, name: &str, members: &[&str]) -> String {
        let body = json!({ "name": name, "member_ids": members });
        id_of(&self.api.post("/conversations/groups", &body).await)
    }

    pub(crate) async fn say(&self, conversation: &str, text: &str) -> Value {
        self.send(conversation, &json!({ "content": text })).await
    }

    pub(crate) async fn send(&self, conversation: &str, body: &Value) -> Value {
        self.api
            .post(&format!("/conversations/{conversation}/messages"), body)
            .await
    }

    pub(crate) async fn conversations(&self) -> Vec<Value> {
        self.api.get("/conversations").await["conversations"]
            .as_array()
            .unwrap()
            .clone()
    }

    pub(crate) async fn conversation(&self, id: &str) -> Value {
        self.api.get(&format!("/conversations/{id}")).await
    }

    /// The conversation that a room belongs to, once the user has it.
    pub(crate) async fn conversation_of(&self, room: &str) -> String {
        until(
            &format!("{} has a conversation for {room}", self.username),
            async || {
                self.conversations()
                    .await
                    .iter()
                    .find(|it| it["matrix_room_id"] == room)
                    .map(id_of)
            },
        )
        .await
    }

    /// The room of a conversation, once there is one.
    pub(crate) async fn room_of(&self, conversation: &str) -> String {
        until(&format!("{conversation} has a room"), async || {
            self.conversation(conversation).await["matrix_room_id"]
                .as_str()
                .map(str::to_owned)
        })
        .await
    }

    pub(crate) async fn members(&self, conversation: &str) -> Vec<Value> {
        let list = self
            .api
            .get(&format!("/conversations/{conversation}/members?limit=200"))
            .await;
        list["members"].as_array().unwrap().clone()
    }

    /// Waits until a member looks as wanted; by Matrix id. `Value::Null` stands for who is no member.
    pub(crate) async fn sees_member(&self, conversation: &str, mxid: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(&format!("{} sees {mxid} as wanted", self.username), async || {
            let members = self.members(conversation).await;
            let member = members
                .into_iter()
                .find(|it| it["matrix_user_id"] == mxid)
                .unwrap_or_default();
            wanted(&member).then_some(member)
        })
        .await
    }

    /// All messages of a conversation, the oldest first.
    pub(crate) async fn history(&self, conversation: &str) -> Vec<Value> {
        let mut messages: Vec<Value> = Vec::new();
        loop {
            let before = messages
                .first()
                .map(|it| format!("&before_sequence={}", it["sequence_number"]));
            let path = format!(
                "/conversations/{conversation}/messages?limit=100{}",
                before.unwrap_or_default()
            );
            let mut page = self.api.get(&path).await.as_array().unwrap().clone();
            if page.is_empty() {
                return messages;
            }
            page.append(&mut messages);
            messages = page;
        }
    }

    /// What was said, in order: who, and what.
    pub(crate) async fn said(&self, conversation: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = self.history(conversation).await;
        messages
            .iter()
            .map(|message| (text(&message["sender_id"]), text(&message["content"])))
            .collect()
    }

    /// A socket over all conversations that is there from now on.
    pub(crate) async fn online(&self) -> NovaClient {
        let url = format!(
            "{}/ws?token={}",
            self.api.base().replacen("http", "ws", 1),
            self.api.token()
        );
        NovaClient::start(&self.username, url).await
    }
}

/// The id of a JSON object.
pub(crate) fn id_of(object: &Value) -> String {
    object["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id: {object}"))
        .to_owned()
}
