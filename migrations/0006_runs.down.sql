ALTER TABLE job_slots DROP COLUMN run_reason, DROP COLUMN run_first_slot;
