//! What is wrong with a configuration: every problem at once, each with its key and its cure.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `section.key`; empty where the whole file is meant.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// What the admin does about it.
    pub cure: String,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            what: what.into(),
            cure: cure.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.key.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}\n    → {}", self.key, self.what, self.cure)
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The name of the file that was read.
    pub file: String,
    /// Everything that is wrong with it, in the order of the file; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "{} cannot be used:", self.file)?,
            count => write!(f, "{} cannot be used, for {count} reasons:", self.file)?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
