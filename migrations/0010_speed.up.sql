-- What a tick writes should cost as little as it can.

-- A slot's claim moves due_at; all else that happens to the row, its recording above all, now touches no index and is
-- a heap-only update. Slots that were handed out and lost are found by reading the narrow table, now and then.
DROP INDEX job_slots_due;
DROP INDEX job_slots_open;
CREATE INDEX job_slots_due ON job_slots (due_at) WHERE due_at IS NOT NULL;
ALTER TABLE job_slots SET (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.1,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);

-- The queue. A claim asks once whether its worker is registered, and rows of a worker that is not are handed over; a
-- foreign key asked for each row.
ALTER TABLE apalis.jobs DROP CONSTRAINT IF EXISTS fk_worker_lock_by;
-- Rows that nobody holds and tasks without a key need no entry.
DROP INDEX IF EXISTS apalis.idx_apalis_jobs_lock_by;
CREATE INDEX lgi_jobs_held ON apalis.jobs (lock_by) WHERE lock_by IS NOT NULL;
DROP INDEX IF EXISTS apalis.idx_jobs_idempotency_key;
CREATE UNIQUE INDEX idx_jobs_idempotency_key ON apalis.jobs (job_type, idempotency_key) WHERE idempotency_key IS NOT NULL;
