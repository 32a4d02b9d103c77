DROP TABLE failure_watches;
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
    THEN
        RAISE EXCEPTION 'a final trade stays final' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
