//! A call as its row.

use uuid::Uuid;

use crate::domain::call::{Call, EndReason, Phase};
use crate::store::StoreError;

/// Reads the state of a call.
pub(super) fn call(id: Uuid, machine: &str) -> Result<Call, StoreError> {
    serde_json::from_str(machine).map_err(|_| StoreError::Inconsistent {
        table: "call_sessions",
        column: "machine",
        row: id.to_string(),
    })
}

pub(super) fn calls(rows: impl Iterator<Item = (Uuid, String)>) -> Result<Vec<Call>, StoreError> {
    rows.map(|(id, machine)| call(id, &machine)).collect()
}

/// The status by which a call is looked for: that of Nova's clients, and how it ended.
#[must_use]
pub const fn status(call: &Call) -> &'static str {
    match (call.phase, call.reason) {
        (Phase::Preparing | Phase::Ringing | Phase::Accepted | Phase::Connected, _) => call.phase.status(),
        (Phase::Ended, Some(EndReason::NoAnswer | EndReason::Cancelled | EndReason::Busy)) => "missed",
        (Phase::Ended, Some(EndReason::IceFailed | EndReason::MediaFailed | EndReason::Error)) => "failed",
        (Phase::Ended, _) => "ended",
    }
}

/// Through which protocol the caller speaks.
#[must_use]
pub fn dialect(call: &Call) -> &'static str {
    match &call.matrix {
        Some(leg) if leg.our_party.is_empty() => "rtc",
        Some(leg) if leg.ghost != call.initiator => "matrix",
        Some(_) | None => call
            .participant(call.initiator)
            .map_or("nova", |caller| caller.dialect.as_str()),
    }
}
