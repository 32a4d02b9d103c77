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
ALTER TABLE apalis.jobs RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor, autovacuum_analyze_threshold,
    autovacuum_vacuum_cost_delay);
ALTER TABLE apalis.workers RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
