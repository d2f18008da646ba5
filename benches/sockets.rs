//! WebSocket clients: some that only count what they are shown, and some that talk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use uuid::Uuid;

/// The frames that are counted: one of each for whatever happens.
const COUNTED: [&str; 4] = [
    r#""type":"message.new""#,
    r#""type":"message.edited""#,
    r#""type":"reaction.added""#,
    r#""type":"read_receipt""#,
];

/// How many handshakes run at once.
const TOGETHER: usize = 32;

pub(crate) async fn connect(address: SocketAddr, path: &str) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).unwrap();
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
    let url = format!("ws://{address}{path}");
    client_async_with_config(url, stream, Some(config))
        .await
        .expect("the socket opens")
        .0
}

struct Count {
    shown: AtomicUsize,
    /// When the last one came, in nanoseconds since `since`.
    last: AtomicU64,
    since: Instant,
}

/// Clients that count what they are shown.
pub(crate) struct Audience {
    count: Arc<Count>,
    tasks: JoinSet<()>,
}

impl Audience {
    pub(crate) async fn connect(address: SocketAddr, paths: Vec<String>) -> Self {
        let count = Count {
            shown: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            since: Instant::now(),
        };
        let count = Arc::new(count);
        let mut tasks = JoinSet::new();
        let mut paths = paths.into_iter();
        loop {
            let some: Vec<String> = paths.by_ref().take(TOGETHER).collect();
            if some.is_empty() {
                break;
            }
            for socket in futures_util::future::join_all(some.iter().map(|path| connect(address, path))).await {
                tasks.spawn(listen(socket, Arc::clone(&count)));
            }
        }
        Self { count, tasks }
    }

    /// How many messages were shown so far.
    pub(crate) fn shown(&self) -> usize {
        self.count.shown.load(Ordering::SeqCst)
    }

    /// Waits until so many messages were shown. Returns when the last one came.
    pub(crate) async fn wait_for(&self, shown: usize) -> Instant {
        let deadline = Instant::now() + Duration::from_mins(2);
        while self.shown() < shown {
            assert!(
                Instant::now() < deadline,
                "{} of {shown} messages were shown",
                self.shown()
            );
            sleep(Duration::from_micros(200)).await;
        }
        assert_eq!(self.shown(), shown, "each message is shown once");
        self.count.since + Duration::from_nanos(self.count.last.load(Ordering::SeqCst))
    }

    /// How many sockets are open.
    pub(crate) fn open(&mut self) -> usize {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.len()
    }

    pub(crate) async fn leave(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn listen(mut socket: WebSocketStream<TcpStream>, count: Arc<Count>) {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message
            && COUNTED.iter().any(|frame| text.contains(frame))
        {
            let at = count.since.elapsed().as_nanos();
            count.last.fetch_max(u64::try_from(at).unwrap(), Ordering::SeqCst);
            count.shown.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A client that says something and waits until it is told that it was taken.
pub(crate) struct Speaker {
    socket: WebSocketStream<TcpStream>,
    conversation: String,
}

impl Speaker {
    pub(crate) async fn connect(address: SocketAddr, path: &str, conversation: String) -> Self {
        Self {
            socket: connect(address, path).await,
            conversation,
        }
    }

    /// How long it took until the acknowledgement came.
    pub(crate) async fn say(&mut self, number: usize) -> Duration {
        let content = format!("Said as number {number:08}: the quick brown fox jumps over the lazy dog and the fence.");
        let frame = json!({
            "type": "message.send", "request_id": number, "conversation_id": self.conversation, "content": content,
            "idempotency_key": Uuid::new_v4(),
        });
        let started = Instant::now();
        self.socket
            .send(Message::text(frame.to_string()))
            .await
            .expect("the socket takes a frame");
        loop {
            let message = self
                .socket
                .next()
                .await
                .expect("the socket stays open")
                .expect("the socket works");
            let Message::Text(text) = message else { continue };
            if text.contains(r#""type":"ack""#) {
                return started.elapsed();
            }
            assert!(!text.contains(r#""type":"error""#), "refused: {text}");
        }
    }
}
