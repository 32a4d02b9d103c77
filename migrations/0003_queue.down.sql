DROP TABLE chat_codes, chat_commands, chat_bots, deliveries, receivers, rate_limits;
-- Back to what apalis-postgres 1.0.0 makes itself, less the indexes that double others.
CREATE OR REPLACE FUNCTION apalis.notify_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.run_at <= now() THEN
        PERFORM pg_notify('apalis::job::insert',
            json_build_object('job_type', NEW.job_type, 'id', NEW.id, 'run_at', NEW.run_at)::text);
    END IF;
    RETURN NEW;
END;
$$;
DROP TRIGGER notify_workers ON apalis.jobs;
CREATE TRIGGER notify_workers AFTER INSERT ON apalis.jobs FOR EACH ROW EXECUTE FUNCTION apalis.notify_new_jobs();
CREATE INDEX idx_apalis_jobs_fetch_partial ON apalis.jobs (job_type, priority DESC, run_at)
    WHERE status = 'Pending' OR (status = 'Failed' AND attempts < max_attempts);
DROP INDEX apalis.lgi_jobs_due;
DROP INDEX apalis.lgi_jobs_ended;
DROP INDEX apalis.idx_jobs_idempotency_key;
CREATE UNIQUE INDEX idx_jobs_idempotency_key ON apalis.jobs (job_type, idempotency_key);
DROP INDEX apalis.lgi_jobs_held;
CREATE INDEX idx_apalis_jobs_lock_by ON apalis.jobs (lock_by);
UPDATE apalis.jobs SET lock_by = NULL, lock_at = NULL, status = CASE status WHEN 'Running' THEN 'Pending' ELSE status END
WHERE lock_by IS NOT NULL AND lock_by NOT IN (SELECT id FROM apalis.workers);
ALTER TABLE apalis.jobs ADD CONSTRAINT fk_worker_lock_by FOREIGN KEY (lock_by) REFERENCES apalis.workers (id);
ALTER TABLE apalis.jobs RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor, autovacuum_analyze_threshold,
    autovacuum_vacuum_cost_delay);
ALTER TABLE apalis.workers RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
