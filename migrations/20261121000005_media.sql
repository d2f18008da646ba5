-- What messages carry beside their text: a file or a place. One row at most for each; the bytes are on the homeserver.
CREATE TABLE message_media (
    message_id  uuid PRIMARY KEY,
    -- The whole of it, as the domain writes it. Rewritten once: when a file from Nova's storage is on the homeserver.
    media       json NOT NULL,
    -- The message that it was added to afterwards (Nova's attachments).
    attached_to uuid GENERATED ALWAYS AS ((media->'file'->>'attached_to')::uuid) STORED
);
CREATE INDEX message_media_attached ON message_media (attached_to) WHERE attached_to IS NOT NULL;

-- Files that somebody brought and has not said anything with yet.
CREATE TABLE uploads (
    id         uuid PRIMARY KEY,
    owner_id   uuid NOT NULL,
    media      json NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX uploads_by_age ON uploads (created_at);
