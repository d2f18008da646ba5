//! JSON as Nova's clients read and write it: supersets of what every old client decodes (nova-client-protocol §6).

pub mod calls;
pub mod conversations;
pub mod media;
pub mod members;
pub mod messages;
pub mod people;
pub mod receipts;
pub mod requests;

use std::fmt;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::domain::clock::Timestamp;

/// A moment in whole seconds, UTC: old decoders refuse fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-08T09:15:30Z")]
pub struct Time(pub Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format("%Y-%m-%dT%H:%M:%SZ").fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Done, and nothing more to say. Old iOS clients decode an object where the service answered 204.
#[derive(Debug, Serialize, ToSchema)]
pub struct Success {
    /// Always true.
    #[schema(example = true)]
    success: bool,
}

impl Success {
    /// Done.
    pub const DONE: Self = Self { success: true };
}
