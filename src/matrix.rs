//! The homeserver as the bridge calls it: one typed method per request, made as a ghost.
//!
//! Owns the HTTP client, the `as_token`, masquerading, size and time limits, and the judgement of what an error means
//! ([`Retry`], [`HomeserverError::outcome_unknown`]). Knows nothing of the database, of Nova's side, or of what an event
//! means: contents come in and go out as raw JSON, because typed contents lose what they do not know.
//!
//! Requests follow the client-server API, <https://spec.matrix.org/v1.13/client-server-api/>, with the application
//! service's extensions, <https://spec.matrix.org/v1.13/application-service-api/#client-server-api-extensions>.

mod client;
mod error;
mod events;
mod external;
pub mod files;
mod ghosts;
mod media;
mod observer;
mod outside;
mod passing;
pub mod profile_source;
mod rooms;
mod server;
pub mod translate;
mod voip;
mod wire;

pub use client::{Homeserver, Settings};
pub use error::{HomeserverError, Refusal, Retry};
pub use events::MessagesPage;
pub use ghosts::{Profile, Registered};
pub use media::{MEDIA_LIMIT, Media};
pub use observer::{Endpoint, Observer, Outcome, unobserved};
pub use outside::StorageRules;
pub use voip::TurnServer;
