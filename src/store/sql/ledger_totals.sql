-- The ledger against itself. Equal holds in a row are one row with a count, so a slot that was decided twice
-- shows as a difference between what was counted and what was recorded, or as runs that overlap.
SELECT (SELECT count(*) FROM (SELECT 1 FROM trades GROUP BY job_id, slot HAVING count(*) > 1) d)
     + (SELECT count(*) FROM job_slots s
        WHERE s.slots_recorded <> (SELECT coalesce(sum(t.count), 0) FROM ticks t WHERE t.job_id = s.job_id)
            + coalesce((SELECT p.slots FROM ticks_pruned p WHERE p.job_id = s.job_id), 0))
     + (SELECT count(*) FROM (SELECT last_slot, lead(first_slot) OVER (PARTITION BY job_id ORDER BY first_slot) AS next
                              FROM ticks) r WHERE r.next <= r.last_slot) AS "duplicate_slots!",
       (SELECT count(*) FROM jobs j
        LEFT JOIN LATERAL (SELECT coalesce(sum(CASE WHEN (f.side = 'BUY') = (f.kind = 'fill') THEN f.base_amount
                                                    ELSE -f.base_amount END), 0) AS tokens
                           FROM fills f WHERE f.job_id = j.id AND f.cycle = j.cycle) f ON true
        LEFT JOIN LATERAL (SELECT coalesce(sum(a.token_delta), 0) AS tokens
                           FROM adjustments a WHERE a.job_id = j.id AND a.cycle = j.cycle) a ON true
        WHERE j.token_balance <> f.tokens + a.tokens) AS "unbalanced_jobs!",
       (SELECT coalesce(sum(slots_recorded), 0)::bigint FROM job_slots) AS "slots_recorded!",
       (SELECT coalesce(sum(slots_missed), 0)::bigint FROM job_slots) AS "slots_missed!",
       (SELECT coalesce(sum(gas_usd), 0)::numeric FROM trades) AS "gas_usd!"
