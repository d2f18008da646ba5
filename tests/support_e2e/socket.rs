//! A Nova client's socket that reconnects by itself, resumes where it was, and repeats what was not acknowledged.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::wait::watched;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Until the next try of a connection that failed.
const RETRY: Duration = Duration::from_millis(100);

/// A connection that says nothing for so long is dead; the bridge pings every five seconds.
const SILENCE: Duration = Duration::from_secs(20);

/// What a client has seen.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Every frame that was no answer, in the order in which it came.
    pub(crate) frames: Vec<Value>,
    /// How often a socket was opened.
    pub(crate) connections: u32,
}

impl Log {
    pub(crate) fn of_type(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.frames.iter().filter(move |frame| frame["type"] == name)
    }

    /// The messages of a conversation, as they came.
    pub(crate) fn messages(&self, conversation: &str) -> impl Iterator<Item = &Value> {
        self.of_type("message.new")
            .filter(move |frame| frame["conversation_id"] == conversation)
    }
}

/// A frame that nobody answers.
struct Word(Value);

/// A message on its way.
struct Outgoing {
    conversation: String,
    content: String,
    key: String,
    answered: oneshot::Sender<Value>,
}

/// A running client. It stops when it is dropped.
pub(crate) struct NovaClient {
    name: String,
    log: watch::Receiver<Log>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    words: mpsc::UnboundedSender<Word>,
    _task: JoinSet<()>,
}

impl NovaClient {
    /// Connects, and returns when the bridge has answered on the socket: from then on nothing is missed.
    pub(crate) async fn start(name: &str, url: String) -> Self {
        let (log, seen) = watch::channel(Log::default());
        let (outgoing, queue) = mpsc::unbounded_channel();
        let (words, to_say) = mpsc::unbounded_channel();
        let runner = Runner {
            url,
            log,
            queue,
            to_say,
            cursor: None,
            waiting: VecDeque::new(),
        };
        let mut task = JoinSet::new();
        task.spawn(runner.run());
        let client = Self {
            name: name.to_owned(),
            log: seen,
            outgoing,
            words,
            _task: task,
        };
        client
            .sees("the socket open", |log| (log.connections > 0).then_some(()))
            .await;
        client
    }

    /// Sends a message, in the order of the calls. The answer comes over as many connections as that takes.
    pub(crate) fn send(&self, conversation: &str, content: &str, key: &str) -> impl Future<Output = Value> + use<> {
        let (answered, answer) = oneshot::channel();
        let (conversation, content, key) = (conversation.to_owned(), content.to_owned(), key.to_owned());
        assert!(
            self.outgoing
                .send(Outgoing {
                    conversation,
                    content,
                    key,
                    answered
                })
                .is_ok(),
            "the client runs"
        );
        async { answer.await.expect("the client runs") }
    }

    /// Sends a frame once, over whatever connection there is.
    pub(crate) fn tell(&self, frame: Value) {
        assert!(self.words.send(Word(frame)).is_ok(), "the client runs");
    }

    /// Waits until the client has seen something.
    pub(crate) async fn sees<T>(&self, what: &str, look: impl FnMut(&Log) -> Option<T>) -> T {
        watched(&self.log, &format!("{} sees {what}", self.name), look).await
    }

    /// Waits for a frame.
    pub(crate) async fn frame(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.sees(what, |log| log.frames.iter().find(|frame| wanted(frame)).cloned())
            .await
    }

    /// Waits for a message with this text.
    pub(crate) async fn hears(&self, text: &str) -> Value {
        let short: String = text.chars().take(60).collect();
        let wanted = |frame: &Value| frame["type"] == "message.new" && frame["content"] == text;
        self.frame(&format!("{short:?}"), wanted).await
    }

    /// What was seen so far.
    pub(crate) fn log(&self) -> watch::Ref<'_, Log> {
        self.log.borrow()
    }
}

struct Runner {
    url: String,
    log: watch::Sender<Log>,
    queue: mpsc::UnboundedReceiver<Outgoing>,
    to_say: mpsc::UnboundedReceiver<Word>,
    cursor: Option<(u64, u64)>,
    /// Sent or to be sent, in order, until they are answered.
    waiting: VecDeque<Outgoing>,
}

impl Runner {
    async fn run(mut self) {
        loop {
            let since = self.cursor.map(|(position, n)| format!("&since={position}-{n}"));
            match connect_async(format!("{}{}", self.url, since.unwrap_or_default())).await {
                Ok((stream, _)) => self.serve(stream).await,
                Err(Error::Http(response)) if response.status().is_client_error() => {
                    panic!("the socket is refused: {}", response.status())
                }
                Err(_) => {}
            }
            if self.log.is_closed() {
                return;
            }
            sleep(RETRY).await;
        }
    }

    /// Until the connection breaks.
    async fn serve(&mut self, mut stream: Stream) {
        if stream.send(Message::text(r#"{"type":"ping"}"#)).await.is_err() {
            return;
        }
        for outgoing in &self.waiting {
            if stream.send(outgoing.frame()).await.is_err() {
                return;
            }
        }
        loop {
            tokio::select! {
                outgoing = self.queue.recv() => {
                    let Some(outgoing) = outgoing else { return };
                    let frame = outgoing.frame();
                    self.waiting.push_back(outgoing);
                    if stream.send(frame).await.is_err() {
                        return;
                    }
                }
                Some(Word(word)) = self.to_say.recv() => {
                    if stream.send(Message::text(word.to_string())).await.is_err() {
                        return;
                    }
                }
                message = timeout(SILENCE, stream.next()) => match message {
                    Ok(Some(Ok(Message::Text(text)))) => self.hear(serde_json::from_str(&text).unwrap()),
                    Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return,
                    Ok(Some(Ok(_))) => {}
                },
            }
        }
    }

    fn hear(&mut self, frame: Value) {
        match frame["type"].as_str().unwrap() {
            "pong" => self.log.send_modify(|log| log.connections += 1),
            "ack" | "error" => {
                let key = frame["request_id"]
                    .as_str()
                    .unwrap_or_else(|| panic!("nobody asked: {frame}"));
                // An answer to the same message over an earlier connection may have come just before.
                if let Some(place) = self.waiting.iter().position(|outgoing| outgoing.key == key) {
                    let outgoing = self.waiting.remove(place).unwrap();
                    drop(outgoing.answered.send(frame));
                }
            }
            _ => {
                // What is told in passing has no place in the feed.
                if frame["stream_id"].is_string() {
                    self.cursor = Some(position(&frame)).max(self.cursor);
                }
                self.log.send_modify(|log| log.frames.push(frame));
            }
        }
    }
}

impl Outgoing {
    fn frame(&self) -> Message {
        let frame = json!({
            "type": "message.send", "request_id": self.key, "conversation_id": self.conversation,
            "content": self.content, "idempotency_key": self.key,
        });
        Message::text(frame.to_string())
    }
}

/// The two numbers of a `stream_id`, which compare as the feed is ordered.
pub(crate) fn position(frame: &Value) -> (u64, u64) {
    let (position, n) = frame["stream_id"]
        .as_str()
        .and_then(|id| id.split_once('-'))
        .expect("a frame has its place");
    (position.parse().unwrap(), n.parse().unwrap())
}
