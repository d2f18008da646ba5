//! Where chance comes from: a trait, so that tests decide it.

use uuid::Uuid;

use super::clock::Timestamp;

/// A source of random bytes.
pub trait Random: Send + Sync + 'static {
    /// Ten random bytes.
    fn bytes(&self) -> [u8; 10];

    /// A time-ordered id (UUID v7) for `now`.
    fn id(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }

    /// A random number.
    fn number(&self) -> u32 {
        let [a, b, c, d, ..] = self.bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bytes(&self) -> [u8; 10] {
        // Bytes 6 and 8 of a UUID v4 hold fixed bits; leave them out.
        let random = Uuid::new_v4().into_bytes();
        let mut free = random
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !matches!(at, 6 | 8))
            .map(|(_, byte)| byte);
        std::array::from_fn(|_| free.next().unwrap_or_default())
    }
}
