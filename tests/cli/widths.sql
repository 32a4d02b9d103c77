-- Job 1: paper, with the longest ticker, in ERROR. Job 2: paper, a price with seven zeros. Job 3: live, large figures.
INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol, quote_decimals, mode,
                  config, status, status_before_stop, cycle, total_accumulated, token_balance, cost_basis, realized_pnl, gas_usd,
                  money_in, out_of_pocket, started_at, stopped_at)
SELECT 'live', 'base', wallet, token_address, token_symbol, token_decimals, '0x' || repeat('00', 20), 'ETH', 18, mode, config, 'PAUSED',
       'RUNNING', 1, 1234567.89, 98765432109876543210987654, 1234567.89, -23456.789, 345.6789, 1234567.89, 1234567.89,
       '2026-01-31 23:30Z', '2026-03-02 00:00Z'
FROM jobs WHERE id = 1;
INSERT INTO job_slots (job_id, last_slot, last_price, last_price_at, recent_high, slots_claimed, slots_recorded)
VALUES (3, '2026-03-01 12:34:56Z', 0.0123456789012345, '2026-03-01 12:34:56Z', 0.0198765432101234, 120000, 119998);

UPDATE jobs SET config = jsonb_set(config, '{price,sources}', '["onchain"]') WHERE id = 3;

UPDATE jobs SET status = 'ERROR', status_before_stop = 'RUNNING', failures_in_row = 5,
       last_error = 'transaction 0x' || repeat('ab', 32) || ' was mined and reverted: the pool moved by 3.1 % within two blocks'
WHERE id = 1;
UPDATE job_slots SET next_slot = NULL, due_at = NULL WHERE job_id = 1;
UPDATE jobs SET status = 'PAUSED', status_before_stop = 'RUNNING' WHERE id = 2;
UPDATE job_slots SET next_slot = NULL, due_at = NULL, last_slot = '2026-03-01 12:34:56Z', last_price = 0.00000010170019,
       last_price_at = '2026-03-01 12:34:56Z'
WHERE job_id = 2;

INSERT INTO ticks (job_id, outcome, reason, detail, price_usd, first_slot, last_slot, count)
SELECT job, 'hold', 'insufficient_balance',
       'needs 12345.678901 USDC, and 9876.54321 are free of 12222.2222 (reserved since 2026-03-01 10:00:00 UTC for trade 4711); '
       || 'send coin to the wallet, or lower accumulate.dca_amount_usd', price, '2026-02-27 00:00:00Z', '2026-03-01 12:34:56Z', 123456
FROM (VALUES (1, 1), (3, 0.0123456789012345)) AS held (job, price);

INSERT INTO trades (job_id, slot, cycle, side, reason, status, amount_in, amount_out_expected, amount_out_min, value_usd,
                    plan_price_usd, config_version, expires_at, base_amount, quote_amount, price_usd, gas_usd, tx_hash, failure_kind,
                    error, created_at, executed_at)
SELECT job, at::timestamptz, 1, side, reason, status, 1, 1, 1, 1, 1, 1, at::timestamptz, base, quote, price, gas, sha256(at::bytea), kind, error,
       at::timestamptz, at::timestamptz
FROM (VALUES
    (1, '2026-02-01 08:30:00Z', 'BUY', 'DCA', 'EXECUTED', 9960030000000000000, 10000000, 1.00401, 0.00495, NULL, NULL),
    (1, '2026-02-02 08:30:00Z', 'BUY', 'DIP_BUY', 'FAILED', 1, 1, 1, 0.00495, 'reverted',
     'transaction was mined and reverted: the pool moved by 3.1 % between 2026-02-02 08:30:00 UTC and 2026-02-02 08:30:12 UTC'),
    (2, '2026-02-03 08:30:00Z', 'BUY', 'DCA', 'EXECUTED', 97935215000000000000000000, 10000000, 0.00000010170019, 0.00495, NULL, NULL),
    (3, '2026-02-04 08:30:00Z', 'BUY', 'DCA', 'EXECUTED', 98765432109876543210987654, 400123456789012345678, 0.0123456789012345,
     123.456789, NULL, NULL),
    (3, '2026-02-05 08:30:00Z', 'SELL', 'TRAILING_STOP', 'EXECUTED', 1234567890123456789012345, 5001234567890123456, 0.0101010101010101,
     222.2222, NULL, NULL)
) AS made (job, at, side, reason, status, base, quote, price, gas, kind, error);
INSERT INTO fills (trade_id, job_id, cycle, kind, round, side, base_amount, quote_amount, quote_usd, quote_price_usd, quote_price_source,
                   quote_price_at, cost_sold_usd, realized_usd, gas_native, gas_usd, tx_hash, block_number, block_hash, filled_at)
SELECT id, job_id, 1, 'fill', 1, side, base_amount, quote_amount, 1234567.89, 1, 'test', executed_at,
       CASE side WHEN 'SELL' THEN 1258024.679 ELSE 0 END, CASE side WHEN 'SELL' THEN -23456.789 ELSE 0 END, 1, gas_usd, tx_hash, 7,
       sha256('block'), executed_at
FROM trades WHERE status = 'EXECUTED';
INSERT INTO signers (realm, chain, address, next_nonce)
SELECT realm, chain, wallet, 99 FROM jobs GROUP BY 1, 2, 3 ON CONFLICT DO NOTHING;
INSERT INTO transactions (trade_id, realm, chain, signer, nonce, purpose, deadline)
SELECT t.id, realm, chain, wallet, t.id, 'swap', executed_at FROM trades t JOIN jobs j ON j.id = job_id;
INSERT INTO attempts (transaction_id, purpose, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, gas_limit)
SELECT x.id, 'swap', tx_hash, 'raw', 1, 1, 1 FROM transactions x JOIN trades t ON t.id = trade_id;
INSERT INTO gas_paid (trade_id, round, tx_hash, success, gas_native, gas_usd, mined_at)
SELECT id, 1, tx_hash, status = 'EXECUTED', 1, gas_usd, executed_at FROM trades;
