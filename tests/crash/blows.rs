//! What happens to the parts.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use crate::support::env::Env;

/// What a round does to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    KillBridge,
    KillPostgres,
    KillSynapse,
    RestartBridge,
    RestartPostgres,
    RestartSynapse,
}

impl Blow {
    fn part(self) -> &'static str {
        match self {
            Self::KillBridge | Self::RestartBridge => "bridge",
            Self::KillPostgres | Self::RestartPostgres => "postgres",
            Self::KillSynapse | Self::RestartSynapse => "synapse",
        }
    }

    fn kills(self) -> bool {
        matches!(self, Self::KillBridge | Self::KillPostgres | Self::KillSynapse)
    }

    /// Whether Synapse may lose what it was about to push: it stops, or the Postgres does that it shares with the bridge.
    pub(crate) fn may_lose_pushes(self) -> bool {
        self.part() != "bridge"
    }

    /// How many messages a client may have on the way at once. Where the bridge can answer with an error (it runs and
    /// Postgres does not), a client that wants its order waits for each answer.
    pub(crate) fn pipeline(self) -> usize {
        if self.part() == "postgres" { 1 } else { 6 }
    }

    /// The moments of a round, each counted from the end of the one before. Early ones are likelier: Nova's clients are
    /// done soon, and it is their requests, too, that are to be cut off.
    pub(crate) fn moments(self, random: &mut StdRng) -> Vec<Duration> {
        let times = if self == Self::KillBridge {
            random.random_range(1..=3)
        } else {
            1
        };
        let moment = |part: f64| Duration::from_millis(1500).mul_f64(part.powi(3));
        (0..times).map(|_| moment(random.random())).collect()
    }

    pub(crate) async fn strike(self, env: &Env) {
        let options: &[&str] = if self.kills() { &["--kill"] } else { &[] };
        env.restart(self.part(), options).await;
    }
}
