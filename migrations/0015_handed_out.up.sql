-- When a claimed slot was handed to the queue the last time, if it was handed out again. open_since stays what it is:
-- the first time, which is what tells a slot that is stuck from one whose task was lost once.
ALTER TABLE job_slots ADD COLUMN handed_at timestamptz;

-- A slot at or before the newest recorded one is decided. Where it stayed open, its job stood still for ever.
UPDATE job_slots SET open_slot = NULL, open_since = NULL WHERE open_slot <= last_slot;
