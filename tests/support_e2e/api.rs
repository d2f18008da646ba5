//! JSON over HTTP, as somebody.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use url::form_urlencoded;

/// A server, and the token of who asks.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// A value as part of a path or query.
pub(crate) fn enc(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Api {
    pub(crate) fn new(base: &str, token: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(1))
            // Synapse closes a connection on which nothing was said for a minute; one that it is just closing is no good.
            .pool_idle_timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self {
            http,
            base: base.to_owned(),
            token: token.to_owned(),
        }
    }

    /// The same server, asked by somebody else.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// One request; no answer at all is an error.
    pub(crate) async fn attempt(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request).await
    }

    /// One request that is answered, with whatever.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let answer = self.attempt(method.clone(), path, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
    }

    async fn ok(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.call(method.clone(), path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ok(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.ok(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Value {
        self.ok(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        self.ok(Method::DELETE, path, None).await
    }

    /// Bytes of some type, sent.
    pub(crate) async fn upload(&self, path: &str, content_type: &str, bytes: Vec<u8>) -> Value {
        let (status, answer) = self.try_upload(path, content_type, bytes).await.unwrap();
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// The same; no answer at all is an error.
    pub(crate) async fn try_upload(
        &self,
        path: &str,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.token);
        answer(request.header("content-type", content_type).body(bytes)).await
    }

    /// What a page would show at this address: status, type and bytes.
    pub(crate) async fn fetch(&self, url: &str) -> (u16, String, Vec<u8>) {
        let response = self.http.get(url).bearer_auth(&self.token).send().await.unwrap();
        let content_type = response
            .headers()
            .get("content-type")
            .map(|it| it.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        (
            status,
            content_type.unwrap_or_default(),
            response.bytes().await.unwrap().to_vec(),
        )
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<(u16, Value), reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
