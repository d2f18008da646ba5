//! What a client says, and what it is answered.

use axum::extract::ws::{Message, WebSocket, close_code};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{End, Session, Tongue, database};
use crate::bridge::CommandError;
use crate::domain::ids::ConversationId;
use crate::domain::message::Text;
use crate::metrics::ClosedBecause;
use crate::nova::dialects::call_frames::Kind;
use crate::nova::error::ApiError;
use crate::nova::frames;
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
                text,
                idempotency_key,
            } => {
                return Ok(self.say(conversation, text, idempotency_key).await.map(Some));
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

    pub(super) async fn say(
        &self,
        conversation: ConversationId,
        text: Text,
        idempotency_key: Option<String>,
    ) -> Result<Value, Refused> {
        let nova = &self.state.nova;
        if let Some(only) = self.only
            && only != conversation
        {
            return Err(Refused::invalid("this socket is for another conversation"));
        }
        if let Err(wait) = nova.sends.check(self.user) {
            let detail = format!("too many messages; again in {} ms", wait.as_millis());
            return Err(Refused {
                code: RATE_LIMITED,
                detail,
            });
        }
        match nova
            .bridge
            .send_message(self.user, conversation, text, idempotency_key)
            .await
        {
            Ok(message) => Ok(json!({
                "id": message.id,
                "sequence_number": message.sequence,
                "conversation_id": message.conversation,
                "sender_id": message.sender,
                "created_at": frames::time(message.created_at),
                "delivery_status": message.delivery,
            })),
            Err(error) => Err(refusal(error)),
        }
    }
}

/// An error of the use cases, by the code that REST has for it too.
fn refusal(error: CommandError) -> Refused {
    refused("message.send", &error.into())
}

/// An error as REST has it.
pub(super) fn refused(what: &str, error: &ApiError) -> Refused {
    error.log("WS", what);
    Refused {
        code: error.code(),
        detail: error.detail(),
    }
}
