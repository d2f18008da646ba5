//! A client brings a file: it goes through the disk to the homeserver, as the client's own ghost.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use ruma::{OwnedUserId, UserId};
use uuid::Uuid;

use super::{Refused, Seen, Spool, look};
use crate::bridge::accounts::ProvisionError;
use crate::bridge::{Bridge, CommandError};
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId as NovaUser;
use crate::domain::media::{File, Kind, Source, Thumbnail, file_name, has_path};
use crate::matrix::HomeserverError;
use crate::matrix::files::{Download, Wanted};
use crate::store::{StoreError, media};

/// The largest small picture that is looked at, in bytes.
const SMALL_PICTURE: usize = 2 << 20;
/// A small picture of it is wanted of everything that is larger than this, and it is of about this size.
const SMALL: (u16, u16) = (800, 600);

/// What a client says of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Its name.
    pub name: Option<String>,
    /// Its type.
    pub mime: Option<String>,
    /// Its size, in bytes.
    pub size: Option<u64>,
    /// What it shall be shown as.
    pub kind: Option<Kind>,
}

/// A body that ended before its end, or too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenOff;

impl Bridge {
    /// Takes a file to the homeserver, and keeps it for a message of its owner.
    ///
    /// An id that was used before gives the file that came first.
    ///
    /// # Errors
    /// [`Refused`], with the reason; or when the homeserver does not take it.
    pub async fn bring(
        &self,
        owner: NovaUser,
        id: Option<Uuid>,
        claims: Claims,
        mut body: impl Stream<Item = Result<Bytes, BrokenOff>> + Unpin,
    ) -> Result<(Uuid, File), CommandError> {
        if claims.name.as_deref().is_some_and(has_path) {
            return Err(Refused::Path.into());
        }
        let _permit = self.inner.media.brought.try_acquire().map_err(|_| CommandError::Busy)?;
        if let Some(id) = id
            && let Some(first) = self.brought(id, owner).await?
        {
            return Ok((id, first));
        }
        let ghost = self.ghost_of(owner).await?;
        let limit = self.upload_limit(&ghost).await;
        if claims.size.is_some_and(|size| size > limit) {
            return Err(Refused::TooLarge { limit }.into());
        }
        let mut spool = Spool::new(&self.inner.settings.media.temp_dir, limit).await?;
        while let Some(bytes) = body.next().await {
            spool.take(&bytes.map_err(|BrokenOff| Refused::BrokenOff)?).await?;
        }
        let file = self.deliver_file(&ghost, spool, &claims).await?;
        let (id, now) = (id.unwrap_or_else(|| self.id(self.now())), self.now());
        let mut connection = self.inner.store.read().await?;
        media::keep_upload(&mut connection, id, owner, &file, now).await?;
        Ok((id, file))
    }

    /// The id of a file to come.
    #[must_use]
    pub fn new_upload_id(&self) -> Uuid {
        self.id(self.now())
    }

    /// Forgets files that were brought before a moment.
    pub(in crate::bridge) async fn forget_uploads(&self, before: Timestamp) -> Result<(), StoreError> {
        let mut connection = self.inner.store.read().await?;
        media::forget_uploads(&mut connection, before).await
    }

    /// A file that somebody brought.
    pub(super) async fn brought(&self, id: Uuid, owner: NovaUser) -> Result<Option<File>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(media::upload(&mut connection, id, owner).await?)
    }

    /// The `mxc://` address of a picture that somebody brought.
    ///
    /// # Errors
    /// When they have brought no such file, or it is no picture.
    pub async fn brought_picture(&self, id: Uuid, owner: NovaUser) -> Result<String, CommandError> {
        let file = self.brought(id, owner).await?.ok_or(CommandError::NoSuchFile)?;
        match file.mxc() {
            Some(mxc) if file.kind.is_picture() => Ok(mxc.to_owned()),
            Some(_) | None => Err(CommandError::Invalid(
                "avatar_url names a file that is no picture".to_owned(),
            )),
        }
    }

    /// The ghost of an account, there to be acted as.
    pub(super) async fn ghost_of(&self, user: NovaUser) -> Result<OwnedUserId, CommandError> {
        self.ensure_ghost(user).await.map_err(|error| match error {
            ProvisionError::NoAccount => CommandError::Forbidden("your account does not exist"),
            ProvisionError::Store(error) => error.into(),
            ProvisionError::Homeserver(error) => error.into(),
        })?;
        OwnedUserId::try_from(self.ghosts().mxid(user)).map_err(|_| CommandError::NoSuchUser(user.to_string()))
    }

    /// The largest file that is taken, in bytes: ours, or the homeserver's where that is lower.
    pub(in crate::bridge) async fn upload_limit(&self, ghost: &UserId) -> u64 {
        let (ours, known) = (self.inner.settings.media.max_size, &self.inner.media.limit);
        if let Some(theirs) = known.get(&()) {
            return ours.min(theirs);
        }
        match self.homeserver().upload_limit(ghost).await {
            Ok(theirs) => {
                known.insert((), theirs);
                ours.min(theirs)
            }
            Err(error) => {
                tracing::info!(%error, "the homeserver does not say how large a file may be");
                ours
            }
        }
    }

    /// Looks at a file that is on the disk, and takes it to the homeserver.
    pub(in crate::bridge) async fn deliver_file(
        &self,
        ghost: &UserId,
        spool: Spool,
        claims: &Claims,
    ) -> Result<File, FileError> {
        let (bytes, size, head) = spool.done().await?;
        let Seen { kind, mime } = look::judge(&head, claims.mime.as_deref(), claims.kind)?;
        let (bytes, dimensions) = measured(bytes, kind, &mime).await?;
        let mxc = self.homeserver().upload_file(ghost, &mime, bytes, size).await?;
        let mut file = File {
            size: Some(size),
            dimensions,
            ..File::new(kind, Source::Mxc(mxc), "")
        };
        file.name = named(claims.name.as_deref(), kind, &mime);
        file.mime = Some(mime);
        if kind.is_picture() {
            self.fill_in(ghost, &mut file).await;
        }
        Ok(file)
    }

    /// Fills in what is shown of a picture before it is there. Without it the picture is as good.
    async fn fill_in(&self, ghost: &UserId, file: &mut File) {
        if let Err(error) = self.try_fill_in(ghost, file).await {
            tracing::info!(%error, "there is no small picture of a picture");
        }
    }

    async fn try_fill_in(&self, ghost: &UserId, file: &mut File) -> Result<(), HomeserverError> {
        let Some(mxc) = file.mxc() else { return Ok(()) };
        let (width, height) = SMALL;
        let mut small = self
            .homeserver()
            .open(ghost, mxc, Wanted::Thumbnail { width, height })
            .await?;
        let bytes = read(&mut small, SMALL_PICTURE).await?;
        let looked = bytes.clone();
        let looked = tokio::task::spawn_blocking(move || look::small_picture(&looked)).await;
        let Ok(Some((dimensions, blurhash))) = looked else {
            return Ok(());
        };
        file.blurhash = Some(blurhash);
        let is_larger = |(wide, high): (u32, u32)| wide > width.into() || high > height.into();
        if file.dimensions.is_some_and(is_larger) {
            let Ok(Seen { mime, .. }) = look::judge(&bytes, None, Some(Kind::Image)) else {
                return Ok(());
            };
            let size = u64::try_from(bytes.len()).ok();
            file.thumbnail = Some(Thumbnail {
                mxc: self.homeserver().upload(ghost, &mime, bytes).await?,
                mime: Some(mime),
                size,
                dimensions: Some(dimensions),
            });
        }
        Ok(())
    }
}

/// Why a file did not come to the homeserver.
#[derive(Debug, thiserror::Error)]
pub(in crate::bridge) enum FileError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Homeserver(#[from] HomeserverError),
}

impl From<FileError> for CommandError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Refused(refused) => refused.into(),
            FileError::Homeserver(error) => error.into(),
        }
    }
}

/// A name as it is, or made up from what the file is.
fn named(name: Option<&str>, kind: Kind, mime: &str) -> String {
    if let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) {
        return file_name(name, kind);
    }
    let extension = match mime.rsplit_once('/').map_or("", |(_, name)| name) {
        "jpeg" => "jpg",
        "mpeg" => "mp3",
        "quicktime" => "mov",
        plain if plain.len() <= 4 => plain,
        _ => return kind.noun().to_owned(),
    };
    format!("{}.{extension}", kind.noun())
}

async fn measured(
    bytes: tokio::fs::File,
    kind: Kind,
    mime: &str,
) -> Result<(tokio::fs::File, Option<(u32, u32)>), Refused> {
    use tokio::io::AsyncSeekExt;
    if !kind.is_picture() {
        return Ok((bytes, None));
    }
    let (copy, mime) = (
        bytes.try_clone().await.map_err(Refused::Disk)?.into_std().await,
        mime.to_owned(),
    );
    let looked = tokio::task::spawn_blocking(move || look::dimensions(copy, &mime)).await;
    let dimensions = looked.map_err(|error| Refused::Disk(std::io::Error::other(error)))??;
    let mut bytes = bytes;
    // Both read at one place.
    bytes.rewind().await.map_err(Refused::Disk)?;
    Ok((bytes, dimensions))
}

async fn read(download: &mut Download, limit: usize) -> Result<Bytes, HomeserverError> {
    let mut all = Vec::new();
    while let Some(bytes) = download.chunk().await? {
        if all.len().saturating_add(bytes.len()) > limit {
            return Err(HomeserverError::TooLarge { limit });
        }
        all.extend_from_slice(&bytes);
    }
    Ok(all.into())
}
