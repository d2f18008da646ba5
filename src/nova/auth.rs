//! Tokens of Nova's users.

/// Checks tokens.
#[derive(Debug)]
pub struct Authenticator;
