//! Sealing what is there by the first key: what is plain, and what older keys sealed. In small steps, beside everything else.
//!
//! A step reads some rows, and then writes those that are still as they were read and that nobody else has locked. So it
//! waits for nobody, and nobody waits for it for long. What it had to leave out, the next round finds.

use super::sealer::What;
use super::{Sealer, Session, StoreError};

/// How many rows a step takes.
const STEP: i64 = 200;

/// A column that holds sealed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Of `messages`.
    Content,
    /// Of `messages`.
    Formatted,
    /// Of `message_versions`.
    VersionContent,
    /// Of `message_versions`.
    VersionFormatted,
    /// Of `message_media`.
    Media,
    /// Of `uploads`.
    Upload,
    /// Of `outbox`.
    Job,
    /// Of `dead_letters`.
    Letter,
    /// Of `early_acts`.
    Act,
}

/// What a step has done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Step {
    /// The key of the last row that was looked at; `None` where there was none any more.
    pub last: Option<String>,
    /// How many rows were sealed.
    pub sealed: u64,
    /// How many rows somebody else had in hand.
    pub left: u64,
    /// The keys of rows that do not open.
    pub damaged: Vec<String>,
}

struct Row {
    key: String,
    owner: String,
    stored: String,
}

/// The two statements of a column: what is not sealed by the first key yet, and sealing it.
macro_rules! statements {
    ($connection:ident, $given:ident, $table:tt, $key:tt as $kind:tt, $owner:tt, $column:tt as $type:tt, $only:tt) => {
        match $given {
            Given::Read { after, prefix } => {
                let after = after.unwrap_or(if $kind == "uuid" {
                    "00000000-0000-0000-0000-000000000000"
                } else {
                    ""
                });
                let rows = sqlx::query_as!(
                    Row,
                    "SELECT "
                        + $key
                        + "::text AS \"key!\", "
                        + $owner
                        + "::text AS \"owner!\", "
                        + $column
                        + "::text AS \"stored!\" FROM "
                        + $table
                        + " WHERE "
                        + $key
                        + " > $1::text::"
                        + $kind
                        + " AND NOT starts_with("
                        + $column
                        + "::text, $2) AND "
                        + $column
                        + "::text <> '' AND "
                        + $only
                        + " ORDER BY "
                        + $key
                        + " LIMIT $3",
                    after,
                    prefix,
                    STEP
                );
                Ok(Done::Read(rows.fetch_all(&mut **$connection).await?))
            }
            Given::Write { keys, before, after } => {
                let done = sqlx::query!(
                    "WITH free AS (SELECT "
                        + $key
                        + " AS key FROM "
                        + $table
                        + " WHERE "
                        + $key
                        + " = ANY ($1::text[]::"
                        + $kind
                        + "[]) FOR UPDATE SKIP LOCKED) UPDATE "
                        + $table
                        + " AS t SET "
                        + $column
                        + " = n.after::"
                        + $type
                        + " FROM unnest($1::text[], $2::text[], $3::text[]) AS n (key, before, after), free WHERE t."
                        + $key
                        + " = n.key::"
                        + $kind
                        + " AND free.key = t."
                        + $key
                        + " AND t."
                        + $column
                        + "::text = n.before",
                    keys,
                    before,
                    after
                );
                Ok(Done::Written(done.execute(&mut **$connection).await?.rows_affected()))
            }
        }
    };
}

enum Given<'a> {
    Read {
        after: Option<&'a str>,
        prefix: &'a str,
    },
    Write {
        keys: &'a [String],
        before: &'a [String],
        after: &'a [String],
    },
}

enum Done {
    Read(Vec<Row>),
    Written(u64),
}

impl Column {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Content,
        Self::Formatted,
        Self::VersionContent,
        Self::VersionFormatted,
        Self::Media,
        Self::Upload,
        Self::Job,
        Self::Letter,
        Self::Act,
    ];

    /// Its name, as an admin finds it in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Content => "messages.content",
            Self::Formatted => "messages.formatted",
            Self::VersionContent => "message_versions.content",
            Self::VersionFormatted => "message_versions.formatted",
            Self::Media => "message_media.media",
            Self::Upload => "uploads.media",
            Self::Job => "outbox.job",
            Self::Letter => "dead_letters.payload",
            Self::Act => "early_acts.act",
        }
    }

    const fn what(self) -> What {
        match self {
            Self::Content | Self::VersionContent => What::Content,
            Self::Formatted | Self::VersionFormatted => What::Formatted,
            Self::Media => What::Media,
            Self::Upload => What::Upload,
            Self::Job => What::Job,
            Self::Letter => What::Letter,
            Self::Act => What::Act,
        }
    }

    const fn is_json(self) -> bool {
        match self {
            Self::Content | Self::Formatted | Self::VersionContent | Self::VersionFormatted => false,
            Self::Media | Self::Upload | Self::Job | Self::Letter | Self::Act => true,
        }
    }

    /// The same text as the first key seals it; `None` where it does not open.
    fn sealed(self, sealer: &Sealer, row: &Row) -> Result<Option<String>, StoreError> {
        let (what, owner) = (self.what(), row.owner.as_str());
        Ok(if self.is_json() {
            let text = sealer.open_json(what, owner, row.stored.clone()).ok();
            text.map(|text| sealer.seal_json(what, owner, &text)).transpose()?
        } else {
            let text = sealer.open(what, owner, &row.stored).ok();
            text.map(|text| sealer.seal(what, owner, &text)).transpose()?
        })
    }

    #[rustfmt::skip]
    async fn run(self, connection: &mut Session, given: Given<'_>) -> Result<Done, StoreError> {
        match self {
            Self::Content => statements!(connection, given, "messages", "id" as "uuid", "id", "content" as "text", "true"),
            Self::Formatted => statements!(connection, given, "messages", "id" as "uuid", "id", "formatted" as "text", "true"),
            Self::VersionContent => {
                statements!(connection, given, "message_versions", "id" as "uuid", "message_id", "content" as "text", "true")
            }
            Self::VersionFormatted => {
                statements!(connection, given, "message_versions", "id" as "uuid", "message_id", "formatted" as "text", "true")
            }
            Self::Media => {
                statements!(connection, given, "message_media", "message_id" as "uuid", "message_id", "media" as "json", "true")
            }
            Self::Upload => statements!(connection, given, "uploads", "id" as "uuid", "id", "media" as "json", "true"),
            // Those of `Job::holds_words`.
            Self::Job => statements!(
                connection, given, "outbox", "id" as "uuid", "id", "job" as "json",
                "(json_typeof(job) = 'string' OR job->>'do' IN ('send_event', 'leave', 'command'))"
            ),
            Self::Letter => statements!(connection, given, "dead_letters", "id" as "uuid", "id", "payload" as "json", "true"),
            Self::Act => statements!(connection, given, "early_acts", "event_id" as "text", "event_id", "act" as "json", "true"),
        }
    }
}

/// Seals some rows by the first key, in the order of their keys. Without a key it does nothing.
///
/// # Errors
/// When Postgres fails.
pub async fn step(connection: &mut Session, column: Column, after: Option<&str>) -> Result<Step, StoreError> {
    let Some(prefix) = connection.sealer().keys().prefix() else {
        return Ok(Step::default());
    };
    let prefix = if column.is_json() {
        // The string without its end.
        let json = serde_json::to_string(&prefix)?;
        json.strip_suffix('"').unwrap_or(&json).to_owned()
    } else {
        prefix
    };
    let read = Given::Read { after, prefix: &prefix };
    let Done::Read(rows) = column.run(connection, read).await? else {
        return Ok(Step::default());
    };
    let mut step = Step {
        last: rows.last().map(|row| row.key.clone()),
        ..Step::default()
    };
    let (mut keys, mut befores, mut afters) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match column.sealed(connection.sealer(), &row)? {
            Some(sealed) => {
                keys.push(row.key);
                befores.push(row.stored);
                afters.push(sealed);
            }
            None => step.damaged.push(row.key),
        }
    }
    if keys.is_empty() {
        return Ok(step);
    }
    let write = Given::Write {
        keys: &keys,
        before: &befores,
        after: &afters,
    };
    if let Done::Written(sealed) = column.run(connection, write).await? {
        step.sealed = sealed;
        step.left = u64::try_from(keys.len()).unwrap_or(u64::MAX).saturating_sub(sealed);
    }
    Ok(step)
}
