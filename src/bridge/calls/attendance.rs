//! Who has a socket here. A call whose last socket is gone is held for a while and then ends (nova-api §5).

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bridge::Bridge;
use crate::domain::ids::UserId;

/// The people with sockets in this process.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Attendances(Mutex<Present>);

#[derive(Debug, Default)]
struct Present {
    sockets: HashMap<UserId, usize>,
    /// Who came or went since somebody asked.
    changed: HashSet<UserId>,
}

impl Attendances {
    fn lock(&self) -> MutexGuard<'_, Present> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, user: UserId) -> bool {
        self.lock().sockets.contains_key(&user)
    }

    /// Who came or went since the last time.
    pub(super) fn take_changed(&self) -> Vec<UserId> {
        std::mem::take(&mut self.lock().changed).into_iter().collect()
    }

    /// To be asked again.
    pub(super) fn forget_nothing(&self, users: Vec<UserId>) {
        self.lock().changed.extend(users);
    }
}

/// A socket of somebody is there until this is dropped.
#[derive(Debug)]
#[must_use = "the socket is gone when this is dropped"]
pub struct Attendance {
    bridge: Bridge,
    user: UserId,
}

impl Bridge {
    /// Notes that there is a socket of this person, of whatever protocol.
    pub fn attend(&self, user: UserId) -> Attendance {
        let mut present = self.inner.attendances.lock();
        let sockets = present.sockets.entry(user).or_default();
        *sockets += 1;
        if *sockets == 1 {
            present.changed.insert(user);
            self.is_there(user, true);
            drop(present);
            self.inner.calls_hint.wake();
        }
        Attendance {
            bridge: self.clone(),
            user,
        }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let mut present = self.bridge.inner.attendances.lock();
        let last = match present.sockets.get_mut(&self.user) {
            Some(sockets) => {
                *sockets = sockets.saturating_sub(1);
                *sockets == 0
            }
            None => false,
        };
        if last {
            present.sockets.remove(&self.user);
            present.changed.insert(self.user);
            self.bridge.is_there(self.user, false);
            drop(present);
            self.bridge.inner.calls_hint.wake();
        }
    }
}
