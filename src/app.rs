//! The composition root: everything is built here, once, and handed down. Nothing else knows how the parts fit.

pub mod connect;
mod line;
mod listeners;
mod synapse;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use chrono::TimeDelta;
use prometheus_client::registry::Registry;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::line::Line;
pub use self::listeners::Addresses;
use self::listeners::{Listeners, Routers};
use crate::appservice::registration::{BOT_LOCALPART, Registration};
use crate::appservice::{self, AppserviceState};
use crate::bridge::Bridge;
use crate::config::{self, Config};
use crate::domain::clock::SystemClock;
use crate::domain::random::{Random, SystemRandom};
use crate::health::{self, Condition, Health};
use crate::lifecycle::{Lifecycle, Signals, Stopped};
use crate::metrics::{self, Metrics};
use crate::nova::auth::Authenticator;
use crate::nova::dialects::call_frames::zajel::Lobby;
use crate::nova::dialects::socket_io::{self, DialectState};
use crate::nova::frames::Ways;
use crate::nova::hub::Hub;
use crate::nova::limit::SendLimiter;
use crate::nova::media::Links;
use crate::nova::ws::{self, WsState};
use crate::nova::{self, NovaState};
use crate::store::nodes::Presence;
use crate::store::{self, PgPool, Store};

/// How long to wait for a node number that nobody has; numbers are random, so more than one try is bad luck already.
const NODE_ATTEMPTS: u8 = 10;

/// A bridge whose listeners are bound and whose tasks run.
pub struct App {
    /// Where it listens.
    pub addresses: Addresses,
    /// The use cases.
    pub bridge: Bridge,
    lifecycle: Lifecycle,
    store: Store,
    _line: Line,
}

/// What `run` may be told besides the configuration.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// Refuse an older schema instead of migrating it.
    pub no_migrate: bool,
    /// Where to write the addresses.
    pub print_addresses_to: Option<&'a Path>,
}

/// Runs the bridge until a signal.
///
/// # Errors
/// When it cannot start.
pub async fn run(config: Config, options: Options<'_>) -> anyhow::Result<Stopped> {
    let mut signals = Signals::install().context("signals cannot be handled")?;
    let app = App::start(config, &options).await?;
    let stopped = app.lifecycle.run(async || signals.next().await).await;
    app.store.close().await;
    Ok(stopped)
}

impl App {
    /// Builds everything, binds the listeners and starts the tasks.
    ///
    /// # Errors
    /// When the registration, the database or a listener is not to be had.
    pub async fn start(config: Config, options: &Options<'_>) -> anyhow::Result<Self> {
        let registration = Registration::read(&config.appservice.registration_file)?;
        for difference in registration.differences(&config.homeserver.domain, &config.appservice.url) {
            tracing::warn!("the registration does not match the configuration: {difference}");
        }
        let (metrics, registry) = metrics::new();
        let database = connect::database(&config).await?;
        let pool = database.pool.clone();
        if !options.no_migrate {
            connect::migrate(&pool).await?;
        }
        let store = connect::open(database, &config).await?;
        connect::sealing(&config, &store).await?;
        let lifecycle = Lifecycle::default();
        let homeserver = connect::homeserver(&config, &registration, synapse::observer(metrics.clone()))?;
        let bridge = connect::bridge(&config, &registration, store.clone(), homeserver, metrics.clone())?;
        let presence = take_number(&store).await?;

        let sockets = Listeners::bind(&config).await?;
        let addresses = sockets.addresses()?;
        let feed_end = bridge.feed_end().await?;
        let links = links(&config, &registration, addresses.nova)?;
        let ways = Ways {
            bare: config.nova.bare_frames,
            links: Arc::clone(&links),
            ghosts: bridge.ghosts().clone(),
        };
        let hub = Hub::new(store.clone(), metrics.clone(), ways, feed_end);
        let turned_away = Arc::new(AtomicBool::new(false));
        let away = Arc::new(AtomicBool::new(false));
        let appservice = appservice::router(AppserviceState {
            bridge: bridge.clone(),
            hs_token: Arc::new(registration.hs_token.clone()),
            bot: format!("@{BOT_LOCALPART}:{}", config.homeserver.domain).into(),
            metrics: metrics.clone(),
            turned_away: Arc::clone(&turned_away),
            numbers: Arc::default(),
            away: Arc::clone(&away),
        });
        let tracker = TaskTracker::new();
        let nova = nova_state(&config, &bridge, addresses.nova, links, &metrics)?;
        let admin = config
            .admin
            .token
            .clone()
            .map(|token| nova::admin::router(nova.clone(), token, sessions(&hub)));
        let dialects = dialects(&config, &nova, &hub, &lifecycle, &tracker)?;
        let nova = nova::rest::router(nova.clone())
            .merge(dialects)
            .merge(ws::router(WsState {
                nova,
                hub: hub.clone(),
                sockets: tracker.clone(),
                stopping: lifecycle.soft(),
                lobby: Lobby::default(),
            }));
        let routers = Routers {
            nova,
            appservice,
            admin,
            metrics: health::router(health(&lifecycle, registry, pool, turned_away.clone())),
        };

        // What happened to Synapse while we were away, nobody knows.
        bridge
            .doubt(bridge.now())
            .await
            .context("the start cannot be written down")?;
        let line = sockets.serve(&lifecycle, routers)?;
        start_tasks(&lifecycle, &config, &bridge, &hub, presence, tracker);
        synapse::keep_in_touch(&lifecycle, &bridge, registration.id, turned_away, away);
        if let Some(path) = options.print_addresses_to {
            addresses.write(path).context("the addresses cannot be written")?;
        }
        tracing::info!(?addresses, version = env!("CARGO_PKG_VERSION"), "nova-bridge runs");
        Ok(Self {
            addresses,
            bridge,
            lifecycle,
            store,
            _line: line,
        })
    }

    /// Stops it as a signal would, and waits until it has.
    pub async fn stop(&self) -> Stopped {
        self.lifecycle.stop();
        let stopped = self.lifecycle.run(std::future::pending::<()>).await;
        self.store.close().await;
        stopped
    }
}

/// Who lets go of a running bridge has no more use for it: everything is dropped at once, as at a second signal. Nothing is
/// lost by that.
impl Drop for App {
    fn drop(&mut self) {
        self.lifecycle.hard().cancel();
    }
}

/// Links to files, signed with a key that every process of this bridge has.
fn links(config: &Config, registration: &Registration, bound: SocketAddr) -> anyhow::Result<Arc<Links>> {
    let secret = registration.as_token.expose_secret().as_bytes();
    let url = config.nova.public_url(bound)?;
    let links = Links::new(&url, secret, config.media.link_lifetime, Arc::new(SystemClock));
    Ok(Arc::new(links))
}

fn nova_state(
    config: &Config,
    bridge: &Bridge,
    bound: SocketAddr,
    links: Arc<Links>,
    metrics: &Metrics,
) -> anyhow::Result<NovaState> {
    let nova = &config.nova;
    let settings = nova::Settings {
        public_url: nova.public_url(bound)?,
        homeserver_url: config.homeserver.public_url.clone(),
        cors_origins: nova.cors_origins.clone(),
        bare_frames: nova.bare_frames,
        search: config.search.enabled,
        greeting: nova.greeting,
        messages_per_second: nova.messages_per_second,
        burst: nova.burst,
    };
    let auth = match &nova.jwt_key {
        config::JwtKey::Pem { text, .. } => Authenticator::from_pem([text.as_bytes()])?,
        config::JwtKey::Jwks(url) => Authenticator::from_key_set(synapse::key_set(bridge.clone(), url.clone())),
    };
    Ok(NovaState {
        links,
        bridge: bridge.clone(),
        auth: Arc::new(auth.requiring_access_token(nova.require_access_token_type)),
        sends: SendLimiter::new(nova.messages_per_second, nova.burst),
        candidates: SendLimiter::for_candidates(),
        settings: Arc::new(settings),
        metrics: metrics.clone(),
    })
}

/// Takes a number that no living node has.
async fn take_number(store: &Store) -> anyhow::Result<Presence> {
    for _ in 0..NODE_ATTEMPTS {
        let number = i32::from_ne_bytes(SystemRandom.number().to_ne_bytes()) & i32::MAX;
        if let Some(presence) = Presence::hold(store, number).await? {
            return Ok(presence);
        }
    }
    anyhow::bail!("no node number is free")
}

fn start_tasks(
    lifecycle: &Lifecycle,
    config: &Config,
    bridge: &Bridge,
    hub: &Hub,
    presence: Presence,
    sockets: TaskTracker,
) {
    let stop = lifecycle.soft();
    let retention = TimeDelta::from_std(config.feed.retention).unwrap_or(TimeDelta::days(7));
    let task = bridge.clone();
    let stopping = stop.clone();
    let end = hub.reached();
    let sink = hub.clone();
    lifecycle.spawn("the feed", async move {
        task.follow_feed(end, sink, stopping).await;
        Ok(())
    });
    let (task, stopping) = (bridge.clone(), stop.clone());
    lifecycle.spawn("the sender", async move {
        task.send_outbox(presence, stopping).await;
        Ok(())
    });
    let (task, stopping) = (bridge.clone(), stop.clone());
    lifecycle.spawn("what was not pushed", async move {
        task.keep_rooms_sound(stopping).await;
        Ok(())
    });
    let (task, stopping) = (bridge.clone(), stop.clone());
    lifecycle.spawn("the calls", async move {
        task.run_calls(stopping).await;
        Ok(())
    });
    let (task, stopping) = (bridge.clone(), stop.clone());
    lifecycle.spawn("the feed's retention", async move {
        task.prune_feed(retention, stopping).await;
        Ok(())
    });
    let (task, stopping, sink) = (bridge.clone(), stop.clone(), hub.clone());
    lifecycle.spawn("what is shown at once", async move {
        task.follow_live(sink, stopping).await;
        Ok(())
    });
    let (task, stopping) = (bridge.clone(), stop.clone());
    lifecycle.spawn("who types", async move {
        tokio::join!(task.watch_typing(stopping.clone()), task.send_typing(stopping));
        Ok(())
    });
    let (task, stopping) = (bridge.clone(), stop.clone());
    lifecycle.spawn("who is there", async move {
        task.run_presence(stopping).await;
        Ok(())
    });
    let (task, stopping) = (bridge.clone(), stop.clone());
    lifecycle.spawn("what is told in passing", async move {
        task.listen_in_passing(stopping).await;
        Ok(())
    });
    let (task, stopping) = (bridge.clone(), stop.clone());
    lifecycle.spawn("the receipts", async move {
        task.send_receipts(stopping).await;
        Ok(())
    });
    if config.search.enabled {
        let (task, stopping) = (bridge.clone(), stop.clone());
        lifecycle.spawn("the search index", async move {
            task.index_messages(stopping).await;
            Ok(())
        });
    }
    let (task, stopping) = (bridge.clone(), stop.clone());
    lifecycle.spawn("the gauges", async move {
        task.measure(stopping).await;
        Ok(())
    });
    // Sockets close by themselves at the soft stop; this is who waits for them.
    lifecycle.spawn("the sockets", async move {
        stop.cancelled().await;
        sockets.close();
        sockets.wait().await;
        Ok(())
    });
}

/// The calls of clients that speak Socket.IO.
fn dialects(
    config: &Config,
    nova: &NovaState,
    hub: &Hub,
    lifecycle: &Lifecycle,
    sockets: &TaskTracker,
) -> anyhow::Result<Router> {
    socket_io::router(DialectState {
        nova: nova.clone(),
        hub: hub.clone(),
        sockets: sockets.clone(),
        stopping: lifecycle.soft(),
        insecure_legacy: config.calls.insecure_legacy,
        stun: config.calls.stun_uris.clone(),
        away: socket_io::Away::default(),
    })
}

fn sessions(hub: &Hub) -> nova::admin::Sessions {
    let hub = hub.clone();
    Arc::new(move || {
        let slots = hub.slots();
        slots
            .iter()
            .map(|slot| nova::admin::SessionInfo {
                user: slot.user.0,
                conversation: slot.only.map(|conversation| conversation.0),
                connected_at: nova::dto::Time(slot.connected_at),
                cursor: Some(slot.position().to_string()),
            })
            .collect()
    })
}

/// Ready: the database answers, and no transaction is being turned away.
fn health(lifecycle: &Lifecycle, registry: Registry, pool: PgPool, turned_away: Arc<AtomicBool>) -> Health {
    let stopping: CancellationToken = lifecycle.soft();
    let check: health::Check = Arc::new(move || {
        let (pool, turned_away) = (pool.clone(), Arc::clone(&turned_away));
        Box::pin(async move {
            let database = match tokio::time::timeout(Duration::from_secs(3), store::ping(&pool)).await {
                Ok(Ok(())) => Condition::met("database"),
                Ok(Err(error)) => Condition::unmet("database", error.to_string()),
                Err(_) => Condition::unmet("database", "no answer within 3 s"),
            };
            let accepting = if turned_away.load(std::sync::atomic::Ordering::Acquire) {
                Condition::unmet("transactions", "transactions are being turned away")
            } else {
                Condition::met("transactions")
            };
            vec![database, accepting]
        })
    });
    Health {
        registry: Arc::new(registry),
        check,
        stopping,
    }
}
