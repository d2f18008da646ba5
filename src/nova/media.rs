//! Files, for Nova's clients: links to them, the way through, and the way in.
//!
//! A link needs no token, because players and `<img>` send none: it is signed, and ends.

pub(crate) mod get;
pub mod links;
pub(crate) mod put;
mod range;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::NovaState;

pub use links::Links;

/// The routes whose bodies are files: no limit of size or time but their own is for them.
pub(super) fn router() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(get::file))
        .routes(routes!(get::thumbnail))
        .routes(routes!(put::post))
        .routes(routes!(put::put))
}
