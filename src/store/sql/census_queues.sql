-- Empty queues and states have a row as well: a series that comes and goes cannot be alerted on.
SELECT q.name AS "queue!", s.name AS "status!", coalesce(t.tasks, 0) AS "tasks!",
       coalesce(t.oldest, 0)::float8 AS "oldest_age!"
FROM unnest($1::text[]) q (name)
CROSS JOIN (VALUES ('pending'), ('running'), ('done'), ('failed'), ('killed')) s (name)
LEFT JOIN (
    SELECT split_part(job_type, ':', 2) AS queue,
           CASE status WHEN 'Queued' THEN 'pending' ELSE lower(status) END AS status,
           count(*) AS tasks,
           extract(epoch FROM now() - min(run_at) FILTER (WHERE status = 'Pending' AND run_at <= now())) AS oldest
    FROM apalis.jobs WHERE job_type LIKE 'lgi-mm:%'
    GROUP BY 1, 2
) t ON t.queue = q.name AND t.status = s.name
