-- Records holds. The row in job_slots is the fence: the run that moves last_slot first records the slot, a second
-- run of the same tick finds it moved and records nothing. Equal holds in a row extend one row of ticks; which one
-- is taken from the fence, since a run that another tick began while this one waited is not visible here.
-- The event about what keeps a job from trading is written in the same statement, once that has lasted for its patience.
WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::numeric[],
                         $6::timestamptz[], $7::numeric[], $8::numeric[], $9::timestamptz[], $10::timestamptz[],
                         $11::int[], $12::text[], $13::bool[], $14::float8[], $15::float8[], $18::numeric[], $19::numeric[])
        AS i (job_id, slot, reason, detail, price, price_at, recent_high, high, high_at, high_since, high_config,
              blocks, clears, patience, remind, trailing_high, profit_high)
), locked AS MATERIALIZED (
    -- By job number, as orders to several jobs lock them: no two transactions wait for each other in a circle.
    SELECT job_id, blocked_by, blocked_since, told, told_since, told_slot
    FROM job_slots WHERE job_id = ANY ($1) ORDER BY job_id FOR NO KEY UPDATE
), judged AS MATERIALIZED (
    SELECT i.*, l.told AS was_told, l.told_since AS was_told_since, l.told_slot AS was_told_slot,
           coalesce(i.blocks, CASE WHEN i.clears AND l.blocked_by <> ALL ($16) THEN NULL ELSE l.blocked_by END) AS blocked_by,
           CASE WHEN i.blocks <> coalesce(l.blocked_by, '') THEN i.slot
                WHEN i.blocks IS NULL AND i.clears AND l.blocked_by <> ALL ($16) THEN NULL
                ELSE l.blocked_since END AS blocked_since,
           i.clears AND l.told <> ALL ($16) AS recovers
    FROM input i JOIN locked l USING (job_id)
), telling AS MATERIALIZED (
    SELECT j.*,
           coalesce(CASE WHEN j.blocks = j.was_told THEN j.slot - j.was_told_slot >= make_interval(secs => j.remind)
                         ELSE j.slot - j.blocked_since >= make_interval(secs => j.patience) END, false)
               AND j.blocks IS NOT NULL AS tells
    FROM judged j
), fenced AS (
    UPDATE job_slots s
    SET last_slot = i.slot,
        slots_recorded = s.slots_recorded + 1,
        run_first_slot = CASE WHEN s.run_reason = i.reason THEN s.run_first_slot ELSE i.slot END,
        run_reason = i.reason,
        last_price = coalesce(i.price, s.last_price),
        last_price_at = coalesce(i.price_at, s.last_price_at),
        recent_high = coalesce(i.recent_high, s.recent_high),
        -- Belongs to last_price_at: up to there it is the highest.
        sample_high = CASE WHEN i.price IS NULL THEN s.sample_high ELSE i.high END,
        sample_high_at = CASE WHEN i.price IS NULL THEN s.sample_high_at ELSE i.high_at END,
        sample_high_since = CASE WHEN i.price IS NULL THEN s.sample_high_since ELSE i.high_since END,
        sample_high_config = CASE WHEN i.price IS NULL THEN s.sample_high_config ELSE i.high_config END,
        trailing_high = CASE WHEN i.price IS NULL THEN s.trailing_high ELSE i.trailing_high END,
        profit_high = CASE WHEN i.price IS NULL THEN s.profit_high ELSE i.profit_high END,
        blocked_by = i.blocked_by,
        blocked_since = i.blocked_since,
        told = CASE WHEN i.tells THEN i.blocks WHEN i.recovers THEN NULL ELSE s.told END,
        told_since = CASE WHEN i.tells THEN i.blocked_since WHEN i.recovers THEN NULL ELSE s.told_since END,
        told_slot = CASE WHEN i.tells THEN i.slot WHEN i.recovers THEN NULL ELSE s.told_slot END,
        -- A manual tick between two slots leaves the scheduled one open.
        open_slot = CASE WHEN s.open_slot > i.slot THEN s.open_slot END,
        open_since = CASE WHEN s.open_slot > i.slot THEN s.open_since END
    FROM telling i
    WHERE s.job_id = i.job_id AND (s.last_slot IS NULL OR s.last_slot < i.slot)
    RETURNING i.*, s.run_first_slot
), told AS (
    INSERT INTO outbox (job_id, event, payload)
    SELECT job_id, blocks, jsonb_strip_nulls(jsonb_build_object(
               'reason', reason, 'error', detail, 'since', blocked_since, 'reminder', blocks = was_told))
    FROM fenced WHERE tells
    UNION ALL
    SELECT job_id, $17, jsonb_build_object('event', was_told, 'since', was_told_since)
    FROM fenced WHERE recovers
), recorded AS (
    INSERT INTO ticks AS t (job_id, outcome, reason, detail, price_usd, first_slot, last_slot)
    SELECT f.job_id, 'hold', f.reason, f.detail, f.price, f.run_first_slot, f.slot
    FROM fenced f
    ON CONFLICT (job_id, first_slot) DO UPDATE
    SET last_slot = excluded.last_slot, count = t.count + 1, detail = excluded.detail,
        price_usd = coalesce(excluded.price_usd, t.price_usd)
)
SELECT job_id AS "job_id!" FROM fenced
