ALTER TABLE outbox DROP CONSTRAINT outbox_job_or_signer;

-- What had no name before cannot be said any more.
DELETE FROM outbox WHERE event NOT IN ('trade.filled', 'trade.failed', 'trade.reversed');
UPDATE outbox SET event = CASE event
    WHEN 'trade.filled' THEN 'trade_executed'
    WHEN 'trade.failed' THEN 'trade_failed'
    ELSE 'trade_reversed' END;

ALTER TABLE outbox DROP COLUMN payload_version, ALTER COLUMN job_id SET NOT NULL;
