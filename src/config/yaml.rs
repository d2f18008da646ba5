//! The configuration file as a figment provider.

use figment::value::{Dict, Map};
use figment::{Error, Metadata, Profile, Provider};
use serde_saphyr::{Location, Options};

/// The text of a YAML file and the name to show for it.
pub(super) struct Yaml<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Provider for Yaml<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.to_owned())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        // No snippet of the source in the error: the line may hold a password.
        let mut options = Options::default();
        options.with_snippet = false;
        let dict: Option<Dict> = serde_saphyr::from_str_with_options(self.text, options).map_err(|error| {
            let place = error.location().map_or_else(String::new, |location| place(&location));
            Error::from(format!("the file is no valid YAML{place}: {error}"))
        })?;
        Ok(Profile::Default.collect(dict.unwrap_or_default()))
    }
}

fn place(location: &Location) -> String {
    format!(" at line {}", location.line())
}
