//! Files from Nova's storage, at an address that a client names.
//!
//! It is followed only to hosts that the admin allows, and never into the network that the bridge itself is in: what a
//! name leads to is looked at after it is resolved, and the connection goes to just that. Redirects are addresses like any other.

mod addresses;

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::client::Homeserver;
use super::error::HomeserverError;
use super::files::{Download, SILENCE};
use super::observer::Endpoint;
use super::wire::redirected;

/// How many addresses are tried for one file.
const REDIRECTS: usize = 3;
/// How long a whole file may take.
const LONGEST: Duration = Duration::from_mins(5);

const PRIVATE: &str = "the address leads into a private network";

/// Where files may be fetched from.
#[derive(Debug, Clone, Default)]
pub struct StorageRules {
    /// Hosts, as `host` for the usual ports or `host:port`.
    pub hosts: Vec<String>,
    /// The same, for hosts that the admin knows to be in a private network.
    pub internal_hosts: Vec<String>,
}

impl StorageRules {
    /// Only the host of this address, wherever it is: the admin named it.
    #[must_use]
    pub fn only(url: &Url) -> Self {
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        Self {
            hosts: Vec::new(),
            internal_hosts: vec![format!("{host}:{port}")],
        }
    }

    /// Whether an address may be fetched from, and if so whether its host is known to be in a private network.
    ///
    /// # Errors
    ///
    /// [`HomeserverError::Unsuitable`] with the reason.
    pub fn check(&self, url: &Url) -> Result<bool, HomeserverError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HomeserverError::Unsuitable("the address is not http or https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HomeserverError::Unsuitable("the address holds a password"));
        }
        let Some(host) = url.host_str() else {
            return Err(HomeserverError::Unsuitable("the address has no host"));
        };
        let named = |rule: &String| match (rule.rsplit_once(':'), url.port()) {
            _ if rule.eq_ignore_ascii_case(host) => url.port().is_none(),
            (Some((name, port)), _) => {
                let port = port.parse().ok();
                name.eq_ignore_ascii_case(host) && port == url.port_or_known_default()
            }
            (None, _) => false,
        };
        if self.internal_hosts.iter().any(named) {
            return Ok(true);
        }
        if !self.hosts.iter().any(named) {
            return Err(HomeserverError::Unsuitable("the address is not one of Nova's storage"));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if literal.is_some_and(addresses::is_private) {
            return Err(HomeserverError::Unsuitable(PRIVATE));
        }
        Ok(false)
    }
}

/// The clients that fetch: one that refuses private addresses, and one for hosts that are known to have them.
#[derive(Debug, Clone)]
pub(super) struct Outside {
    public: reqwest::Client,
    internal: reqwest::Client,
}

impl Outside {
    pub(super) fn new() -> Result<Self, HomeserverError> {
        let client = || {
            reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(5))
                .timeout(LONGEST)
                .redirect(Policy::none())
                .no_proxy()
                .user_agent(concat!("nova-bridge/", env!("CARGO_PKG_VERSION")))
        };
        let built =
            |builder: reqwest::ClientBuilder| builder.build().map_err(|error| HomeserverError::Setup(Box::new(error)));
        Ok(Self {
            public: built(client().dns_resolver(Arc::new(PublicOnly)))?,
            internal: built(client())?,
        })
    }
}

/// Finds the addresses of a name, without those in private networks.
struct PublicOnly;

/// All addresses of a name are in private networks.
#[derive(Debug, thiserror::Error)]
#[error("{PRIVATE}")]
struct Private;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|found| !addresses::is_private(found.ip())).collect();
            if public.is_empty() {
                return Err(Box::<dyn StdError + Send + Sync>::from(Private));
            }
            Ok::<Addrs, _>(Box::new(public.into_iter()))
        })
    }
}

fn is_private(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<Private>() {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Homeserver {
    /// Begins to fetch a file from Nova's storage, over few redirects and with none of our credentials.
    ///
    /// # Errors
    ///
    /// [`HomeserverError::Unsuitable`] for addresses that are not followed, and as for any request.
    pub async fn fetch_stored(&self, url: &Url, rules: &StorageRules) -> Result<Download, HomeserverError> {
        self.observed(Endpoint::Storage, self.follow_stored(url.clone(), rules))
            .await
    }

    async fn follow_stored(&self, mut url: Url, rules: &StorageRules) -> Result<Download, HomeserverError> {
        for _ in 0..=REDIRECTS {
            let outside = self.outside();
            let client = if rules.check(&url)? {
                &outside.internal
            } else {
                &outside.public
            };
            let answer = tokio::time::timeout(SILENCE, client.get(url.clone()).send()).await;
            let response = match answer.map_err(|elapsed| HomeserverError::Timeout(Box::new(elapsed)))? {
                Err(error) if is_private(&error) => return Err(HomeserverError::Unsuitable(PRIVATE)),
                other => other.map_err(HomeserverError::from_transport)?,
            };
            if response.status().is_success() {
                return Ok(Download::new(response));
            }
            url = redirected(&url, &response)?;
        }
        Err(HomeserverError::Unsuitable("too many redirects"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_hosts_are_asked() {
        let rules = StorageRules {
            hosts: vec![
                "cdn.nova.social".to_owned(),
                "s3.nova.social:9000".to_owned(),
                "10.0.0.1".to_owned(),
            ],
            internal_hosts: vec!["minio:9000".to_owned()],
        };
        let check = |url: &str| rules.check(&url.parse().unwrap()).map_err(|error| error.to_string());
        for (url, internal) in [
            ("https://cdn.nova.social/a", false),
            ("http://CDN.nova.social/a", false),
            ("https://s3.nova.social:9000/a", false),
            ("http://minio:9000/a", true),
        ] {
            assert_eq!(check(url), Ok(internal), "{url}");
        }
        for url in [
            "ftp://cdn.nova.social/a",
            "https://evil.example/a",
            "https://cdn.nova.social.evil.example/a",
            "https://cdn.nova.social@evil.example/a",
            "https://user:pw@cdn.nova.social/a",
            "https://cdn.nova.social:8443/a",
            "https://s3.nova.social/a",
            "http://minio/a",
            "file:///etc/passwd",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
        assert!(check("http://10.0.0.1/a").unwrap_err().contains("private network"));
    }
}
