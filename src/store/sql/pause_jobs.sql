-- Pauses every selected job that is RUNNING, LIQUIDATING or in ERROR. $1 to $5: which, none is any; $6: the actor.
WITH chosen AS MATERIALIZED (
    SELECT id, status FROM jobs
    WHERE archived_at IS NULL AND status IN ('RUNNING', 'LIQUIDATING', 'ERROR', 'PAUSED')
       AND ($1::bigint[] IS NULL OR id = ANY ($1)) AND ($2::text IS NULL OR realm = $2)
       AND ($3::text IS NULL OR chain = $3) AND ($4::text IS NULL OR status = $4)
       AND ($5::text IS NULL OR lower($5) IN (token_address::text, lower(token_symbol)))
    -- FOR NO KEY UPDATE: rows that refer to the jobs may be inserted meanwhile, as ticks are.
    ORDER BY id FOR NO KEY UPDATE
), stopped AS (
    SELECT id, status FROM chosen WHERE status <> 'PAUSED'
), held AS (
    -- What another has paused already is theirs too from now on.
    INSERT INTO job_events (job_id, actor, action, before, after)
    SELECT id, $6, 'pause', jsonb_build_object('status', status),
           jsonb_build_object('transition', jsonb_build_object('to', 'PAUSED'),
                              'order', jsonb_build_object('command', 'pause'))
    FROM chosen
    WHERE status = 'PAUSED'
      AND $6 <> (SELECT actor FROM job_events e
                 WHERE e.job_id = chosen.id AND (after -> 'transition' ->> 'to' = 'PAUSED'
                                                 OR after ->> 'status' = 'PAUSED')
                 ORDER BY e.id DESC LIMIT 1)
), kept AS (
    -- A reorg of the stop that paused it lets it run no more.
    UPDATE jobs SET stopped_by = NULL FROM chosen
    WHERE jobs.id = chosen.id AND chosen.status = 'PAUSED' AND stopped_by IS NOT NULL
), batch AS (
    INSERT INTO audit (actor, action, subject, detail)
    SELECT $6, 'pause_jobs', 'jobs',
           jsonb_build_object('jobs', $1::bigint[], 'realm', $2::text, 'chain', $3::text,
                              'status', $4::text, 'token', $5::text,
                              'stopped', jsonb_object_agg(id, status))
    FROM stopped HAVING count(*) > 0
    RETURNING id
), paused AS (
    UPDATE jobs SET status = 'PAUSED', version = version + 1, stopped_at = now(), paused_by = batch.id,
           status_before_stop = CASE WHEN stopped.status = 'ERROR' THEN coalesce(status_before_stop, 'RUNNING')
                                     ELSE stopped.status END
    FROM stopped, batch WHERE jobs.id = stopped.id
    RETURNING jobs.id, token_symbol, realm, chain, stopped.status AS before
), slots AS (
    UPDATE job_slots SET next_slot = NULL, due_at = NULL
    FROM (SELECT job_id FROM job_slots JOIN paused ON paused.id = job_id
          ORDER BY job_id FOR NO KEY UPDATE OF job_slots) AS locked
    WHERE job_slots.job_id = locked.job_id
), noted AS (
    INSERT INTO job_events (job_id, actor, action, before, after)
    SELECT paused.id, $6, 'pause', jsonb_build_object('status', before),
           jsonb_build_object('transition', jsonb_build_object('to', 'PAUSED'),
                              'order', jsonb_build_object('command', 'pause'), 'paused_by', batch.id)
    FROM paused, batch
)
SELECT paused.id AS "job!", token_symbol AS "symbol!", realm AS "realm!", chain AS "chain!",
       before AS "before!", batch.id AS "pause!"
FROM paused, batch ORDER BY paused.id
