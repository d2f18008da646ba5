-- What Synapse may have failed to push, and rooms that are older than their conversations.

-- Times after which something may be missing: each start of ours, and each time that Synapse or the database was away.
-- Numbered without gaps of visibility: whoever reads a number reads all below it.
CREATE TABLE outages (
    id         bigint PRIMARY KEY,
    -- By our own clock. What was applied well before is known to be whole.
    noticed_at timestamptz NOT NULL
);

CREATE FUNCTION newest_outage() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(id), 0) FROM outages
$$;

CREATE FUNCTION note_outage(at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    LOCK TABLE outages IN EXCLUSIVE MODE;
    INSERT INTO outages VALUES (newest_outage() + 1, at) RETURNING id INTO made;
    RETURN made;
END
$$;

ALTER TABLE matrix_room_mapping
    -- The newest outage after which the room was looked into. A new room lacks nothing.
    ADD COLUMN looked_into bigint NOT NULL DEFAULT newest_outage(),
    -- The event with which an older room became the conversation's. What was said before it stays where it was.
    ADD COLUMN begins_with text;
CREATE INDEX matrix_room_mapping_by_look ON matrix_room_mapping (looked_into);
