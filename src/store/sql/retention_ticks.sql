-- Pruning of each job continues where it stopped, so that trades, whose ticks stay, are not read again each time.
WITH chunk AS (
    SELECT id FROM jobs WHERE id > $2 ORDER BY id LIMIT 50
), doomed AS (
    SELECT old.id FROM chunk j
    LEFT JOIN ticks_pruned p ON p.job_id = j.id
    LEFT JOIN job_slots s ON s.job_id = j.id
    CROSS JOIN LATERAL (
        SELECT t.id FROM ticks t
        WHERE t.job_id = j.id AND t.first_slot >= coalesce(p.up_to, '-infinity') AND t.first_slot < $1
          AND t.last_slot < $1 AND t.outcome = 'hold' AND t.first_slot IS DISTINCT FROM s.run_first_slot
          AND t.first_slot < (SELECT max(n.first_slot) FROM ticks n WHERE n.job_id = j.id)
        ORDER BY t.first_slot LIMIT $3
        FOR UPDATE SKIP LOCKED
    ) old
), gone AS (
    DELETE FROM ticks t WHERE t.id = ANY (ARRAY(SELECT id FROM doomed)) RETURNING t.job_id, t.first_slot, t.count
), noted AS (
    INSERT INTO ticks_pruned AS p (job_id, runs, slots, up_to)
    SELECT job_id, count(*), sum(count), max(first_slot) FROM gone GROUP BY job_id
    ON CONFLICT (job_id) DO UPDATE
    SET runs = p.runs + excluded.runs, slots = p.slots + excluded.slots, up_to = greatest(p.up_to, excluded.up_to)
)
SELECT (SELECT count(*) FROM gone) AS "rows!", (SELECT max(id) FROM chunk) AS last_job
