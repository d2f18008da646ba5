//! Nova accounts and their ghosts.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use url::Url;

use super::{Bridge, CommandError};
use crate::domain::conversation::Person;
use crate::domain::ghost::{LOCALPART_PREFIX, parse_mxid};
use crate::domain::ids::UserId;
use crate::domain::ingest::Effects;
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::message::{shortened, storable};
use crate::matrix::{HomeserverError, Profile};
use crate::store::people::Account;
use crate::store::{StoreError, people};

/// The largest picture that a ghost is given, in bytes.
const MAX_AVATAR_BYTES: usize = 5 * 1024 * 1024;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// How long a Nova request waits for the profile of a Matrix user whom nobody has met.
const PROFILE_PATIENCE: Duration = Duration::from_secs(3);

/// What an account is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProfile {
    /// Its handle.
    pub username: String,
    /// What others call it.
    pub display_name: Option<String>,
    /// Its picture: an HTTP(S) or mxc address.
    pub avatar_url: Option<String>,
}

impl Bridge {
    /// Makes sure that the owner of a valid token has an account. Costs nothing when it is known and unchanged.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn ensure_account(&self, user: UserId, username: &str) -> Result<(), CommandError> {
        if self.inner.accounts.get(&user).is_some_and(|known| &*known == username) {
            return Ok(());
        }
        let mut connection = self.inner.store.read().await?;
        let known = people::account(&mut connection, user).await?;
        drop(connection);
        let profile = match known {
            Some(account) if account.deactivated_at.is_some() => {
                return Err(CommandError::Forbidden("this account was deleted"));
            }
            Some(account) if account.described => None,
            Some(account) => Some(AccountProfile {
                username: username.to_owned(),
                display_name: account.person.display_name,
                avatar_url: account.person.avatar_url,
            }),
            None => {
                let found = self.look_up(user).await.unwrap_or_else(|error| {
                    tracing::warn!(%error, nova.user = %user, "the profile source did not answer");
                    None
                });
                if let Some(profile) = found {
                    self.put_account(user, profile).await?;
                    None
                } else {
                    Some(AccountProfile {
                        username: username.to_owned(),
                        display_name: None,
                        avatar_url: None,
                    })
                }
            }
        };
        if let Some(profile) = profile {
            self.write_account(user, profile, false).await?;
        }
        self.want_space(user).await?;
        self.inner.accounts.insert(user, Arc::from(username));
        Ok(())
    }

    /// Writes an account as somebody who knows it describes it, and has its ghost made or brought in step. Returns whether
    /// anything is news.
    ///
    /// # Errors
    /// When a field makes no sense.
    pub async fn put_account(&self, user: UserId, profile: AccountProfile) -> Result<bool, CommandError> {
        self.write_account(user, profile, true).await
    }

    async fn write_account(
        &self,
        user: UserId,
        profile: AccountProfile,
        described: bool,
    ) -> Result<bool, CommandError> {
        let person = self.checked(user, profile)?;
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let changed = people::put_account(&mut tx, &person, described, now).await?;
        if !changed {
            tx.commit().await?;
            self.inner.accounts.invalidate(&user);
            return Ok(false);
        }
        self.inner.accounts.invalidate(&user);
        self.inner.provisioned.invalidate(&user);
        self.commit(tx, &self.account_job(user, Job::ProvisionGhost), now)
            .await?;
        Ok(true)
    }

    fn checked(&self, user: UserId, profile: AccountProfile) -> Result<Person, CommandError> {
        let username = storable(profile.username);
        if username.trim().is_empty() || username.len() > MAX_NAME_BYTES {
            return Err(CommandError::Invalid(format!(
                "username must have 1 to {MAX_NAME_BYTES} bytes"
            )));
        }
        profile.avatar_url.as_deref().map(checked_picture).transpose()?;
        let person = self
            .ghost_person(user, &username)
            .ok_or_else(|| CommandError::Invalid("the ghost's name is no Matrix id".to_owned()))?;
        let display_name = profile
            .display_name
            .map(storable)
            .filter(|name| !name.trim().is_empty());
        Ok(Person {
            display_name: display_name.map(|name| shortened(name, MAX_NAME_BYTES)),
            avatar_url: profile.avatar_url,
            ..person
        })
    }

    /// Deletes an account: its conversations stay with the others, its ghost is taken off the homeserver.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn delete_account(&self, user: UserId) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        if people::account(&mut tx, user).await?.is_none() {
            return Err(CommandError::NoSuchUser(user.to_string()));
        }
        people::deactivate(&mut tx, user, now).await?;
        self.commit(tx, &self.account_job(user, Job::DeactivateGhost), now)
            .await?;
        self.inner.accounts.invalidate(&user);
        self.inner.provisioned.invalidate(&user);
        Ok(())
    }

    fn account_job(&self, user: UserId, job: Job) -> Effects {
        let job = NewJob {
            id: self.id(self.now()).into(),
            lane: Lane::Account(user),
            actor: user,
            message: None,
            job,
        };
        Effects {
            jobs: vec![job],
            ..Effects::default()
        }
    }

    /// Whether there is an account, asking the profile source about one that is not known yet.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn find_account(&self, user: UserId) -> Result<Option<Person>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let known = people::account(&mut connection, user).await?;
        drop(connection);
        match known {
            Some(account) if account.deactivated_at.is_some() => Ok(None),
            Some(account) => Ok(Some(account.person)),
            None => {
                let Some(profile) = self.look_up(user).await? else {
                    return Ok(None);
                };
                self.put_account(user, profile).await?;
                let mut connection = self.inner.store.read().await?;
                Ok(people::person(&mut connection, user).await?)
            }
        }
    }

    /// Makes sure that a ghost that Synapse asks for exists. Returns whether it can.
    ///
    /// # Errors
    /// When Postgres fails, or the homeserver does not let us register it.
    pub async fn provide_ghost(&self, mxid: &str) -> Result<bool, CommandError> {
        let Some(user) = self.ghosts().nova_user(mxid) else {
            return Ok(false);
        };
        if self.find_account(user).await?.is_none() {
            return Ok(false);
        }
        match self.ensure_ghost(user).await {
            Ok(()) => Ok(true),
            Err(ProvisionError::NoAccount) => Ok(false),
            Err(ProvisionError::Store(error)) => Err(error.into()),
            Err(ProvisionError::Homeserver(error)) => Err(error.into()),
        }
    }

    /// The accounts with this username.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn accounts_called(&self, username: &str) -> Result<Vec<Person>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(people::accounts_by_username(&mut connection, username).await?)
    }

    async fn look_up(&self, user: UserId) -> Result<Option<AccountProfile>, CommandError> {
        let Some(source) = &self.inner.profile_source else {
            return Ok(None);
        };
        let Some(found) = source.find(user).await? else {
            return Ok(None);
        };
        Ok(Some(AccountProfile {
            username: found.username,
            display_name: found.display_name,
            avatar_url: found.avatar_url,
        }))
    }

    /// The person whom a request means: a Nova UUID, a Matrix id, or the Nova UUID of a Matrix user met before.
    ///
    /// A Matrix user who was never met is asked for at the homeserver; while it does not answer, the benefit of the
    /// doubt is theirs, because a Nova request never waits for Matrix.
    ///
    /// # Errors
    /// When nobody knows the person.
    pub async fn resolve(&self, text: &str) -> Result<Person, CommandError> {
        let nobody = || CommandError::NoSuchUser(shortened(storable(text.to_owned()), MAX_NAME_BYTES));
        let id = if text.starts_with('@') {
            let mxid = parse_mxid(text).ok_or_else(|| CommandError::Invalid("not a Matrix id".to_owned()))?;
            match self.ghosts().nova_user_asked_for(mxid.as_str()) {
                Some(user) => user,
                None => return self.matrix_user(mxid).await,
            }
        } else {
            text.parse()
                .map_err(|_| CommandError::Invalid("not a user id".to_owned()))?
        };
        let mut connection = self.inner.store.read().await?;
        let known = people::person(&mut connection, id).await?;
        drop(connection);
        match known {
            Some(person) if !person.is_nova => Ok(person),
            Some(_) | None => self.find_account(id).await?.ok_or_else(nobody),
        }
    }

    async fn matrix_user(&self, mxid: ruma::OwnedUserId) -> Result<Person, CommandError> {
        if self.bots().iter().any(|bot| bot == mxid.as_str()) {
            return Err(CommandError::Invalid(
                "the bridge's own users take part in no conversation".to_owned(),
            ));
        }
        let id = self.ghosts().person(mxid.as_str());
        let mut connection = self.inner.store.read().await?;
        if let Some(person) = people::person(&mut connection, id).await? {
            return Ok(person);
        }
        drop(connection);
        let asked = tokio::time::timeout(PROFILE_PATIENCE, self.homeserver().profile(&mxid));
        let Ok(answer) = asked.await else {
            tracing::info!("a Matrix user's profile takes too long, going on without it");
            return Ok(unseen(id, mxid));
        };
        let profile = match answer {
            Ok(Some(profile)) => profile,
            // Our own homeserver knows its users; of another one's it may only not have heard yet.
            Ok(None) if mxid.server_name().as_str() == self.ghosts().server() => {
                return Err(CommandError::NoSuchUser(mxid.to_string()));
            }
            Ok(None) => Profile::default(),
            Err(error) => {
                tracing::info!(%error, "a Matrix user's profile cannot be read now");
                Profile::default()
            }
        };
        let name = |name: String| shortened(storable(name), MAX_NAME_BYTES);
        Ok(Person {
            display_name: profile.display_name.map(name),
            avatar_url: profile.avatar_url,
            ..unseen(id, mxid)
        })
    }

    /// Makes sure that the homeserver has the ghost of `user` before it acts.
    pub(super) async fn ensure_ghost(&self, user: UserId) -> Result<(), ProvisionError> {
        if self.inner.provisioned.contains_key(&user) {
            return Ok(());
        }
        self.provision(user).await
    }

    /// Registers the ghost and gives it the account's name and picture.
    pub(super) async fn provision(&self, user: UserId) -> Result<(), ProvisionError> {
        let mut given = None;
        loop {
            let account = self.account_of(user).await?;
            if given.is_none() {
                self.homeserver().register(&format!("{LOCALPART_PREFIX}{user}")).await?;
            }
            // After giving it one, another look: it can have changed, and the newer one been given by somebody else before.
            let profile = profile_hash(&account.person);
            if given.as_ref().or(account.synced_profile.as_ref()) == Some(&profile) {
                break;
            }
            self.give_profile(&account).await?;
            let mut connection = self.inner.store.read().await?;
            people::ghost_provisioned(&mut connection, user, &profile, self.now()).await?;
            given = Some(profile);
        }
        self.inner.provisioned.insert(user, ());
        Ok(())
    }

    async fn account_of(&self, user: UserId) -> Result<Account, ProvisionError> {
        let mut connection = self.inner.store.read().await?;
        let account = people::account(&mut connection, user).await?;
        account
            .filter(|account| account.deactivated_at.is_none())
            .ok_or(ProvisionError::NoAccount)
    }

    async fn give_profile(&self, account: &Account) -> Result<(), ProvisionError> {
        let ghost = &account.person.mxid;
        self.homeserver()
            .set_display_name(ghost, Some(account.person.shown_name()))
            .await?;
        match &account.person.avatar_url {
            Some(url) => {
                if let Some(mxc) = self.uploaded(&account.person, url).await? {
                    self.homeserver().set_avatar_url(ghost, Some(&mxc)).await?;
                } else {
                    tracing::warn!(nova.user = %account.person.id, "the account's picture cannot be used");
                }
            }
            None if account.synced_profile.is_some() => self.homeserver().set_avatar_url(ghost, None).await?,
            None => {}
        }
        Ok(())
    }

    /// Forgets that a ghost is there: the homeserver says otherwise.
    pub(super) fn doubt_ghost(&self, user: UserId) {
        self.inner.provisioned.invalidate(&user);
    }

    /// The mxc address of a picture, uploaded once per account and address. `None` where it cannot be used.
    pub(super) async fn uploaded(&self, owner: &Person, url: &str) -> Result<Option<String>, ProvisionError> {
        if url.starts_with("mxc://") {
            return Ok(Some(url.to_owned()));
        }
        let Ok(parsed) = Url::parse(url) else { return Ok(None) };
        let hash = format!("{:x}", Sha256::digest(url.as_bytes()));
        let mut connection = self.inner.store.read().await?;
        if let Some(mxc) = people::cached_avatar(&mut connection, owner.id, &hash).await? {
            return Ok(Some(mxc));
        }
        drop(connection);
        // A picture that cannot be had must not keep its owner from talking.
        let picture = match self.homeserver().fetch_external(&parsed, MAX_AVATAR_BYTES).await {
            Ok(picture) => picture,
            Err(error) => {
                tracing::warn!(%error, "a picture cannot be fetched");
                return Ok(None);
            }
        };
        let mxc = self
            .homeserver()
            .upload(&owner.mxid, picture.content_type, picture.bytes)
            .await?;
        let mut connection = self.inner.store.read().await?;
        people::cache_avatar(&mut connection, owner.id, &hash, &mxc, self.now()).await?;
        Ok(Some(mxc))
    }
}

/// Refuses a picture's address that nothing could be fetched from.
pub(super) fn checked_picture(url: &str) -> Result<(), CommandError> {
    if Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "mxc")) {
        Ok(())
    } else {
        let complaint = "avatar_url must be an HTTP(S) address";
        Err(CommandError::Invalid(complaint.to_owned()))
    }
}

/// Why a ghost could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProvisionError {
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Homeserver(#[from] HomeserverError),
}

fn unseen(id: UserId, mxid: ruma::OwnedUserId) -> Person {
    Person {
        id,
        mxid,
        is_nova: false,
        username: None,
        display_name: None,
        avatar_url: None,
    }
}

fn profile_hash(person: &Person) -> String {
    let mut hash = Sha256::new();
    hash.update(person.shown_name().as_bytes());
    hash.update([0]);
    hash.update(person.avatar_url.as_deref().unwrap_or_default().as_bytes());
    format!("{:x}", hash.finalize())
}
