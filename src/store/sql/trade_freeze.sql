-- Freezes a plan: slot, trade and row of history. The process that froze it carries it on; schedulers find it once its
-- first check is due. The share lock makes a pause wait for this, or this see the pause. Nothing is written for a job that was
-- changed since it was read, or a slot that is decided.
WITH unchanged AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = $1 AND version = $2 AND archived_at IS NULL FOR SHARE
), before AS MATERIALIZED (
    SELECT s.job_id, s.told, s.told_since FROM job_slots s
    WHERE s.job_id = (SELECT id FROM unchanged) FOR NO KEY UPDATE
), taken AS (
    UPDATE job_slots s
    SET last_slot = $3, slots_recorded = slots_recorded + 1, last_price = $4, last_price_at = $5,
        recent_high = coalesce($6, recent_high), run_reason = NULL, run_first_slot = NULL,
        sample_high = $7, sample_high_at = $8, sample_high_since = $9, sample_high_config = $10,
        trailing_high = $12, profit_high = $13,
        open_slot = CASE WHEN open_slot > $3 THEN open_slot END,
        open_since = CASE WHEN open_slot > $3 THEN open_since END,
        blocked_by = NULL, blocked_since = NULL, told = NULL, told_since = NULL, told_slot = NULL
    FROM before WHERE s.job_id = before.job_id AND (s.last_slot IS NULL OR s.last_slot < $3)
    RETURNING s.job_id, before.told, before.told_since
), announced AS (
    INSERT INTO outbox (job_id, event, payload)
    SELECT job_id, $11, jsonb_build_object('event', told, 'since', told_since) FROM taken WHERE told IS NOT NULL
), frozen AS (
    INSERT INTO trades (job_id, slot, cycle, side, reason, amount_in, amount_out_expected, amount_out_min,
                        value_usd, config_version, expires_at, base_amount, quote_amount, price_usd,
                        next_check_at, plan_price_usd)
    SELECT job_id, $3, $14, $15, $16, $17::text::numeric, $18::text::numeric, $19::text::numeric, $20::numeric, $21,
           $22, $23::text::numeric, $24::text::numeric, $25, least(now() + make_interval(secs => $26), $22), $25
    FROM taken
    RETURNING id, job_id, reason, price_usd, slot
), noted AS (
    INSERT INTO ticks (job_id, outcome, reason, price_usd, trade_id, first_slot, last_slot)
    SELECT job_id, 'trade', reason, price_usd, id, slot, slot FROM frozen
)
SELECT EXISTS (SELECT FROM unchanged) AS "unchanged!", (SELECT id FROM frozen) AS "frozen?"
