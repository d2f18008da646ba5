//! What can go wrong between the bridge and its homeserver, and the only judgement of what to do about it.

use std::error::Error as StdError;
use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use serde::Deserialize;

/// The longest wait that an answer can impose on us; a longer one is asked for again.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// How much of the homeserver's own words is kept.
const MESSAGE_CHARS: usize = 200;

/// Why a cause is boxed: ruma and `serde_json` have one error type per step, and no caller tells them apart.
type Cause = Box<dyn StdError + Send + Sync>;

/// A request that did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeserverError {
    /// The HTTP client could not be built.
    #[error("cannot set up the homeserver client")]
    Setup(#[source] Cause),
    /// The request cannot be expressed; it was not sent.
    #[error("the request cannot be made")]
    Request(#[source] Cause),
    /// No connection; the request was not sent.
    #[error("cannot connect to the homeserver")]
    Connect(#[source] reqwest::Error),
    /// Sent, and no whole answer in time.
    #[error("the homeserver did not answer in time")]
    Timeout(#[source] Cause),
    /// Sent, and the connection ended before a whole answer.
    #[error("the connection to the homeserver broke")]
    Broken(#[source] reqwest::Error),
    /// An answer other than success.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Success, in words that mean nothing to us.
    #[error("the homeserver's answer cannot be read")]
    Unreadable(#[source] Cause),
    /// Larger than we are willing to hold.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit that applied.
        limit: usize,
    },
    /// A picture that is none, or an address that we do not follow.
    #[error("not acceptable: {0}")]
    Unsuitable(&'static str),
}

/// An answer whose status is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused with {status} {}: {message}", errcode.as_deref().unwrap_or("(no errcode)"))]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Matrix's code; without it the answer came from a proxy, or is no Matrix error.
    pub errcode: Option<Box<str>>,
    /// The homeserver's explanation, cut short.
    pub message: Box<str>,
    /// Whether the body was JSON: if not, the homeserver itself never spoke.
    pub json: bool,
    /// How long we are asked to wait.
    pub retry_after: Option<Duration>,
}

/// What to do with a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Again, but not before this long.
    After(Duration),
    /// Again, at a growing distance.
    Backoff,
    /// It will never work.
    Never,
}

impl HomeserverError {
    /// When the request is worth another try.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Connect(_) | Self::Timeout(_) | Self::Broken(_) | Self::Unreadable(_) => Retry::Backoff,
            Self::Refused(refusal) => refusal.retry(),
            Self::Setup(_) | Self::Request(_) | Self::TooLarge { .. } | Self::Unsuitable(_) => Retry::Never,
        }
    }

    /// Whether the request may have taken effect although we have no answer that says so.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Broken(_) | Self::Unreadable(_) | Self::TooLarge { .. } => true,
            Self::Refused(refusal) => refusal.status >= 500,
            Self::Setup(_) | Self::Request(_) | Self::Connect(_) | Self::Unsuitable(_) => false,
        }
    }

    /// Matrix's code, where the homeserver gave one.
    #[must_use]
    pub fn errcode(&self) -> Option<&str> {
        self.refusal().and_then(|refusal| refusal.errcode.as_deref())
    }

    /// The HTTP status, where there was one other than success.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    fn refusal(&self) -> Option<&Refusal> {
        if let Self::Refused(refusal) = self {
            Some(refusal)
        } else {
            None
        }
    }

    /// Whether the homeserver says that there is no such thing. A proxy's 404 does not say that.
    pub(super) fn is_not_found(&self) -> bool {
        self.status() == Some(404) && self.errcode() == Some("M_NOT_FOUND")
    }

    /// Sorts an error of the HTTP client. The address is dropped: it names rooms and users, and the caller knows it.
    pub(super) fn from_transport(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_connect() {
            // A connect time-out is both; it counts as a connect error, because nothing was sent.
            Self::Connect(error)
        } else if error.is_builder() {
            Self::Request(Box::new(error))
        } else if error.is_timeout() {
            Self::Timeout(Box::new(error))
        } else {
            Self::Broken(error)
        }
    }

    pub(super) fn unreadable(cause: impl Into<Cause>) -> Self {
        Self::Unreadable(cause.into())
    }

    pub(super) fn request(cause: impl Into<Cause>) -> Self {
        Self::Request(cause.into())
    }
}

impl Refusal {
    /// Reads an answer that is not a success.
    pub(super) fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        #[derive(Deserialize, Default)]
        struct Body {
            errcode: Option<serde_json::Value>,
            error: Option<serde_json::Value>,
            retry_after_ms: Option<serde_json::Value>,
        }
        let body = serde_json::from_slice::<Body>(body).ok();
        let json = body.is_some();
        let Body {
            errcode,
            error,
            retry_after_ms,
        } = body.unwrap_or_default();
        let wait = retry_after_ms
            .as_ref()
            .and_then(serde_json::Value::as_u64)
            .map(Duration::from_millis)
            .or_else(|| retry_after_header(headers));
        Self {
            status,
            errcode: errcode.as_ref().and_then(serde_json::Value::as_str).map(printable),
            message: error
                .as_ref()
                .and_then(serde_json::Value::as_str)
                .map_or_else(Box::default, printable),
            json,
            retry_after: wait.map(|wait| wait.min(LONGEST_WAIT)),
        }
    }

    fn retry(&self) -> Retry {
        let later = self.retry_after.map_or(Retry::Backoff, Retry::After);
        match (self.status, self.errcode.as_deref()) {
            (408 | 429 | 500.., _) => later,
            // Tokens are an administrator's business: once they are right, everything that waited goes out.
            (401, Some("M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN")) => Retry::Backoff,
            // A proxy that points elsewhere. These three it decides by the request itself, so they stay.
            (status, None) if !self.json && !matches!(status, 400 | 413 | 414) => later,
            _ => Retry::Never,
        }
    }
}

/// Seconds only: the form with a date would need a clock, and nobody in the field sends it.
fn retry_after_header(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn printable(text: &str) -> Box<str> {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MESSAGE_CHARS)
        .collect::<String>()
        .into()
}

#[cfg(test)]
#[path = "error/tests.rs"]
mod tests;
