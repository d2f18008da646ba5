//! Where people are (nova-client-protocol §6.7).

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Fields, Json, Path};
use super::failures::Failures;
use crate::bridge::messages::Said;
use crate::domain::ids::ConversationId;
use crate::domain::media::{Media, Place};
use crate::domain::message::Text;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Time;
use crate::nova::dto::media;
use crate::nova::dto::people::{NearbyUser, NearbyUsers, ShareLocation, SharedLocation, Stopped};
use crate::nova::error::ApiError;

/// The routes.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(share, stop))
        .routes(routes!(nearby))
}

/// Says where the caller is, with a message that carries the place, and lets those in the conversation see it from then on.
#[utoipa::path(post, path = "/conversations/{conversation_id}/location", tag = "people", request_body = ShareLocation,
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = SharedLocation), Failures))]
async fn share(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(request): Json<ShareLocation>,
) -> Result<Json<SharedLocation>, ApiError> {
    state.sends.check(caller.user).map_err(ApiError::TooMany)?;
    let complaint = || ApiError::Invalid("latitude must be -90 to 90, longitude -180 to 180".to_owned());
    let accuracy = request.accuracy_meters.or(request.accuracy);
    let place = Place::new(request.latitude, request.longitude, accuracy).ok_or_else(complaint)?;
    let said = Said {
        text: media::said(
            Media::Place(place),
            Text::plain(request.description.unwrap_or_default()),
        ),
        idempotency_key: request.idempotency_key,
        reply_to: None,
        thread: None,
    };
    let said = state
        .bridge
        .share_location(caller.user, ConversationId(id), said)
        .await?;
    // Under a key that was used before, what was said then.
    let Some(Media::Place(place)) = &said.text.media else {
        return Err(ApiError::Invalid(
            "idempotency_key was used for another message".to_owned(),
        ));
    };
    let (latitude, longitude) = place.degrees();
    Ok(Json(SharedLocation {
        success: true,
        id: said.id.0,
        conversation_id: id,
        user_id: caller.user.0,
        latitude,
        longitude,
        accuracy_meters: place.whole_metres(),
        sequence_number: said.sequence,
        created_at: Time(said.created_at),
    }))
}

/// Lets those in the conversation see no more where the caller is. What was said stays said.
#[utoipa::path(delete, path = "/conversations/{conversation_id}/location", tag = "people",
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = Stopped), Failures))]
async fn stop(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    // Old clients send an empty object.
    _body: Fields,
) -> Result<Json<Stopped>, ApiError> {
    state.bridge.stop_location(caller.user, ConversationId(id)).await?;
    Ok(Json(Stopped {
        success: true,
        status: "stopped",
    }))
}

/// People who let the caller know where they are, each once, as they said last.
#[utoipa::path(get, path = "/nearby-users", tag = "people", responses((status = 200, body = NearbyUsers), Failures))]
async fn nearby(State(state): State<NovaState>, caller: Caller) -> Result<Json<NearbyUsers>, ApiError> {
    let around = state.bridge.people_around(caller.user).await?;
    Ok(Json(NearbyUsers {
        users: around.into_iter().map(NearbyUser::from).collect(),
    }))
}
