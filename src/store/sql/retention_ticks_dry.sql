-- What retention_ticks.sql would take away, without a limit.
WITH chunk AS (
    SELECT id FROM jobs WHERE id > $2 ORDER BY id LIMIT 50
)
SELECT (SELECT count(*) FROM chunk j
        LEFT JOIN ticks_pruned p ON p.job_id = j.id
        LEFT JOIN job_slots s ON s.job_id = j.id
        JOIN ticks t ON t.job_id = j.id AND t.first_slot >= coalesce(p.up_to, '-infinity') AND t.first_slot < $1
            AND t.last_slot < $1 AND t.outcome = 'hold' AND t.first_slot IS DISTINCT FROM s.run_first_slot
            AND t.first_slot < (SELECT max(n.first_slot) FROM ticks n WHERE n.job_id = j.id)) AS "rows!",
       (SELECT max(id) FROM chunk) AS last_job
