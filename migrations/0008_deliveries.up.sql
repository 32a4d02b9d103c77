-- Who is told of an event, and how far that is. An event is handed to its receivers once; each receiver then takes
-- it at its own pace.
ALTER TABLE outbox RENAME COLUMN delivered_at TO fanned_out_at;
ALTER INDEX outbox_undelivered RENAME TO outbox_to_fan_out;

-- Where messages go to, as the settings of the running processes have it. A row goes when no process has had its
-- receiver for a while.
CREATE TABLE receivers (
    name          text        PRIMARY KEY CHECK (name ~ '^[a-z0-9_-]{1,32}$'),
    kind          text        NOT NULL CHECK (kind IN ('telegram', 'discord', 'slack', 'webhook')),
    -- Names of events, or 'all'.
    events        text[]      NOT NULL,
    -- It is told what happens from here on.
    since         timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now(),
    -- One process sends to it at a time; a process that died holds it no longer than this.
    busy_until    timestamptz NOT NULL DEFAULT '-infinity',
    -- Its rate limit, or its wish to be left alone.
    next_send_at  timestamptz NOT NULL DEFAULT '-infinity',
    -- Failures in a row, and since when.
    failures      integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    failing_since timestamptz,
    last_error    text,
    CONSTRAINT receivers_failing_has_error CHECK ((failures > 0) = (failing_since IS NOT NULL))
) WITH (fillfactor = 50);

-- One event for one receiver. The pair is the message's id for ever.
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

-- Whoever delivers hears of an event at once.
CREATE FUNCTION outbox_announces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('lgi_mm_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_announces AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_announces();
