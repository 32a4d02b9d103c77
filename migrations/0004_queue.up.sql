-- What the queue adds to apalis-postgres' tables. Runs after apalis' own migrations.

-- The claim: due rows of one queue in order. apalis' own index leads with the priority, which we do not use.
CREATE INDEX IF NOT EXISTS lgi_jobs_due ON apalis.jobs (job_type, run_at, id) WHERE status = 'Pending';
DROP INDEX IF EXISTS apalis.idx_apalis_jobs_fetch_partial;

-- Doubles of jobs_pkey and idx_apalis_jobs_lock_by, and of workers' indexes: each is written at every claim
-- or heartbeat.
DROP INDEX IF EXISTS apalis.unique_job_id;
DROP INDEX IF EXISTS apalis.lidx;
DROP INDEX IF EXISTS apalis.wtidx;
DROP INDEX IF EXISTS apalis.lsidx;

-- Rows live for seconds: without frequent vacuum the front of the index fills with dead entries.
ALTER TABLE apalis.jobs SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0.2,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
ALTER TABLE apalis.workers SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- One announcement for each statement and queue; apalis' trigger sends one for each row.
CREATE OR REPLACE FUNCTION apalis.notify_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('apalis::job::insert', json_build_object('job_type', due.job_type)::text)
    FROM (SELECT DISTINCT job_type FROM pushed WHERE run_at <= now()) due;
    RETURN NULL;
END;
$$;
DROP TRIGGER IF EXISTS notify_workers ON apalis.jobs;
CREATE TRIGGER notify_workers AFTER INSERT ON apalis.jobs
    REFERENCING NEW TABLE AS pushed
    FOR EACH STATEMENT EXECUTE FUNCTION apalis.notify_new_jobs();
