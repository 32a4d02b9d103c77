-- The oldest due message of one receiver, if no process is sending to it and its rate limit allows one. Both rows are
-- leased, not locked: a process that dies loses them when the lease ends.
WITH turn AS (
    SELECT name FROM receivers
    WHERE name = $1 AND busy_until <= clock_timestamp() AND next_send_at <= clock_timestamp()
    FOR UPDATE SKIP LOCKED
), due AS (
    SELECT d.outbox_id, d.receiver FROM deliveries d JOIN turn ON turn.name = d.receiver
    WHERE d.status = 'waiting' AND d.next_attempt_at <= clock_timestamp()
      AND d.happened_at >= clock_timestamp() - make_interval(secs => $3)
    ORDER BY d.outbox_id LIMIT 1
    FOR UPDATE OF d SKIP LOCKED
), busy AS (
    UPDATE receivers r SET busy_until = clock_timestamp() + make_interval(secs => $2)
    FROM due WHERE r.name = due.receiver
    RETURNING r.busy_until
), taken AS (
    UPDATE deliveries d
    SET attempts = d.attempts + 1, next_attempt_at = clock_timestamp() + make_interval(secs => $2)
    FROM due WHERE d.outbox_id = due.outbox_id AND d.receiver = due.receiver
    RETURNING d.outbox_id, d.attempts
)
SELECT taken.outbox_id, taken.attempts, busy.busy_until, o.event, o.payload_version, o.payload,
       o.created_at AS happened_at, o.job_id,
       j.realm AS "realm?", j.chain AS "chain?", j.token_address::text AS token, j.token_symbol AS "symbol?",
       j.token_decimals AS "decimals?", j.quote_symbol AS "quote_symbol?", j.quote_decimals AS "quote_decimals?"
FROM taken CROSS JOIN busy JOIN outbox o ON o.id = taken.outbox_id LEFT JOIN jobs j ON j.id = o.job_id
