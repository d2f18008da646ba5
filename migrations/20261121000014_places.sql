-- What is said carries its own place in the feed, and has no row there: one row and two index entries less for each message.
-- Messages from before this have none; their rows in the feed stay until they are dropped with it.
ALTER TABLE messages
    ADD COLUMN position bigint,
    ADD COLUMN n        integer,
    -- When it was written here, by our own clock.
    ADD COLUMN came_at  timestamptz;
CREATE UNIQUE INDEX messages_by_place ON messages (position, n) WHERE n IS NOT NULL;

-- The number of the newest message of a conversation that has its place at or before this one; 0 if none has. Later numbers
-- have later places, so it is searched for from the end in growing steps, and then between the last two: without an index
-- by conversation and place, which every message would have to be written to.
CREATE FUNCTION said_until(conversation uuid, up_to bigint, up_to_n integer) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    high   bigint := (SELECT last_sequence FROM conversations WHERE id = conversation);
    low    bigint := high;
    step   bigint := 1;
    middle bigint;
BEGIN
    WHILE low > 0 AND (SELECT (m.position, m.n) > (up_to, up_to_n) FROM messages AS m
                       WHERE m.conversation_id = conversation AND m.sequence_number = low) LOOP
        high := low - 1;
        low := greatest(low - step, 0);
        step := step * 2;
    END LOOP;
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT (m.position, m.n) > (up_to, up_to_n) FROM messages AS m
            WHERE m.conversation_id = conversation AND m.sequence_number = middle) THEN
            high := middle - 1;
        ELSE
            low := middle;
        END IF;
    END LOOP;
    RETURN low;
END
$$;

-- The short way, in one piece and with fewer statements. It takes the turn and the locks, and then looks whether what the plan
-- assumed is so (each room a conversation's current one, each sender known and blocked by nobody, each event new and waited for
-- by nothing) and writes. False, with nothing written, where it is not so. "numbers" count from 1 in each room; "places" are
-- those of the rooms.
CREATE OR REPLACE FUNCTION say_in_rooms(
    clock_base bigint, said_at timestamptz, rooms text[], newest integer[], senders uuid[],
    ids uuid[], places integer[], authors uuid[], numbers bigint[], styles text[], contents text[], formatted_as text[],
    events text[], deliveries text[], times timestamptz[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    found     uuid[];
    sequences bigint[];
BEGIN
    -- Beside others that only say something: what waits for a message is written by whoever has the turn alone.
    PERFORM pg_advisory_xact_lock_shared(20261120, 0);
    found := ARRAY(SELECT m.conversation_id FROM unnest(rooms) WITH ORDINALITY AS r (room, i)
                   JOIN matrix_room_mapping AS m ON m.matrix_room_id = r.room ORDER BY r.i);
    IF cardinality(found) <> cardinality(rooms) THEN
        RETURN false;
    END IF;
    -- What lock_conversations does.
    PERFORM pg_advisory_xact_lock(20261120, key)
    FROM (SELECT DISTINCT hashtext(id::text) AS key FROM unnest(found) AS id ORDER BY 1) AS keys;
    -- Whether an event is among the messages already, their key tells.
    WITH counted AS (
        UPDATE conversations AS c
        SET last_sequence = c.last_sequence + numbers[r.newest], last_message_id = ids[r.newest], updated_at = said_at
        FROM unnest(found, rooms, newest) WITH ORDINALITY AS r (id, room, newest, place)
        JOIN matrix_room_mapping AS m ON m.conversation_id = r.id AND m.matrix_room_id = r.room
        WHERE c.id = r.id AND c.deleted_at IS NULL
          AND (SELECT count(*) FROM users WHERE id = ANY (senders) AND deactivated_at IS NULL) = cardinality(senders)
          AND NOT EXISTS (SELECT FROM blocks WHERE blocked_id = ANY (senders))
          AND NOT EXISTS (SELECT FROM processed_events WHERE event_id = ANY (events))
          AND NOT EXISTS (SELECT FROM dead_letters WHERE event_id = ANY (events))
          AND NOT EXISTS (SELECT FROM early_acts WHERE target_event_id = ANY (events))
          AND NOT EXISTS (SELECT FROM early_pins WHERE event_id = ANY (events))
        RETURNING r.place, c.last_sequence - numbers[r.newest] AS before
    )
    SELECT array_agg(before ORDER BY place) INTO sequences FROM counted;
    IF cardinality(sequences) IS DISTINCT FROM cardinality(rooms) THEN
        RAISE no_data_found;
    END IF;
    INSERT INTO messages (id, conversation_id, sender_id, sequence_number, style, content, formatted,
                          matrix_event_id, delivery, created_at, position, n, came_at)
    SELECT m.id, found[m.place], m.author, sequences[m.place] + m.number, m.style, m.content, m.formatted, m.event,
           m.delivery, m.at, clock_base + pg_current_xact_id()::text::bigint, m.i - 1, said_at
    FROM unnest(ids, places, authors, numbers, styles, contents, formatted_as, events, deliveries, times)
         WITH ORDINALITY AS m (id, place, author, number, style, content, formatted, event, delivery, at, i);
    RETURN true;
EXCEPTION
    -- What was written so far is undone, and the locks go with the transaction.
    WHEN unique_violation OR no_data_found THEN
        RETURN false;
END
$$;
DROP FUNCTION say_in_rooms_at_once;
