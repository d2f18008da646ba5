-- What people have read, and how they keep their conversations: receipts, mute, archive.

ALTER TABLE conversation_members
    -- The number of the newest message that they have read, or wrote. Never goes back.
    ADD COLUMN read_sequence bigint NOT NULL DEFAULT 0,
    ADD COLUMN is_muted      boolean NOT NULL DEFAULT false,
    ADD COLUMN is_archived   boolean NOT NULL DEFAULT false;

-- Nobody is told that everything from before is new.
UPDATE conversation_members AS m SET read_sequence = c.last_sequence
FROM conversations AS c WHERE c.id = m.conversation_id;

-- What is gone is not unread.
CREATE INDEX messages_gone ON messages (conversation_id, sequence_number)
    WHERE deleted_at IS NOT NULL OR recalled_at IS NOT NULL;
CREATE FUNCTION unread_messages(conversation uuid, read bigint, last bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest(last - read - count(*), 0) FROM messages
    WHERE conversation_id = conversation AND sequence_number > read
      AND (deleted_at IS NOT NULL OR recalled_at IS NOT NULL)
$$;

-- Receipts of ghosts that their rooms have not got yet. One row however often somebody reads: only the newest is sent.
CREATE TABLE receipts_to_send (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    user_id         uuid NOT NULL REFERENCES users,
    -- Up to which message.
    sequence_number bigint NOT NULL,
    -- Up to which one the room has been told since the row is there; the rest may wait for its messages to arrive there.
    sent_sequence   bigint NOT NULL DEFAULT 0,
    -- When to try; put off while somebody tries, so that a node that dies in between loses nothing.
    due_at          timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation_id, user_id)
);
CREATE INDEX receipts_to_send_due ON receipts_to_send (due_at);
