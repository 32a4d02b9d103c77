DROP INDEX apalis.idx_jobs_idempotency_key;
CREATE UNIQUE INDEX idx_jobs_idempotency_key ON apalis.jobs (job_type, idempotency_key);
DROP INDEX apalis.lgi_jobs_held;
CREATE INDEX idx_apalis_jobs_lock_by ON apalis.jobs (lock_by);
UPDATE apalis.jobs SET lock_by = NULL, lock_at = NULL, status = CASE status WHEN 'Running' THEN 'Pending' ELSE status END
WHERE lock_by IS NOT NULL AND lock_by NOT IN (SELECT id FROM apalis.workers);
ALTER TABLE apalis.jobs ADD CONSTRAINT fk_worker_lock_by FOREIGN KEY (lock_by) REFERENCES apalis.workers (id);

ALTER TABLE job_slots RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay);
ALTER TABLE job_slots SET (fillfactor = 70);
DROP INDEX job_slots_due;
CREATE INDEX job_slots_due ON job_slots (due_at) WHERE open_slot IS NULL AND due_at IS NOT NULL;
CREATE INDEX job_slots_open ON job_slots (open_since) WHERE open_slot IS NOT NULL;
