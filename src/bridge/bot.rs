//! What the bot does when it is told to. Whether it may be told, and what the words mean, is `domain::bot`.

use std::time::Instant;

use ruma::UserId as MatrixId;

use super::sender::JobError;
use super::{Bridge, CommandError};
use crate::domain::bot::{Command, HELP, Level};
use crate::domain::conversation::Person;
use crate::domain::request::Admission;
use crate::store::{calls, conversations, dead_letters, outbox, people};

/// How many dead letters are tried again at once.
const RETRIES: i64 = 1000;

/// How many people of one name are listed.
const NAMED: usize = 20;

impl Bridge {
    /// Does what somebody says to the bot. Returns the answer; what they got wrong is an answer, too.
    ///
    /// # Errors
    /// When Postgres or the homeserver cannot work.
    pub(super) async fn obey(&self, by: &MatrixId, text: &str) -> Result<String, JobError> {
        let command = Command::read(text);
        let level = self.inner.settings.permissions.level(by);
        if level == Level::None || level < command.needs() {
            return Ok("You may not do this.".to_owned());
        }
        let done = match command {
            Command::Help => Ok(HELP.to_owned()),
            Command::Unknown => Ok(format!("I do not understand that.\n\n{HELP}")),
            Command::Ping => self.pong().await,
            Command::Status => self.status().await,
            Command::Who(name) => self.who(&name).await,
            Command::Open(name) => self.open_for(by, &name).await,
            Command::Link(name) => self.link(&name).await,
            Command::Retry(id) => self
                .retry_dead_letter(id)
                .await
                .map(|()| "It is tried again.".to_owned()),
            Command::RetryAll => self.retry_all().await,
            Command::Calls => self.calls_of(by).await,
            Command::SetCalls(on) => self.set_calls_of(by, on).await,
        };
        match done {
            Err(CommandError::Store(error)) => Err(error.into()),
            Err(CommandError::Homeserver(error)) => Err(error.into()),
            Err(error) => Ok(format!("That did not work: {error}.")),
            Ok(answer) => Ok(answer),
        }
    }

    /// Whether the bot comes when somebody invites it.
    pub(super) fn listens_to(&self, user: &MatrixId) -> bool {
        self.inner.settings.permissions.level(user) > Level::None
    }

    async fn pong(&self) -> Result<String, CommandError> {
        let asked = Instant::now();
        self.homeserver().profile(&self.inner.settings.bot).await?;
        Ok(format!(
            "pong: the homeserver answers in {} ms",
            asked.elapsed().as_millis()
        ))
    }

    async fn status(&self) -> Result<String, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let (waiting, oldest) = outbox::depth(&mut connection).await?;
        let letters = dead_letters::count(&mut connection).await?;
        let (direct, group) = calls::count(&mut connection).await?;
        drop(connection);
        let since = oldest.map_or(String::new(), |at| {
            format!(", the oldest for {} s", (self.now() - at).num_seconds())
        });
        let (version, calls) = (env!("CARGO_PKG_VERSION"), direct + group);
        Ok(format!(
            "nova-bridge {version}\n{waiting} requests wait for the homeserver{since}\n{letters} could not be delivered\n{calls} calls"
        ))
    }

    async fn who(&self, name: &str) -> Result<String, CommandError> {
        let found = self.accounts_called(name).await?;
        if found.is_empty() {
            return Ok(format!("Nobody on Nova is called {name}."));
        }
        let lines: Vec<String> = found
            .iter()
            .take(NAMED)
            .map(|person| format!("{} ({}): {}", person.shown_name(), person.handle(), person.mxid))
            .collect();
        Ok(lines.join("\n"))
    }

    /// The one Nova user whom a name, a UUID or a Matrix id means.
    async fn named(&self, name: &str) -> Result<Person, CommandError> {
        let found = self.accounts_called(name).await?;
        match <[Person; 1]>::try_from(found) {
            Ok([person]) => Ok(person),
            Err(several) if !several.is_empty() => Err(CommandError::Invalid(format!(
                "several are called {name}; say which one with the Matrix id that `who` shows"
            ))),
            Err(_) => match self.resolve(name).await {
                Ok(person) if person.is_nova => Ok(person),
                Err(error @ (CommandError::Store(_) | CommandError::Homeserver(_))) => Err(error),
                Ok(_) | Err(_) => Err(CommandError::NoSuchUser(name.to_owned())),
            },
        }
    }

    async fn open_for(&self, by: &MatrixId, name: &str) -> Result<String, CommandError> {
        let person = self.named(name).await?;
        match self.admits(person.id, self.ghosts().person(by.as_str())).await? {
            Admission::Join => {}
            Admission::Ask => {
                return Ok(format!(
                    "{} wants to be asked first: invite {} to a chat.",
                    person.shown_name(),
                    person.mxid
                ));
            }
            Admission::Decline => return Ok(format!("{} cannot be reached.", person.shown_name())),
        }
        let (conversation, made) = self.open_direct(person.id, by.as_str()).await?;
        if made {
            return Ok(format!("{} invites you to a chat.", person.shown_name()));
        }
        let mut connection = self.inner.store.read().await?;
        let room = conversations::room_of(&mut connection, conversation).await?;
        Ok(room.map_or_else(
            || format!("{} invites you to a chat.", person.shown_name()),
            |room| {
                format!(
                    "You have a chat with {} already: https://matrix.to/#/{room}",
                    person.shown_name()
                )
            },
        ))
    }

    async fn link(&self, name: &str) -> Result<String, CommandError> {
        let person = self.named(name).await?;
        Ok(format!("{}: https://matrix.to/#/{}", person.shown_name(), person.mxid))
    }

    async fn retry_all(&self) -> Result<String, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let letters = dead_letters::list(&mut connection, RETRIES, 0).await?;
        drop(connection);
        let mut tried = 0;
        for letter in &letters {
            match self.retry_dead_letter(letter.id).await {
                Ok(()) => tried += 1,
                // Somebody else was faster.
                Err(CommandError::NoSuchDeadLetter) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(format!("{tried} are tried again."))
    }

    async fn calls_of(&self, by: &MatrixId) -> Result<String, CommandError> {
        match self.calls_enabled(self.ghosts().person(by.as_str())).await {
            Ok(false) => Ok("Calls are off: Nova users cannot ring you.".to_owned()),
            // Who was never met has not switched them off.
            Ok(true) | Err(CommandError::NoSuchUser(_)) => Ok("Calls are on: Nova users can ring you.".to_owned()),
            Err(error) => Err(error),
        }
    }

    async fn set_calls_of(&self, by: &MatrixId, on: bool) -> Result<String, CommandError> {
        let person = self.resolve(by.as_str()).await?;
        let mut connection = self.inner.store.read().await?;
        people::know(&mut connection, std::slice::from_ref(&person), &[], self.now()).await?;
        drop(connection);
        self.set_calls_enabled(person.id, on).await?;
        self.calls_of(by).await
    }
}
