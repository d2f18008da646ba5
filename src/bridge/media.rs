//! Files: brought by Nova's clients, and shown to them.
//!
//! Nothing here holds a file in memory. What comes in goes to a temporary file first (`spool`), is looked at there
//! (`look`), and only then goes to the homeserver; what goes out passes through as it comes.

mod bring;
mod bucket;
mod look;
mod show;
mod spool;
mod wanted;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Semaphore;

use crate::matrix::StorageRules;

pub use crate::matrix::files::{Span, Wanted};

pub use bring::{BrokenOff, Claims};
pub use bucket::Bucket;
pub use show::{Opened, Stream};
pub use wanted::{NewMedia, Origin};

pub(super) use bring::FileError;
pub(super) use look::Seen;
pub(super) use spool::Spool;

/// How many files are brought at once, and how many are shown.
const BROUGHT: usize = 16;
const SHOWN: usize = 128;

/// How long the homeserver's limit is remembered.
const LIMIT_REMEMBERED: Duration = Duration::from_hours(1);

/// What an admin decides.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// The largest file that Nova's clients may bring, in bytes.
    pub max_size: u64,
    /// Where files lie for a moment.
    pub temp_dir: PathBuf,
    /// Where Nova's storage is.
    pub storage: StorageRules,
    /// The bucket that clients may upload to.
    pub bucket: Option<Bucket>,
}

impl Default for MediaSettings {
    /// 100 MB, and no storage.
    fn default() -> Self {
        Self {
            max_size: 100_000_000,
            temp_dir: std::env::temp_dir(),
            storage: StorageRules::default(),
            bucket: None,
        }
    }
}

/// What is remembered and limited.
pub(super) struct MediaState {
    limit: Cache<(), u64>,
    brought: Arc<Semaphore>,
    shown: Arc<Semaphore>,
}

impl MediaState {
    pub(super) fn new() -> Self {
        Self {
            limit: Cache::builder().max_capacity(1).time_to_live(LIMIT_REMEMBERED).build(),
            brought: Arc::new(Semaphore::new(BROUGHT)),
            shown: Arc::new(Semaphore::new(SHOWN)),
        }
    }
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Nothing came.
    #[error("the file is empty")]
    Empty,
    /// More came than is allowed.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: u64,
    },
    /// The content is something else than it is said to be.
    #[error("the file is said to be {claimed}, but its content is {found}")]
    WrongType {
        /// What is said.
        claimed: String,
        /// What it is.
        found: String,
    },
    /// A picture that is a document with scripts in it.
    #[error("an SVG is a document that can hold scripts and is no image here; it can be sent as a file")]
    Scriptable,
    /// A picture that nobody has the memory for.
    #[error("the picture has {width} x {height} pixels, which is more than can be shown")]
    TooManyPixels {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// A name that leads somewhere.
    #[error("file_name must be a name, without a path")]
    Path,
    /// The client went away, or sent nothing for too long.
    #[error("the upload broke off")]
    BrokenOff,
    /// There is no place for the file.
    #[error("the file cannot be kept for the moment")]
    Disk(#[source] std::io::Error),
}
