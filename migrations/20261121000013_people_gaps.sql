-- What is said in a thread, by its root: how much there is, and a page of it.
CREATE INDEX messages_by_thread ON messages (conversation_id, thread_root, sequence_number) WHERE thread_root IS NOT NULL;
