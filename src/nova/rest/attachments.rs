//! Attachments: files that are added to a message (nova-client-protocol §6.2). In Matrix a message carries one file, so
//! each is a message of its own, which names the one that it belongs to.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Json, Path};
use super::failures::Failures;
use super::read;
use crate::bridge::CommandError;
use crate::bridge::media::NewMedia;
use crate::bridge::messages::Said;
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::media::Media;
use crate::domain::message::Text;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Time;
use crate::nova::dto::media::{Attachment, Attachments, origin_of_key};
use crate::nova::error::ApiError;

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new().routes(routes!(add)).routes(routes!(list))
}

/// A file that was uploaded to a presigned address, or to `POST /media`.
#[derive(Debug, Deserialize, ToSchema)]
struct AddAttachment {
    /// Its name, without a path.
    #[schema(example = "plan.pdf")]
    file_name: String,
    /// Its type.
    #[schema(example = "application/pdf")]
    file_type: Option<String>,
    /// Its size in bytes.
    #[schema(example = 48_213)]
    file_size: Option<i64>,
    /// The key that came with the address.
    s3_key: String,
}

/// Adds a file to a message. Whoever takes part sees it as a message of its own as well.
#[utoipa::path(post, path = "/conversations/{conversation_id}/messages/{message_id}/attachments", tag = "media",
    params(("conversation_id" = Uuid, Path), ("message_id" = Uuid, Path)), request_body = AddAttachment,
    responses((status = 200, body = Attachment), Failures))]
async fn add(
    State(state): State<NovaState>,
    caller: Caller,
    Path((conversation, id)): Path<(Uuid, Uuid)>,
    Json(request): Json<AddAttachment>,
) -> Result<Json<Attachment>, ApiError> {
    let to = read::message(&state, caller.user, Some(conversation), id).await?;
    if to.sender_id != caller.user.0 {
        return Err(ApiError::Forbidden("only the author of a message can add to it"));
    }
    state.sends.check(caller.user).map_err(ApiError::TooMany)?;
    let size = match request.file_size {
        None => None,
        Some(size) => match u64::try_from(size) {
            Ok(size) if size > 0 => Some(size),
            _ => return Err(ApiError::Invalid("file_size must be at least 1".to_owned())),
        },
    };
    let wanted = NewMedia {
        name: Some(request.file_name),
        mime: request.file_type,
        size,
        attached_to: Some(MessageId(id)),
        ..NewMedia::from(origin_of_key(&request.s3_key)?)
    };
    let media = state.bridge.carried(caller.user, wanted).await?;
    // The same upload added to the same message again is the same attachment.
    let key = format!("attachment {id} {}", request.s3_key);
    let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()).to_string();
    let text = Text::carrying(media, "");
    let said = Said {
        text,
        idempotency_key: Some(format!("attachment:{key}")),
        reply_to: None,
        thread: None,
    };
    let place = ConversationId(conversation);
    let sent = state.bridge.send_message(caller.user, place, said).await?;
    let file = sent.text.media.as_ref().and_then(Media::file);
    let file = file.ok_or(CommandError::NoSuchFile)?;
    let attachment = Attachment::new(sent.id.0, id, Time(sent.created_at), file, &state.links);
    Ok(Json(attachment))
}

/// The files of a message: its own, and those that were added.
#[utoipa::path(get, path = "/messages/{message_id}/attachments", tag = "media", params(("message_id" = Uuid, Path)),
    responses((status = 200, body = Attachments), Failures))]
async fn list(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<Attachments>, ApiError> {
    let attachments = read::message(&state, caller.user, None, id).await?.attachments;
    Ok(Json(Attachments {
        message_id: id,
        count: attachments.len(),
        attachments,
    }))
}
