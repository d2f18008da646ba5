//! Whether somebody is there. Of Nova users it is known by their sockets.

use std::collections::HashMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::ids::UserId;

/// How long somebody without a socket still counts as there: clients reconnect.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// How long they count as away for a while only: a telephone that was put down.
const AWAY: TimeDelta = TimeDelta::minutes(5);

/// How often Matrix is told again that somebody is there. Synapse takes them for gone after 30 s without a word.
const TOLD_AGAIN: TimeDelta = TimeDelta::seconds(20);

/// Whether somebody is there, by the names of Matrix and of Nova's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There.
    Online,
    /// Away for a while.
    Unavailable,
    /// Gone.
    Offline,
}

impl Status {
    /// The name in frames and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Unavailable => "unavailable",
            Self::Offline => "offline",
        }
    }

    /// The status of that name in Matrix. Who is busy is there.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "online" | "busy" | "org.matrix.msc3026.busy" => Some(Self::Online),
            "unavailable" => Some(Self::Unavailable),
            "offline" => Some(Self::Offline),
            _ => None,
        }
    }
}

/// A Nova user is there, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Who.
    pub user: UserId,
    /// Whether.
    pub status: Status,
    /// Whether it was otherwise before; if not, only Matrix has to hear of it.
    pub is_news: bool,
}

#[derive(Debug)]
struct Seen {
    /// Since when there is no socket.
    gone: Option<Timestamp>,
    told: Status,
    told_at: Timestamp,
}

impl Seen {
    fn status(&self, now: Timestamp) -> Status {
        match self.gone {
            None => Status::Online,
            Some(gone) if now - gone < GRACE => self.told,
            Some(gone) if now - gone < AWAY => Status::Unavailable,
            Some(_) => Status::Offline,
        }
    }
}

/// The Nova users who are there, or were a short while ago.
#[derive(Debug, Default)]
pub struct Presences(HashMap<UserId, Seen>);

impl Presences {
    /// Somebody has a socket.
    pub fn came(&mut self, user: UserId, now: Timestamp) {
        let seen = self.0.entry(user).or_insert(Seen {
            gone: None,
            told: Status::Offline,
            told_at: now,
        });
        seen.gone = None;
    }

    /// Somebody has no socket any more.
    pub fn went(&mut self, user: UserId, now: Timestamp) {
        if let Some(seen) = self.0.get_mut(&user) {
            seen.gone = Some(now);
        }
    }

    /// What has to be told now.
    pub fn pass(&mut self, now: Timestamp) -> Vec<Told> {
        let mut told = Vec::new();
        self.0.retain(|user, seen| {
            let status = seen.status(now);
            let is_news = status != seen.told;
            let again = status == Status::Online && seen.gone.is_none() && now - seen.told_at >= TOLD_AGAIN;
            if is_news || again {
                told.push(Told {
                    user: *user,
                    status,
                    is_news,
                });
                seen.told = status;
                seen.told_at = now;
            }
            status != Status::Offline || seen.gone.is_none()
        });
        told
    }

    /// What was told of somebody.
    #[must_use]
    pub fn status(&self, user: UserId) -> Status {
        self.0.get(&user).map_or(Status::Offline, |seen| seen.told)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    const ANA: UserId = UserId(Uuid::from_u128(0xA));

    fn at(seconds: i64) -> Timestamp {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn told(presences: &mut Presences, seconds: i64) -> Vec<(Status, bool)> {
        let told = presences.pass(at(seconds));
        told.into_iter().map(|it| (it.status, it.is_news)).collect()
    }

    #[test]
    fn somebody_comes_stays_and_goes_by_and_by() {
        let mut presences = Presences::default();
        presences.came(ANA, at(0));
        assert_eq!(told(&mut presences, 1), [(Status::Online, true)]);
        assert_eq!(told(&mut presences, 20), []);
        assert_eq!(told(&mut presences, 21), [(Status::Online, false)]);
        presences.went(ANA, at(30));
        assert_eq!(told(&mut presences, 39), [], "clients reconnect");
        assert_eq!(told(&mut presences, 40), [(Status::Unavailable, true)]);
        assert_eq!(told(&mut presences, 329), []);
        assert_eq!(told(&mut presences, 330), [(Status::Offline, true)]);
        assert_eq!(told(&mut presences, 1_000), []);
        assert!(presences.0.is_empty(), "who is gone is forgotten");
    }

    #[test]
    fn who_reconnects_was_never_gone() {
        let mut presences = Presences::default();
        presences.came(ANA, at(0));
        presences.pass(at(0));
        for second in 1..10 {
            presences.went(ANA, at(second));
            assert_eq!(told(&mut presences, second), []);
            presences.came(ANA, at(second));
            assert_eq!(told(&mut presences, second), []);
        }
        assert_eq!(presences.status(ANA), Status::Online);
    }

    #[test]
    fn who_comes_back_after_a_while_is_told_of() {
        let mut presences = Presences::default();
        presences.came(ANA, at(0));
        presences.pass(at(0));
        presences.went(ANA, at(1));
        assert_eq!(told(&mut presences, 60), [(Status::Unavailable, true)]);
        presences.came(ANA, at(61));
        assert_eq!(told(&mut presences, 61), [(Status::Online, true)]);
    }

    #[test]
    fn who_only_looked_in_was_never_there() {
        let mut presences = Presences::default();
        presences.came(ANA, at(0));
        presences.went(ANA, at(0));
        assert_eq!(told(&mut presences, 1), []);
        assert_eq!(told(&mut presences, 20), []);
    }
}
