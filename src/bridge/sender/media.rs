//! Messages that carry something: a file from Nova's storage is taken to the homeserver first, and where it is then is
//! noted before the event is sent, so that it is not taken there twice.

use std::time::Duration;

use ruma::UserId;
use url::Url;

use super::{Done, JobError};
use crate::bridge::Bridge;
use crate::bridge::media::{Claims, FileError, Spool};
use crate::domain::job::StoredJob;
use crate::domain::media::{File, Media, Source};
use crate::matrix::translate::outbound;
use crate::matrix::{HomeserverError, Retry, StorageRules};
use crate::store::{media, messages};

/// How often Nova's storage is asked before a file counts as lost: everything behind it waits.
const TRIES: i32 = 5;
/// How long a file may take to come.
const LONGEST: Duration = Duration::from_mins(3);
/// How long the address of an object is good for.
const OBJECT_LIFETIME: Duration = Duration::from_mins(10);

impl Bridge {
    pub(super) async fn send_media(&self, job: &StoredJob, ghost: &UserId) -> Result<Done, JobError> {
        let gone = || JobError::Hopeless("the message is gone".to_owned());
        let mut connection = self.inner.store.read().await?;
        let id = job.message.ok_or_else(gone)?;
        let message = messages::find(&mut connection, id).await?.ok_or_else(gone)?;
        drop(connection);
        if message.gone.is_some() {
            return self.nothing_more(job, ghost, &id.to_string()).await;
        }
        let mut text = message.text;
        if let Some(Media::File(file)) = &text.media
            && file.mxc().is_none()
        {
            self.ensure_ghost(job.actor).await?;
            let there = Media::File(Box::new(self.take_over(job, ghost, file).await?));
            let mut connection = self.inner.store.read().await?;
            media::set(&mut connection, id, &there).await?;
            text.media = Some(there);
        }
        let content = outbound::message(id, &text);
        self.send_said(job, ghost, "m.room.message", content, message.reply_to)
            .await
    }

    /// Takes a file from Nova's storage to the homeserver.
    async fn take_over(&self, job: &StoredJob, ghost: &UserId, file: &File) -> Result<File, JobError> {
        let settings = &self.inner.settings.media;
        let (url, rules) = match &file.source {
            Source::Mxc(_) => return Ok(file.clone()),
            Source::Url(url) => (Url::parse(url).ok(), settings.storage.clone()),
            Source::Object(key) => {
                let url = settings.bucket.as_ref().map(|bucket| bucket.get(key, OBJECT_LIFETIME));
                let rules = url.as_ref().map(StorageRules::only).unwrap_or_default();
                (url, rules)
            }
        };
        let url = url.ok_or_else(|| JobError::Hopeless("the file's address leads nowhere".to_owned()))?;
        let limit = self.upload_limit(ghost).await;
        let spool = tokio::time::timeout(LONGEST, self.fetch(&url, &rules, limit));
        let spool = match spool.await {
            Ok(Ok(spool)) => spool,
            Ok(Err(error)) => return Err(unfetched(job, error)),
            Err(_) => {
                return Err(JobError::Hopeless(
                    "Nova's storage takes too long to give the file".to_owned(),
                ));
            }
        };
        let claims = Claims {
            name: Some(file.name.clone()),
            mime: file.mime.clone(),
            size: None,
            kind: Some(file.kind),
        };
        let taken = self
            .deliver_file(ghost, spool, &claims)
            .await
            .map_err(|error| match error {
                FileError::Refused(refused) => JobError::Hopeless(refused.to_string()),
                FileError::Homeserver(error) => JobError::Homeserver(error),
            })?;
        Ok(File {
            dimensions: taken.dimensions.or(file.dimensions),
            duration_ms: file.duration_ms,
            waveform: file.waveform.clone(),
            attached_to: file.attached_to,
            ..taken
        })
    }

    async fn fetch(&self, url: &Url, rules: &StorageRules, limit: u64) -> Result<Spool, FileError> {
        let mut coming = self.homeserver().fetch_stored(url, rules).await?;
        if coming.length.is_some_and(|length| length > limit) {
            return Err(crate::bridge::media::Refused::TooLarge { limit }.into());
        }
        let mut spool = Spool::new(&self.inner.settings.media.temp_dir, limit).await?;
        while let Some(bytes) = coming.chunk().await? {
            spool.take(&bytes).await?;
        }
        Ok(spool)
    }
}

/// What to do about a file that did not come: for the homeserver we would wait for ever, for the storage we do not.
fn unfetched(job: &StoredJob, error: FileError) -> JobError {
    let error = match error {
        FileError::Refused(refused) => return JobError::Hopeless(refused.to_string()),
        FileError::Homeserver(error) => error,
    };
    let reason = match &error {
        HomeserverError::Unsuitable(reason) => (*reason).to_owned(),
        HomeserverError::Refused(refusal) => format!("Nova's storage answered with status {}", refusal.status),
        HomeserverError::Timeout(_) => "Nova's storage did not answer in time".to_owned(),
        HomeserverError::Setup(_)
        | HomeserverError::Request(_)
        | HomeserverError::Connect(_)
        | HomeserverError::Broken(_)
        | HomeserverError::Unreadable(_)
        | HomeserverError::TooLarge { .. } => "Nova's storage cannot be reached".to_owned(),
    };
    match error.retry() {
        Retry::Never => JobError::Hopeless(reason),
        Retry::After(_) | Retry::Backoff if job.attempts + 1 >= TRIES => JobError::Hopeless(reason),
        Retry::After(_) | Retry::Backoff => JobError::Storage(reason),
    }
}
