-- What the clients of the call_* frames call the people whom their user may call: one code for each, for ever.
CREATE TABLE contact_codes (
    user_id uuid NOT NULL REFERENCES users,
    peer_id uuid NOT NULL REFERENCES users,
    code    text NOT NULL CHECK (length(code) = 6),
    PRIMARY KEY (user_id, peer_id),
    UNIQUE (user_id, code)
);
