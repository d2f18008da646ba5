//! Where the bridge listens, and what is served there.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::line::Line;
use crate::config::Config;
use crate::lifecycle::Lifecycle;

/// Where the listeners are, once they are bound.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// For Nova's clients.
    pub nova: SocketAddr,
    /// For Synapse.
    pub appservice: SocketAddr,
    /// For the admin; absent without an admin token.
    pub admin: Option<SocketAddr>,
    /// For whoever watches.
    pub metrics: SocketAddr,
}

impl Addresses {
    /// Writes them down for whoever waits for the file.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let admin = self
            .admin
            .map(|admin| format!("ADMIN_ADDR={admin}\n"))
            .unwrap_or_default();
        let lines = format!(
            "NOVA_ADDR={}\nAPPSERVICE_ADDR={}\nMETRICS_ADDR={}\n{admin}",
            self.nova, self.appservice, self.metrics
        );
        // Whoever waits for the file must never read half of it.
        let draft = path.with_extension("tmp");
        std::fs::write(&draft, lines)?;
        std::fs::rename(draft, path)
    }
}

/// The listeners, bound before anything runs: an address that is taken is told at once.
pub(super) struct Listeners {
    nova: TcpListener,
    appservice: TcpListener,
    admin: Option<TcpListener>,
    metrics: TcpListener,
}

/// What is served on each.
pub(super) struct Routers {
    pub(super) nova: Router,
    pub(super) appservice: Router,
    pub(super) admin: Option<Router>,
    pub(super) metrics: Router,
}

impl Listeners {
    /// Takes every address.
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Self> {
        let bind = async |key: &'static str, address: SocketAddr| {
            TcpListener::bind(address)
                .await
                .with_context(|| format!("{key}: {address} cannot be listened on"))
        };
        Ok(Self {
            nova: bind("nova.listen", config.nova.listen).await?,
            appservice: bind("appservice.listen", config.appservice.listen).await?,
            metrics: bind("metrics.listen", config.metrics.listen).await?,
            admin: match &config.admin.token {
                Some(_) => Some(bind("admin.listen", config.admin.listen).await?),
                None => None,
            },
        })
    }

    /// Where they are.
    pub(super) fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses {
            nova: self.nova.local_addr()?,
            appservice: self.appservice.local_addr()?,
            admin: self.admin.as_ref().map(TcpListener::local_addr).transpose()?,
            metrics: self.metrics.local_addr()?,
        })
    }

    /// Serves them: Synapse on a thread of its own, which is returned, the others here.
    pub(super) fn serve(self, lifecycle: &Lifecycle, routers: Routers) -> anyhow::Result<Line> {
        let line = Line::start().context("Synapse's thread cannot be started")?;
        let for_synapse = line.take_over(self.appservice)?;
        let serve = |on: &Handle, name, listener, router| serve(lifecycle, on, name, listener, router);
        serve(
            line.handle(),
            "the appservice listener",
            for_synapse,
            routers.appservice,
        );
        let here = Handle::current();
        serve(&here, "the Nova listener", self.nova, routers.nova);
        serve(&here, "the metrics listener", self.metrics, routers.metrics);
        if let (Some(listener), Some(admin)) = (self.admin, routers.admin) {
            serve(&here, "the admin listener", listener, admin);
        }
        Ok(line)
    }
}

fn serve(lifecycle: &Lifecycle, on: &Handle, name: &'static str, listener: TcpListener, router: Router) {
    let stop = lifecycle.soft();
    // Small answers must not wait for more to send.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    lifecycle.spawn_on(on, name, async move {
        let stopped = stop.cancelled_owned();
        // Without `into_make_service` axum would copy the whole router, OpenAPI document included, for each connection.
        axum::serve(listener, router.into_make_service())
            .with_graceful_shutdown(stopped)
            .await
            .map_err(Into::into)
    });
}
