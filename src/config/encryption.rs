//! The section `encryption_at_rest`: read into its keys, and back.

use std::path::PathBuf;

use super::EncryptionAtRest;
use super::error::Problem;
use super::file::{EncryptionSection, MasterKeyEntry};
use super::secrets::secret;
use super::values::{Problems, keep};
use crate::seal::{Key, KeyError, Keyring};

const KEY: &str = "encryption_at_rest.keys";
const CURE: &str = "`nova-bridge generate-key` prints a key; name it as { id: \"2026-11\", key_file: /path }";

/// The section, or `None` with the reasons in `problems`.
pub(super) fn encryption(section: &EncryptionSection, problems: Problems<'_>) -> Option<EncryptionAtRest> {
    let keys = section.keys.iter().enumerate();
    let keys: Vec<Option<Key>> = keys.map(|(at, entry)| key(at, entry, problems)).collect();
    let keys = Keyring::new(keys.into_iter().collect::<Option<_>>()?);
    let files = section.keys.iter().map(|entry| {
        let file = entry.key_file.as_ref().map(PathBuf::from);
        (entry.id.clone(), file)
    });
    Some(EncryptionAtRest {
        keys: keep(keys.map_err(|error| problem(&error)), problems)?,
        files: files.collect(),
    })
}

fn key(at: usize, entry: &MasterKeyEntry, problems: Problems<'_>) -> Option<Key> {
    // By its place: what stands where the id should be may be a key.
    let name = format!("{KEY}[{at}].key");
    let text = keep(secret(&name, entry.key.as_ref(), entry.key_file.as_deref()), problems)?;
    let Some(text) = text else {
        problems.push(Problem::new(name, "is missing", CURE));
        return None;
    };
    let key = Key::parse(&entry.id, secrecy::ExposeSecret::expose_secret(&text));
    keep(key.map_err(|error| problem(&error)), problems)
}

fn problem(error: &KeyError) -> Problem {
    Problem::new(KEY, format!("cannot be used: {error}"), CURE)
}

impl EncryptionAtRest {
    /// The section as it could be written. Its keys are redacted when it is.
    pub(super) fn to_section(&self) -> EncryptionSection {
        let entry = |(id, file): &(String, Option<PathBuf>)| MasterKeyEntry {
            id: id.clone(),
            key: file.is_none().then(|| String::new().into()),
            key_file: file.as_ref().map(|path| path.display().to_string()),
        };
        EncryptionSection {
            keys: self.files.iter().map(entry).collect(),
        }
    }
}
