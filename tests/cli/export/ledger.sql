-- A ledger as it is after a few months: live and paper jobs, a removed job, gas of all kinds, a reorg, adjustments.
CREATE FUNCTION pg_temp.job(realm text, chain text, token text, symbol text, digits int, quote text, coin text, coin_digits int)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol,
                      quote_decimals, mode, config, cycle)
    VALUES (realm, chain, '0x' || repeat('11', 20), '0x' || repeat(token, 20), symbol, digits, '0x' || repeat(quote, 20), coin,
            coin_digits, 'ACCUMULATE', '{}', 1);
    INSERT INTO job_slots (job_id) SELECT max(id) FROM jobs;
    INSERT INTO signers (realm, chain, address, next_nonce) VALUES (realm, chain, '0x' || repeat('11', 20), 99)
    ON CONFLICT DO NOTHING
$$;

-- A trade as it ended, or PENDING.
CREATE FUNCTION pg_temp.trade(of_job int, at timestamptz, side text, status text, base numeric, quote numeric, hash text,
                              kind text DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO trades (job_id, slot, cycle, side, reason, status, amount_in, amount_out_expected, amount_out_min, value_usd,
                        plan_price_usd, config_version, expires_at, base_amount, quote_amount, price_usd, tx_hash, failure_kind,
                        error, next_check_at, created_at, executed_at)
    VALUES (of_job, at - interval '10 s', 1, side, CASE side WHEN 'BUY' THEN 'DCA' ELSE 'TAKE_PROFIT' END, status, 1, 1, 1, 1, 1, 1,
            at, base, quote, 1.25, sha256(hash::bytea), kind, CASE WHEN kind IS NOT NULL THEN '=failed' END,
            CASE WHEN status = 'PENDING' THEN at END, at - interval '9 s', CASE WHEN status <> 'PENDING' THEN at END)
$$;

-- A transaction of a trade: its attempts, of which the last was mined, and what that paid.
CREATE FUNCTION pg_temp.mined(trade bigint, of_nonce int, for_what text, hashes text[], gas numeric, usd numeric, at timestamptz,
                              of_round int DEFAULT 1, ok bool DEFAULT true)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
    hash text;
BEGIN
    IF of_round = 1 THEN
        INSERT INTO transactions (trade_id, realm, chain, signer, nonce, purpose, deadline)
        SELECT trade, j.realm, j.chain, j.wallet, of_nonce, for_what, at FROM trades t JOIN jobs j ON j.id = t.job_id WHERE t.id = trade
        RETURNING id INTO number;
        FOREACH hash IN ARRAY hashes LOOP
            INSERT INTO attempts (transaction_id, purpose, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, gas_limit)
            VALUES (number, for_what, sha256(hash::bytea), 'raw', 1, 1, 1);
        END LOOP;
    END IF;
    INSERT INTO gas_paid (trade_id, round, tx_hash, success, gas_native, gas_usd, mined_at)
    VALUES (trade, of_round, sha256(hashes[array_upper(hashes, 1)]::bytea), ok, gas, usd, at);
    UPDATE trades SET gas_usd = CASE WHEN of_round = 1 THEN gas_usd ELSE 0 END + usd WHERE id = trade;
END $$;

CREATE FUNCTION pg_temp.fill(trade bigint, of_kind text, of_round int, usd numeric, cost numeric, gas numeric, gas_dollars numeric)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO fills (trade_id, job_id, cycle, kind, round, side, base_amount, quote_amount, quote_usd, quote_price_usd,
                       quote_price_source, quote_price_at, cost_sold_usd, realized_usd, gas_native, gas_usd, tx_hash, block_number,
                       block_hash, filled_at)
    SELECT id, job_id, 1, of_kind, of_round, side, base_amount, quote_amount, usd, 1, 'test', executed_at, cost,
           CASE side WHEN 'SELL' THEN usd - cost ELSE 0 END, gas, gas_dollars, tx_hash, 7, sha256('block'), executed_at
    FROM trades WHERE id = trade
$$;

SELECT pg_temp.job('live', 'base', 'aa', 'ACE', 18, '00', 'ETH', 18);
SELECT pg_temp.job('live', 'base', 'bb', 'usdc', 6, 'dd', 'USDC', 6);
SELECT pg_temp.job('paper', 'base', 'aa', 'ACE', 18, 'dd', 'USDC', 6);
SELECT pg_temp.job('live', 'ethereum', 'cc', '@SUM(A1)', 0, 'ee', 'WETH', 18);
SELECT pg_temp.job('live', 'base', 'ab', 'ace', 30, '00', 'ETH', 18);
UPDATE jobs SET archived_at = now() WHERE id = 4;

-- Job 1. 100 for 100 USD, 50 for 75 USD (the second attempt was mined), 120 sold for 150 USD after an approve.
SELECT pg_temp.trade(1, '2026-01-31 23:30Z', 'BUY', 'EXECUTED', 100e18, 0.04e18, '1');
SELECT pg_temp.mined(1, 0, 'swap', '{1}', 0.0001e18, 0.25, '2026-01-31 23:30Z');
SELECT pg_temp.fill(1, 'fill', 1, 100, 0, 0.0001e18, 0.25);
SELECT pg_temp.trade(1, '2026-02-01 00:30Z', 'BUY', 'EXECUTED', 50e18, 0.03e18, '2b');
SELECT pg_temp.mined(2, 1, 'swap', '{2a,2b}', 0.00012e18, 0.3, '2026-02-01 00:30Z');
SELECT pg_temp.fill(2, 'fill', 1, 75, 0, 0.00012e18, 0.3);
SELECT pg_temp.trade(1, '2026-02-02 00:00:04Z', 'SELL', 'EXECUTED', 120e18, 0.06e18, '3');
SELECT pg_temp.mined(3, 2, 'approve', '{3a}', 0.00005e18, 0.125, '2026-02-02 00:00:02Z');
SELECT pg_temp.mined(3, 3, 'swap', '{3}', 0.0002e18, 0.5, '2026-02-02 00:00:04Z');
SELECT pg_temp.fill(3, 'fill', 1, 150, 140, 0.00025e18, 0.625);
-- A swap that reverted, one that was cancelled, and one that was never sent.
SELECT pg_temp.trade(1, '2026-02-03 00:00Z', 'BUY', 'FAILED', 1e18, 1e18, '4', 'reverted');
SELECT pg_temp.mined(4, 4, 'swap', '{4}', 0.00009e18, 0.225, '2026-02-02 23:59:50Z', 1, false);
SELECT pg_temp.trade(1, '2026-02-04 00:00Z', 'BUY', 'FAILED', 1e18, 1e18, '5b', 'cancelled');
SELECT pg_temp.mined(5, 5, 'cancel', '{5a,5b}', 0.00002e18, 0.05, '2026-02-03 23:59:50Z');
SELECT pg_temp.trade(1, '2026-02-04 06:00Z', 'BUY', 'FAILED', 1e18, 1e18, 'none', 'expired');
-- A fill that was reorged out and mined again in another block, at another price of gas.
SELECT pg_temp.trade(1, '2026-02-05 00:00Z', 'BUY', 'EXECUTED', 8e18, 0.005e18, '7');
SELECT pg_temp.mined(7, 6, 'swap', '{7}', 0.0003e18, 0.75, '2026-02-04 23:59Z');
SELECT pg_temp.mined(7, 6, 'swap', '{7}', 0.0001e18, 0.25, '2026-02-05 00:00Z', 2);
SELECT pg_temp.fill(7, 'fill', 1, 12, 0, 0.0003e18, 0.75);
SELECT pg_temp.fill(7, 'reversal', 1, 12, 0, 0.0003e18, 0.75);
SELECT pg_temp.fill(7, 'fill', 2, 12.5, 0, 0.0001e18, 0.25);
-- An open trade, and all that changes a position without a trade.
SELECT pg_temp.trade(1, '2026-02-06 00:00Z', 'BUY', 'PENDING', 1e18, 1e18, NULL);
INSERT INTO adjustments (job_id, cycle, kind, token_delta, quote_delta, cost_delta, note, created_at) VALUES
    (1, 1, 'deposit', 0, 5e18, 0, 'budget of the cycle', '2026-01-01'),
    (1, 1, 'adopt', 10e18, 0, 20, 'found', '2026-02-07'),
    (1, 1, 'withdraw', -5e18, 0, -7.03125, 'gone', '2026-02-08'),
    (1, 1, 'dust', -43e18, 0, -60.46875, 'dust', '2026-02-09');

-- Job 2: a token that calls itself usdc. Job 3: paper. Job 4, removed: no decimals, another chain. Job 5: 30 decimals,
-- and a sale that brings less of the coin than its gas.
SELECT pg_temp.trade(2, '2026-02-01 12:00Z', 'BUY', 'EXECUTED', 3.5e6, 1.25e6, '9');
SELECT pg_temp.mined(9, 7, 'swap', '{9}', 1500000000001, 0.00375, '2026-02-01 12:00Z');
SELECT pg_temp.fill(9, 'fill', 1, 1.25, 0, 1500000000001, 0.00375);
SELECT pg_temp.trade(3, '2026-02-01 13:00Z', 'BUY', 'EXECUTED', 5e18, 10e6, '10');
SELECT pg_temp.mined(10, 0, 'swap', '{10}', 0.001e18, 2.5, '2026-02-01 13:00Z');
SELECT pg_temp.fill(10, 'fill', 1, 10, 0, 0.001e18, 2.5);
SELECT pg_temp.trade(4, '2026-03-01 00:00Z', 'BUY', 'EXECUTED', 7, 0.002e18, '11');
SELECT pg_temp.mined(11, 0, 'swap', '{11}', 0.003e18, 7.5, '2026-03-01 00:00Z');
SELECT pg_temp.fill(11, 'fill', 1, 5, 0, 0.003e18, 7.5);
SELECT pg_temp.trade(4, '2026-03-02 00:00Z', 'SELL', 'EXECUTED', 3, 0.001e18, '12');
SELECT pg_temp.mined(12, 1, 'swap', '{12}', 0.003e18, 7.5, '2026-03-02 00:00Z');
SELECT pg_temp.fill(12, 'fill', 1, 2.5, 2.142857142857, 0.003e18, 7.5);
SELECT pg_temp.trade(5, '2026-03-03 00:00Z', 'BUY', 'EXECUTED', 250000000000000000100000, 0.01e18, '13');
SELECT pg_temp.mined(13, 8, 'swap', '{13}', 0.0001e18, 0.25, '2026-03-03 00:00Z');
SELECT pg_temp.fill(13, 'fill', 1, 25, 0, 0.0001e18, 0.25);
SELECT pg_temp.trade(5, '2026-03-04 00:00Z', 'SELL', 'EXECUTED', 250000000000000000100000, 0.00001e18, '14');
SELECT pg_temp.mined(14, 9, 'swap', '{14}', 0.0001e18, 0.25, '2026-03-04 00:00Z');
SELECT pg_temp.fill(14, 'fill', 1, 0.025, 25, 0.0001e18, 0.25);
