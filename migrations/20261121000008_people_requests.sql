-- Who may come to whom: blocks, who has to ask first, and what is asked. A request is the place of a Nova user in a
-- conversation that they have not come to yet (membership 'invited'): it comes and goes with the place.

ALTER TABLE conversation_members
    -- Who asked a Nova user in, as long as they have not answered, and afterwards.
    ADD COLUMN requested_by uuid;
CREATE INDEX conversation_members_invited ON conversation_members (user_id) WHERE membership = 'invited';

ALTER TABLE users
    -- Who may open a chat with a Nova user, or add them to a group, without asking. NULL: as the configuration says.
    ADD COLUMN dm_permission text CHECK (dm_permission IN ('anyone', 'followers', 'mutuals', 'nobody'));

CREATE TABLE blocks (
    blocker_id uuid NOT NULL REFERENCES users,
    blocked_id uuid NOT NULL REFERENCES users,
    reason     text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (blocker_id, blocked_id),
    CHECK (blocker_id <> blocked_id)
);
-- Asked with every transaction from Synapse, by its senders.
CREATE INDEX blocks_by_blocked ON blocks (blocked_id, blocker_id);

-- Where people are who let a conversation know: by the message that says it, until they stop.
CREATE TABLE location_shares (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    user_id         uuid NOT NULL REFERENCES users,
    message_id      uuid NOT NULL,
    shared_at       timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);

-- The short way, as long as nothing waits for what is said and nobody blocks one who says it.
CREATE OR REPLACE FUNCTION say_in_rooms(
    clock_base bigint, said_at timestamptz, rooms text[], newest integer[], senders uuid[],
    ids uuid[], places integer[], authors uuid[], numbers bigint[], styles text[], contents text[], formatted_as text[],
    events text[], deliveries text[], times timestamptz[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(20261120, 0);
    IF EXISTS (SELECT FROM early_acts WHERE target_event_id = ANY (events))
       OR EXISTS (SELECT FROM blocks WHERE blocked_id = ANY (senders)) THEN
        RETURN false;
    END IF;
    RETURN say_in_rooms_at_once(
        clock_base, said_at, rooms, newest, senders, ids, places, authors, numbers, styles, contents, formatted_as,
        events, deliveries, times);
END
$$;
