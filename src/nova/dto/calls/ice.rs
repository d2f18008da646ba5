//! Servers that help to get through, in every spelling that a client reads (nova-client-protocol §11-13).

use serde::Serialize;
use utoipa::ToSchema;

use crate::bridge::ice;

/// A STUN or TURN server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IceServer {
    /// Its addresses.
    #[schema(example = json!(["turn:turn.example.org?transport=udp"]))]
    urls: Vec<String>,
    /// With which name, for TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// And with which password.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    /// `password`, for TURN.
    #[serde(rename = "credentialType", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "password")]
    camel_type: Option<&'static str>,
    /// The same.
    #[serde(rename = "credential_type", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "password")]
    snake_type: Option<&'static str>,
}

impl IceServer {
    /// The servers of a list.
    #[must_use]
    pub fn list(servers: &ice::IceServers) -> Vec<Self> {
        let shown = |server: &ice::IceServer| {
            let kind = server.credential.is_some().then_some("password");
            Self {
                urls: server.urls.clone(),
                username: server.username.clone(),
                credential: server.credential.as_ref().map(|it| it.exposed().to_owned()),
                camel_type: kind,
                snake_type: kind,
            }
        };
        servers.servers.iter().map(shown).collect()
    }
}

/// Everything that a client gives to its `RTCPeerConnection`, in both spellings.
#[derive(Debug, Serialize, ToSchema)]
pub struct IceConfig {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// The servers.
    #[serde(rename = "iceServers")]
    camel_servers: Vec<IceServer>,
    /// The same.
    #[serde(rename = "ice_servers")]
    snake_servers: Vec<IceServer>,
    /// Always `all`.
    #[serde(rename = "iceTransportPolicy")]
    #[schema(value_type = String, example = "all")]
    camel_policy: &'static str,
    /// The same.
    #[serde(rename = "ice_transport_policy")]
    #[schema(value_type = String, example = "all")]
    snake_policy: &'static str,
    /// How long they can be used, in seconds.
    #[serde(rename = "ttlSeconds")]
    #[schema(example = 86400)]
    camel_ttl: u64,
    /// The same.
    #[serde(rename = "ttl_seconds")]
    #[schema(example = 86400)]
    snake_ttl: u64,
}

impl IceConfig {
    /// Of what the bridge has found.
    #[must_use]
    pub fn new(servers: &ice::IceServers) -> Self {
        let list = IceServer::list(servers);
        let ttl = servers.lifetime.as_secs();
        Self {
            success: true,
            camel_servers: list.clone(),
            snake_servers: list,
            camel_policy: "all",
            snake_policy: "all",
            camel_ttl: ttl,
            snake_ttl: ttl,
        }
    }
}
