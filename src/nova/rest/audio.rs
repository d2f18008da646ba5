//! Voice messages as the service took them: an address to upload to, and then the message (nova-client-protocol §6.2).

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Json, Path};
use super::failures::Failures;
use super::read;
use crate::bridge::media::{Bucket, NewMedia, Refused};
use crate::bridge::messages::Said;
use crate::domain::ids::ConversationId;
use crate::domain::media::{Kind, has_path, mime};
use crate::domain::message::Text;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Time;
use crate::nova::dto::media::{UPLOAD_KEY, origin_of_url};
use crate::nova::error::ApiError;

/// The longest voice message, in milliseconds.
const LONGEST: u64 = 600_000;
/// How long an address to upload to is good.
const LIFETIME: Duration = Duration::from_hours(1);
/// The codecs, and the types that they come in.
const CODECS: [(&str, &str); 6] = [
    ("opus", "audio/ogg"),
    ("aac", "audio/mp4"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
];

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(send))
        .routes(routes!(presign_audio))
        .routes(routes!(presign))
}

/// A voice message.
#[derive(Debug, Deserialize, ToSchema)]
struct SendAudio {
    /// Where it is: an address in Nova's storage, or what an upload gave (`s3_key`, or the address itself).
    audio_url: String,
    /// How long it is, in milliseconds, from 1 to 600000.
    #[schema(example = 4200)]
    duration_ms: u64,
    /// `opus`, `aac`, `mp3`, `wav`, `flac` or `ogg`.
    #[schema(example = "aac")]
    audio_codec: String,
    /// How loud it is over time, from 0 to 1024.
    #[serde(default)]
    waveform: Vec<u64>,
    /// A key of the client's own: a message under a key that was used before is not sent again.
    idempotency_key: Option<String>,
}

/// A voice message that was sent.
#[derive(Debug, Serialize, ToSchema)]
struct AudioSent {
    /// Its id.
    id: Uuid,
    /// Who sent it.
    sender_id: Uuid,
    /// Its number in the conversation.
    #[schema(example = 43)]
    sequence_number: i64,
    /// Where.
    conversation_id: Uuid,
    /// When.
    created_at: Time,
    /// A link to it, good for a while.
    audio_url: String,
    /// How long it is, in milliseconds.
    #[schema(example = 4200)]
    duration_ms: u64,
    /// Its codec.
    #[schema(example = "aac")]
    audio_codec: String,
}

/// Sends a voice message.
#[utoipa::path(post, path = "/conversations/{conversation_id}/messages/audio", tag = "media", request_body = SendAudio,
    params(("conversation_id" = Uuid, Path)), responses((status = 201, body = AudioSent), Failures))]
async fn send(
    State(state): State<NovaState>,
    caller: Caller,
    Path(conversation): Path<Uuid>,
    Json(request): Json<SendAudio>,
) -> Result<(StatusCode, Json<AudioSent>), ApiError> {
    state.sends.check(caller.user).map_err(ApiError::TooMany)?;
    let invalid = |complaint: &str| ApiError::Invalid(complaint.to_owned());
    if !(1..=LONGEST).contains(&request.duration_ms) {
        return Err(invalid("duration_ms must be 1 to 600000"));
    }
    let codec = CODECS.iter().find(|(name, _)| *name == request.audio_codec);
    let (_, mime) = codec.ok_or_else(|| invalid("audio_codec must be opus, aac, mp3, wav, flac or ogg"))?;
    let wanted = NewMedia {
        kind: Some(Kind::Voice),
        mime: Some((*mime).to_owned()),
        duration_ms: Some(request.duration_ms),
        waveform: request.waveform,
        ..NewMedia::from(origin_of_url(&request.audio_url, &state.links, &state.bridge)?)
    };
    let media = state.bridge.carried(caller.user, wanted).await?;
    let said = Said {
        text: Text::carrying(media, ""),
        idempotency_key: request.idempotency_key,
        reply_to: None,
        thread: None,
    };
    let place = ConversationId(conversation);
    let sent = state.bridge.send_message(caller.user, place, said).await?;
    Ok((
        StatusCode::CREATED,
        Json(AudioSent {
            id: sent.id.0,
            sender_id: sent.sender.0,
            sequence_number: sent.sequence,
            conversation_id: sent.conversation.0,
            created_at: Time(sent.created_at),
            audio_url: state.links.file(sent.id.0),
            duration_ms: request.duration_ms,
            audio_codec: request.audio_codec,
        }),
    ))
}

/// A file that will be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
struct Presign {
    /// Its name, without a path.
    #[schema(example = "voice.m4a")]
    file_name: String,
    /// Its type.
    #[schema(example = "audio/mp4")]
    content_type: String,
}

/// Where to upload it.
#[derive(Debug, Serialize, ToSchema)]
struct Presigned {
    /// Takes one `PUT` with the file as its body, and no token.
    #[serde(rename = "presigned_url")]
    url: String,
    /// How long, in seconds.
    #[schema(example = 3600)]
    expiration: u64,
    /// What the upload is called afterwards.
    #[schema(example = "upload/5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26")]
    s3_key: String,
}

/// Gives an address to upload a voice message to.
#[utoipa::path(post, path = "/conversations/{conversation_id}/messages/audio/presigned-url", tag = "media",
    request_body = Presign, params(("conversation_id" = Uuid, Path)),
    responses((status = 200, body = Presigned), Failures))]
async fn presign_audio(
    State(state): State<NovaState>,
    caller: Caller,
    Path(conversation): Path<Uuid>,
    Json(request): Json<Presign>,
) -> Result<Json<Presigned>, ApiError> {
    if !mime(&request.content_type).is_some_and(|mime| mime.starts_with("audio/")) {
        return Err(ApiError::Invalid("content_type must begin with audio/".to_owned()));
    }
    presigned(&state, &caller, conversation, &request).await.map(Json)
}

/// Gives an address to upload any file to.
#[utoipa::path(post, path = "/conversations/{conversation_id}/attachments/presigned-url", tag = "media",
    request_body = Presign, params(("conversation_id" = Uuid, Path)),
    responses((status = 200, body = Presigned), Failures))]
async fn presign(
    State(state): State<NovaState>,
    caller: Caller,
    Path(conversation): Path<Uuid>,
    Json(request): Json<Presign>,
) -> Result<Json<Presigned>, ApiError> {
    presigned(&state, &caller, conversation, &request).await.map(Json)
}

/// In the bucket where there is one, and here otherwise.
async fn presigned(
    state: &NovaState,
    caller: &Caller,
    conversation: Uuid,
    request: &Presign,
) -> Result<Presigned, ApiError> {
    read::takes_part(state, ConversationId(conversation), caller.user).await?;
    if has_path(&request.file_name) {
        return Err(crate::bridge::CommandError::from(Refused::Path).into());
    }
    let id = state.bridge.new_upload_id();
    let (url, s3_key) = if let Some(bucket) = state.bridge.bucket() {
        let key = Bucket::new_key(caller.user, id, &request.file_name);
        (bucket.put(&key, LIFETIME).to_string(), key)
    } else {
        let url = state.links.upload(caller.user, id, &request.file_name, LIFETIME);
        (url, format!("{UPLOAD_KEY}{id}"))
    };
    Ok(Presigned {
        url,
        expiration: LIFETIME.as_secs(),
        s3_key,
    })
}
