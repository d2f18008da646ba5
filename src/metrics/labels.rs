//! The labels of the metrics: closed enums, so that no user, room or call can become a time series.

use std::fmt::{Error, Write};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value, for series that should be there from the start.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The value of the label.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), Error> {
                encoder.write_str(self.as_str())
            }
        }
    };
}

label! {
    /// What became of a transaction that Synapse pushed.
    TransactionOutcome {
        /// Committed and answered 200.
        Applied = "applied",
        /// Nothing in it was new.
        Duplicate = "duplicate",
        /// Refused: wrong token, too large, no JSON.
        Refused = "refused",
        /// The database could not take it; Synapse tries again.
        Failed = "failed",
    }
}

label! {
    /// The kind of an event that Synapse pushed.
    EventKind {
        /// A message.
        Message = "message",
        /// An edit, a reaction or a redaction.
        Act = "act",
        /// A membership.
        Member = "member",
        /// Any other state.
        State = "state",
        /// Something of a call.
        Call = "call",
        /// An event that the bridge itself sent.
        Echo = "echo",
        /// Typing, a receipt or presence.
        Ephemeral = "ephemeral",
        /// Everything else.
        Other = "other",
    }
}

label! {
    /// What became of an event.
    EventOutcome {
        /// It changed something.
        Applied = "applied",
        /// It was known already.
        Duplicate = "duplicate",
        /// It is none of the bridge's business.
        Ignored = "ignored",
        /// It could not be applied and is kept.
        DeadLetter = "dead_letter",
    }
}

label! {
    /// The kind of a request in the outbox.
    SendKind {
        /// A message event.
        Message = "message",
        /// An edit, a reaction or a redaction.
        Act = "act",
        /// A state event.
        State = "state",
        /// An event of a call.
        Call = "call",
        /// A join, leave, invite, kick or ban.
        Membership = "membership",
        /// A new room.
        Room = "room",
        /// A name or an avatar.
        Profile = "profile",
        /// A ghost's registration.
        Ghost = "ghost",
        /// Something that the bot does.
        Bot = "bot",
        /// Everything else.
        Other = "other",
    }
}

label! {
    /// What became of a request of the outbox.
    SendOutcome {
        /// Synapse took it.
        Sent = "sent",
        /// It is tried again.
        Retried = "retried",
        /// Synapse's answer is final: it is kept as a dead letter.
        DeadLetter = "dead_letter",
        /// Synapse's answer is final, and nobody misses it: an event of a call.
        Refused = "refused",
    }
}

label! {
    /// Where an unfinished call stands.
    CallState {
        /// It rings.
        Ringing = "ringing",
        /// It is up.
        Connected = "connected",
    }
}

label! {
    /// Why a WebSocket was closed.
    ClosedBecause {
        /// The client closed it.
        Client = "client",
        /// Nothing was heard from the client.
        Timeout = "timeout",
        /// The client reads too slowly.
        Slow = "slow",
        /// The client broke the protocol.
        Protocol = "protocol",
        /// The user may not be there any more.
        Unauthorized = "unauthorized",
        /// The bridge stops.
        Shutdown = "shutdown",
        /// The connection broke, or the bridge failed.
        Error = "error",
    }
}

label! {
    /// What a connection of the pool is doing.
    PoolState {
        /// In use.
        Busy = "busy",
        /// Waiting for work.
        Idle = "idle",
    }
}

macro_rules! label_sets {
    ($($name:ident { $($key:ident: $kind:ty),* })*) => {
        $(
            #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
            pub(super) struct $name { $(pub(super) $key: $kind,)* }
        )*
    };
}

label_sets! {
    Transaction { outcome: TransactionOutcome }
    Event { kind: EventKind, outcome: EventOutcome }
    Send { kind: SendKind, outcome: SendOutcome }
    HomeserverRequest { endpoint: &'static str, outcome: &'static str }
    HomeserverEndpoint { endpoint: &'static str }
    Closed { reason: ClosedBecause }
    RestRequest { route: String, status: u16 }
    Pool { state: PoolState }
    Calls { state: CallState }
    CallBegun { dialect: &'static str }
    CallEnded { reason: &'static str }
    Build { version: &'static str }
}
