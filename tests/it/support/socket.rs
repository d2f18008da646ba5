//! A WebSocket client that waits for what it expects.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const DEADLINE: Duration = Duration::from_secs(50);

/// An open socket.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The entries of the feed that are passed over.
    older: HashSet<String>,
}

impl Socket {
    pub(crate) async fn open(url: &str) -> Self {
        let (stream, _) = connect_async(url).await.expect("the socket opens");
        Self {
            stream,
            older: HashSet::new(),
        }
    }

    /// Passes over what is shown of these entries of the feed.
    pub(crate) fn without(self, older: HashSet<String>) -> Self {
        Self { older, ..self }
    }

    pub(crate) async fn refused(url: &str) -> u16 {
        match connect_async(url).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("no HTTP answer: {error}"),
            Ok(_) => 101,
        }
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a frame again and again, each after the answer to the one before, until the server closes: with which code.
    pub(crate) async fn flood(&mut self, frame: &Value) -> Option<u16> {
        loop {
            self.send_text(&frame.to_string()).await;
            match self.message().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(_) => {}
                None => return None,
            }
        }
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.stream
            .send(Message::text(text))
            .await
            .expect("the socket takes a frame");
    }

    pub(crate) async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.stream
            .send(Message::binary(bytes))
            .await
            .expect("the socket takes a frame");
    }

    /// The next JSON frame.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.message().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).expect("a frame is JSON"),
            other => panic!("a frame was expected, not {other:?}"),
        }
    }

    /// The next frame that is in no feed. What was in the feed when the socket opened may come late: it is passed over.
    pub(crate) async fn live(&mut self) -> Value {
        loop {
            let frame = self.frame().await;
            if frame.get("stream_id").is_none() {
                return frame;
            }
        }
    }

    /// The next frame of this type; others are passed over.
    pub(crate) async fn next(&mut self, name: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == name {
                return frame;
            }
        }
    }

    /// The contents of the next so many messages.
    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::with_capacity(count);
        while texts.len() < count {
            texts.push(self.next("message.new").await["content"].as_str().unwrap().to_owned());
        }
        texts
    }

    /// Waits until the bridge serves the socket, and returns what it has said until then. A socket that is not yet served
    /// when it rings is shown the ring, or its candidates, once more.
    pub(crate) async fn served(&mut self) -> VecDeque<Value> {
        self.send(json!({ "type": "ping" })).await;
        let mut said = VecDeque::new();
        loop {
            let frame = self.frame().await;
            if frame["type"] == "pong" {
                return said;
            }
            said.push_back(frame);
        }
    }

    /// Waits until the server closes, and says with which code.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.message().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(_) => {}
                None => return None,
            }
        }
    }

    async fn message(&mut self) -> Option<Message> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let next = timeout_at(deadline, self.stream.next())
                .await
                .expect("the socket says something in time");
            match next {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) if self.is_older(&message) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    fn is_older(&self, message: &Message) -> bool {
        let Message::Text(text) = message else { return false };
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        // What a socket that opens is shown of a call stands at the place that the socket is at.
        let is_call = frame["type"].as_str().is_some_and(|name| name.starts_with("call."));
        !is_call
            && frame["stream_id"]
                .as_str()
                .is_some_and(|entry| self.older.contains(entry))
    }
}
