//! A round: everybody talks, a part is struck, all comes to rest, and everything is counted.

use std::fs::File;
use std::sync::atomic::Ordering;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};

use crate::blows::Blow;
use crate::burst::talk;
use crate::cast::Cast;
use crate::check;
use crate::insist::Counters;
use crate::plan::Ledger;
use crate::support::env::{Env, variable};
use crate::support::world::World;

/// How many rounds are asked for.
pub(crate) fn rounds() -> usize {
    variable("NOVA_CRASH_ROUNDS").map_or(20, |rounds| rounds.parse().expect("NOVA_CRASH_ROUNDS is a number"))
}

fn seed() -> u64 {
    variable("NOVA_CRASH_SEED").map_or_else(
        || rand::rng().random(),
        |seed| seed.parse().expect("NOVA_CRASH_SEED is a number"),
    )
}

/// The parts are struck by one test at a time, whoever runs the tests: until this is dropped.
pub(crate) fn turn() -> File {
    let turn = File::open(variable("NOVA_DEV_ENV").unwrap()).unwrap();
    turn.lock().unwrap();
    turn
}

/// The same people in the same rooms, round after round.
pub(crate) struct Play {
    pub(crate) cast: Cast,
    random: StdRng,
    ledger: Ledger,
    round: usize,
    _turn: File,
}

impl Play {
    /// Everybody comes together; nobody where no copy runs.
    pub(crate) async fn begin() -> Option<Self> {
        Env::load()?;
        let turn = turn();
        let world = World::open().await.unwrap();
        let seed = seed();
        eprintln!("NOVA_CRASH_SEED={seed}");
        let cast = Cast::gather(world).await;
        let mut ledger = Ledger::default();
        for (n, place) in cast.places.iter().enumerate() {
            ledger.says(n, cast.opened(n), &place.opening.text);
        }
        eprintln!("round  blow             messages  acts  struck at      repeated  reconnects  talking   rest");
        Some(Self {
            cast,
            random: StdRng::seed_from_u64(seed),
            ledger,
            round: 0,
            _turn: turn,
        })
    }

    pub(crate) async fn round(&mut self, blow: Blow) {
        self.round += 1;
        round(&self.cast, self.round, blow, &mut self.random, &mut self.ledger).await;
    }

    /// Looks once more whether all is there.
    pub(crate) async fn check(&self) {
        check::all_is_there(&self.cast, &self.ledger).await;
    }
}

/// Plays one round after the other.
pub(crate) async fn play(blows: &[Blow]) {
    let Some(mut play) = Play::begin().await else { return };
    for blow in blows {
        play.round(*blow).await;
    }
}

async fn round(cast: &Cast, n: usize, blow: Blow, random: &mut StdRng, ledger: &mut Ledger) {
    let counters = Counters::default();
    let connections = |cast: &Cast| {
        cast.nova
            .iter()
            .map(|person| person.client.log().connections)
            .sum::<u32>()
    };
    let (before, started) = (connections(cast), Instant::now());
    let looked = check::catch_ups(cast).await;
    let strike = async {
        let mut struck = Vec::new();
        for moment in blow.moments(random) {
            sleep(moment).await;
            struck.push(counters.said.load(Ordering::Relaxed));
            blow.strike(cast.world.env).await;
        }
        struck
    };
    let (struck, ()) = tokio::join!(strike, talk(cast, n, blow.pipeline(), ledger, &counters));
    let (talked, resting) = (started.elapsed(), Instant::now());
    if blow.may_lose_pushes() {
        check::caught_up(cast, looked).await;
    }
    check::drained(cast, n, ledger).await;
    let rest = resting.elapsed();
    check::all_is_there(cast, ledger).await;
    check::all_is_read(cast, ledger).await;
    eprintln!(
        "{n:5}  {:15}  {:8}  {:4}  {:13}  {:8}  {:10}  {:5.1} s  {:4.1} s",
        format!("{blow:?}"),
        counters.said.load(Ordering::Relaxed),
        counters.acts.load(Ordering::Relaxed),
        format!("{struck:?}"),
        counters.repeated.load(Ordering::Relaxed),
        connections(cast) - before,
        talked.as_secs_f64(),
        rest.as_secs_f64(),
    );
}
