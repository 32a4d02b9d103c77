SELECT (SELECT count(*) FROM trades WHERE status IN ('PENDING', 'SUBMITTED')) AS "open_trades!",
       (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 FROM trades
        WHERE status IN ('PENDING', 'SUBMITTED')) AS "open_trade_age!",
       (SELECT count(*) FROM jobs
        WHERE archived_at IS NULL AND status IN ('RUNNING', 'LIQUIDATING') AND failures_in_row >= $1) AS "jobs_failing!",
       -- A worker's id begins with its process; a process has one worker for each queue.
       (SELECT count(DISTINCT split_part(id, '-', 1)) FROM apalis.workers
        WHERE worker_type LIKE 'lgi-mm:%' AND last_seen > now() - interval '15 s') AS "workers!",
       (SELECT greatest(coalesce(extract(epoch FROM now() - min(due_at)), 0), 0)::float8 FROM job_slots
        WHERE open_slot IS NULL AND due_at IS NOT NULL) AS "schedule_lag!",
       -- Without receivers no event is pending.
       (SELECT count(*) FROM deliveries WHERE status = 'waiting')
       + CASE WHEN EXISTS (SELECT FROM receivers)
              THEN (SELECT count(*) FROM outbox WHERE fanned_out_at IS NULL) ELSE 0 END AS "outbox_pending!",
       coalesce(extract(epoch FROM now() - least(
           (SELECT min(happened_at) FROM deliveries WHERE status = 'waiting'),
           CASE WHEN EXISTS (SELECT FROM receivers)
                THEN (SELECT min(created_at) FROM outbox WHERE fanned_out_at IS NULL) END)), 0)::float8
       AS "outbox_age!"
