-- Rooms in which somebody talks to the bridge's bot.
CREATE TABLE management_rooms (
    matrix_room_id text PRIMARY KEY,
    -- Who invited it.
    user_mxid      text NOT NULL,
    created_at     timestamptz NOT NULL
);
