//! A Nova user opens, fills, changes and leaves conversations.

mod keeping;
mod mapping;
pub(super) mod members;

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::accounts::checked_picture;
use super::{Bridge, CommandError, CreateRooms};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Kind, Member, Membership, Person};
use crate::domain::feed::{Change, UpdatedField};
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::{ConversationEdit, Effects, MemberEdit, NewEntry};
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::message::storable;
use crate::domain::power::Role;
use crate::domain::request::{Admission, Doors};
use crate::store::{Tx, blocks, conversations, people};

pub use keeping::Keeping;

/// How often opening a direct conversation starts over because the other side opened it at the same moment.
const RACE_ATTEMPTS: u8 = 5;

/// The longest name of a group, in characters.
const MAX_NAME: usize = 255;
/// The longest description of a group, in characters.
const MAX_DESCRIPTION: usize = 1000;
/// The most members that a group is made with.
const MAX_FIRST_MEMBERS: usize = 1000;

/// What whoever is blocked reads.
pub(super) const BLOCKED: &str = "this person does not want to hear from you";

/// What a group looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looks {
    /// Its name.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its picture.
    pub avatar_url: Option<String>,
}

impl Looks {
    fn checked(self) -> Result<Self, CommandError> {
        let too_long = |text: &Option<String>, limit| text.as_ref().is_some_and(|it| it.chars().count() > limit);
        if too_long(&self.name, MAX_NAME) || self.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            return Err(CommandError::Invalid(format!(
                "name must have 1 to {MAX_NAME} characters"
            )));
        }
        if too_long(&self.description, MAX_DESCRIPTION) {
            return Err(CommandError::Invalid(format!(
                "description must have at most {MAX_DESCRIPTION} characters"
            )));
        }
        if too_long(&self.avatar_url, 2000) {
            return Err(CommandError::Invalid("avatar_url is too long".to_owned()));
        }
        self.avatar_url.as_deref().map(checked_picture).transpose()?;
        Ok(Self {
            name: self.name.map(storable),
            description: self.description.map(storable),
            avatar_url: self.avatar_url.map(storable),
        })
    }
}

impl Bridge {
    /// The direct conversation of two people, found or made. Returns whether it was made.
    ///
    /// # Errors
    /// When nobody knows the other one, or they block the caller.
    pub async fn open_direct(&self, user: UserId, other: &str) -> Result<(ConversationId, bool), CommandError> {
        let other = self.resolve(other).await?;
        if other.id == user {
            return Err(CommandError::Invalid("a conversation needs somebody else".to_owned()));
        }
        for _ in 0..RACE_ATTEMPTS {
            match self.open_direct_once(user, &other).await {
                Err(CommandError::Store(error)) if error.conflict().is_some() => {}
                Ok(None) => {}
                Ok(Some(done)) => return Ok(done),
                Err(error) => return Err(error),
            }
        }
        Err(CommandError::Busy)
    }

    /// `None` where the conversation that was found is no longer theirs, so that it has to be looked for again.
    async fn open_direct_once(
        &self,
        user: UserId,
        other: &Person,
    ) -> Result<Option<(ConversationId, bool)>, CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let doors = self.doors(&mut tx, user, std::slice::from_ref(other)).await?;
        let admission = doors.admission(other.id, user);
        if admission == Admission::Decline {
            return Err(CommandError::Forbidden(BLOCKED));
        }
        let place = arriving(other, Role::Member, admission);
        if let Some(found) = conversations::direct(&mut tx, user, other.id).await? {
            let Some(conversation) = self.locked(&mut tx, found).await? else {
                return Ok(None);
            };
            // It may have become a group while we waited for the lock.
            if conversations::direct(&mut tx, user, other.id).await? != Some(found) {
                return Ok(None);
            }
            // Who opens what they were asked to come to, comes.
            if conversation.members.contains_key(&user) && conversation.joined(user).is_none() {
                drop(tx);
                return match self.accept_request(user, found).await {
                    Ok(_) | Err(CommandError::NoSuchRequest) => Ok(None),
                    Err(error) => Err(error),
                };
            }
            let effects = self.reunite(&conversation, user, (other, place), now);
            self.commit(tx, &effects, now).await?;
            return Ok(Some((found, false)));
        }
        let id = ConversationId(self.id(now));
        conversations::lock(&mut tx, &[id]).await?;
        let members = BTreeMap::from([(user, joined(Role::Member)), (other.id, place)]);
        let mut effects = self.new_conversation(id, Kind::Direct, user, Looks::default(), members, &[other], now);
        effects.pairs.push((user, other.id, id));
        effects.ask(id, user, &[(other, place)]);
        self.commit(tx, &effects, now).await?;
        Ok(Some((id, true)))
    }

    /// Who opens a conversation that is there already wants both in it: bring back who left.
    fn reunite(
        &self,
        conversation: &Conversation,
        user: UserId,
        (other, place): (&Person, Member),
        now: Timestamp,
    ) -> Effects {
        let mut effects = Effects::default();
        let caller = Person {
            id: user,
            is_nova: true,
            ..other.clone()
        };
        for (person, place) in [(&caller, joined(Role::Member)), (other, place)] {
            if conversation.members.contains_key(&person.id) {
                continue;
            }
            effects.departed.push((conversation.id, person.id));
            effects.members.push(MemberEdit {
                conversation: conversation.id,
                user: person.id,
                member: Some(place),
            });
            effects.ask(conversation.id, user, &[(person, place)]);
            if conversation.has_portal {
                let target = self.mxid(person);
                let actor = if person.id == user && other.is_nova {
                    other.id
                } else {
                    user
                };
                let job = if person.id == user && !other.is_nova {
                    // Nobody of ours is left in the room to invite the caller: it can only be asked to let them in.
                    match &conversation.room {
                        Some(room) => Job::Join { room: room.to_string() },
                        None => continue,
                    }
                } else {
                    Job::Invite { target }
                };
                effects.jobs.push(self.job(conversation.id, actor, job, now));
            }
        }
        // Its room became somebody else's while nobody of ours was there to make another one.
        if conversation.has_portal && conversation.room.is_none() && !effects.members.is_empty() {
            effects
                .jobs
                .insert(0, self.job(conversation.id, user, Job::CreateRoom, now));
        }
        if effects.members.iter().any(|edit| edit.user == user) {
            let created = Change::Created {
                by: user,
                kind: conversation.kind,
                name: conversation.name.clone(),
            };
            effects
                .feed
                .push(NewEntry::change(conversation.id, created).only_for(user));
        }
        effects
    }

    /// Makes a group. Nova users are in at once, unless they want to be asked; Matrix users are invited.
    ///
    /// # Errors
    /// When nobody knows a member, or the name is missing or too long.
    pub async fn create_group(
        &self,
        owner: UserId,
        looks: Looks,
        members: &[String],
    ) -> Result<ConversationId, CommandError> {
        let looks = looks.checked()?;
        if looks.name.is_none() {
            return Err(CommandError::Invalid("a group needs a name".to_owned()));
        }
        if members.len() > MAX_FIRST_MEMBERS {
            return Err(CommandError::Invalid(format!(
                "a group starts with at most {MAX_FIRST_MEMBERS} members"
            )));
        }
        let mut people = Vec::with_capacity(members.len());
        for member in members {
            let person = self.resolve(member).await?;
            if person.id != owner {
                people.push(person);
            }
        }
        let now = self.now();
        let id = ConversationId(self.id(now));
        let mut tx = self.inner.store.begin().await?;
        let doors = self.doors(&mut tx, owner, &people).await?;
        let arrivals: Vec<(&Person, Member)> = people
            .iter()
            .map(|person| {
                (
                    person,
                    arriving(person, Role::Member, doors.admission(person.id, owner)),
                )
            })
            .collect();
        let mut places: BTreeMap<UserId, Member> = arrivals.iter().map(|(person, place)| (person.id, *place)).collect();
        places.insert(owner, joined(Role::Owner));
        conversations::lock(&mut tx, &[id]).await?;
        let others: Vec<&Person> = people.iter().collect();
        let mut effects = self.new_conversation(id, Kind::Group, owner, looks, places, &others, now);
        effects.ask(id, owner, &arrivals);
        self.commit(tx, &effects, now).await?;
        Ok(id)
    }

    /// The effects of making a conversation.
    #[expect(clippy::too_many_arguments, reason = "each is one column of what is made")]
    fn new_conversation(
        &self,
        id: ConversationId,
        kind: Kind,
        by: UserId,
        looks: Looks,
        members: BTreeMap<UserId, Member>,
        others: &[&Person],
        now: Timestamp,
    ) -> Effects {
        let matrix_user = others.iter().any(|person| !person.is_nova);
        let has_portal = matrix_user || self.inner.settings.create_rooms == CreateRooms::Always;
        let mut effects = Effects {
            met: others
                .iter()
                .filter(|person| !person.is_nova)
                .map(|person| (*person).clone())
                .collect(),
            feed: vec![NewEntry::change(
                id,
                Change::Created {
                    by,
                    kind,
                    name: looks.name.clone(),
                },
            )],
            ..Effects::default()
        };
        effects.members.extend(members.iter().map(|(user, member)| MemberEdit {
            conversation: id,
            user: *user,
            member: Some(*member),
        }));
        if has_portal {
            effects.jobs.push(self.job(id, by, Job::CreateRoom, now));
        }
        effects.conversations.push(Conversation {
            id,
            kind,
            name: looks.name,
            description: looks.description,
            avatar_url: looks.avatar_url,
            created_by: by,
            has_portal,
            room: None,
            last_sequence: 0,
            members,
            created_at: now,
        });
        effects
    }

    /// Changes what a group looks like. What is not given stays.
    ///
    /// # Errors
    /// When the caller is no admin of the group.
    pub async fn update_conversation(
        &self,
        user: UserId,
        id: ConversationId,
        looks: Looks,
    ) -> Result<(), CommandError> {
        let looks = looks.checked()?;
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let conversation = self
            .group_of(&mut tx, id, user, Role::Admin, "only admins change the group")
            .await?;
        let mut effects = Effects::default();
        let mut edit = ConversationEdit {
            conversation: id,
            name: conversation.name.clone(),
            description: conversation.description.clone(),
            avatar_url: conversation.avatar_url.clone(),
        };
        let mut fields = Vec::new();
        for (field, new, slot, event_type) in [
            (UpdatedField::Name, looks.name, &mut edit.name, "m.room.name"),
            (
                UpdatedField::Description,
                looks.description,
                &mut edit.description,
                "m.room.topic",
            ),
            (
                UpdatedField::AvatarUrl,
                looks.avatar_url,
                &mut edit.avatar_url,
                "m.room.avatar",
            ),
        ] {
            if new.is_none() || *slot == new {
                continue;
            }
            *slot = new;
            fields.push(field);
            if conversation.has_portal {
                let content = match field {
                    UpdatedField::Name => json!({ "name": slot }),
                    UpdatedField::Description => json!({ "topic": slot }),
                    UpdatedField::AvatarUrl => json!({ "url": slot }),
                };
                let job = Job::SetState {
                    event_type: event_type.to_owned(),
                    content,
                };
                effects.jobs.push(self.job(id, user, job, now));
            }
        }
        if !fields.is_empty() {
            effects.edits.push(edit);
            effects
                .feed
                .push(NewEntry::change(id, Change::Updated { by: user, fields }));
            self.commit(tx, &effects, now).await?;
        }
        Ok(())
    }

    /// Deletes a group for everybody. Its ghosts leave the room.
    ///
    /// # Errors
    /// When the caller is not its owner.
    pub async fn delete_group(&self, user: UserId, id: ConversationId) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let conversation = self
            .group_of(&mut tx, id, user, Role::Owner, "only the owner deletes the group")
            .await?;
        let mut effects = Effects {
            feed: vec![NewEntry::change(id, Change::Deleted { by: user })],
            ..Effects::default()
        };
        if conversation.has_portal {
            let ids: Vec<Uuid> = conversation.members.keys().map(|user| user.0).collect();
            let profiles = people::profiles(&mut tx, &ids).await?;
            // The owner leaves last: it is the one who may say why.
            let mut ghosts: Vec<UserId> = profiles
                .values()
                .filter(|person| person.is_nova && person.id != user)
                .map(|person| person.id)
                .collect();
            ghosts.push(user);
            for ghost in ghosts {
                let notice = (ghost == user).then(|| "This group was deleted in Nova.".to_owned());
                // Somebody can make another conversation of the room before they have left.
                let room = conversation.room.as_ref().map(ToString::to_string);
                effects.jobs.push(self.job(id, ghost, Job::Leave { room, notice }, now));
                effects.departures.push((id, ghost));
            }
        }
        let everybody: Vec<UserId> = conversation.members.keys().copied().collect();
        self.leave_calls(&mut tx, &mut effects, &conversation, &everybody)
            .await?;
        conversations::delete(&mut tx, id, now).await?;
        self.commit(tx, &effects, now).await?;
        Ok(())
    }

    /// Whether there is such a group.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn has_group(&self, id: ConversationId) -> Result<bool, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let found = conversations::find(&mut connection, id).await?;
        Ok(found.is_some_and(|conversation| conversation.kind == Kind::Group))
    }

    /// Asks for the conversation's room and alias, for Synapse's alias query. Returns whether there is such a group.
    ///
    /// # Errors
    /// When Postgres fails or the homeserver refuses.
    pub async fn open_alias(&self, alias: &str, id: ConversationId) -> Result<bool, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let Some(conversation) = conversations::find(&mut connection, id).await? else {
            return Ok(false);
        };
        drop(connection);
        let (Kind::Group, Some(room)) = (conversation.kind, &conversation.room) else {
            return Ok(false);
        };
        let alias = ruma::RoomAliasId::parse(alias).map_err(|_| CommandError::Invalid("not an alias".to_owned()))?;
        let Some(actor) = conversation.members.keys().find_map(|user| {
            let mxid = ruma::OwnedUserId::try_from(self.ghosts().mxid(*user)).ok()?;
            (conversation.created_by == *user).then_some(mxid)
        }) else {
            return Ok(false);
        };
        match self.homeserver().create_alias(&actor, &alias, room).await {
            Ok(()) => Ok(true),
            Err(error) if error.status() == Some(409) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Which of these people are shut to `user`.
    async fn doors(&self, tx: &mut Tx, user: UserId, people: &[Person]) -> Result<Doors, CommandError> {
        let nova: Vec<UserId> = people.iter().filter(|it| it.is_nova).map(|it| it.id).collect();
        if nova.is_empty() {
            return Ok(Doors::default());
        }
        Ok(blocks::doors(tx, user, &nova, self.inner.settings.dm_permission).await?)
    }

    pub(super) fn job(&self, conversation: ConversationId, actor: UserId, job: Job, now: Timestamp) -> NewJob {
        NewJob {
            id: self.id(now).into(),
            lane: Lane::Conversation(conversation),
            actor,
            message: None,
            job,
        }
    }

    pub(super) fn mxid(&self, person: &Person) -> String {
        if person.is_nova {
            self.ghosts().mxid(person.id)
        } else {
            person.mxid.to_string()
        }
    }
}

const fn joined(role: Role) -> Member {
    Member {
        role,
        membership: Membership::Joined,
    }
}

/// A Nova user is in at once, unless they want to be asked; a Matrix user has to accept.
fn arriving(person: &Person, role: Role, admission: Admission) -> Member {
    Member {
        role,
        membership: if person.is_nova && admission == Admission::Join {
            Membership::Joined
        } else {
            Membership::Invited
        },
    }
}
