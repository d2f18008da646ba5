-- Whoever says no to a request, or is asked no more, has no place in the conversation then, but is told of it: also where they
-- come back later. These few entries are found by whom they are for.
CREATE INDEX conversation_feed_answers ON conversation_feed (audience, position, n) WHERE payload ->> 'type' = 'answered';
