//! Environment variables `NOVA_BRIDGE__SECTION__KEY` as a figment provider, and the one place that reads the environment.

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

use super::file::File;

/// How every variable of the configuration begins.
const PREFIX: &str = "NOVA_BRIDGE__";

/// The environment, as a value: read once in `main`, made up in tests.
#[derive(Clone, Default)]
pub struct Environment(Map<String, String>);

impl Environment {
    /// The environment of this process. A variable that is not UTF-8 is left out.
    #[must_use]
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// The value of one variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

/// The variable that overrides `key` (`section.key`).
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(super::FROM_ENVIRONMENT)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let defaults = Value::serialize(File::default())?;
        let mut sections = Dict::new();
        for (name, text) in &self.0 {
            let Some(path) = name.strip_prefix(PREFIX).map(str::to_lowercase) else {
                continue;
            };
            let (section, key) = path.split_once("__").unwrap_or((&path, ""));
            let value = typed(text, defaults.find_ref(&format!("{section}.{key}")));
            let entry = sections
                .entry(section.to_owned())
                .or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, keys) = entry {
                keys.insert(key.to_owned(), value);
            }
        }
        Ok(Profile::Default.collect(sections))
    }
}

/// Reads `text` as what the key holds by default, so that a password of digits stays a text. A list is written with commas;
/// an empty text unsets a key that may be unset.
fn typed(text: &str, default: Option<&Value>) -> Value {
    match default {
        Some(Value::Empty(..)) if text.is_empty() => figment::value::Empty::None.into(),
        Some(Value::Num(..)) => text.trim().parse::<u64>().map_or_else(|_| text.into(), Value::from),
        Some(Value::Bool(..)) => text.trim().parse::<bool>().map_or_else(|_| text.into(), Value::from),
        Some(Value::Array(..)) => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect::<Vec<_>>()
            .into(),
        Some(Value::String(..) | Value::Char(..) | Value::Dict(..) | Value::Empty(..)) | None => text.into(),
    }
}
