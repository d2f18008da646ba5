//! What can be made to go wrong.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// Which requests of the bridge a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Any,
    Send,
    State,
    CreateRoom,
    Join,
    Leave,
    Invite,
    Register,
    Profile,
    Upload,
    Thumbnail,
    Messages,
    Whoami,
    Ping,
    /// Whatever has this in its decoded path.
    Path(&'static str),
}

impl On {
    fn matches(self, path: &str) -> bool {
        let (part, at_end) = match self {
            Self::Any => ("", false),
            Self::Send => ("/send/", false),
            Self::State => ("/state", false),
            Self::CreateRoom => ("/createRoom", true),
            Self::Join => ("/join", true),
            Self::Leave => ("/leave", true),
            Self::Invite => ("/invite", true),
            Self::Register => ("/register", true),
            Self::Profile => ("/profile/", false),
            Self::Upload => ("/upload", true),
            Self::Thumbnail => ("/thumbnail/", false),
            Self::Messages => ("/messages", true),
            Self::Whoami => ("/whoami", true),
            Self::Ping => ("/ping", true),
            Self::Path(part) => (part, false),
        };
        if at_end {
            path.ends_with(part)
        } else {
            path.contains(part)
        }
    }
}

/// How a request goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Refused with a Matrix error, not processed: status, errcode, `retry_after_ms`.
    Status(u16, &'static str, Option<u64>),
    /// Answered with these bytes, not processed: status, content type, body. What a proxy does.
    Body(u16, &'static str, Bytes),
    /// Processed, and then the connection ends without an answer.
    LoseAnswer,
    /// The connection ends before anything is processed.
    Drop,
    /// Held before it is processed, until the gate opens.
    Hang(Gate),
    /// Processed at once, answered after this time.
    Slow(Duration),
}

/// Holds requests until it is opened.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    open: watch::Sender<bool>,
    held: watch::Sender<usize>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            open: watch::Sender::new(false),
            held: watch::Sender::new(0),
        }
    }

    /// Waits until a request stands before the gate.
    pub(crate) async fn reached(&self) {
        let mut held = self.held.subscribe();
        let reached = tokio::time::timeout(super::DEADLINE, held.wait_for(|held| *held > 0)).await;
        let _held = reached.expect("a request reaches the gate").unwrap();
    }

    /// Lets everyone through, now and later.
    pub(crate) fn release(&self) {
        self.open.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        self.held.send_modify(|held| *held += 1);
        let mut open = self.open.subscribe();
        let _open = open.wait_for(|open| *open).await.unwrap();
    }
}

/// The faults that wait for their request.
#[derive(Default)]
pub(crate) struct Faults(Vec<(On, Fault, Option<u32>)>);

impl Faults {
    pub(super) fn add(&mut self, on: On, fault: Fault, times: Option<u32>) {
        self.0.push((on, fault, times));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault for this request, the oldest first.
    pub(super) fn take(&mut self, path: &str) -> Option<Fault> {
        let index = self.0.iter().position(|(on, ..)| on.matches(path))?;
        let (_, fault, times) = &mut self.0[index];
        let fault = fault.clone();
        if let Some(times) = times {
            *times -= 1;
            if *times == 0 {
                self.0.remove(index);
            }
        }
        Some(fault)
    }
}
