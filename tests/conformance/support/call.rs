//! One HTTP request as the homeserver sends it, or deliberately not.

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, Url};
use serde_json::Value;

use super::answer::Answer;

/// After this long without an answer Synapse gives up and calls the appservice down.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// A client that follows no redirect, because Synapse follows none either.
pub(crate) fn client() -> Client {
    Client::builder()
        .timeout(TIME_LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("the HTTP client can be built")
}

/// A request in the making.
pub(crate) struct Call {
    client: Client,
    method: Method,
    url: Url,
    authorization: Option<String>,
    content_type: Option<&'static str>,
    body: Option<Vec<u8>>,
}

impl Call {
    /// A request with the right token in the header.
    pub(crate) fn new(client: &Client, method: Method, url: &str, token: &str) -> Self {
        let url = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        Self {
            client: client.clone(),
            method,
            url,
            authorization: Some(format!("Bearer {token}")),
            content_type: Some("application/json"),
            body: None,
        }
    }

    /// Puts something else into the `Authorization` header, or leaves it out.
    pub(crate) fn authorization(mut self, value: Option<&str>) -> Self {
        self.authorization = value.map(str::to_owned);
        self
    }

    pub(crate) fn without_content_type(mut self) -> Self {
        self.content_type = None;
        self
    }

    pub(crate) fn query(mut self, key: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends it. No answer at all is a failure.
    pub(crate) async fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.url.path());
        self.try_send()
            .await
            .unwrap_or_else(|error| panic!("{what} got no answer: {error:?}"))
    }

    /// Sends it, where the bridge may also close the connection. A time-out is still a failure.
    pub(crate) async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let what = format!("{} {}", self.method, self.url);
        let began = Instant::now();
        let mut request = self.client.request(self.method, self.url);
        if let Some(value) = self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = self.body {
            if let Some(content_type) = self.content_type {
                request = request.header(CONTENT_TYPE, content_type);
            }
            request = request.body(body);
        }
        let answer = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let content_type = response
                .headers()
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default().to_owned();
            Ok(Answer {
                what: what.clone(),
                status,
                content_type,
                body: response.bytes().await?.to_vec(),
            })
        }
        .await;
        if let Err(error) = &answer {
            let error: &reqwest::Error = error;
            assert!(!error.is_timeout(), "{what} was not answered in {:?}", began.elapsed());
        }
        answer
    }
}

/// `text` as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}
