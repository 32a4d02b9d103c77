DROP TABLE foreign_transactions;
DROP TABLE fill_watches;
DROP INDEX trades_one_open_per_job;
ALTER TABLE trades DROP COLUMN reopened;
CREATE UNIQUE INDEX trades_one_open_per_job ON trades (job_id) WHERE status IN ('PENDING', 'SUBMITTED');
CREATE OR REPLACE FUNCTION trades_plan_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.job_id, NEW.slot, NEW.cycle, NEW.side, NEW.reason, NEW.amount_in, NEW.amount_out_min, NEW.value_usd, NEW.config_version)
       IS DISTINCT FROM (OLD.job_id, OLD.slot, OLD.cycle, OLD.side, OLD.reason, OLD.amount_in, OLD.amount_out_min, OLD.value_usd, OLD.config_version) THEN
        RAISE EXCEPTION 'a trade''s plan is frozen' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status IN ('EXECUTED', 'FAILED') AND NEW.status <> OLD.status THEN
        RAISE EXCEPTION 'a final trade stays final' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
ALTER TABLE fills DROP CONSTRAINT fills_once_per_trade;
ALTER TABLE fills DROP CONSTRAINT fills_once_per_transaction;
ALTER TABLE fills DROP COLUMN round;
ALTER TABLE fills ADD CONSTRAINT fills_once_per_trade UNIQUE (trade_id, kind);
ALTER TABLE fills ADD CONSTRAINT fills_once_per_transaction UNIQUE (tx_hash, kind);
DROP TABLE pools;
