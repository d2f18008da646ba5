-- What happens to messages after they were said: edits, deletion, recall, reactions, replies and threads.

ALTER TABLE messages
    -- When the text that is shown was written, where that is not the first one.
    ADD COLUMN edited_at   timestamptz,
    -- Deleted or recalled: the text and its reactions are gone, the number stays.
    ADD COLUMN deleted_at  timestamptz,
    ADD COLUMN recalled_at timestamptz,
    ADD COLUMN recalled_by uuid,
    -- The message of the same conversation that it answers.
    ADD COLUMN reply_to_id uuid,
    -- The Matrix event that its thread begins with.
    ADD COLUMN thread_root text;

-- Every text of a message that was edited; the first one goes by the message's own id. The last one by (written_at, event,
-- id) is shown, so that an edit that is redacted gives way to the one before it.
CREATE TABLE message_versions (
    -- Also the marker of our own edit's event.
    id              uuid PRIMARY KEY,
    message_id      uuid NOT NULL,
    matrix_event_id text,
    style           text NOT NULL CHECK (style IN ('plain', 'notice', 'emote')),
    content         text NOT NULL,
    formatted       text,
    written_at      timestamptz NOT NULL
);
CREATE INDEX message_versions_by_message ON message_versions (message_id);
CREATE UNIQUE INDEX message_versions_by_event ON message_versions (matrix_event_id) WHERE matrix_event_id IS NOT NULL;

CREATE TABLE message_reactions (
    -- Also the marker of our own reaction's event.
    id              uuid PRIMARY KEY,
    message_id      uuid NOT NULL,
    user_id         uuid NOT NULL,
    emoji           text NOT NULL,
    matrix_event_id text,
    -- Taken back in Nova; the row stays until its event is redacted.
    removed_at      timestamptz,
    created_at      timestamptz NOT NULL
);
CREATE UNIQUE INDEX message_reactions_once ON message_reactions (message_id, user_id, emoji) WHERE removed_at IS NULL;
CREATE INDEX message_reactions_removed ON message_reactions (removed_at) WHERE removed_at IS NOT NULL;
CREATE UNIQUE INDEX message_reactions_by_event ON message_reactions (matrix_event_id) WHERE matrix_event_id IS NOT NULL;

-- What was done to events that have not come yet. Applied when they come, dropped with the feed.
CREATE TABLE early_acts (
    event_id        text PRIMARY KEY,
    target_event_id text NOT NULL,
    seq             bigint GENERATED ALWAYS AS IDENTITY,
    act             json NOT NULL,
    came_at         timestamptz NOT NULL
);
CREATE INDEX early_acts_by_target ON early_acts (target_event_id, seq);
CREATE INDEX early_acts_by_age ON early_acts (came_at);

-- An edit is told by reference to its message, like the message itself, so that no text outlives it in the feed.
ALTER TABLE conversation_feed
    DROP CONSTRAINT conversation_feed_check,
    ADD CONSTRAINT conversation_feed_check CHECK (num_nonnulls(message_id, payload) >= 1);

-- The short way, as long as nothing waits for what is said: what waits is applied on the long one. The turn is taken first,
-- because whoever lets something wait has it.
ALTER FUNCTION say_in_rooms RENAME TO say_in_rooms_at_once;
CREATE FUNCTION say_in_rooms(
    clock_base bigint, said_at timestamptz, rooms text[], newest integer[], senders uuid[],
    ids uuid[], places integer[], authors uuid[], numbers bigint[], styles text[], contents text[], formatted_as text[],
    events text[], deliveries text[], times timestamptz[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(20261120, 0);
    IF EXISTS (SELECT FROM early_acts WHERE target_event_id = ANY (events)) THEN
        RETURN false;
    END IF;
    RETURN say_in_rooms_at_once(
        clock_base, said_at, rooms, newest, senders, ids, places, authors, numbers, styles, contents, formatted_as,
        events, deliveries, times);
END
$$;
