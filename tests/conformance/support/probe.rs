//! Looks from outside at what the bridge delivered in a room.

use std::process::Command;

use reqwest::Client;
use serde_json::Value;

/// A bridged room, with somebody in it.
pub(crate) struct Room {
    pub(crate) id: String,
    pub(crate) sender: String,
    pub(crate) probe: Probe,
}

/// Who can tell what was delivered.
pub(crate) enum Probe {
    /// A command that is given the room's id and prints event ids, one per line, in the order of their delivery.
    Command(String),
    /// The message list of nova-bridge.
    Messages { url: String, token: String },
}

impl Room {
    /// The ids of the events delivered so far, in order.
    pub(crate) async fn delivered(&self, client: &Client) -> Vec<String> {
        match &self.probe {
            Probe::Command(command) => shell(command, &self.id).await.lines().map(str::to_owned).collect(),
            Probe::Messages { url, token } => all_messages(client, url, token).await,
        }
    }
}

/// Pages back from the newest message to the first.
async fn all_messages(client: &Client, url: &str, token: &str) -> Vec<String> {
    let mut pages: Vec<Vec<Value>> = Vec::new();
    let mut before = String::new();
    loop {
        let page = client
            .get(format!("{url}?limit=200{before}"))
            .bearer_auth(token)
            .send()
            .await;
        let page = page
            .and_then(reqwest::Response::error_for_status)
            .expect("the message list answers");
        let page: Vec<Value> = page.json().await.expect("the message list is an array");
        let Some(first) = page.first() else { break };
        let sequence = first["sequence_number"]
            .as_i64()
            .expect("a message has a sequence_number");
        before = format!("&before_sequence={sequence}");
        pages.push(page);
    }
    let messages = pages.into_iter().rev().flatten();
    messages
        .filter_map(|message| message["matrix_event_id"].as_str().map(str::to_owned))
        .collect()
}

/// What a command prints; `argument` is added at its end, unless it is empty.
pub(crate) async fn shell(command: &str, argument: &str) -> String {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("{command} \"$@\""))
        .arg("sh")
        .stdin(std::process::Stdio::null());
    if !argument.is_empty() {
        shell.arg(argument);
    }
    let output = tokio::task::spawn_blocking(move || shell.output()).await;
    let output = output.expect("the thread ends").expect("there is a shell");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command} failed with {}: {complaint}",
        output.status
    );
    String::from_utf8(output.stdout).expect("the command prints UTF-8")
}
