//! Which Zajel clients are there, and what is kept of those that may come back.
//!
//! A client makes a new code for each connection; what stays is its key, for as long as its page is open.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::Line;
use crate::domain::contact_code::ContactCode;
use crate::domain::feed::Cursor;
use crate::domain::ids::UserId;

/// How long a socket that is replaced has to let go of its calls.
const LET_GO: Duration = Duration::from_secs(1);

/// How long a client that is away may come back and go on where it was: longer than a ring and a grace together.
const REMEMBERED: Duration = Duration::from_mins(2);

/// A client: a user, and the key of one page or device.
type Client = (UserId, Arc<str>);

/// A registered socket.
struct Holder {
    client: Client,
    /// Cancelled to make it go.
    replaced: CancellationToken,
    /// Cancelled once it is gone.
    gone: CancellationToken,
}

/// What is kept of a client that is away.
struct Away {
    line: Box<Line>,
    cursor: Cursor,
    until: Instant,
}

#[derive(Default)]
struct State {
    here: HashMap<ContactCode, Holder>,
    away: HashMap<Client, Away>,
}

/// All Zajel clients of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Lobby(Arc<Mutex<State>>);

impl fmt::Debug for Lobby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lobby").finish_non_exhaustive()
    }
}

/// A socket's registration.
pub(super) struct Place {
    code: ContactCode,
    client: Client,
    gone: CancellationToken,
}

/// What becomes of somebody who registers.
pub(super) enum Greeted {
    /// Somebody else has the code.
    Taken,
    /// It is new.
    New(Place),
    /// It was here before, with these calls, up to this place in the feed.
    Back(Place, Box<Line>, Cursor),
}

impl Lobby {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a socket. One of the same client, or of the same user with the same code, has to go: it is a connection
    /// that broke without our knowing.
    pub(super) async fn greet(
        &self,
        user: UserId,
        code: &ContactCode,
        key: &Arc<str>,
        replaced: &CancellationToken,
    ) -> Greeted {
        let client = (user, Arc::clone(key));
        let before: Vec<CancellationToken> = {
            let state = self.lock();
            if state.here.get(code).is_some_and(|it| it.client.0 != user) {
                return Greeted::Taken;
            }
            let same = |(its, holder): (&ContactCode, &Holder)| {
                (its == code || holder.client == client).then(|| {
                    holder.replaced.cancel();
                    holder.gone.clone()
                })
            };
            state.here.iter().filter_map(same).collect()
        };
        for gone in before {
            // One that hangs is left behind; its calls are shown anew.
            drop(timeout(LET_GO, gone.cancelled()).await);
        }
        let mut state = self.lock();
        // Somebody may have been faster.
        if state.here.get(code).is_some_and(|it| it.client.0 != user) {
            return Greeted::Taken;
        }
        let gone = CancellationToken::new();
        let holder = Holder {
            client: client.clone(),
            replaced: replaced.clone(),
            gone: gone.clone(),
        };
        state.here.insert(code.clone(), holder);
        let away = state.away.remove(&client).filter(|it| it.until > Instant::now());
        let place = Place {
            code: code.clone(),
            client,
            gone,
        };
        match away {
            Some(Away { line, cursor, .. }) => Greeted::Back(place, line, cursor),
            None => Greeted::New(place),
        }
    }

    /// The socket is gone, and its client may be back soon.
    pub(super) fn leave(&self, place: &Place, line: Line, cursor: Cursor) {
        let now = Instant::now();
        let away = Away {
            line: Box::new(line),
            cursor,
            until: now + REMEMBERED,
        };
        let mut state = self.lock();
        state.away.retain(|_, it| it.until > now);
        state.away.insert(place.client.clone(), away);
        state.remove(place);
        drop(state);
        place.gone.cancel();
    }

    /// The socket registers anew.
    pub(super) fn forget(&self, place: &Place) {
        self.lock().remove(place);
        place.gone.cancel();
    }

    /// Who registered with a code.
    pub(super) fn owner(&self, code: &ContactCode) -> Option<UserId> {
        self.lock().here.get(code).map(|it| it.client.0)
    }

    /// A key of somebody who is here.
    pub(super) fn key_of(&self, user: UserId) -> Option<String> {
        let state = self.lock();
        let mut holders = state.here.values();
        holders.find(|it| it.client.0 == user).map(|it| it.client.1.to_string())
    }
}

impl State {
    /// Takes a registration out, unless its code is another socket's by now.
    fn remove(&mut self, place: &Place) {
        if self.here.get(&place.code).is_some_and(|it| it.client == place.client) {
            self.here.remove(&place.code);
        }
    }
}
