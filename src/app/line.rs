//! A thread for Synapse alone. Synapse has one transaction in flight, so each waits for the one before: it must not wait for
//! Nova's clients besides. On the other threads it would: which of them hears Postgres is a matter of chance, and it may be
//! the one that writes to a thousand sockets just then.

use std::io;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};

/// The thread. It ends when this is dropped, which has to be after whatever may use a connection that was opened on it.
#[derive(Debug)]
pub(super) struct Line {
    handle: Handle,
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
}

impl Line {
    /// Starts it.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("synapse")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Where its tasks are started.
    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The same listener, heard on this thread.
    pub(super) fn take_over(&self, listener: TcpListener) -> io::Result<TcpListener> {
        let _here = self.handle.enter();
        TcpListener::from_std(listener.into_std()?)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // What still runs on it was told to stop long ago.
            runtime.shutdown_background();
        }
    }
}
