//! `/ws` and `/ws/chat`: the handshake (nova-client-protocol §3, nova-api §3), and that of `/zajel/{token}`. The socket
//! itself is `session`.

mod protocol;
mod session;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, OriginalUri, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::NovaState;
use super::auth::{authenticate, owner_of};
use super::dialects::call_frames::zajel::{Desk, Lobby};
use super::dialects::call_frames::{Line, Naming};
use super::hub::Hub;
use crate::domain::feed::Cursor;
use crate::domain::ids::{ConversationId, UserId};
use crate::store::conversations;

use session::{Session, Tongue};

/// The largest frame that a client may send, in bytes: the longest text, formatted and escaped.
const MAX_FRAME: usize = 256 * 1024;

/// What tungstenite reads at once, in bytes. Its own default of 128 KiB would be most of an idle socket's memory.
const READ_BUFFER: usize = 2 * 1024;

/// How much is gathered before it is written, in bytes; a flush writes whatever there is.
const WRITE_BUFFER: usize = 8 * 1024;

/// What the sockets need besides the handlers' state.
#[derive(Clone)]
pub struct WsState {
    /// The handlers' state.
    pub nova: NovaState,
    /// Who is shown what.
    pub hub: Hub,
    /// Sockets are joined at shutdown; axum does not wait for them.
    pub sockets: TaskTracker,
    /// Cancelled when sockets have to go.
    pub stopping: CancellationToken,
    /// Which clients of Zajel are there.
    pub lobby: Lobby,
}

/// The routes of the WebSocket.
pub fn router(state: WsState) -> Router {
    Router::new()
        .route("/ws", get(upgrade))
        .route("/ws/chat", get(upgrade))
        .route("/api/v1/ws", get(upgrade))
        .route("/zajel/{token}", get(upgrade_zajel))
        .route("/zajel", get(upgrade_zajel))
        .with_state(state)
}

/// What a client asks for in the query. A repeated or unknown parameter is no error.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    conversation: Option<ConversationId>,
    user: Option<UserId>,
    since: Option<Cursor>,
    /// Whether it is told of calls in the `call_*` frames from the beginning.
    call_frames: bool,
}

impl Asked {
    fn read(query: &str) -> Result<Self, &'static str> {
        let mut asked = Self::default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let uuid = |text: &str| match text.trim() {
                "" => Ok(None),
                text => Uuid::parse_str(text).map(|id| Some(id).filter(|id| !id.is_nil())),
            };
            match &*key {
                "conversation_id" => {
                    asked.conversation = uuid(&value)
                        .map_err(|_| "conversation_id is not a UUID")?
                        .map(ConversationId);
                }
                "user_id" => asked.user = uuid(&value).map_err(|_| "user_id is not a UUID")?.map(UserId),
                "since" if value.is_empty() => {}
                "since" => asked.since = Some(value.parse().map_err(|_| "since is not a stream_id")?),
                "calls" => asked.call_frames = value == "frames",
                _ => {}
            }
        }
        Ok(asked)
    }
}

async fn upgrade(
    State(state): State<WsState>,
    OriginalUri(uri): OriginalUri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let query = query.unwrap_or_default();
    let asked = match Asked::read(&query) {
        Ok(asked) => asked,
        Err(what) => return (StatusCode::BAD_REQUEST, what).into_response(),
    };
    let caller = match authenticate(&state.nova, &uri, &headers).await {
        Ok(caller) => caller,
        Err(error) => {
            error.log("GET", uri.path());
            return error.status().into_response();
        }
    };
    if asked.user.is_some_and(|user| user != caller.user) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if let Some(conversation) = asked.conversation {
        match takes_part(&state, conversation, caller.user).await {
            Ok(true) => {}
            Ok(false) => return StatusCode::FORBIDDEN.into_response(),
            Err(error) => return unavailable(&error),
        }
    }
    let (user, only) = (caller.user, asked.conversation);
    let greet = state.nova.settings.greeting && uri.path() == "/ws/chat";
    let tongue = if asked.call_frames {
        let line = Line::new(state.nova.clone(), user, only, Naming::Ids);
        Tongue::Frames(Box::new(line))
    } else {
        Tongue::Nova
    };
    let opened = Opened {
        user,
        only,
        since: asked.since,
        greet,
        tongue,
    };
    open(state, opened, request).await
}

/// A socket of a Zajel client. Its frames carry no token, and some of its clients can set no header: so it is in the path.
async fn upgrade_zajel(
    State(state): State<WsState>,
    OriginalUri(uri): OriginalUri,
    token: Option<Path<String>>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let caller = match &token {
        Some(Path(token)) => owner_of(&state.nova, token).await,
        None => authenticate(&state.nova, &uri, &headers).await,
    };
    let user = match caller {
        Ok(caller) => caller.user,
        Err(error) => {
            error.log("GET", "/zajel");
            return error.status().into_response();
        }
    };
    let line = Line::new(state.nova.clone(), user, None, Naming::Codes);
    let opened = Opened {
        user,
        only: None,
        since: None,
        greet: false,
        tongue: Tongue::Zajel(Box::new(Desk::new(line, state.lobby.clone()))),
    };
    open(state, opened, request).await
}

/// What a handshake has found out.
struct Opened {
    user: UserId,
    only: Option<ConversationId>,
    since: Option<Cursor>,
    greet: bool,
    tongue: Tongue,
}

async fn open(state: WsState, opened: Opened, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let sockets = state.sockets.clone();
    let (session, seat) = Session::new(state, opened);
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(4 * 1024 * 1024)
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .on_upgrade(move |socket| async move {
            // The upgrade's own task is axum's; the socket runs on ours, so that shutdown can wait for it.
            drop(sockets.spawn(session.run(seat, socket)));
        })
}

async fn takes_part(
    state: &WsState,
    conversation: ConversationId,
    user: UserId,
) -> Result<bool, crate::store::StoreError> {
    let mut connection = state.nova.bridge.store().read().await?;
    Ok(conversations::takes_part(&mut connection, conversation, user).await? == Some(true))
}

fn unavailable(error: &crate::store::StoreError) -> Response {
    tracing::error!(%error, "a socket cannot be opened");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_in_any_case_and_nil_is_absent() {
        let id = Uuid::from_u128(0xC7E4);
        let upper = id.to_string().to_uppercase();
        let asked = Asked::read(&format!(
            "conversation_id={upper}&user_id={}&token=x&more=1",
            Uuid::nil()
        ))
        .unwrap();
        assert_eq!(
            asked,
            Asked {
                conversation: Some(ConversationId(id)),
                user: None,
                since: None,
                call_frames: false,
            }
        );
        let asked = Asked::read("since=1767863730123-0").unwrap();
        assert_eq!(
            asked.since,
            Some(Cursor {
                position: 1_767_863_730_123,
                n: 0
            })
        );
        assert!(Asked::read("calls=frames").unwrap().call_frames);
        assert!(!Asked::read("calls=nova").unwrap().call_frames);
    }

    #[test]
    fn what_is_no_uuid_or_cursor_is_refused() {
        for query in ["conversation_id=5", "user_id=me", "since=yesterday", "since=-1-0"] {
            assert!(Asked::read(query).is_err(), "{query}");
        }
    }
}
