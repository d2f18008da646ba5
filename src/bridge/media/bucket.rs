//! Nova's bucket, in any storage that speaks S3: addresses that are signed for one request.

use std::time::Duration;

use rusty_s3::actions::{GetObject, PutObject, S3Action};
use rusty_s3::{Credentials, UrlStyle};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::domain::ids::UserId;
use crate::domain::media::{Kind, file_name};
use uuid::Uuid;

/// A bucket that objects are put into and fetched from.
#[derive(Debug, Clone)]
pub struct Bucket {
    place: rusty_s3::Bucket,
    access_key: String,
    secret_key: SecretString,
}

/// The bucket's address makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the bucket's address makes no sense: {0}")]
pub struct BadBucket(String);

impl Bucket {
    /// A bucket at an endpoint.
    ///
    /// # Errors
    /// Its address makes no sense.
    pub fn new(
        endpoint: &Url,
        name: &str,
        region: &str,
        access_key: &str,
        secret_key: SecretString,
    ) -> Result<Self, BadBucket> {
        let place = rusty_s3::Bucket::new(endpoint.clone(), UrlStyle::Path, name.to_owned(), region.to_owned());
        Ok(Self {
            place: place.map_err(|error| BadBucket(error.to_string()))?,
            access_key: access_key.to_owned(),
            secret_key,
        })
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(self.access_key.clone(), self.secret_key.expose_secret())
    }

    /// The key of a new object of somebody.
    #[must_use]
    pub fn new_key(owner: UserId, id: Uuid, name: &str) -> String {
        format!("{}{id}/{}", prefix(owner), file_name(name, Kind::File))
    }

    /// Whether an object is one that somebody put there through us.
    #[must_use]
    pub fn is_of(key: &str, owner: UserId) -> bool {
        let rest = key.strip_prefix(&prefix(owner));
        rest.is_some_and(|rest| !rest.split('/').any(|step| matches!(step, "" | "." | "..")))
    }

    /// Where an object may be put, for so long.
    #[must_use]
    pub fn put(&self, key: &str, lifetime: Duration) -> Url {
        PutObject::new(&self.place, Some(&self.credentials()), key).sign(lifetime)
    }

    /// Where an object may be fetched, for so long.
    #[must_use]
    pub fn get(&self, key: &str, lifetime: Duration) -> Url {
        GetObject::new(&self.place, Some(&self.credentials()), key).sign(lifetime)
    }

    /// The key of the object that an address of this bucket names.
    #[must_use]
    pub fn key_of(&self, url: &Url) -> Option<String> {
        let base = self.place.base_url();
        let same = url.scheme() == base.scheme()
            && url.host_str() == base.host_str()
            && url.port_or_known_default() == base.port_or_known_default();
        let rest = url.path().strip_prefix(base.path()).filter(|_| same)?;
        percent_decoded(rest.trim_start_matches('/'))
    }
}

fn prefix(owner: UserId) -> String {
    format!("media/{owner}/")
}

fn percent_decoded(text: &str) -> Option<String> {
    // The only decoder at hand reads forms, in which a plus is a space.
    let text = text.replace('+', "%2B");
    let (decoded, _) = url::form_urlencoded::parse(text.as_bytes()).next()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_belong_to_who_put_them_there() {
        let (ana, ben) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let key = Bucket::new_key(ana, Uuid::from_u128(3), "../a b+é.png");
        assert!(key.ends_with("/a b+é.png"), "{key}");
        assert!(Bucket::is_of(&key, ana) && !Bucket::is_of(&key, ben));
        for bad in [
            "",
            "media/",
            "media/../x",
            &format!("media/{ana}/../{ben}/x"),
            &format!("media/{ana}/"),
        ] {
            assert!(!Bucket::is_of(bad, ana), "{bad}");
        }
        let endpoint = "https://s3.example.org:9000".parse().unwrap();
        let bucket = Bucket::new(&endpoint, "nova-media", "us-east-1", "AK", "hunter2".into()).unwrap();
        let put = bucket.put(&key, Duration::from_mins(1));
        assert!(put.query().unwrap().contains("X-Amz-Signature="), "{put}");
        assert!(!put.as_str().contains("hunter2"));
        assert_eq!(bucket.key_of(&put), Some(key));
        assert_eq!(
            bucket.key_of(&"https://s3.example.org:9000/other/x".parse().unwrap()),
            None
        );
        assert_eq!(
            bucket.key_of(&"https://elsewhere.example.org:9000/nova-media/x".parse().unwrap()),
            None
        );
    }
}
