ALTER TABLE job_slots DROP COLUMN handed_at;
