-- Failures that the chain may still take back: as with fills, the row goes when the blocks that prove them are final, or
-- when the trade is open again.
CREATE TABLE failure_watches (
    trade_id     bigint      PRIMARY KEY REFERENCES trades,
    watch_at     timestamptz NOT NULL DEFAULT now(),
    -- The highest block that the failure was read from.
    block_number bigint      NOT NULL,
    misses       integer     NOT NULL DEFAULT 0 CHECK (misses >= 0),
    created_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX failure_watches_due ON failure_watches (watch_at);

CREATE OR REPLACE FUNCTION trades_plan_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.job_id, NEW.slot, NEW.cycle, NEW.side, NEW.reason, NEW.amount_in, NEW.amount_out_min, NEW.value_usd, NEW.config_version)
       IS DISTINCT FROM (OLD.job_id, OLD.slot, OLD.cycle, OLD.side, OLD.reason, OLD.amount_in, OLD.amount_out_min, OLD.value_usd, OLD.config_version) THEN
        RAISE EXCEPTION 'a trade''s plan is frozen' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status IN ('EXECUTED', 'FAILED') AND NEW.status <> OLD.status
       -- Only a fill whose reversal is on record may be undone.
       AND NOT (OLD.status = 'EXECUTED' AND NEW.status = 'SUBMITTED' AND NEW.reopened AND NOT EXISTS (
           SELECT 1 FROM fills f WHERE f.trade_id = OLD.id AND f.kind = 'fill' AND NOT EXISTS (
               SELECT 1 FROM fills r WHERE r.trade_id = f.trade_id AND r.kind = 'reversal' AND r.round = f.round)))
       -- And a failure only while it is not known to be final.
       AND NOT (OLD.status = 'FAILED' AND NEW.status = 'SUBMITTED' AND NEW.reopened AND EXISTS (
           SELECT 1 FROM failure_watches w WHERE w.trade_id = OLD.id))
    THEN
        RAISE EXCEPTION 'a final trade stays final' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
