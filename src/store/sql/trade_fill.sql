-- Books a fill: the trade, the fill and the watch over it, the gas of each transaction, the position, what was reserved,
-- the settlements of the signer and the event. The job is locked. Nothing is written if the trade was moved since it was
-- read. The signer's row stays locked until the transaction ends: nothing here notifies, since commits that do wait for
-- each other until they are on disk.
WITH moved AS (
    UPDATE trades SET status = 'EXECUTED', tx_hash = $3, base_amount = $4::text::numeric, quote_amount = $5::text::numeric,
           price_usd = $6, gas_usd = $7::numeric, executed_at = $8, next_check_at = NULL, note = NULL, version = version + 1
    WHERE id = $1 AND status = 'SUBMITTED' AND version = $2
    RETURNING id, job_id, side
), filled AS (
    INSERT INTO fills (trade_id, job_id, cycle, side, base_amount, quote_amount, quote_usd, quote_price_usd,
                       quote_price_source, quote_price_at, cost_sold_usd, realized_usd, gas_native, gas_usd, tx_hash,
                       block_number, block_hash, filled_at, round)
    SELECT id, job_id, $9, side, $4::text::numeric, $5::text::numeric, $10::numeric, $11, $12, $13, $14::numeric,
           $15::numeric, $16::text::numeric, $7::numeric, $3, $17, $18, $8,
           (SELECT count(*) + 1 FROM fills WHERE trade_id = $1 AND kind = 'reversal')
    FROM moved
    RETURNING id, block_number, block_hash
), watched AS (
    INSERT INTO fill_watches (fill_id, block_number, block_hash) SELECT id, block_number, block_hash FROM filled
), gas AS (
    -- A round of its own: a reorg may open the trade again.
    INSERT INTO gas_paid (trade_id, round, tx_hash, success, gas_native, gas_usd, mined_at)
    SELECT moved.id, (SELECT coalesce(max(round), 0) + 1 FROM gas_paid WHERE trade_id = $1),
           p.hash, p.success, p.native::numeric, p.dollars, p.mined_at
    FROM moved, unnest($19::bytea[], $20::bool[], $21::text[], $22::numeric[], $23::timestamptz[])
         AS p (hash, success, native, dollars, mined_at)
), booked AS (
    -- The new version makes void whatever another tick of this job decides on what it read before.
    UPDATE jobs SET token_balance = $24::text::numeric, cost_basis = $25::numeric, quote_balance = $26::text::numeric,
           realized_pnl = $27::numeric, gas_usd = jobs.gas_usd + $7::numeric,
           total_accumulated = total_accumulated + CASE WHEN moved.side = 'BUY' THEN $10::numeric ELSE 0 END,
           last_fills = $28, out_of_pocket = $29::numeric, money_in = $30::numeric,
           failures_in_row = 0, backoff_until = NULL, last_error = NULL, version = version + 1
    FROM moved WHERE jobs.id = moved.job_id
), freed AS (
    DELETE FROM reservations USING moved WHERE trade_id = moved.id
), settled AS (
    UPDATE signers SET settlements = settlements + 1 FROM moved WHERE realm = $31 AND chain = $32 AND address = $33
), told AS (
    INSERT INTO outbox (job_id, trade_id, event, payload) SELECT job_id, id, $34, $35 FROM moved
)
SELECT id AS "id!" FROM moved
