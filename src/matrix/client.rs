//! The client itself: one connection pool, one way to send, limits on time and size.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::AUTHORIZATION;
use reqwest::redirect::Policy;
use ruma::UserId;
use ruma::api::auth_scheme::{AuthScheme, SendAccessToken};
use ruma::api::error::FromHttpResponseError;
use ruma::api::path_builder::PathBuilder;
use ruma::api::{IncomingResponse, MatrixVersion, OutgoingRequest, OutgoingRequestAppserviceExt, SupportedVersions};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::error::HomeserverError;
use super::observer::{Endpoint, Observer, Outcome, unobserved};
use super::outside::Outside;
use super::wire::{identity, read_body, read_refusal};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The state of a very large room fits; what goes beyond is no answer to anything we ask.
const ANSWER_LIMIT: usize = 32 << 20;

/// The paths that we use: those of Matrix 1.11, the first with authenticated media.
static PATHS: LazyLock<SupportedVersions> = LazyLock::new(|| SupportedVersions {
    versions: BTreeSet::from([MatrixVersion::V1_11]),
    features: BTreeSet::new(),
});

/// What a [`Homeserver`] is made of.
#[derive(Clone)]
pub struct Settings {
    /// Where the homeserver's client API is.
    pub url: Url,
    /// Our token, from the registration.
    pub as_token: SecretString,
    /// How long a request may take, answer included.
    pub request_timeout: Duration,
    /// Who is told about each request.
    pub observer: Observer,
}

impl Settings {
    /// Settings that nobody observes.
    #[must_use]
    pub fn new(url: Url, as_token: SecretString, request_timeout: Duration) -> Self {
        Self {
            url,
            as_token,
            request_timeout,
            observer: unobserved(),
        }
    }
}

/// The homeserver, spoken to as any of our ghosts. Cheap to clone.
#[derive(Clone)]
pub struct Homeserver {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    outside: Outside,
    /// Without a slash at its end.
    base: Box<str>,
    token: SecretString,
    observer: Observer,
}

impl fmt::Debug for Homeserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Homeserver")
            .field("base", &self.inner.base)
            .finish_non_exhaustive()
    }
}

/// An answer with a status of success.
pub(super) type Answer = http::Response<Bytes>;

impl Homeserver {
    /// Prepares the client; does not connect yet.
    ///
    /// # Errors
    ///
    /// [`HomeserverError::Setup`] where the TLS library refuses to start.
    pub fn new(settings: Settings) -> Result<Self, HomeserverError> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.request_timeout)
            .tcp_nodelay(true)
            // Our token goes to the configured homeserver and nowhere else.
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("nova-bridge/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| HomeserverError::Setup(Box::new(error)))?;
        let base = settings.url.as_str().trim_end_matches('/').into();
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                outside: Outside::new()?,
                base,
                token: settings.as_token,
                observer: settings.observer,
            }),
        })
    }

    /// Makes a typed request, as `ghost` if one is given and as the application service itself otherwise.
    pub(super) async fn request<R>(
        &self,
        endpoint: Endpoint,
        ghost: Option<&UserId>,
        request: R,
    ) -> Result<R::IncomingResponse, HomeserverError>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        self.request_within(endpoint, ghost, request, ANSWER_LIMIT).await
    }

    /// As [`Self::request`], for an answer with a limit of its own.
    pub(super) async fn request_within<R>(
        &self,
        endpoint: Endpoint,
        ghost: Option<&UserId>,
        request: R,
        limit: usize,
    ) -> Result<R::IncomingResponse, HomeserverError>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let request = self.prepared(ghost, request)?;
        self.exchange(endpoint, request, limit, |answer| {
            R::IncomingResponse::try_from_http_response(answer).map_err(|error| {
                if let FromHttpResponseError::Deserialization(cause) = error {
                    HomeserverError::unreadable(cause)
                } else {
                    HomeserverError::unreadable("an error in an answer of success")
                }
            })
        })
        .await
    }

    /// A typed request as it goes out.
    pub(super) fn prepared<R>(
        &self,
        ghost: Option<&UserId>,
        request: R,
    ) -> Result<http::Request<Bytes>, HomeserverError>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let request = request
            .try_into_http_request_with_identity::<BytesMut>(
                &self.inner.base,
                SendAccessToken::Always(self.inner.token.expose_secret()),
                identity(ghost),
                Cow::Borrowed(&*PATHS),
            )
            .map_err(HomeserverError::request)?;
        Ok(request.map(BytesMut::freeze))
    }

    /// Makes a request whose body goes out as it is, and reads of the answer what is asked for.
    pub(super) async fn request_raw<A: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        ghost: Option<&UserId>,
        (method, path): (Method, &str),
        body: Option<&(impl Serialize + ?Sized)>,
    ) -> Result<A, HomeserverError> {
        let body = body
            .map(serde_json::to_vec)
            .transpose()
            .map_err(HomeserverError::request)?;
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.inner.base))
            .header(AUTHORIZATION, format!("Bearer {}", self.inner.token.expose_secret()))
            .body(Bytes::from(body.unwrap_or_default()))
            .map_err(HomeserverError::request)?;
        if !request.body().is_empty() {
            let json = http::HeaderValue::from_static("application/json");
            request.headers_mut().insert(http::header::CONTENT_TYPE, json);
        }
        identity(ghost)
            .maybe_add_to_uri(request.uri_mut())
            .map_err(HomeserverError::request)?;
        self.exchange(endpoint, request, ANSWER_LIMIT, |answer| {
            serde_json::from_slice(answer.body()).map_err(HomeserverError::unreadable)
        })
        .await
    }

    /// Asks what everyone may ask, without our token.
    pub(super) async fn request_open<A: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        path: &str,
    ) -> Result<A, HomeserverError> {
        let request = http::Request::get(format!("{}{path}", self.inner.base))
            .body(Bytes::new())
            .map_err(HomeserverError::request)?;
        self.exchange(endpoint, request, ANSWER_LIMIT, |answer| {
            serde_json::from_slice(answer.body()).map_err(HomeserverError::unreadable)
        })
        .await
    }

    /// Sends, reads, and reports to the observer.
    async fn exchange<A>(
        &self,
        endpoint: Endpoint,
        request: http::Request<Bytes>,
        limit: usize,
        read: impl FnOnce(Answer) -> Result<A, HomeserverError>,
    ) -> Result<A, HomeserverError> {
        self.observed(endpoint, async { read(self.send(outgoing(request)?, limit).await?) })
            .await
    }

    /// Sends what may be large, or is answered by something large, and gives the answer before its body has come.
    /// `patience` is for all of it, whoever reads slowly included.
    pub(super) async fn begin(
        &self,
        request: http::Request<Bytes>,
        body: Option<reqwest::Body>,
        patience: Duration,
    ) -> Result<reqwest::Response, HomeserverError> {
        let mut request = outgoing(request)?;
        *request.timeout_mut() = Some(patience);
        if let Some(body) = body {
            *request.body_mut() = Some(body);
        }
        let response = self.inner.http.execute(request).await;
        let response = response.map_err(HomeserverError::from_transport)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        Err(read_refusal(response.status().as_u16(), &headers, response)
            .await
            .into())
    }

    /// Runs `work` and tells the observer how it went.
    pub(super) async fn observed<A>(
        &self,
        endpoint: Endpoint,
        work: impl Future<Output = Result<A, HomeserverError>>,
    ) -> Result<A, HomeserverError> {
        let started = Instant::now();
        let result = work.await;
        let (outcome, took) = (Outcome::of(&result), started.elapsed());
        tracing::debug!(
            endpoint = endpoint.as_str(),
            outcome = outcome.as_str(),
            ?took,
            "homeserver request"
        );
        (self.inner.observer)(endpoint, outcome, took);
        result
    }

    /// Sends a request with none of our credentials added.
    pub(super) fn plain(&self, url: Url) -> reqwest::RequestBuilder {
        self.inner.http.get(url)
    }

    /// The clients for other servers.
    pub(super) fn outside(&self) -> &Outside {
        &self.inner.outside
    }

    async fn send(&self, request: reqwest::Request, limit: usize) -> Result<Answer, HomeserverError> {
        let response = self
            .inner
            .http
            .execute(request)
            .await
            .map_err(HomeserverError::from_transport)?;
        let status = response.status();
        let headers = response.headers().clone();
        if !status.is_success() {
            return Err(read_refusal(status.as_u16(), &headers, response).await.into());
        }
        let body = read_body(response, limit).await?;
        let mut answer = http::Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

fn outgoing(mut request: http::Request<Bytes>) -> Result<reqwest::Request, HomeserverError> {
    if let Some(token) = request.headers_mut().get_mut(AUTHORIZATION) {
        token.set_sensitive(true);
    }
    reqwest::Request::try_from(request).map_err(HomeserverError::from_transport)
}
