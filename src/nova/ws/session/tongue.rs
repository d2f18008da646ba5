//! Sockets that are told of calls in the `call_*` frames (`dialects::call_frames`): Nova's own, from the first such frame
//! on or because they asked for it when they opened, and those of Zajel's clients, who know nothing else.

use axum::extract::ws::{Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{End, Session};
use crate::domain::feed::{Change, Cursor, FeedEntry, FeedEvent};
use crate::metrics::ClosedBecause;
use crate::nova::dialects::call_frames::zajel::{Desk, Heard, Next};
use crate::nova::dialects::call_frames::{Kind, Line, Naming};
use crate::nova::error::ApiError;

/// How a socket is told of calls.
pub(in crate::nova::ws) enum Tongue {
    /// In Nova's own frames.
    Nova,
    /// Of calls between two people in the `call_*` frames, of everything else in Nova's.
    Frames(Box<Line>),
    /// In the `call_*` frames, and of nothing else.
    Zajel(Box<Desk>),
}

impl Tongue {
    pub(super) const fn is_nova(&self) -> bool {
        matches!(self, Self::Nova)
    }

    pub(super) fn line(&mut self) -> Option<&mut Line> {
        match self {
            Self::Nova => None,
            Self::Frames(line) => Some(line),
            Self::Zajel(desk) => desk.line(),
        }
    }

    /// Cancelled when another socket takes this one's place; never for Nova's own.
    pub(super) fn replaced(&self) -> CancellationToken {
        match self {
            Self::Nova | Self::Frames(_) => CancellationToken::new(),
            Self::Zajel(desk) => desk.replaced(),
        }
    }
}

impl Session {
    /// What the socket is shown of an entry; `None` where that is in Nova's frames.
    pub(super) async fn in_tongue(&mut self, entry: &FeedEntry) -> Result<Option<Vec<Utf8Bytes>>, End> {
        let told = match (&entry.event, self.tongue.line()) {
            (FeedEvent::Change(Change::Call { call, news }), Some(line)) => {
                line.tell(*call, news).await.map_err(|error| failed(&error))?
            }
            (
                FeedEvent::Change(_) | FeedEvent::Edited { .. } | FeedEvent::Requested { .. } | FeedEvent::Message(_),
                _,
            ) => None,
        };
        // A client of Zajel knows nothing else.
        let nothing_else = matches!(self.tongue, Tongue::Zajel(_)).then(Vec::new);
        Ok(told.or(nothing_else))
    }

    /// Hears a `call_*` frame on one of Nova's sockets, which speaks the dialect from then on. Answered like Nova's own
    /// frames, where the client asks for it.
    pub(super) async fn hear_frame(
        &mut self,
        socket: &mut WebSocket,
        kind: Kind,
        fields: &Map<String, Value>,
    ) -> Result<Option<Value>, End> {
        if self.tongue.is_nova() {
            let line = Line::new(self.state.nova.clone(), self.user, self.only, Naming::Ids);
            self.tongue = Tongue::Frames(Box::new(line));
            self.ring(socket).await?;
        }
        let Some(line) = self.tongue.line() else {
            return Ok(None);
        };
        let request_id = fields.get("request_id").filter(|id| id.is_string() || id.is_number());
        match line.hear(kind, fields).await {
            Ok(call) => Ok(request_id.map(|_| json!({ "callId": call }))),
            Err(fault) => {
                for frame in fault.frames(request_id) {
                    self.write(socket, frame).await?;
                }
                if kind == Kind::Ice && fault.is_too_fast() {
                    self.lose_patience()?;
                }
                Ok(None)
            }
        }
    }

    /// Hears a frame of a Zajel client.
    pub(super) async fn hear_zajel(&mut self, socket: &mut WebSocket, said: &str) -> Result<(), End> {
        let Tongue::Zajel(desk) = &mut self.tongue else {
            return Ok(());
        };
        let limiter = &self.limiter;
        let heard = desk.hear(said, || limiter.check().is_err()).await;
        let Heard { frames, next, too_fast } = heard.map_err(|error| failed(&error))?;
        for frame in frames {
            self.write(socket, frame).await?;
        }
        if too_fast {
            self.lose_patience()?;
        }
        match next {
            Next::Nothing => Ok(()),
            Next::Begin => {
                self.arrived = self.cursor;
                self.ring(socket).await?;
                self.show_answers(socket).await
            }
            Next::Resume(cursor) => {
                self.cursor = cursor.min(self.cursor);
                self.arrived = self.cursor;
                self.ring(socket).await?;
                self.catch_up(socket).await
            }
            Next::Close => Err(End::told(ClosedBecause::Client, close_code::POLICY, "code collision")),
        }
    }

    /// What a ping carries: how far the client was sent the feed. Its answer brings it back, behind all of that.
    pub(super) fn ping_payload(&self) -> Bytes {
        match self.tongue {
            Tongue::Nova | Tongue::Frames(_) => Bytes::new(),
            Tongue::Zajel(_) => self.cursor.to_string().into(),
        }
    }

    /// Notes what the answer to a ping says.
    pub(super) fn note_arrival(&mut self, payload: &[u8]) {
        let cursor: Option<Cursor> = std::str::from_utf8(payload).ok().and_then(|it| it.parse().ok());
        self.arrived = cursor.map_or(self.arrived, |it| it.min(self.cursor).max(self.arrived));
    }

    async fn show_answers(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let Tongue::Zajel(desk) = &mut self.tongue else {
            return Ok(());
        };
        for frame in desk.answers().await.map_err(|error| failed(&error))? {
            self.write(socket, frame).await?;
        }
        Ok(())
    }
}

/// The database failed: the client connects again and finds its calls.
pub(super) fn failed(error: &ApiError) -> End {
    error.log("WS", "calls");
    End::told(ClosedBecause::Error, close_code::AGAIN, "try again")
}
