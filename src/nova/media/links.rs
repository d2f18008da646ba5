//! Links to files: signed with a key of our own, for a file or an upload, until a moment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use crate::domain::clock::Clock;
use crate::domain::ids::UserId;
use crate::nova::avatars;

/// Links of one file stay the same for so long, so that they can be cached.
const STEP: i64 = 3600;

/// What is behind a link's question mark.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Signed {
    /// Until when it is good, in seconds since 1970.
    pub exp: i64,
    /// Our signature.
    pub sig: String,
}

/// Makes links, and knows them again. Every process of one bridge makes the same.
pub struct Links {
    base: String,
    key: hmac::Key,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Links {
    /// Links below `public_url`. The key is derived from `secret`, which must be the same after a restart.
    #[must_use]
    pub fn new(public_url: &Url, secret: &[u8], lifetime: Duration, clock: Arc<dyn Clock>) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let key = hmac::sign(&secret, b"nova-bridge links to media 1");
        Self {
            base: public_url.as_str().trim_end_matches('/').to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
            lifetime,
            clock,
        }
    }

    /// Where the file of a message, or an upload, is.
    #[must_use]
    pub fn file(&self, id: Uuid) -> String {
        let exp = self.expiry(self.lifetime);
        format!(
            "{}/media/v1/{id}?exp={exp}&sig={}",
            self.base,
            self.sign(&of_file(id), exp)
        )
    }

    /// Where a small picture of it is.
    #[must_use]
    pub fn thumbnail(&self, id: Uuid) -> String {
        let exp = self.expiry(self.lifetime);
        let sig = self.sign(&of_file(id), exp);
        format!("{}/media/v1/{id}/thumbnail?exp={exp}&sig={sig}", self.base)
    }

    /// Where the picture of a person is, for who shows it without a token.
    #[must_use]
    pub fn avatar(&self, owner: Uuid, avatar: Option<&str>) -> Option<String> {
        avatars::below(&self.base, owner, avatar)
    }

    /// Where somebody may put a file, once, for so long.
    #[must_use]
    pub fn upload(&self, owner: UserId, id: Uuid, name: &str, lifetime: Duration) -> String {
        let exp = self.clock.now().timestamp().saturating_add(seconds(lifetime));
        let sig = self.sign(&of_upload(owner, id, name), exp);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("name", name);
        let query = query
            .append_pair("exp", &exp.to_string())
            .append_pair("sig", &sig)
            .finish();
        format!("{}/media/upload/{owner}/{id}?{query}", self.base)
    }

    /// Whether a link to a file is ours, and still good.
    #[must_use]
    pub fn opens(&self, id: Uuid, signed: &Signed) -> bool {
        self.knows(&of_file(id), signed)
    }

    /// Whether a link to an upload is ours, and still good.
    #[must_use]
    pub fn takes(&self, owner: UserId, id: Uuid, name: &str, signed: &Signed) -> bool {
        self.knows(&of_upload(owner, id, name), signed)
    }

    /// How long a link is good from now on, in seconds.
    #[must_use]
    pub fn rest(&self, signed: &Signed) -> i64 {
        signed.exp.saturating_sub(self.clock.now().timestamp()).max(0)
    }

    /// The upload that one of our own addresses names.
    #[must_use]
    pub fn upload_of(&self, url: &Url) -> Option<Uuid> {
        let rest = url.as_str().strip_prefix(&self.base)?;
        let path = rest.split('?').next()?;
        let id = match path.strip_prefix("/media/upload/") {
            Some(rest) => rest.split_once('/')?.1,
            None => path.strip_prefix("/media/v1/")?,
        };
        Uuid::parse_str(id).ok()
    }

    fn expiry(&self, lifetime: Duration) -> i64 {
        let now = self.clock.now().timestamp();
        let end = now.saturating_add(seconds(lifetime));
        end.saturating_add(STEP).saturating_sub(end.rem_euclid(STEP))
    }

    fn knows(&self, what: &str, signed: &Signed) -> bool {
        let Ok(tag) = BASE64_URL_SAFE_NO_PAD.decode(&signed.sig) else {
            return false;
        };
        let message = format!("{what} {}", signed.exp);
        hmac::verify(&self.key, message.as_bytes(), &tag).is_ok() && self.rest(signed) > 0
    }

    fn sign(&self, what: &str, exp: i64) -> String {
        let tag = hmac::sign(&self.key, format!("{what} {exp}").as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(tag)
    }
}

fn seconds(lifetime: Duration) -> i64 {
    i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)
}

fn of_file(id: Uuid) -> String {
    format!("file {id}")
}

/// The name comes last, because it may hold anything.
fn of_upload(owner: UserId, id: Uuid, name: &str) -> String {
    format!("upload {owner} {id} {} {name}", name.len())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::domain::clock::Timestamp;

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            chrono::DateTime::from_timestamp(self.0.load(Ordering::Relaxed), 0).unwrap()
        }
    }

    fn links(secret: &[u8]) -> (Links, Arc<Hand>) {
        let clock = Arc::new(Hand(AtomicI64::new(1_000_000)));
        let url = "https://nova.example.org/x/".parse().unwrap();
        (Links::new(&url, secret, Duration::from_hours(24), clock.clone()), clock)
    }

    fn signed(link: &str) -> Signed {
        let url: Url = link.parse().unwrap();
        let part = |key: &str| url.query_pairs().find(|(name, _)| name == key).unwrap().1.into_owned();
        Signed {
            exp: part("exp").parse().unwrap(),
            sig: part("sig"),
        }
    }

    #[test]
    fn a_link_opens_its_file_for_a_while() {
        let (links, clock) = links(b"secret");
        let id = Uuid::from_u128(7);
        let link = links.file(id);
        assert!(
            link.starts_with(&format!("https://nova.example.org/x/media/v1/{id}?exp=")),
            "{link}"
        );
        let good = signed(&link);
        assert!(links.opens(id, &good));
        assert!(links.opens(id, &signed(&links.thumbnail(id))));
        assert!(!links.opens(Uuid::from_u128(8), &good));
        let later = Signed {
            exp: good.exp + 1,
            ..good.clone()
        };
        assert!(!links.opens(id, &later));
        for sig in ["", "!", "AAAA"] {
            assert!(!links.opens(
                id,
                &Signed {
                    sig: sig.to_owned(),
                    ..good.clone()
                }
            ));
        }
        assert!(!self::links(b"other").0.opens(id, &good));
        clock.0.fetch_add(60, Ordering::Relaxed);
        assert_eq!(links.file(id), link, "it can be cached");
        clock.0.fetch_add(24 * 3600, Ordering::Relaxed);
        assert!(links.opens(id, &good), "it lasts for the whole of its lifetime");
        clock.0.fetch_add(3600, Ordering::Relaxed);
        assert!(!links.opens(id, &good));
        assert_eq!(links.rest(&good), 0);
    }

    #[test]
    fn an_upload_is_for_one_person_and_one_name() {
        let (links, _) = links(b"secret");
        let (ana, ben, id) = (
            UserId(Uuid::from_u128(1)),
            UserId(Uuid::from_u128(2)),
            Uuid::from_u128(3),
        );
        let link = links.upload(ana, id, "a b&c.png", Duration::from_hours(1));
        let good = signed(&link);
        assert!(links.takes(ana, id, "a b&c.png", &good));
        assert!(!links.takes(ben, id, "a b&c.png", &good));
        assert!(!links.takes(ana, id, "other", &good));
        assert!(!links.opens(id, &good));
        assert_eq!(links.upload_of(&link.parse().unwrap()), Some(id));
        assert_eq!(links.upload_of(&links.file(id).parse().unwrap()), Some(id));
        assert_eq!(
            links.upload_of(&"https://elsewhere.example.org/media/v1/x".parse().unwrap()),
            None
        );
    }
}
