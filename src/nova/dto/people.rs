//! Blocks, requests, and where people are (nova-client-protocol §6.7).

use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;
use crate::domain::request::{DmPermission, preview};
use crate::nova::avatars;
use crate::store::blocks;
use crate::store::locations::Shared;
use crate::store::requests::Request;

/// Whom to block.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BlockUser {
    /// Nova's id or a Matrix id.
    #[schema(example = "8a6d0e42-51bf-4c39-9e7a-2b4f1d8c6a90")]
    pub user_id: String,
    /// Why, for the caller alone; at most 255 characters.
    pub reason: Option<String>,
}

/// Done, or not, in words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Outcome {
    /// Whether it is so now.
    #[schema(example = true)]
    pub success: bool,
    /// The same in words.
    #[schema(value_type = String, example = "User blocked")]
    pub message: &'static str,
}

/// Somebody who is blocked.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names that clients know")]
pub struct Blocked {
    /// Who.
    user_id: Uuid,
    /// The same in Matrix.
    #[schema(example = "@elena:example.com")]
    matrix_user_id: String,
    /// Why.
    reason: Option<String>,
    /// Since when.
    blocked_at: Time,
}

impl From<blocks::Block> for Blocked {
    fn from(block: blocks::Block) -> Self {
        Self {
            user_id: block.user.0,
            matrix_user_id: block.mxid,
            reason: block.reason,
            blocked_at: Time(block.since),
        }
    }
}

/// What somebody is to the caller. Follows are not known: who takes part in the direct conversation of the two counts as
/// following.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the fields that clients know")]
pub struct Relationship {
    /// Whether the caller takes part in it.
    is_following: bool,
    /// Whether the other one does.
    is_followed_by: bool,
    /// Whether both do.
    is_mutual: bool,
    /// Whether the other one blocks the caller.
    is_blocked: bool,
    /// Whether the caller blocks the other one.
    is_blocking: bool,
}

impl From<blocks::Relation> for Relationship {
    fn from(relation: blocks::Relation) -> Self {
        Self {
            is_following: relation.follows,
            is_followed_by: relation.followed,
            is_mutual: relation.follows && relation.followed,
            is_blocked: relation.blocked,
            is_blocking: relation.blocks,
        }
    }
}

/// Who may open a chat with the caller, or add them to a group, without asking.
#[derive(Debug, Serialize, ToSchema)]
pub struct Privacy {
    /// `anyone`, `followers`, `mutuals` (both: whoever the caller has a direct conversation with) or `nobody`.
    #[schema(value_type = String, example = "mutuals")]
    pub dm_permission: &'static str,
}

impl From<DmPermission> for Privacy {
    fn from(permission: DmPermission) -> Self {
        Self {
            dm_permission: permission.as_str(),
        }
    }
}

/// Who may from now on.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SetDmPermission {
    /// `anyone`, `followers`, `mutuals` or `nobody`.
    #[schema(example = "mutuals")]
    pub dm_permission: String,
}

/// Somebody asks the caller to come to a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageRequest {
    /// The request; also the id that the conversation has once it is accepted.
    id: Uuid,
    /// Who asks.
    requester_id: Uuid,
    /// The beginning of what they say, where that is known.
    message_preview: Option<String>,
    /// Since when.
    created_at: Time,
    /// `direct` or `group`.
    #[serde(rename = "type")]
    kind: String,
    /// A group's name.
    name: Option<String>,
    /// The handle of who asks.
    requester_username: Option<String>,
    /// Their name.
    requester_display_name: Option<String>,
    /// Their Matrix id.
    requester_matrix_user_id: String,
    /// Their picture.
    requester_avatar_url: Option<String>,
    /// A group's description.
    description: Option<String>,
    /// A group's picture.
    avatar_url: Option<String>,
}

impl MessageRequest {
    /// As clients see it, with links below `public_url`.
    #[must_use]
    pub fn new(request: Request, public_url: &Url) -> Self {
        let picture = |of, url: Option<&str>| avatars::shown(public_url, of, url);
        Self {
            requester_avatar_url: picture(request.by.0, request.picture.as_deref()),
            avatar_url: picture(request.conversation.0, request.avatar_url.as_deref()),
            description: request.description,
            id: request.conversation.0,
            requester_id: request.by.0,
            message_preview: request.said.as_deref().map(preview),
            created_at: Time(request.since),
            kind: request.kind,
            name: request.name,
            requester_username: request.username,
            requester_display_name: request.display_name,
            requester_matrix_user_id: request.mxid,
        }
    }
}

/// The caller has come to a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// Who asked.
    pub requester_id: Uuid,
    /// Where.
    pub conversation_id: Uuid,
}

/// Where the caller is.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ShareLocation {
    /// In degrees.
    #[schema(example = 52.3676)]
    pub latitude: f64,
    /// In degrees.
    #[schema(example = 4.9041)]
    pub longitude: f64,
    /// How exact that is, in metres.
    pub accuracy_meters: Option<f64>,
    /// The same, as the iOS app calls it.
    pub accuracy: Option<f64>,
    /// What is there, in words.
    pub description: Option<String>,
    /// The client's own key: under it the place is said once.
    pub idempotency_key: Option<String>,
}

/// Where the caller is, as it was said.
#[derive(Debug, Serialize, ToSchema)]
pub struct SharedLocation {
    /// Always true.
    pub success: bool,
    /// The message that says it.
    pub id: Uuid,
    /// Where it was said.
    pub conversation_id: Uuid,
    /// Who.
    pub user_id: Uuid,
    /// In degrees.
    pub latitude: f64,
    /// In degrees.
    pub longitude: f64,
    /// How exact that is, in metres; 0 where nobody says.
    pub accuracy_meters: i64,
    /// The message's number.
    pub sequence_number: i64,
    /// When.
    pub created_at: Time,
}

/// The caller no longer says where they are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stopped {
    /// Always true.
    pub success: bool,
    /// Always `stopped`.
    #[schema(value_type = String, example = "stopped")]
    pub status: &'static str,
}

/// Somebody who lets the caller know where they are.
#[derive(Debug, Serialize, ToSchema)]
pub struct NearbyUser {
    /// Who.
    user_id: Uuid,
    /// A Nova user's handle.
    username: Option<String>,
    /// What others call them.
    display_name: Option<String>,
    /// Where they say so.
    conversation_id: Uuid,
    /// In degrees.
    latitude: f64,
    /// In degrees.
    longitude: f64,
    /// How exact that is, in metres; 0 where nobody says.
    accuracy_meters: i64,
    /// Since when.
    updated_at: Time,
}

impl From<Shared> for NearbyUser {
    fn from(shared: Shared) -> Self {
        let (latitude, longitude) = shared.place.degrees();
        Self {
            user_id: shared.user.0,
            username: shared.username,
            display_name: shared.display_name,
            conversation_id: shared.conversation.0,
            latitude,
            longitude,
            accuracy_meters: shared.place.whole_metres(),
            updated_at: Time(shared.at),
        }
    }
}

/// People who let the caller know where they are.
#[derive(Debug, Serialize, ToSchema)]
pub struct NearbyUsers {
    /// Each once.
    pub users: Vec<NearbyUser>,
}
