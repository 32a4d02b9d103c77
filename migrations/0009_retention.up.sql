-- What retention has taken away: the slots of pruned runs still count, and pruning goes on where it stopped.
CREATE TABLE ticks_pruned (
    job_id bigint      PRIMARY KEY REFERENCES jobs,
    runs   bigint      NOT NULL CHECK (runs >= 0),
    slots  bigint      NOT NULL CHECK (slots >= runs),
    -- No run of holds before this is left.
    up_to  timestamptz NOT NULL
);

-- Tasks that ended and stay: given up, or kept on purpose.
CREATE INDEX lgi_jobs_ended ON apalis.jobs (run_at) WHERE status IN ('Killed', 'Done');
