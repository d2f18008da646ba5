//! What a client says, and what it is answered.

use axum::extract::ws::{Message, WebSocket, close_code};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{End, Session, Tongue, database};
use crate::bridge::messages::Said;
use crate::bridge::receipts::UpTo;
use crate::domain::ids::{ConversationId, UserId};
use crate::metrics::ClosedBecause;
use crate::nova::dialects::call_frames::Kind;
use crate::nova::dto::media::Carrying;
use crate::nova::error::ApiError;
use crate::nova::frames;
use crate::nova::messages;
use crate::nova::ws::protocol::{self, CallFrame, ClientFrame, Refused};

/// How many frames over the limit end the socket.
const PATIENCE: u32 = 1000;

/// The code of what is too much.
const RATE_LIMITED: &str = "RATE_LIMITED";

impl Session {
    pub(super) async fn hear(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Ping(_) => {
                self.heard = Instant::now();
                return Ok(());
            }
            Message::Pong(payload) => {
                self.heard = Instant::now();
                self.note_arrival(&payload);
                return Ok(());
            }
            Message::Binary(_) => return Ok(()),
            Message::Close(_) => return Err(End::silent(ClosedBecause::Client)),
            Message::Text(text) => text,
        };
        if matches!(self.tongue, Tongue::Zajel(_)) {
            return Box::pin(self.hear_zajel(socket, &text)).await;
        }
        let (request_id, frame) = protocol::read(&text);
        // Candidates come in dozens and have a limit of their own.
        let free = matches!(
            frame,
            Ok(ClientFrame::Call(CallFrame::Ice, _) | ClientFrame::Foreign(Kind::Ice, _))
        );
        let quiet = free && request_id.is_none();
        let over = !free && self.limiter.check().is_err();
        let result = if over {
            Err(Refused {
                code: RATE_LIMITED,
                detail: "too many frames".to_owned(),
            })
        } else {
            match frame {
                Ok(frame) => self.act(socket, frame).await?,
                Err(refused) => Err(refused),
            }
        };
        // Messages that are too many are not meant: whoever sends them waits for the answer.
        if over || (free && matches!(&result, Err(refused) if refused.code == RATE_LIMITED)) {
            self.lose_patience()?;
        }
        let answer = match result {
            Ok(None) => return Ok(()),
            // Nobody waits to hear of each candidate.
            Ok(Some(_)) if quiet => return Ok(()),
            Ok(Some(fields)) => frames::ack(request_id.as_ref(), fields),
            Err(refused) => frames::error(request_id.as_ref(), refused.code, &refused.detail),
        };
        self.write(socket, answer).await
    }

    /// Counts a frame that was one too many.
    pub(super) fn lose_patience(&mut self) -> Result<(), End> {
        self.refused += 1;
        if self.refused > PATIENCE {
            return Err(End::told(
                ClosedBecause::Protocol,
                close_code::POLICY,
                "too many frames",
            ));
        }
        Ok(())
    }

    /// Carries a frame out. Some are answered with fields.
    pub(super) async fn act(
        &mut self,
        socket: &mut WebSocket,
        frame: ClientFrame,
    ) -> Result<Result<Option<Value>, Refused>, End> {
        match frame {
            ClientFrame::Ping => self.write(socket, r#"{"type":"pong"}"#.into()).await?,
            ClientFrame::Ack(cursor) => self.acknowledge(cursor).await.map_err(|error| database(&error))?,
            ClientFrame::GetUnacked => self.resend(socket).await?,
            ClientFrame::Send {
                conversation,
                said,
                carrying,
            } => {
                return Ok(Box::pin(self.say(conversation, *said, *carrying)).await.map(Some));
            }
            ClientFrame::Typing {
                conversation,
                user,
                typing,
            } => self.types(conversation, user, typing).await,
            ClientFrame::Read { conversation, up_to } => {
                return Ok(self.mark_read(conversation, up_to).await.map(Some));
            }
            ClientFrame::Call(frame, body) => {
                return Ok(Box::pin(self.in_call(frame, &body)).await.map(Some));
            }
            ClientFrame::Foreign(kind, fields) => {
                return Ok(Ok(Box::pin(self.hear_frame(socket, kind, &fields)).await?));
            }
            ClientFrame::Unknown => {}
        }
        Ok(Ok(None))
    }

    /// Nobody is told that it does not work: it comes with every key that is pressed, and the next one comes soon.
    async fn types(&mut self, conversation: Option<ConversationId>, user: Option<UserId>, typing: bool) {
        let Ok(conversation) = self.place(conversation) else {
            return;
        };
        if user.is_some_and(|user| user != self.user) {
            return;
        }
        let bridge = &self.state.nova.bridge;
        if !typing {
            self.typing.retain(|other| *other != conversation);
            bridge.ends_typing(conversation, self.user);
            return;
        }
        match bridge.begins_typing(conversation, self.user).await {
            Ok(()) if !self.typing.contains(&conversation) => self.typing.push(conversation),
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "who types cannot be told"),
        }
    }

    async fn mark_read(&self, conversation: Option<ConversationId>, up_to: UpTo) -> Result<Value, Refused> {
        let conversation = self.place(conversation)?;
        match self.state.nova.bridge.mark_read(self.user, conversation, up_to).await {
            // Not the REST reply's `message`: an old client would take a frame with one for something said.
            Ok(read) => Ok(json!({
                "conversation_id": conversation,
                "last_read_message_id": read.message,
                "last_read_sequence": read.sequence,
                "unread_count": read.unread,
            })),
            Err(error) => Err(refused("message.read", &error.into())),
        }
    }

    /// Where a frame is meant to happen: in the conversation that it names, or else in the socket's own.
    fn place(&self, named: Option<ConversationId>) -> Result<ConversationId, Refused> {
        match (named, self.only) {
            (Some(named), Some(only)) if named != only => {
                Err(Refused::invalid("this socket is for another conversation"))
            }
            (Some(place), _) | (None, Some(place)) => Ok(place),
            (None, None) => Err(Refused::invalid("conversation_id is missing")),
        }
    }

    async fn say(&self, conversation: ConversationId, said: Said, carrying: Carrying) -> Result<Value, Refused> {
        self.place(Some(conversation))?;
        match messages::say(&self.state.nova, self.user, conversation, said, carrying).await {
            Ok(message) => {
                let mut fields = json!({
                    "id": message.id,
                    "sequence_number": message.sequence,
                    "conversation_id": message.conversation,
                    "sender_id": message.sender,
                    "created_at": frames::time(message.created_at),
                    "delivery_status": message.delivery,
                });
                if let (Some(target), Some(fields)) = (message.reply_to, fields.as_object_mut()) {
                    fields.insert("reply_to_message_id".to_owned(), json!(target));
                }
                Ok(fields)
            }
            // Frames have no header for it.
            Err(ApiError::TooMany(wait)) => Err(Refused {
                code: RATE_LIMITED,
                detail: format!("too many messages; again in {} ms", wait.as_millis()),
            }),
            Err(error) => Err(refused("message.send", &error)),
        }
    }
}

/// An error as REST has it.
pub(super) fn refused(what: &str, error: &ApiError) -> Refused {
    error.log("WS", what);
    Refused {
        code: error.code(),
        detail: error.detail(),
    }
}
