-- The foundation: people, conversations, messages, the feed that sockets follow, the outbox towards Matrix, dead letters.
--
-- Locks. Whoever writes to conversations takes their advisory locks first, before its first write, through
-- lock_conversations(). Then transaction ids are given out in lock order, and so the feed's position (made from the
-- transaction id) orders the entries of one conversation exactly as they were decided. The same lock marks a transaction
-- as a writer of the feed, which feed_horizon() looks for.

CREATE TABLE users (
    id              uuid PRIMARY KEY,
    mxid            text NOT NULL UNIQUE,
    -- A Nova account, whose Matrix user is our ghost; otherwise a Matrix user that Nova knows by a UUID v5.
    is_nova         boolean NOT NULL,
    username        text,
    display_name    text,
    -- Nova accounts: an HTTP(S) address. Matrix users: an mxc address.
    avatar_url      text,
    -- Nova accounts: the admin or the profile source said what it is called, so what a token says does not count.
    is_described    boolean NOT NULL DEFAULT false,
    -- Ghosts only: when the homeserver knew it, and the profile that it was last given.
    registered_at   timestamptz,
    synced_profile  text,
    deactivated_at  timestamptz,
    -- Whether calls ring for them, and whether they can call.
    calls_enabled   boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE INDEX users_by_username ON users (lower(username)) WHERE is_nova;

CREATE TABLE conversations (
    id              uuid PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('direct', 'group')),
    name            text,
    description     text,
    avatar_url      text,
    created_by      uuid NOT NULL REFERENCES users,
    -- Whether there is, or shall be, a Matrix room for it.
    has_portal      boolean NOT NULL,
    -- Whether it left a room behind, so that it holds what was said elsewhere than in its present one.
    has_moved       boolean NOT NULL DEFAULT false,
    -- Gap-free number of its newest message.
    last_sequence   bigint NOT NULL DEFAULT 0,
    last_message_id uuid,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    deleted_at      timestamptz
)
-- Every message rewrites its conversation's row: with room in the page that touches no index.
WITH (fillfactor = 70);

CREATE TABLE conversation_members (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    user_id         uuid NOT NULL REFERENCES users,
    role            text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'moderator', 'admin', 'owner')),
    membership      text NOT NULL DEFAULT 'joined' CHECK (membership IN ('invited', 'joined')),
    joined_at       timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);
CREATE INDEX conversation_members_by_user ON conversation_members (user_id);

-- Two people have one direct conversation: this key decides races.
CREATE TABLE direct_conversations (
    lesser_user_id  uuid NOT NULL REFERENCES users,
    greater_user_id uuid NOT NULL REFERENCES users,
    conversation_id uuid NOT NULL UNIQUE REFERENCES conversations ON DELETE CASCADE,
    PRIMARY KEY (lesser_user_id, greater_user_id),
    CHECK (lesser_user_id < greater_user_id)
);

CREATE TABLE matrix_room_mapping (
    conversation_id uuid PRIMARY KEY REFERENCES conversations ON DELETE CASCADE,
    matrix_room_id  text NOT NULL UNIQUE,
    -- Set once the room was found encrypted and its people were told that we cannot read it.
    encrypted_at    timestamptz,
    -- People whose power has no number: the creators, from room version 12 on.
    creators        text[] NOT NULL DEFAULT '{}',
    -- When its people were last told that calls work between two people only.
    call_notice_at  timestamptz,
    -- Counts transactions with state of this room, so that a snapshot that was read before one is known to be stale.
    state_version   bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);

-- Rooms that a conversation has left behind (upgraded, or replaced by a newer direct room). Late events still find it.
CREATE TABLE former_rooms (
    matrix_room_id  text PRIMARY KEY,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    replaced_at     timestamptz NOT NULL
);

-- People whom Nova took out of a conversation, until the room says so too. What the room still says of them until then
-- is older, and must not bring them back.
CREATE TABLE departures (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    user_id         uuid NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);

-- No foreign keys on the two hot tables below: every row is written under the lock of its conversation, in the
-- transaction that has just read it.
CREATE TABLE messages (
    id              uuid PRIMARY KEY,
    conversation_id uuid NOT NULL,
    sender_id       uuid NOT NULL,
    sequence_number bigint NOT NULL CHECK (sequence_number > 0),
    style           text NOT NULL DEFAULT 'plain' CHECK (style IN ('plain', 'notice', 'emote')),
    content         text NOT NULL,
    formatted       text,
    version_number  bigint NOT NULL DEFAULT 1,
    idempotency_key text,
    matrix_event_id text,
    -- Towards Matrix. NULL: nothing to deliver (it came from there, or the conversation has no room).
    delivery        text CHECK (delivery IN ('pending', 'retrying', 'sent', 'failed')),
    created_at      timestamptz NOT NULL,
    UNIQUE (conversation_id, sequence_number)
);
CREATE UNIQUE INDEX messages_by_event ON messages (matrix_event_id) WHERE matrix_event_id IS NOT NULL;
CREATE UNIQUE INDEX messages_by_idempotency_key ON messages (sender_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- What sockets are shown, in order. A message is told by reference; everything else carries its own payload.
CREATE TABLE conversation_feed (
    -- A logical clock over all conversations: the base of feed_clock plus the writer's transaction id.
    position        bigint NOT NULL,
    -- Order within one transaction.
    n               integer NOT NULL,
    conversation_id uuid NOT NULL,
    message_id      uuid,
    payload         json,
    -- Set when only this person may see it.
    audience        uuid,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (position, n),
    CHECK (num_nonnulls(message_id, payload) = 1)
);
CREATE INDEX conversation_feed_by_conversation ON conversation_feed (conversation_id, position, n);

-- The offset of the feed's clock. It starts at the installation's time in milliseconds, which gives stream ids the look
-- that clients know, and is moved forward at start when a restored database would let the clock run backwards.
CREATE TABLE feed_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    base     bigint NOT NULL,
    -- Everything below was dropped because of its age.
    pruned   bigint NOT NULL DEFAULT 0
);
INSERT INTO feed_clock (base)
VALUES ((extract(epoch FROM now()) * 1000)::bigint - pg_current_xact_id()::text::bigint);

-- What a person has acknowledged: everything up to the floor, and single entries above it.
CREATE TABLE feed_floors (
    user_id  uuid PRIMARY KEY,
    position bigint NOT NULL,
    n        integer NOT NULL
);
CREATE TABLE feed_acks (
    user_id  uuid NOT NULL,
    position bigint NOT NULL,
    n        integer NOT NULL,
    PRIMARY KEY (user_id, position, n)
);

-- Requests towards Matrix, in lanes that are worked off head first: one lane per conversation, one per account, one per call.
CREATE TABLE outbox (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Also the Matrix transaction id, so that a repeated request is recognised.
    id              uuid NOT NULL UNIQUE,
    lane            uuid NOT NULL,
    conversation_id uuid,
    -- The account whose ghost acts.
    actor_id        uuid NOT NULL,
    message_id      uuid,
    job             json NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    -- Set when an earlier attempt may have taken effect without our knowing.
    uncertain       boolean NOT NULL DEFAULT false,
    first_tried_at  timestamptz,
    last_error      text,
    created_at      timestamptz NOT NULL
);
CREATE INDEX outbox_by_lane ON outbox (lane, seq);
CREATE INDEX outbox_rooms ON outbox (lane) WHERE job->>'do' = 'create_room';
CREATE INDEX outbox_by_message ON outbox (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE outbox_lanes (
    lane         uuid PRIMARY KEY,
    -- When its head is due; infinity when it is empty.
    due_at       timestamptz NOT NULL,
    -- Whether it is a call's: those have seats of their own, and their rows go when they are empty.
    is_urgent    boolean NOT NULL DEFAULT false,
    -- Whether the homeserver itself named that time (429).
    told_to_wait boolean NOT NULL DEFAULT false,
    -- Counts additions, so that a worker that found the lane empty cannot put one to sleep that it did not see.
    version      bigint NOT NULL DEFAULT 0,
    -- The node that works on it. A node holds the advisory lock of its number (node_is_alive) as long as it lives, so a
    -- lease of a dead node ends with its connection; the head of such a lane may be half done.
    leased_by    integer
);
CREATE INDEX outbox_lanes_due ON outbox_lanes (due_at) WHERE due_at < 'infinity';
CREATE INDEX outbox_lanes_due_urgent ON outbox_lanes (due_at) WHERE due_at < 'infinity' AND is_urgent;

-- Events that are not messages, once applied: the same event may be pushed again, under any transaction id.
CREATE TABLE processed_events (
    event_id     text PRIMARY KEY,
    processed_at timestamptz NOT NULL
);

CREATE TABLE dead_letters (
    id              uuid PRIMARY KEY,
    -- The order in which they came; those of one transaction have the same time.
    seq             bigint GENERATED ALWAYS AS IDENTITY,
    direction       text NOT NULL CHECK (direction IN ('from_matrix', 'to_matrix')),
    reason          text NOT NULL,
    detail          text NOT NULL,
    room_id         text,
    event_id        text UNIQUE,
    conversation_id uuid,
    actor_id        uuid,
    message_id      uuid,
    -- As Synapse sent it (json, not jsonb: jsonb refuses NUL), or the outbox job.
    payload         json NOT NULL,
    created_at      timestamptz NOT NULL
);
CREATE INDEX dead_letters_by_message ON dead_letters (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX dead_letters_by_room ON dead_letters (room_id, seq) WHERE direction = 'from_matrix';

CREATE TABLE matrix_avatar_cache (
    user_id         uuid NOT NULL REFERENCES users,
    avatar_url_hash text NOT NULL,
    mxc_url         text NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (user_id, avatar_url_hash)
);

-- Numbers of the nodes that live.
CREATE FUNCTION living_nodes() RETURNS SETOF integer LANGUAGE sql AS $$
    SELECT objid::bigint::integer FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 20261121 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
$$;

-- Locks conversations against other writers until the transaction ends. In one order, so that two cannot wait for each
-- other. Must come before the first write of the transaction.
CREATE FUNCTION lock_conversations(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- The subquery is sorted before the first lock is taken: DISTINCT keeps it apart from the outer one.
    PERFORM pg_advisory_xact_lock(20261120, key)
    FROM (SELECT DISTINCT hashtext(id::text) AS key FROM unnest(ids) AS id ORDER BY 1) AS keys;
END
$$;

-- The first step of a transaction from Synapse: one at a time, find the conversations of the rooms, lock them, and only
-- then read them. One round trip.
CREATE FUNCTION enter_rooms(rooms text[]) RETURNS TABLE (
    room text, is_current boolean, encrypted boolean, creators text[], state_version bigint, conversation_id uuid, kind text, name text,
    description text, avatar_url text, created_by uuid, last_sequence bigint, created_at timestamptz, current_room text
) LANGUAGE plpgsql AS $$
DECLARE
    locked uuid[] := '{}';
    found  uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock(20261120, 0);
    -- A room can become a portal while we wait for a lock, so look again until all that is found is locked.
    LOOP
        found := ARRAY(
            SELECT m.conversation_id FROM matrix_room_mapping AS m WHERE m.matrix_room_id = ANY (rooms)
            UNION SELECT f.conversation_id FROM former_rooms AS f WHERE f.matrix_room_id = ANY (rooms));
        EXIT WHEN found <@ locked;
        PERFORM lock_conversations(found);
        locked := found;
    END LOOP;
    RETURN QUERY
        SELECT portal.room, portal.is_current, portal.encrypted, portal.creators, portal.state_version, c.id, c.kind, c.name, c.description,
               c.avatar_url, c.created_by, c.last_sequence, c.created_at, portal.current_room
        FROM (
            SELECT m.matrix_room_id AS room, true AS is_current, m.encrypted_at IS NOT NULL AS encrypted, m.creators,
                   m.state_version, m.conversation_id, m.matrix_room_id AS current_room
            FROM matrix_room_mapping AS m WHERE m.matrix_room_id = ANY (rooms)
            UNION ALL
            SELECT f.matrix_room_id, false, false, '{}'::text[], 0::bigint, f.conversation_id, m.matrix_room_id
            FROM former_rooms AS f LEFT JOIN matrix_room_mapping AS m USING (conversation_id)
            WHERE f.matrix_room_id = ANY (rooms)
        ) AS portal
        JOIN conversations AS c ON c.id = portal.conversation_id AND c.deleted_at IS NULL;
END
$$;

-- A whole transaction from Synapse that holds nothing but new messages, in one round trip: take the turn and the locks, look
-- whether what the plan assumed is so (each room a conversation's current one, each sender known, each event new), and write.
-- False, with nothing written, where it is not so. "numbers" count from 1 in each room; "places" are those of the rooms.
CREATE FUNCTION say_in_rooms(
    clock_base bigint, said_at timestamptz, rooms text[], newest integer[], senders uuid[],
    ids uuid[], places integer[], authors uuid[], numbers bigint[], styles text[], contents text[], formatted_as text[],
    events text[], deliveries text[], times timestamptz[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    found     uuid[];
    sequences bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(20261120, 0);
    found := ARRAY(SELECT m.conversation_id FROM unnest(rooms) WITH ORDINALITY AS r (room, i)
                   JOIN matrix_room_mapping AS m ON m.matrix_room_id = r.room ORDER BY r.i);
    IF cardinality(found) <> cardinality(rooms) THEN
        RETURN false;
    END IF;
    PERFORM lock_conversations(found);
    -- Whether an event is among the messages already, their key tells.
    IF (SELECT count(*) FROM users WHERE id = ANY (senders) AND deactivated_at IS NULL) <> cardinality(senders)
       OR EXISTS (SELECT FROM processed_events WHERE event_id = ANY (events))
       OR EXISTS (SELECT FROM dead_letters WHERE event_id = ANY (events)) THEN
        RETURN false;
    END IF;
    WITH counted AS (
        UPDATE conversations AS c
        SET last_sequence = c.last_sequence + numbers[r.newest], last_message_id = ids[r.newest], updated_at = said_at
        FROM unnest(found, rooms, newest) WITH ORDINALITY AS r (id, room, newest, place)
        JOIN matrix_room_mapping AS m ON m.conversation_id = r.id AND m.matrix_room_id = r.room
        WHERE c.id = r.id AND c.deleted_at IS NULL
        RETURNING r.place, c.last_sequence - numbers[r.newest] AS before
    )
    SELECT array_agg(before ORDER BY place) INTO sequences FROM counted;
    IF cardinality(sequences) IS DISTINCT FROM cardinality(rooms) THEN
        -- A room moved on while we waited for the locks.
        RAISE no_data_found;
    END IF;
    WITH said AS (
        INSERT INTO messages (id, conversation_id, sender_id, sequence_number, style, content, formatted,
                              matrix_event_id, delivery, created_at)
        SELECT m.id, found[m.place], m.author, sequences[m.place] + m.number, m.style, m.content, m.formatted, m.event,
               m.delivery, m.at
        FROM unnest(ids, places, authors, numbers, styles, contents, formatted_as, events, deliveries, times)
             AS m (id, place, author, number, style, content, formatted, event, delivery, at)
    )
    INSERT INTO conversation_feed (position, n, conversation_id, message_id, created_at)
    SELECT clock_base + pg_current_xact_id()::text::bigint, m.n - 1, found[m.place], m.id, said_at
    FROM unnest(ids, places) WITH ORDINALITY AS m (id, place, n);
    RETURN true;
EXCEPTION
    -- What was written so far is undone, and the locks go with the transaction.
    WHEN unique_violation OR no_data_found THEN
        RETURN false;
END
$$;

-- The feed position below which nothing will be committed any more: that of the oldest transaction that runs, unless it
-- is known to be no writer of the feed (its session holds no conversation lock), or else the next transaction id. So a
-- long transaction of somebody else in the same cluster does not hold the feed back. "held" says that somebody did.
-- The feed is to be read by a later statement: a writer that ends while this looks at the locks may be taken for none.
CREATE FUNCTION feed_horizon(OUT horizon bigint, OUT held boolean) LANGUAGE plpgsql AS $$
DECLARE
    snapshot pg_snapshot := pg_current_snapshot();
    oldest   bigint;
BEGIN
    horizon := pg_snapshot_xmax(snapshot)::text::bigint;
    IF pg_snapshot_xmin(snapshot) <> pg_snapshot_xmax(snapshot) THEN
        SELECT min(running::text::bigint) INTO oldest
        FROM pg_snapshot_xip(snapshot) AS running
        WHERE running::text::bigint & 4294967295 NOT IN (
            SELECT writing.transactionid::text::bigint
            FROM pg_locks AS writing
            WHERE writing.locktype = 'transactionid' AND writing.mode = 'ExclusiveLock' AND writing.granted
              AND NOT EXISTS (
                SELECT FROM pg_locks AS marked
                WHERE marked.pid = writing.pid AND marked.locktype = 'advisory' AND marked.classid = 20261120
                  AND marked.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        );
    END IF;
    held := oldest IS NOT NULL;
    horizon := least(horizon, oldest) + (SELECT base FROM feed_clock);
END
$$;

-- Calls. A call is one row: `machine` is its whole state, the columns beside it are what is looked for. Like the hot tables
-- above they are written under the lock of their conversation.
CREATE TABLE call_sessions (
    id               uuid PRIMARY KEY,
    conversation_id  uuid NOT NULL,
    initiator_id     uuid NOT NULL,
    call_type        text NOT NULL CHECK (call_type IN ('direct', 'group')),
    is_video         boolean NOT NULL,
    status           text NOT NULL CHECK (status IN ('ringing', 'connected', 'ended', 'failed', 'missed')),
    end_reason       text,
    created_at       timestamptz NOT NULL,
    started_at       timestamptz,
    ended_at         timestamptz,
    duration_ms      bigint,
    max_participants integer NOT NULL,
    -- The caller's client's own key for it.
    idempotency_key  text,
    -- Through which protocol its caller speaks.
    dialect          text NOT NULL,
    matrix_call_id   text,
    matrix_room_id   text,
    -- What of ours is in the room, as far as it is known: the peer is told of the end accordingly.
    invite_event_id  text,
    answer_event_id  text,
    -- When it has to be looked at. Every call that has not ended has such a time, and no other one has.
    deadline         timestamptz,
    -- json, not jsonb: SDP and candidates are kept byte for byte. Without any of them once the call has ended.
    machine          json NOT NULL,
    CHECK ((deadline IS NULL) = (ended_at IS NOT NULL))
)
-- A call is written again with every candidate: with room in the page that touches no index.
WITH (fillfactor = 50);
CREATE INDEX call_sessions_due ON call_sessions (deadline) WHERE deadline IS NOT NULL;
CREATE INDEX call_sessions_unfinished ON call_sessions (conversation_id) WHERE deadline IS NOT NULL;
CREATE UNIQUE INDEX call_sessions_by_matrix ON call_sessions (conversation_id, matrix_call_id)
    WHERE matrix_call_id IS NOT NULL;
CREATE UNIQUE INDEX call_sessions_by_idempotency_key ON call_sessions (initiator_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX call_sessions_by_conversation ON call_sessions (conversation_id, created_at);

CREATE TABLE call_participants (
    call_id        uuid NOT NULL REFERENCES call_sessions ON DELETE CASCADE,
    user_id        uuid NOT NULL,
    participant_id uuid NOT NULL,
    presence       text NOT NULL CHECK (presence IN ('invited', 'joined', 'rejected', 'left')),
    dialect        text NOT NULL,
    joined_at      timestamptz,
    left_at        timestamptz,
    audio          boolean NOT NULL,
    video          boolean NOT NULL,
    -- Since when they have no socket, on any node.
    gone_since     timestamptz,
    -- Whether the call has not ended.
    is_active      boolean NOT NULL,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (call_id, user_id)
);
CREATE INDEX call_participants_active ON call_participants (user_id) WHERE is_active;
CREATE INDEX call_participants_gone ON call_participants (gone_since) WHERE gone_since IS NOT NULL;
CREATE INDEX call_participants_by_user ON call_participants (user_id, created_at DESC);

-- What happened in calls, for the admin. Dropped with the feed.
CREATE TABLE call_events (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id uuid NOT NULL,
    at      timestamptz NOT NULL,
    user_id uuid,
    what    text NOT NULL
);
CREATE INDEX call_events_by_call ON call_events (call_id, seq);
CREATE INDEX call_events_by_age ON call_events (at);

-- Call events whose call is not known yet: candidates can come before their invite. Dropped after two minutes.
CREATE TABLE early_call_events (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    matrix_room_id text NOT NULL,
    matrix_call_id text NOT NULL,
    event          json NOT NULL,
    came_at        timestamptz NOT NULL
);
CREATE INDEX early_call_events_by_call ON early_call_events (matrix_room_id, matrix_call_id, seq);
CREATE INDEX early_call_events_by_age ON early_call_events (came_at);

-- Locks the conversation of a call, and only then reads the call. One round trip.
CREATE FUNCTION enter_call(wanted uuid) RETURNS TABLE (machine text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_conversations(ARRAY(SELECT c.conversation_id FROM call_sessions AS c WHERE c.id = wanted));
    RETURN QUERY SELECT c.machine::text FROM call_sessions AS c WHERE c.id = wanted;
END
$$;
