//! What several routes read, and who may.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use uuid::Uuid;

use crate::bridge::CommandError;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::message as domain;
use crate::nova::NovaState;
use crate::nova::dto::conversations::Conversation;
use crate::nova::dto::media::Attachment;
use crate::nova::dto::members::Member;
use crate::nova::dto::messages::{Message, Pinned, PinnedMessages};
use crate::nova::error::ApiError;
use crate::store::Session;
use crate::store::lists::Which;
use crate::store::messages::Page;
use crate::store::{acts, blocks, conversations, lists, media, messages, pins, threads};

/// How many members a conversation shows in a list.
const MEMBERS_SHOWN: i64 = 50;

/// The newest messages where nothing else is asked for, and the most of them.
pub(super) const MESSAGES: (i64, i64) = (50, 200);

/// A number of things between one and `most`; more are cut, none at all makes no sense.
pub(crate) fn limit(asked: Option<i64>, usual: i64, most: i64) -> Result<i64, ApiError> {
    match asked.unwrap_or(usual) {
        ..1 => Err(ApiError::Invalid("limit must be at least 1".to_owned())),
        limit => Ok(limit.min(most)),
    }
}

/// How many to leave out.
pub(crate) fn offset(asked: Option<i64>) -> Result<i64, ApiError> {
    match asked.unwrap_or_default() {
        ..0 => Err(ApiError::Invalid("offset must not be negative".to_owned())),
        offset => Ok(offset),
    }
}

/// Refuses whoever takes no part: 404 where there is no such conversation, 403 where it is other people's.
pub(crate) async fn takes_part(state: &NovaState, id: ConversationId, user: UserId) -> Result<(), ApiError> {
    let mut connection = state.bridge.store().read().await?;
    match conversations::takes_part(&mut connection, id, user).await? {
        None => Err(CommandError::NoSuchConversation.into()),
        Some(false) => Err(CommandError::NotMember.into()),
        Some(true) => Ok(()),
    }
}

/// Of which members somebody is not shown whether they are there and what they have read, because one of the two blocks
/// the other.
pub(crate) struct Unseen(HashSet<UserId>);

impl Unseen {
    /// Of these members, those whom `viewer` does not see.
    pub(crate) async fn among(
        connection: &mut Session,
        viewer: UserId,
        members: &[lists::ListedMember],
    ) -> Result<Self, ApiError> {
        let ids: Vec<Uuid> = members.iter().map(|member| member.person.id.0).collect();
        Ok(Self(blocks::apart(connection, viewer, &ids).await?))
    }
}

/// A member as somebody sees them.
pub(crate) fn shown_member(state: &NovaState, unseen: &Unseen, member: &lists::ListedMember) -> Member {
    let user = member.person.id;
    let presence = state.bridge.presence_of(user, member.person.is_nova);
    let presence = presence.filter(|_| !unseen.0.contains(&user));
    let mut shown = Member::new(member, presence, &state.settings.public_url);
    if unseen.0.contains(&user) {
        shown.last_read_sequence = 0;
    }
    shown
}

/// Conversations of `user` with their first members.
pub(crate) async fn conversations(
    state: &NovaState,
    user: UserId,
    which: Which,
    limit: i64,
    offset: i64,
) -> Result<Vec<Conversation>, ApiError> {
    let mut connection = state.bridge.store().read().await?;
    let summaries = lists::of_user(&mut connection, user, which, limit, offset).await?;
    let ids: Vec<ConversationId> = summaries.iter().map(|summary| summary.id).collect();
    let listed = lists::list_members(&mut connection, &ids, MEMBERS_SHOWN, 0).await?;
    let unseen = Unseen::among(&mut connection, user, &listed).await?;
    drop(connection);
    let mut members: BTreeMap<ConversationId, Vec<Member>> = BTreeMap::new();
    for member in &listed {
        let shown = shown_member(state, &unseen, member);
        members.entry(member.conversation).or_default().push(shown);
    }
    let shown = |summary: lists::Summary| {
        let members = members.remove(&summary.id).unwrap_or_default();
        Conversation::new(summary, members, &state.settings)
    };
    Ok(summaries.into_iter().map(shown).collect())
}

/// One conversation of `user`.
pub(crate) async fn conversation(
    state: &NovaState,
    user: UserId,
    id: ConversationId,
) -> Result<Conversation, ApiError> {
    takes_part(state, id, user).await?;
    let found = conversations(state, user, Which::Only(id), 1, 0).await?.pop();
    found.ok_or_else(|| CommandError::NoSuchConversation.into())
}

/// Which messages.
#[derive(Debug, Default, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessagesAsked {
    /// How many: 50 where nothing is said, at most 200.
    limit: Option<i64>,
    /// How many of the newest to leave out. Only where neither a message nor a number is given.
    offset: Option<i64>,
    /// Those before the message of this id.
    before_message_id: Option<String>,
    /// The same, by its older name.
    before: Option<String>,
    /// Those before this number.
    before_sequence: Option<i64>,
    /// Those after this number, the oldest first.
    after_sequence: Option<i64>,
    /// Whether those that were recalled are wanted too, with an empty content.
    include_recalled: Option<bool>,
}

impl MessagesAsked {
    /// Where the page is.
    async fn page(&self, state: &NovaState, conversation: ConversationId) -> Result<Page, ApiError> {
        let offset = offset(self.offset)?;
        let given = |id: &Option<String>| id.clone().filter(|id| !id.is_empty());
        let before = given(&self.before_message_id).or_else(|| given(&self.before));
        let page = match (before, self.before_sequence, self.after_sequence) {
            (None, None, None) => return Ok(Page::Newest { offset }),
            (Some(id), None, None) => {
                let id: MessageId = id
                    .parse()
                    .map_err(|_| ApiError::Invalid("before_message_id is no UUID".to_owned()))?;
                let mut connection = state.bridge.store().read().await?;
                let found = messages::find(&mut connection, id).await?;
                let here = found.filter(|message| message.conversation == conversation);
                Page::Before(here.ok_or(CommandError::NoSuchMessage)?.sequence)
            }
            (None, Some(sequence), None) => Page::Before(sequence),
            (None, None, Some(sequence)) => Page::After(sequence),
            _ => {
                let complaint = "before_message_id, before_sequence and after_sequence exclude each other";
                return Err(ApiError::Invalid(complaint.to_owned()));
            }
        };
        if offset > 0 {
            return Err(ApiError::Invalid("offset goes with no other place".to_owned()));
        }
        Ok(page)
    }
}

/// A page of messages in the order in which they were said, and whether there are more beyond it.
pub(crate) async fn messages(
    state: &NovaState,
    user: UserId,
    conversation: ConversationId,
    asked: &MessagesAsked,
) -> Result<(Vec<Message>, bool), ApiError> {
    let limit = limit(asked.limit, MESSAGES.0, MESSAGES.1)?;
    takes_part(state, conversation, user).await?;
    let page = asked.page(state, conversation).await?;
    let mut connection = state.bridge.store().read().await?;
    // One more than wanted tells whether there are more.
    let with_recalled = asked.include_recalled.unwrap_or_default();
    let most = limit.saturating_add(1);
    let mut found = messages::page(&mut connection, conversation, page, with_recalled, most).await?;
    drop(connection);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > wanted;
    if more {
        match page {
            Page::After(_) => found.truncate(wanted),
            Page::Newest { .. } | Page::Before(_) => drop(found.drain(..found.len().saturating_sub(wanted))),
        }
    }
    Ok((shown(state, user, found).await?, more))
}

/// One message, of `conversation` where one is given. A message of a deleted conversation is as gone as that.
pub(crate) async fn message(
    state: &NovaState,
    user: UserId,
    conversation: Option<Uuid>,
    id: Uuid,
) -> Result<Message, ApiError> {
    let none = || ApiError::from(CommandError::NoSuchMessage);
    if let Some(conversation) = conversation {
        takes_part(state, ConversationId(conversation), user).await?;
    }
    let mut connection = state.bridge.store().read().await?;
    let found = messages::find(&mut connection, MessageId(id)).await?;
    let here = found
        .filter(|message| conversation.is_none_or(|wanted| wanted == message.conversation.0))
        .filter(|message| message.gone != Some(domain::Gone::Deleted));
    let found = here.ok_or_else(none)?;
    match conversations::takes_part(&mut connection, found.conversation, user).await? {
        Some(true) => {}
        Some(false) => return Err(CommandError::NotMember.into()),
        None => return Err(none()),
    }
    drop(connection);
    shown(state, user, vec![found]).await?.pop().ok_or_else(none)
}

/// What is pinned in a conversation.
pub(crate) async fn pinned(
    state: &NovaState,
    user: UserId,
    conversation: ConversationId,
) -> Result<PinnedMessages, ApiError> {
    takes_part(state, conversation, user).await?;
    let mut connection = state.bridge.store().read().await?;
    let pins = pins::list(&mut connection, conversation).await?;
    let ids: Vec<MessageId> = pins.iter().map(|pin| pin.message).collect();
    let mut found = messages::among(&mut connection, &ids).await?;
    drop(connection);
    found.sort_by_key(|message| ids.iter().position(|id| *id == message.id));
    Ok(PinnedMessages {
        conversation_id: conversation.0,
        messages: shown(state, user, found).await?,
        pins: pins.into_iter().map(|pin| Pinned::new(pin, conversation)).collect(),
    })
}

/// Messages as `user` sees them.
pub(crate) async fn shown(
    state: &NovaState,
    user: UserId,
    found: Vec<domain::Message>,
) -> Result<Vec<Message>, ApiError> {
    let own: Vec<MessageId> = found.iter().filter(|it| it.sender == user).map(|it| it.id).collect();
    let all: Vec<MessageId> = found.iter().map(|it| it.id).collect();
    let mut connection = state.bridge.store().read().await?;
    let notes = if own.is_empty() {
        Vec::new()
    } else {
        messages::notes(&mut connection, user, &own).await?
    };
    let tallies = acts::tallies(&mut connection, user, &all).await?;
    let roots: Vec<String> = found.iter().filter_map(|it| it.event_id.clone()).collect();
    let mut places: Vec<Uuid> = found.iter().map(|it| it.conversation.0).collect();
    places.dedup();
    let answers = threads::answers(&mut connection, &places, &roots).await?;
    let attached = media::attached(&mut connection, &all).await?;
    drop(connection);
    let mut shown = Message::list(found, user, notes, tallies, &state.links, state.bridge.ghosts());
    for message in &mut shown {
        let here = |it: &&threads::Answers| {
            it.conversation.0 == message.conversation_id && Some(&it.root) == message.matrix_event_id.as_ref()
        };
        message.thread_answers = answers.iter().find(here).map_or(0, |it| it.count);
        let added = attached.iter().filter(|it| it.to.0 == message.id);
        message
            .attachments
            .extend(added.map(|it| Attachment::added(it, &state.links)));
    }
    Ok(shown)
}
