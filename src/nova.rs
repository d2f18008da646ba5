//! What Nova's clients see: REST, WebSocket, the web page, and the admin's API beside it.
//!
//! Translates between their JSON and the use cases of [`crate::bridge`]; decides nothing about conversations itself.

pub mod admin;
pub mod auth;
pub mod avatars;
mod calls;
pub mod dialects;
pub mod dto;
pub mod error;
pub mod frames;
pub mod hub;
pub mod limit;
pub mod media;
mod messages;
mod openapi;
mod pages;
pub mod rest;
pub mod ws;

use std::sync::Arc;

use url::Url;

use crate::bridge::Bridge;
use crate::metrics::Metrics;

use auth::Authenticator;
use limit::SendLimiter;
use media::Links;

/// What an admin decides about this side.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How clients reach us from outside; avatars are linked below it.
    pub public_url: Url,
    /// How clients reach the homeserver.
    pub homeserver_url: Url,
    /// Which web pages may call us; `*` for all.
    pub cors_origins: Vec<String>,
    /// Whether client B's bare frame is sent too (nova-client-protocol §5.6).
    pub bare_frames: bool,
    /// Whether messages are found by their words.
    pub search: bool,
    /// Whether `/ws/chat` greets with `connection.established`.
    pub greeting: bool,
    /// Messages a second that one user may send, and how many at once. [`SendLimiter`] is made from them.
    pub messages_per_second: u32,
    /// See `messages_per_second`.
    pub burst: u32,
}

/// Everything that handlers need. Cheap to clone.
#[derive(Clone)]
pub struct NovaState {
    /// The use cases.
    pub bridge: Bridge,
    /// Who a token belongs to.
    pub auth: Arc<Authenticator>,
    /// What the admin decided.
    pub settings: Arc<Settings>,
    /// How much each user may send, over REST and the WebSocket together.
    pub sends: SendLimiter,
    /// How many candidates each user may send; they come in dozens, and must not keep anybody from talking.
    pub candidates: SendLimiter,
    /// Links to files.
    pub links: Arc<Links>,
    /// Counters.
    pub metrics: Metrics,
}
