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

-- A claim asks once whether its worker is registered, and rows of a worker that is not are handed over; the foreign key
-- asked for each row.
ALTER TABLE apalis.jobs DROP CONSTRAINT IF EXISTS fk_worker_lock_by;
-- Rows that no worker holds, and tasks without a key, need no entry.
DROP INDEX IF EXISTS apalis.idx_apalis_jobs_lock_by;
CREATE INDEX lgi_jobs_held ON apalis.jobs (lock_by) WHERE lock_by IS NOT NULL;
DROP INDEX IF EXISTS apalis.idx_jobs_idempotency_key;
CREATE UNIQUE INDEX idx_jobs_idempotency_key ON apalis.jobs (job_type, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- Tasks that ended and stay: given up, or kept on purpose.
CREATE INDEX lgi_jobs_ended ON apalis.jobs (run_at) WHERE status IN ('Killed', 'Done');

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

-- Rate limits as token buckets that all workers share: an outside API counts our requests, not our processes.
CREATE TABLE rate_limits (
    name       text        PRIMARY KEY,
    tokens     float8      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Notification receivers, as the settings of the running processes have them. A row expires when no process has had its
-- receiver for a while. An event is handed to its receivers once; each receiver takes it at its own pace.
CREATE TABLE receivers (
    name          text        PRIMARY KEY CHECK (name ~ '^[a-z0-9_-]{1,32}$'),
    kind          text        NOT NULL CHECK (kind IN ('telegram', 'discord', 'slack', 'webhook')),
    -- Names of events, or 'all'.
    events        text[]      NOT NULL,
    -- It gets events from here on.
    since         timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now(),
    -- One process sends to it at a time; a process that died holds it no longer than this.
    busy_until    timestamptz NOT NULL DEFAULT '-infinity',
    -- Its rate limit, or the pause it asked for.
    next_send_at  timestamptz NOT NULL DEFAULT '-infinity',
    -- Failures in a row, and since when.
    failures      integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    failing_since timestamptz,
    last_error    text,
    CONSTRAINT receivers_failing_has_error CHECK ((failures > 0) = (failing_since IS NOT NULL))
) WITH (fillfactor = 50);

-- One event for one receiver. The pair is the message's id.
CREATE TABLE deliveries (
    outbox_id       bigint      NOT NULL REFERENCES outbox ON DELETE CASCADE,
    receiver        text        NOT NULL,
    status          text        NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'delivered', 'given_up')),
    attempts        integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- While an attempt is under way, this is when it counts as lost.
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error      text,
    -- When the event happened: what is too old is given up.
    happened_at     timestamptz NOT NULL,
    ended_at        timestamptz,
    PRIMARY KEY (outbox_id, receiver),
    CONSTRAINT deliveries_ended_has_time CHECK ((status = 'waiting') = (ended_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX deliveries_waiting ON deliveries (receiver, outbox_id) WHERE status = 'waiting';

-- Where the updates of a bot continue that takes commands. One process at a time reads them, under an advisory lock.
CREATE TABLE chat_bots (
    bot         bigint      PRIMARY KEY CHECK (bot > 0),
    -- All before it were taken.
    next_update bigint      NOT NULL CHECK (next_update >= 0),
    seen_at     timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Commands of people whom the settings name. The row is written with the place above, before anything is done.
CREATE TABLE chat_commands (
    bot       bigint      NOT NULL REFERENCES chat_bots,
    update_id bigint      NOT NULL,
    chat      bigint      NOT NULL,
    person    bigint      NOT NULL,
    command   text        NOT NULL CHECK (char_length(command) <= 200),
    -- What was typed back confirms this order; none: it is no valid code.
    confirms  jsonb,
    taken_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- None while it is carried out, or if its process ended meanwhile.
    answer    text,
    sent_at   timestamptz,
    PRIMARY KEY (bot, update_id),
    CONSTRAINT chat_commands_sent_is_answered CHECK (sent_at IS NULL OR answer IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX chat_commands_open ON chat_commands (bot, update_id) WHERE sent_at IS NULL;
CREATE INDEX chat_commands_by_time ON chat_commands (taken_at);

-- The order of a person that waits for its code: one a person. Any code takes it away, also a wrong one.
CREATE TABLE chat_codes (
    bot        bigint      NOT NULL REFERENCES chat_bots,
    person     bigint      NOT NULL,
    chat       bigint      NOT NULL,
    -- SHA-256 of bot, person and code.
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    command    text        NOT NULL,
    -- What it would do, as it was shown.
    would      text        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (bot, person)
);
