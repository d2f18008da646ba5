-- Pinned messages, messages to everybody, and what a room asks of those who do that.

ALTER TABLE conversations
    -- The power that the room asks of who pins, and of who addresses everybody. NULL: nobody has said, so the usual of its
    -- kind.
    ADD COLUMN pin_level      bigint,
    ADD COLUMN everybody_level bigint;

ALTER TABLE messages ADD COLUMN mentions_room boolean NOT NULL DEFAULT false;
ALTER TABLE message_versions ADD COLUMN mentions_room boolean NOT NULL DEFAULT false;

CREATE TABLE pins (
    message_id      uuid PRIMARY KEY,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    -- The order of pinning.
    place           bigint GENERATED ALWAYS AS IDENTITY,
    pinned_by       uuid NOT NULL,
    pinned_at       timestamptz NOT NULL,
    -- Taken back in Nova; the row stays until the room knows.
    removed_at      timestamptz,
    -- The outbox row that tells the room, as long as the room has not told it back. What the room says of this message until
    -- then is older.
    told_by         uuid,
    CHECK (removed_at IS NULL OR told_by IS NOT NULL)
);
CREATE INDEX pins_by_conversation ON pins (conversation_id, place);
CREATE INDEX pins_by_job ON pins (told_by) WHERE told_by IS NOT NULL;

-- What a room has pinned and has not come yet. Applied when it comes, dropped with the feed.
CREATE TABLE early_pins (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    event_id        text NOT NULL,
    pinned_by       uuid NOT NULL,
    pinned_at       timestamptz NOT NULL,
    came_at         timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, event_id)
);
CREATE INDEX early_pins_by_event ON early_pins (event_id);
CREATE INDEX early_pins_by_age ON early_pins (came_at);

-- The short way, as long as nothing waits for what is said, it is pinned nowhere, and nobody blocks one who says it.
CREATE OR REPLACE FUNCTION say_in_rooms(
    clock_base bigint, said_at timestamptz, rooms text[], newest integer[], senders uuid[],
    ids uuid[], places integer[], authors uuid[], numbers bigint[], styles text[], contents text[], formatted_as text[],
    events text[], deliveries text[], times timestamptz[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(20261120, 0);
    IF EXISTS (SELECT FROM early_acts WHERE target_event_id = ANY (events))
       OR EXISTS (SELECT FROM early_pins WHERE event_id = ANY (events))
       OR EXISTS (SELECT FROM blocks WHERE blocked_id = ANY (senders)) THEN
        RETURN false;
    END IF;
    RETURN say_in_rooms_at_once(
        clock_base, said_at, rooms, newest, senders, ids, places, authors, numbers, styles, contents, formatted_as,
        events, deliveries, times);
END
$$;
