-- What messages are found by. Made from the feed, after the fact, so that nobody waits for it.
CREATE TABLE message_search (
    message_id      uuid PRIMARY KEY,
    conversation_id uuid NOT NULL,
    sequence_number bigint NOT NULL,
    -- The words, and "#" with the conversation's id: so the index alone finds the words of one conversation.
    words           tsvector NOT NULL
);
CREATE INDEX message_search_words ON message_search USING gin (words);

-- How far that has come.
CREATE TABLE search_progress (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- The feed up to here is in it.
    position   bigint NOT NULL,
    n          integer NOT NULL,
    -- Of what was said before there was an index, the messages up to here; NULL once all of it is.
    backfilled uuid
);
