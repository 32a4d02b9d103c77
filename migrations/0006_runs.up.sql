-- The run of equal holds that the newest slot belongs to, kept in the row that fences slots: whoever waited for that
-- row sees it as it is now, while the run itself may be newer than what the statement could see.
ALTER TABLE job_slots ADD COLUMN run_reason text, ADD COLUMN run_first_slot timestamptz,
    ADD CONSTRAINT job_slots_run_with_start CHECK ((run_reason IS NULL) = (run_first_slot IS NULL));

UPDATE job_slots s SET run_reason = t.reason, run_first_slot = t.first_slot
FROM ticks t
WHERE t.job_id = s.job_id AND t.outcome = 'hold'
  AND t.first_slot = (SELECT max(l.first_slot) FROM ticks l WHERE l.job_id = s.job_id);
