//! People who knock on the room of a group, and the Nova users who may let them in.

use super::conversations::members::came;
use super::{Bridge, CommandError};
use crate::domain::conversation::{Conversation, Member, Membership};
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::{Effects, MemberEdit, NewEntry};
use crate::domain::job::Job;
use crate::domain::power::{LETS_IN, Role};
use crate::domain::request::Answer;
use crate::store::knocks::{self, Knocker};
use crate::store::{Tx, conversations, people};

/// How many are shown: whoever they are, they are strangers.
const SHOWN: i64 = 200;

const NOT_A_DOORMAN: &str = "only admins let people in";

impl Bridge {
    /// Who knocks on the room of a group.
    ///
    /// # Errors
    /// When the caller is no admin of the group.
    pub async fn knocks(&self, user: UserId, id: ConversationId) -> Result<Vec<Knocker>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        match conversations::role_in(&mut connection, id, user).await? {
            None => Err(CommandError::NoSuchConversation),
            Some(None) => Err(CommandError::NotMember),
            Some(Some(role)) if role < LETS_IN => Err(CommandError::Forbidden(NOT_A_DOORMAN)),
            Some(Some(_)) => Ok(knocks::list(&mut connection, id, None, SHOWN).await?),
        }
    }

    /// Lets somebody in who knocks: they are invited. Who is in or invited already stays so.
    ///
    /// # Errors
    /// When the caller is no admin of the group, or nobody of that name knocks.
    pub async fn accept_knock(&self, user: UserId, id: ConversationId, target: UserId) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let group = self.group_of(&mut tx, id, user, LETS_IN, NOT_A_DOORMAN).await?;
        let Some(knocker) = knocks::list(&mut tx, id, Some(target), 1).await?.pop() else {
            return match group.members.get(&target) {
                Some(_) => Ok(()),
                None => Err(CommandError::NoSuchKnock),
            };
        };
        let person = knocker.person;
        let member = Member {
            role: Role::Member,
            // Who asks to come need not be asked; a Matrix user comes by themselves.
            membership: if person.is_nova {
                Membership::Joined
            } else {
                Membership::Invited
            },
        };
        let invite = Job::Invite {
            target: self.mxid(&person),
        };
        let mut effects = Effects {
            members: vec![MemberEdit {
                conversation: id,
                user: target,
                member: Some(member),
            }],
            unknocked: vec![(id, target)],
            departed: vec![(id, target)],
            feed: vec![NewEntry::change(id, came(user, &person, member))],
            jobs: vec![self.job(id, user, invite, now)],
            ..Effects::default()
        };
        self.tell_doormen(&mut tx, &mut effects, &group, (user, target), Answer::Accepted)
            .await?;
        self.commit(tx, &effects, now).await?;
        Ok(())
    }

    /// Sends somebody away who knocks.
    ///
    /// # Errors
    /// When the caller is no admin of the group, or nobody of that name knocks.
    pub async fn decline_knock(&self, user: UserId, id: ConversationId, target: UserId) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let group = self.group_of(&mut tx, id, user, LETS_IN, NOT_A_DOORMAN).await?;
        let knocker = knocks::list(&mut tx, id, Some(target), 1).await?.pop();
        let person = knocker.ok_or(CommandError::NoSuchKnock)?.person;
        let kick = Job::Kick {
            target: self.mxid(&person),
        };
        let mut effects = Effects {
            unknocked: vec![(id, target)],
            // Until the room has said it too, its state may still tell of their knocking.
            departures: vec![(id, target)],
            jobs: vec![self.job(id, user, kick, now)],
            ..Effects::default()
        };
        self.tell_doormen(&mut tx, &mut effects, &group, (user, target), Answer::Rejected)
            .await?;
        self.commit(tx, &effects, now).await?;
        Ok(())
    }

    /// Tells the Nova users who might have answered somebody's knocking that it is done.
    async fn tell_doormen(
        &self,
        tx: &mut Tx,
        effects: &mut Effects,
        group: &Conversation,
        (by, user): (UserId, UserId),
        answer: Answer,
    ) -> Result<(), CommandError> {
        let doormen = group.members.iter().filter(|(_, member)| member.role >= LETS_IN);
        let doormen: Vec<uuid::Uuid> = doormen
            .filter(|(_, member)| member.membership == Membership::Joined)
            .map(|(user, _)| user.0)
            .collect();
        let profiles = people::profiles(tx, &doormen).await?;
        for person in profiles.values().filter(|person| person.is_nova) {
            let change = Change::KnockAnswered { by, user, answer };
            effects
                .feed
                .push(NewEntry::change(group.id, change).only_for(person.id));
        }
        Ok(())
    }
}
