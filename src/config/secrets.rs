//! Secrets and keys that come from a value or from a file of their own.

use std::fs;

use secrecy::{ExposeSecret, SecretString};

use super::error::Problem;

/// The secret of `key`: its value, or the content of the file that `<key>_file` names. Both is an error, neither is `None`.
///
/// # Errors
/// Says which of the two to remove, or why the file cannot be used.
pub(super) fn secret(
    key: &str,
    value: Option<&SecretString>,
    file: Option<&str>,
) -> Result<Option<SecretString>, Problem> {
    match (value, file) {
        (Some(_), Some(_)) => Err(Problem::new(
            key,
            format!("is given twice, also by {key}_file"),
            "keep one of the two",
        )),
        (Some(value), None) if value.expose_secret().trim().is_empty() => {
            Err(Problem::new(key, "is empty", "give it a value, or remove the line"))
        }
        (Some(value), None) => Ok(Some(value.clone())),
        (None, Some(path)) => text_file(&format!("{key}_file"), path).map(|text| Some(text.into())),
        (None, None) => Ok(None),
    }
}

/// The text of a file, without the line break that editors leave at its end.
///
/// # Errors
/// The file cannot be read, or holds nothing.
pub(super) fn text_file(key: &str, path: &str) -> Result<String, Problem> {
    let text = fs::read_to_string(path).map_err(|error| {
        Problem::new(
            key,
            format!("names {path}, which cannot be read: {error}"),
            "correct the path, or let the user of the bridge read the file",
        )
    })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::new(
            key,
            format!("names {path}, which is empty"),
            "write the value into the file",
        ));
    }
    Ok(text.to_owned())
}
