//! From the two sources to [`File`], collecting every problem of shape instead of stopping at the first.

use figment::error::{Actual, Error, Kind};
use figment::value::{Dict, Value};
use figment::{Figment, Provider};
use serde::Deserialize;

use super::environment::variable_of;
use super::error::Problem;
use super::file::File;

/// The keys whose values must not be shown, not even in an error.
const SECRET_KEYS: [&str; 6] = [
    "admin.token",
    "calls.ice_servers",
    "calls.turn_shared_secret",
    "database.url",
    "encryption_at_rest.keys",
    "media.s3_secret_key",
];

/// Merges `file` < `environment`. A key that cannot be read is reported and keeps its default, so that what follows is
/// still looked at.
pub(super) fn read(file: impl Provider, environment: impl Provider, problems: &mut Vec<Problem>) -> File {
    let figment = Figment::from(file).merge(environment);
    let mut sections = match figment.extract::<Dict>() {
        Ok(sections) => sections,
        Err(error) => {
            problems.push(Problem::new(
                "",
                error.kind.to_string(),
                "mend the file, or start from `nova-bridge generate-config`",
            ));
            return File::default();
        }
    };
    let mut read = Reader {
        figment: &figment,
        sections: &mut sections,
        problems,
    };
    let file = File {
        homeserver: read.section("homeserver"),
        database: read.section("database"),
        encryption_at_rest: read.section("encryption_at_rest"),
        appservice: read.section("appservice"),
        nova: read.section("nova"),
        rooms: read.section("rooms"),
        feed: read.section("feed"),
        media: read.section("media"),
        calls: read.section("calls"),
        search: read.section("search"),
        bot: read.section("bot"),
        admin: read.section("admin"),
        metrics: read.section("metrics"),
        logging: read.section("logging"),
    };
    for name in sections.keys() {
        problems.push(Problem::new(
            name,
            "is no section of the configuration",
            format!("remove it{}", source(&figment, name)),
        ));
    }
    file
}

struct Reader<'a> {
    figment: &'a Figment,
    sections: &'a mut Dict,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other kind names the key by its path"
    )]
    fn section<T: Default + for<'de> Deserialize<'de>>(&mut self, name: &str) -> T {
        let mut keys = match self.sections.remove(name) {
            Some(Value::Dict(_, keys)) => keys,
            None | Some(Value::Empty(..)) => return T::default(),
            Some(_) => {
                self.problems.push(Problem::new(
                    name,
                    "is a section, but holds a single value",
                    "put `key: value` lines under it",
                ));
                return T::default();
            }
        };
        // A key without a value (`listen:`) means its default.
        keys.retain(|_, value| !matches!(value, Value::Empty(..)));
        loop {
            let error = match Value::from(keys.clone()).deserialize::<T>() {
                Ok(section) => return section,
                Err(error) => error,
            };
            let bad = match &error.kind {
                Kind::UnknownField(key, _) => Some(key),
                _ => error.path.first(),
            };
            let bad = bad.cloned().unwrap_or_default();
            self.problems.push(self.problem(&format!("{name}.{bad}"), &error));
            if keys.remove(&bad).is_none() {
                return T::default();
            }
        }
    }

    fn problem(&self, key: &str, error: &Error) -> Problem {
        let source = source(self.figment, key);
        if let Kind::UnknownField(_, known) = &error.kind {
            let cure = format!("remove it{source}; the keys are {}", known.join(", "));
            return Problem::new(key, "is no key of this section", cure);
        }
        let (Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected)) = &error.kind else {
            return Problem::new(
                key,
                format!("cannot be read: {}", error.kind),
                format!("correct it{source}"),
            );
        };
        let cure = if expected == "a string" {
            "put the value in quotes"
        } else {
            "correct it"
        };
        let found = if SECRET_KEYS.contains(&key) {
            String::new()
        } else {
            format!(", not {}", value(found))
        };
        Problem::new(
            key,
            format!("must be {}{found}", plain(expected)),
            format!("{cure}{source}"),
        )
    }
}

/// A value as the admin wrote it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest is worded well enough by figment"
)]
fn value(found: &Actual) -> String {
    match found {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(value) => format!("{value:?}"),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a section".to_owned(),
        other => other.to_string(),
    }
}

/// Where the value stands, so that the cure is looked for in the right place.
fn source(figment: &Figment, key: &str) -> String {
    match figment.find_metadata(key) {
        Some(metadata) if metadata.name == super::FROM_ENVIRONMENT => {
            format!(" in the environment: {}", variable_of(key))
        }
        Some(metadata) => format!(" in {}", metadata.name),
        None => String::new(),
    }
}

/// Rust's names of types in an admin's words.
fn plain(expected: &str) -> &str {
    match expected {
        "u16" | "u32" | "u64" => "a whole number of 0 or more",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        other => other,
    }
}
