//! `token`: a token as Nova's identity service would sign it. For development, with a key pair of one's own.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rand::{CryptoRng, Rng};
use serde::{Deserialize, Serialize};
use uuid::Builder;

use crate::domain::clock::Clock;
use crate::domain::ids::UserId;

/// `token`
#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// The account's UUID in Nova.
    #[arg(long, value_name = "UUID")]
    pub user: UserId,

    /// The account's name.
    #[arg(long, value_name = "NAME")]
    pub username: String,

    /// The RSA private key (PEM) that belongs to the public key of the configuration.
    #[arg(long, value_name = "PEM")]
    pub private_key_file: PathBuf,

    /// How long the token is good.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub ttl_hours: u32,

    /// The account's address; without it, USERNAME at nova.invalid.
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
}

/// What a token says (nova-client-protocol.md §2.1).
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    token_type: String,
    email: String,
    username: String,
    jti: String,
}

/// Prints a signed token.
///
/// # Errors
/// The key cannot be read or is no RSA private key.
pub fn token(
    args: &TokenArgs,
    clock: &impl Clock,
    rng: &mut (impl CryptoRng + Rng),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let path = args.private_key_file.display();
    let pem = fs::read(&args.private_key_file).with_context(|| format!("{path} cannot be read"))?;
    let no_key = || format!("{path} is no RSA private key in PEM form; `openssl genrsa -out key.pem 2048` writes one");
    let key = EncodingKey::from_rsa_pem(&pem).with_context(no_key)?;
    let now = clock.now().timestamp();
    let claims = Claims {
        sub: args.user.to_string(),
        iat: now,
        nbf: now,
        exp: now.saturating_add(i64::from(args.ttl_hours).saturating_mul(3600)),
        token_type: "access".to_owned(),
        email: args
            .email
            .clone()
            .unwrap_or_else(|| format!("{}@nova.invalid", args.username)),
        username: args.username.clone(),
        jti: Builder::from_random_bytes(rng.random()).into_uuid().to_string(),
    };
    // A public key is noticed only now.
    let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).with_context(no_key)?;
    writeln!(out, "{token}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use jsonwebtoken::{DecodingKey, Validation};
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::domain::clock::Timestamp;

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    #[test]
    fn the_token_says_what_the_identity_service_would_say() {
        let folder = tempfile::tempdir().unwrap();
        let private_key_file = folder.path().join("key.pem");
        fs::write(&private_key_file, include_str!("token/test-key.pem")).unwrap();
        let args = TokenArgs {
            user: "3F2B8C1E-9D47-4A06-B1C5-7E0A9F6D2C11".parse().unwrap(),
            username: "alice".to_owned(),
            private_key_file,
            ttl_hours: 24,
            email: None,
        };
        let now = At(DateTime::<Utc>::from_timestamp(1_767_863_400, 0).unwrap());
        let mut out = Vec::new();
        token(&args, &now, &mut StdRng::seed_from_u64(1), &mut out).unwrap();
        let key = DecodingKey::from_rsa_pem(include_bytes!("token/test-key.pub.pem")).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        let token = String::from_utf8(out).unwrap();
        let decoded = jsonwebtoken::decode::<Claims>(token.trim_end(), &key, &validation).unwrap();
        insta::assert_json_snapshot!(decoded.claims, { ".jti" => "(a UUID)" });
        assert_eq!(decoded.claims.jti.parse::<uuid::Uuid>().unwrap().get_version_num(), 4);
    }

    #[test]
    fn a_public_key_is_refused_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let private_key_file = folder.path().join("key.pem");
        fs::write(&private_key_file, include_str!("token/test-key.pub.pem")).unwrap();
        let args = TokenArgs {
            user: "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11".parse().unwrap(),
            username: "alice".to_owned(),
            private_key_file,
            ttl_hours: 24,
            email: None,
        };
        let now = At(DateTime::<Utc>::from_timestamp(0, 0).unwrap());
        let error = token(&args, &now, &mut StdRng::seed_from_u64(1), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("openssl genrsa"), "{error}");
    }
}
