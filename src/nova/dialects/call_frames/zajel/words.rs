//! What Zajel's own server says besides the call frames.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::domain::contact_code::ContactCode;
use crate::domain::ids::UserId;

/// How the server is called.
const SERVER: &str = "nova-bridge";

/// The first frame of a socket.
pub(super) fn server_info(public_url: &Url) -> Value {
    let url = public_url.as_str().trim_end_matches('/');
    // http becomes ws, https wss.
    let endpoint = url.replacen("http", "ws", 1);
    json!({ "type": "server_info", "serverId": SERVER, "endpoint": endpoint, "region": null })
}

/// The answer to a sign of life.
pub(super) fn pong() -> Value {
    json!({ "type": "pong" })
}

/// A client is registered.
pub(super) fn registered(code: &ContactCode) -> Value {
    json!({ "type": "registered", "pairingCode": code.as_str(), "serverId": SERVER })
}

/// The code is somebody else's.
pub(super) fn collision() -> Value {
    json!({ "type": "code_collision", "message": "Pairing code already in use" })
}

/// Somebody is known from now on.
pub(super) fn matched(code: &str, key: &str) -> Value {
    json!({ "type": "pair_matched", "peerCode": code, "peerPublicKey": key, "isInitiator": true })
}

/// Nobody is known by it.
pub(super) fn pair_error(what: &str) -> Value {
    json!({ "type": "pair_error", "error": what })
}

/// A key for who has none: clients want one, of this length. It is for nothing but data channels, which the bridge has not;
/// nobody has the other half of it.
pub(super) fn no_key(peer: UserId) -> String {
    STANDARD.encode(Sha256::digest(format!("nova-bridge: no key of {peer}")))
}
