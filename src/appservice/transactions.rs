//! `PUT /transactions/{txnId}`: 200 means that everything is safe.
//!
//! What a transaction says is never judged by its id: events are known by their own ids, because Synapse on `SQLite` counts
//! its transactions from 1 again, and the same event can come under a new one (architecture §2). The id only shows whether
//! Synapse has left one behind (`numbers`).

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{AppserviceState, MatrixError};
use crate::metrics::TransactionOutcome;

/// The parts of a transaction that the bridge uses. Everything else may be there.
#[derive(Deserialize)]
struct Transaction {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    ephemeral: Option<Box<RawValue>>,
    /// The older name of `ephemeral`; a server that sends both sends the same twice.
    #[serde(default, rename = "de.sorunome.msc2409.ephemeral")]
    unstable_ephemeral: Option<Box<RawValue>>,
}

pub(super) async fn push(
    State(state): State<AppserviceState>,
    txn_id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, MatrixError> {
    let started = Instant::now();
    let answered = |outcome| state.metrics.transaction(outcome, started.elapsed());
    let transaction = match body
        .map_err(|rejection| unread(&rejection))
        .and_then(|body| read(&body))
    {
        Ok(transaction) => transaction,
        Err(error) => {
            answered(TransactionOutcome::Refused);
            return Err(error);
        }
    };
    let txn_id = txn_id.map_or_else(|_| String::new(), |Path(id)| id);
    // Before the look at `away`, which is set before a restarted database is trusted again.
    let run = state.bridge.store().server().trusted();
    if from_synapse(&headers) && state.away.load(Ordering::Acquire) {
        tracing::info!(
            txn_id,
            "a transaction has to wait until the rooms have been looked into"
        );
        state.numbers.doubt();
        state.turned_away.store(true, Ordering::Release);
        answered(TransactionOutcome::Refused);
        return Err(MatrixError::out_of_turn());
    }
    if from_synapse(&headers) && state.numbers.skips(&txn_id, state.bridge.now()) {
        tracing::warn!(
            txn_id,
            "Synapse has left a transaction behind; this one is refused, so that it looks for it"
        );
        state.turned_away.store(true, Ordering::Release);
        answered(TransactionOutcome::Refused);
        return Err(MatrixError::out_of_turn());
    }
    match state.bridge.accept(&transaction.events, run).await {
        Ok(()) => {
            state.numbers.taken(&txn_id);
            state.bridge.told_in_passing(in_passing(&transaction));
            answered(TransactionOutcome::Applied);
            Ok(Json(json!({})))
        }
        Err(error) => {
            state.numbers.doubt();
            state.turned_away.store(true, Ordering::Release);
            answered(TransactionOutcome::Failed);
            Err(error.into())
        }
    }
}

/// Only Synapse is known to leave transactions behind, to forget some, and to come back for what is refused.
fn from_synapse(headers: &HeaderMap) -> bool {
    headers
        .get(USER_AGENT)
        .is_some_and(|agent| agent.as_bytes().starts_with(b"Synapse/"))
}

fn unread(rejection: &BytesRejection) -> MatrixError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        MatrixError::too_large()
    } else {
        MatrixError::not_json()
    }
}

fn read(body: &[u8]) -> Result<Transaction, MatrixError> {
    let transaction = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            MatrixError::bad_json()
        } else {
            MatrixError::not_json()
        }
    })?;
    // serde would take a list of the fields for the object, too.
    if body.trim_ascii_start().starts_with(b"{") {
        Ok(transaction)
    } else {
        Err(MatrixError::bad_json())
    }
}

/// Typing, receipts and presence, each once. What is no list is left out: it must not cost the events.
fn in_passing(transaction: &Transaction) -> Vec<Box<RawValue>> {
    let list = |raw: &Option<Box<RawValue>>| -> Vec<Box<RawValue>> {
        raw.as_ref()
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default()
    };
    let mut told = list(&transaction.ephemeral);
    let known: HashSet<String> = told.iter().map(|raw| raw.get().to_owned()).collect();
    let others = list(&transaction.unstable_ephemeral).into_iter();
    told.extend(others.filter(|raw| !known.contains(raw.get())));
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_surrounds_the_events_they_are_found() {
        for (body, events) in [
            ("{}", 0),
            (r#"{"events":[]}"#, 0),
            (
                r#"{"events":[1,null,{"a":"\u0000\ud800"}],"new.key":{"x":[]},"ephemeral":7}"#,
                3,
            ),
            (
                r#"{"events":[{}],"de.sorunome.msc2409.ephemeral":[],"de.sorunome.msc2409.to_device":null}"#,
                1,
            ),
        ] {
            assert_eq!(read(body.as_bytes()).ok().unwrap().events.len(), events, "{body}");
        }
    }

    #[test]
    fn what_is_told_under_both_names_is_told_once() {
        for (body, told) in [
            (r#"{"ephemeral":[1,2],"de.sorunome.msc2409.ephemeral":[2,1]}"#, "1,2"),
            (r#"{"ephemeral":[1,1],"de.sorunome.msc2409.ephemeral":[3]}"#, "1,1,3"),
            (r#"{"de.sorunome.msc2409.ephemeral":[3]}"#, "3"),
            (r#"{"ephemeral":7,"de.sorunome.msc2409.ephemeral":[3]}"#, "3"),
            (r#"{"ephemeral":null,"de.sorunome.msc2409.ephemeral":{}}"#, ""),
        ] {
            let read = in_passing(&read(body.as_bytes()).ok().unwrap());
            let read: Vec<&str> = read.iter().map(|raw| raw.get()).collect();
            assert_eq!(read.join(","), told, "{body}");
        }
    }

    #[test]
    fn what_is_no_transaction_is_refused() {
        for body in [
            "",
            "{",
            "[]",
            "7",
            r#"{"events":{}}"#,
            r#"{"events":null}"#,
            "{\"events\":[\"\u{1}\"]}",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(b"{\"events\":[\"\xff\"]}").is_err());
    }
}
