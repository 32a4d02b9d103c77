-- Who paused a job since it last ran, and has not taken that back. $1: the job.
SELECT actor AS "actor!" FROM (
    SELECT DISTINCT ON (actor) actor, action FROM job_events
    WHERE job_id = $1
      AND (after -> 'transition' ->> 'to' = 'PAUSED' OR after ->> 'status' = 'PAUSED' OR action = 'withdraw_pause')
      AND id > coalesce((SELECT max(id) FROM job_events
                         WHERE job_id = $1
                           AND (after -> 'transition' ->> 'to' <> 'PAUSED' OR after ->> 'status' <> 'PAUSED')), 0)
    ORDER BY actor, id DESC) AS last
WHERE action <> 'withdraw_pause' ORDER BY actor
