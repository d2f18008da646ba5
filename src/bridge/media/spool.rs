//! A file that lies on the disk for a moment, without a name: it is gone when it is let go of, also after a crash.

use std::io::SeekFrom;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::Refused;

/// How much of the beginning is kept in memory, to see what it is.
const HEAD: usize = 8 << 10;

/// A file that comes.
#[derive(Debug)]
pub(in crate::bridge) struct Spool {
    file: File,
    size: u64,
    limit: u64,
    head: Vec<u8>,
}

impl Spool {
    pub(in crate::bridge) async fn new(folder: &Path, limit: u64) -> Result<Self, Refused> {
        let folder = folder.to_owned();
        let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await;
        let file = made.map_err(std::io::Error::other).flatten().map_err(Refused::Disk)?;
        Ok(Self {
            file: File::from_std(file),
            size: 0,
            limit,
            head: Vec::new(),
        })
    }

    /// Takes the next bytes, unless they are too many.
    pub(in crate::bridge) async fn take(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.size = self.size.saturating_add(length);
        if self.size > self.limit {
            return Err(Refused::TooLarge { limit: self.limit });
        }
        let missing = HEAD.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(missing));
        self.file.write_all(bytes).await.map_err(Refused::Disk)
    }

    /// The whole file, to be read from its beginning; its size; and how it begins.
    pub(in crate::bridge) async fn done(mut self) -> Result<(File, u64, Vec<u8>), Refused> {
        if self.size == 0 {
            return Err(Refused::Empty);
        }
        self.file.flush().await.map_err(Refused::Disk)?;
        self.file.seek(SeekFrom::Start(0)).await.map_err(Refused::Disk)?;
        Ok((self.file, self.size, self.head))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_came_is_read_again_and_too_much_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut spool = Spool::new(folder.path(), 20_000).await.unwrap();
        for _ in 0..2 {
            spool.take(&[7; 10_000]).await.unwrap();
        }
        let (mut file, size, head) = spool.done().await.unwrap();
        let mut read = Vec::new();
        file.read_to_end(&mut read).await.unwrap();
        assert_eq!((read.len(), size, head.len()), (20_000, 20_000, HEAD));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
        let mut spool = Spool::new(folder.path(), 5).await.unwrap();
        spool.take(b"12345").await.unwrap();
        assert!(matches!(spool.take(b"6").await, Err(Refused::TooLarge { limit: 5 })));
        let empty = Spool::new(folder.path(), 5).await.unwrap();
        assert!(matches!(empty.done().await, Err(Refused::Empty)));
        assert!(matches!(
            Spool::new(Path::new("/nonexistent"), 5).await,
            Err(Refused::Disk(_))
        ));
    }
}
