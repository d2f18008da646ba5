//! Places on earth, as `geo:` addresses (RFC 5870).

use serde::{Deserialize, Serialize};

use crate::domain::message::{shortened, storable};

/// The longest description, in bytes.
const MAX_DESCRIPTION: usize = 1000;

/// A place on earth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Latitude and longitude in degrees, and how exact they are in metres: as text, as they came.
    latitude: String,
    longitude: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accuracy: Option<String>,
    /// What is there, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Place {
    /// A place, if there is one on earth.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64, accuracy: Option<f64>) -> Option<Self> {
        let accuracy = accuracy.filter(|metres| (0.0..=1e8).contains(metres));
        (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then(|| Self {
            latitude: latitude.to_string(),
            longitude: longitude.to_string(),
            accuracy: accuracy.map(|metres| metres.to_string()),
            description: None,
        })
    }

    /// Reads `geo:51.5,-0.12;u=35`; a height is left out.
    #[must_use]
    pub fn parse(uri: &str) -> Option<Self> {
        let rest = uri.trim().strip_prefix("geo:")?;
        let mut parts = rest.split(';');
        let mut numbers = parts.next()?.split(',').map(|text| text.trim().parse::<f64>());
        let (latitude, longitude) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let accuracy = parts.find_map(|part| part.strip_prefix("u=")?.parse().ok());
        Self::new(latitude, longitude, accuracy)
    }

    /// The same with words to it.
    #[must_use]
    pub fn described(mut self, words: Option<&str>) -> Self {
        let words = words.map(str::trim).filter(|words| !words.is_empty());
        self.description = words.map(|words| shortened(storable(words.to_owned()), MAX_DESCRIPTION));
        self
    }

    /// The `geo:` address.
    #[must_use]
    pub fn uri(&self) -> String {
        let accuracy = self
            .accuracy
            .as_ref()
            .map(|metres| format!(";u={metres}"))
            .unwrap_or_default();
        format!("geo:{},{}{accuracy}", self.latitude, self.longitude)
    }

    /// Latitude and longitude, in degrees.
    #[must_use]
    pub fn degrees(&self) -> (f64, f64) {
        let number = |text: &str| text.parse().unwrap_or_default();
        (number(&self.latitude), number(&self.longitude))
    }

    /// How exact it is, in metres.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        self.accuracy.as_ref()?.parse().ok()
    }

    /// How exact it is, in whole metres; 0 where nobody says.
    #[must_use]
    pub fn whole_metres(&self) -> i64 {
        let rounded = self.accuracy().map(|metres| format!("{metres:.0}"));
        rounded.and_then(|metres| metres.parse().ok()).unwrap_or_default()
    }

    /// What stands for it where only text is shown.
    #[must_use]
    pub fn label(&self) -> &str {
        self.description.as_deref().unwrap_or("Location")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_on_earth() {
        let place = Place::parse("geo:51.5008,-0.1247,12;crs=wgs84;u=35").unwrap();
        assert_eq!(place.uri(), "geo:51.5008,-0.1247;u=35");
        assert_eq!((place.degrees(), place.accuracy()), ((51.5008, -0.1247), Some(35.0)));
        for bad in [
            "",
            "geo:",
            "geo:1",
            "geo:91,0",
            "geo:0,181",
            "geo:NaN,0",
            "geo:inf,0",
            "https://x",
            "geo:a,b",
        ] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
        assert_eq!(Place::new(1.0, 2.0, Some(f64::NAN)).unwrap().accuracy(), None);
        assert_eq!(
            Place::new(1.0, 2.0, None).unwrap().described(Some(" ")).label(),
            "Location"
        );
    }
}
