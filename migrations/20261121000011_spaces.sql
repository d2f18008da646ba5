-- Spaces, and people who ask to be let in.

-- Rooms that are known to be spaces, anybody's. They hold rooms and are no conversations.
CREATE TABLE space_rooms (
    matrix_room_id text PRIMARY KEY,
    seen_at        timestamptz NOT NULL
);

-- The space of an account, in which its ghost finds the rooms of its conversations. What is in it, its own state says.
CREATE TABLE account_spaces (
    user_id        uuid PRIMARY KEY REFERENCES users,
    -- NULL while it is being made: whoever finds it so looks for the room before making another one.
    matrix_room_id text UNIQUE,
    -- When making it was last begun.
    begun_at       timestamptz NOT NULL
);

-- People who knock on the room of a group. Those of a room that the group has left behind count no more.
CREATE TABLE knocks (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    user_id         uuid NOT NULL REFERENCES users,
    matrix_room_id  text NOT NULL,
    reason          text,
    knocked_at      timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);
