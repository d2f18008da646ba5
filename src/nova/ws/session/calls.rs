//! Calls on a socket: what rings when it opens, and what is done in them.

use axum::extract::ws::{Message, WebSocket};
use serde::Serialize;
use serde_json::Value;

use super::hearing::refused;
use super::tongue::failed;
use super::{End, Session, in_time};
use crate::domain::call::News;
use crate::domain::feed::{Change, FeedEntry, FeedEvent};
use crate::nova::calls;
use crate::nova::dto::calls::body::Body;
use crate::nova::dto::calls::request::{self, Action, Which};
use crate::nova::dto::calls::{CallReply, Received};
use crate::nova::error::ApiError;
use crate::nova::frames;
use crate::nova::ws::protocol::{CallFrame, Refused};

impl Session {
    /// Shows what rings for the user at the moment: they may have been told on a socket that is gone.
    pub(super) async fn ring(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let ringing = match self.state.nova.bridge.ringing_for(self.user, self.only).await {
            Ok(ringing) => ringing,
            Err(error) => {
                // Messages matter too; whoever calls tries again.
                ApiError::from(error).log("WS", "ringing");
                return Ok(());
            }
        };
        if ringing.is_empty() {
            return Ok(());
        }
        self.rung = ringing.iter().map(|it| it.call).collect();
        for news in ringing {
            let own = match self.tongue.line() {
                Some(line) => line.ring(&news).await.map_err(|error| failed(&error))?,
                None => None,
            };
            let frames = own.unwrap_or_else(|| {
                let links = &self.state.hub.ways().links;
                frames::ringing(news, self.user, self.cursor, links)
            });
            for frame in frames {
                in_time(futures_util::SinkExt::feed(socket, Message::Text(frame))).await?;
            }
        }
        self.flush(socket).await
    }

    /// Whether an entry is the ring of a call that the socket was shown when it opened.
    pub(super) fn rings_already(&self, entry: &FeedEntry) -> bool {
        match &entry.event {
            FeedEvent::Change(Change::Call {
                call,
                news: News::Initiated { .. },
            }) => self.rung.contains(call),
            FeedEvent::Change(_) | FeedEvent::Edited { .. } | FeedEvent::Requested { .. } | FeedEvent::Message(_) => {
                false
            }
        }
    }

    /// Does something in a call, and answers as REST does.
    pub(super) async fn in_call(&self, frame: CallFrame, body: &Body) -> Result<Value, Refused> {
        let done = self.call_frame(frame, body).await;
        done.map_err(|error| refused(frame.name(), &error))
    }

    async fn call_frame(&self, frame: CallFrame, body: &Body) -> Result<Value, ApiError> {
        let (nova, user, only) = (&self.state.nova, self.user, self.only);
        if frame == CallFrame::Ice {
            calls::count_candidates(nova, user)?;
        }
        let action = match frame {
            CallFrame::Initiate => {
                // A socket that is for one conversation need not name it.
                let wanted = request::place(body, only)?;
                return json(&calls::place(nova, user, wanted).await?);
            }
            CallFrame::Accept => request::accept(body)?,
            CallFrame::Answer => request::answer(body)?,
            CallFrame::Reject => request::reject(body)?,
            CallFrame::Hangup => request::end(body)?,
            CallFrame::Ice => request::candidates(body)?,
            CallFrame::Negotiate => request::negotiate(body)?,
            CallFrame::Media => request::media(body)?,
            CallFrame::Join => request::join(body)?,
            CallFrame::Leave => Action::Leave,
        };
        let which = Which::read(body)?;
        match frame {
            CallFrame::Accept | CallFrame::Answer => json(&calls::answer(nova, user, which, only, action).await?),
            CallFrame::Join => json(&calls::join(nova, user, which, only, action).await?),
            CallFrame::Ice => json(&Received::of(&calls::act(nova, user, which, only, action).await?)),
            CallFrame::Initiate
            | CallFrame::Reject
            | CallFrame::Hangup
            | CallFrame::Negotiate
            | CallFrame::Media
            | CallFrame::Leave => {
                let call = calls::act(nova, user, which, only, action).await?;
                json(&CallReply::new(&call, Some(user), nova.bridge.now()))
            }
        }
    }
}

fn json(reply: &impl Serialize) -> Result<Value, ApiError> {
    // Our own structures have text keys only and no failing parts.
    serde_json::to_value(reply).map_err(|_| ApiError::Bug)
}
