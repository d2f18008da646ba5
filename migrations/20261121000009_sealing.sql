-- Message text that is sealed (src/seal.rs). It stands in the same columns as plain text does, and tells itself apart: it
-- begins with U+0001 and the id of its key. In columns of JSON it is a string.

-- The keys that rows are sealed by, so that nothing starts without one of them.
CREATE TABLE seal_keys (
    id    text PRIMARY KEY,
    -- A text that is sealed by it: opens it, then it is the same key still.
    proof text NOT NULL
);

-- Plain text that begins like sealed text carries a colon behind the mark.
UPDATE messages SET content = E'\x01:' || content WHERE starts_with(content, E'\x01');
UPDATE messages SET formatted = E'\x01:' || formatted WHERE starts_with(formatted, E'\x01');
UPDATE message_versions SET content = E'\x01:' || content WHERE starts_with(content, E'\x01');
UPDATE message_versions SET formatted = E'\x01:' || formatted WHERE starts_with(formatted, E'\x01');

-- What is sealed cannot be looked into.
ALTER TABLE message_media ALTER COLUMN attached_to DROP EXPRESSION;
