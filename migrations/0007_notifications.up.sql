-- Events have the names under which they are announced. A halted signer belongs to a wallet, not to one job.
ALTER TABLE outbox ALTER COLUMN job_id DROP NOT NULL,
    -- Grows when a field of a payload changes its meaning or goes away.
    ADD COLUMN payload_version smallint NOT NULL DEFAULT 1;

UPDATE outbox SET event = CASE event
    WHEN 'trade_executed' THEN 'trade.filled'
    WHEN 'trade_failed' THEN 'trade.failed'
    WHEN 'trade_reversed' THEN 'trade.reversed'
    ELSE event END;

ALTER TABLE outbox ADD CONSTRAINT outbox_job_or_signer CHECK (job_id IS NOT NULL OR event = 'signer.halted');
