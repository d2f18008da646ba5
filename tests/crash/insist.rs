//! Requests that are repeated until they are answered well, as clients do that want to be heard.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Error, Method};
use serde_json::Value;
use tokio::time::sleep;

use crate::support::api::Api;

/// Until a request that failed is tried again.
pub(crate) const RETRY: Duration = Duration::from_millis(100);

/// The counters of a round.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) said: AtomicUsize,
    /// Edits, reactions, deletions and the like.
    pub(crate) acts: AtomicUsize,
    /// Requests and frames that had to be repeated after an error.
    pub(crate) repeated: AtomicUsize,
}

impl Counters {
    /// Repeats a request until it is answered well.
    pub(crate) async fn insist(&self, api: &Api, method: Method, path: &str, body: &Value) -> Value {
        let ask = async || api.attempt(method.clone(), path, Some(body)).await;
        self.until_done(path, ask, false).await
    }

    /// The same for what is gone when it is done: then a try that was not answered may have done it.
    pub(crate) async fn insist_on_end(&self, api: &Api, method: Method, path: &str, body: &Value) -> Value {
        let ask = async || api.attempt(method.clone(), path, Some(body)).await;
        self.until_done(path, ask, true).await
    }

    /// The same for a file.
    pub(crate) async fn insist_on_file(&self, api: &Api, path: &str, mime: &str, bytes: &[u8]) -> Value {
        let ask = async || api.try_upload(path, mime, bytes.to_vec()).await;
        self.until_done(path, ask, false).await
    }

    async fn until_done(&self, path: &str, ask: impl AsyncFn() -> Result<(u16, Value), Error>, ends_it: bool) -> Value {
        let mut tried = false;
        loop {
            match ask().await {
                Ok((200..300, answer)) => return answer,
                Ok((404 | 410, answer)) if ends_it && tried => return answer,
                Ok((status, answer)) => assert!(status >= 500 || status == 429, "{path}: {status} {answer}"),
                Err(_) => {}
            }
            tried = true;
            self.repeated.fetch_add(1, Ordering::Relaxed);
            sleep(RETRY).await;
        }
    }
}
