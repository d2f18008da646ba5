//! The OpenAPI document, made from the routes.

use axum::body::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document, Server};

/// The name of the scheme.
const TOKEN: &str = "nova_token";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Nova chat",
        description = "Conversations and messages of Nova's users, bridged to Matrix.\n\n\
            Every path below `/conversations`, `/groups`, `/messages` and `/calls` exists below `/api/v1` as well. \
            Wherever a request takes user ids it also takes Matrix ids. UUIDs are read in any case and written in \
            lower case; times are in UTC and whole seconds. What happens meanwhile arrives on the WebSocket at `/ws`.",
    ),
    tags(
        (name = "conversations", description = "Two people, or a group"),
        (name = "members", description = "Who is in a conversation"),
        (name = "people", description = "Who may come to whom: blocks and requests; and where people are"),
        (name = "messages", description = "What is said"),
        (name = "calls", description = "Calls: signalling only, the media goes from client to client"),
        (name = "gateway", description = "The same in the shapes of the first gateway, for the iOS app"),
        (name = "matrix", description = "The rooms of the caller's conversations"),
        (name = "avatars", description = "Pictures that only Matrix has"),
    )
)]
struct Base;

/// The document without its paths.
pub(super) fn base() -> Document {
    let mut document = Base::openapi();
    document.info.license = None;
    document.info.contact = None;
    let token = SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "A token of Nova's identity service, signed with RS256. May also be given as `?token=`.",
            ))
            .build(),
    );
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(TOKEN, token);
    document.security = Some(vec![SecurityRequirement::new(TOKEN, std::iter::empty::<String>())]);
    document
}

/// Completes the document: a name for each operation, and the second address of those that have one.
pub(super) fn finished(mut document: Document) -> Document {
    for (path, item) in &mut document.paths.paths {
        let words = path.split('/').filter(|part| !part.is_empty());
        let words: Vec<&str> = words
            .map(|part| if part.starts_with('{') { "id" } else { part })
            .collect();
        for (method, operation) in operations(item) {
            // The handlers' own names are the same below different prefixes.
            operation.operation_id = Some(format!("{method}_{}", words.join("_")));
        }
        if !path.starts_with("/api/") && !path.starts_with("/avatars/") {
            item.servers = Some(vec![Server::new("/"), Server::new("/api/v1")]);
        }
    }
    document
}

/// The document as it is sent.
pub(super) fn written(document: &Document) -> Bytes {
    // Its parts are our own and have text keys only.
    serde_json::to_vec(document).unwrap_or_default().into()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("get", item.get.as_mut()),
        ("put", item.put.as_mut()),
        ("post", item.post.as_mut()),
        ("patch", item.patch.as_mut()),
        ("delete", item.delete.as_mut()),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}
