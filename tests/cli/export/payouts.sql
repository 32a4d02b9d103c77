-- Withdrawals of the live wallet on base. 1: 1.5 ETH; 2: 25 USDC; 3: 7 ACE, which has no price feed; 4: was reverted; 5: was
-- cancelled on its own nonce and paid nothing; 6: is open.
DO $$
DECLARE
    wallet text := '0x' || repeat('11', 20);
    row record;
    transaction bigint;
    hash bytea;
BEGIN
    FOR row IN SELECT * FROM (VALUES
        ('native', 'ETH', 18, 1500000000000000000::numeric, 'EXECUTED', NULL, NULL, 'transfer', 21000000000000::numeric, 0.0525, 3750.25,
         '2026-02-02 00:00:03+00'::timestamptz),
        ('0x833589fcd6edb6e08f4c7c32d4f71b54bda02913', 'USDC', 6, 25000000, 'EXECUTED', NULL, NULL, 'transfer', 40000000000000, 0.1, 25,
         '2026-02-09 10:00:00+00'),
        ('0x' || repeat('aa', 20), 'ACE', 18, 7000000000000000000, 'EXECUTED', NULL, NULL, 'transfer', 40000000000000, 0.1, NULL,
         '2026-02-10 10:00:00+00'),
        ('native', 'ETH', 18, 2000000000000000000, 'FAILED', 'reverted', 'nothing was paid', 'transfer', 30000000000000, 0.075, NULL,
         '2026-02-11 10:00:00+00'),
        ('native', 'ETH', 18, 3000000000000000000, 'FAILED', 'cancelled', 'not mined for a day', 'cancel', 20000000000000, 0.05, NULL,
         '2026-02-12 10:00:00+00'),
        ('native', 'ETH', 18, 4000000000000000000, 'SUBMITTED', NULL, 'waits', 'transfer', 0, 0, NULL,
         '2026-02-13 10:00:00+00')
    ) AS rows (asset, symbol, decimals, amount, status, failure, note, purpose, gas, gas_usd, value_usd, at) LOOP
        hash := sha256(convert_to('payout ' || row.at, 'UTF8'));
        INSERT INTO withdrawals (realm, chain, wallet, asset, symbol, decimals, amount, receiver, actor, gas_max, status, failure_kind,
                                 note, tx_hash, gas_native, gas_usd, value_usd, next_check_at, created_at, executed_at)
        VALUES ('live', 'base', wallet, row.asset, row.symbol, row.decimals, row.amount, '0x' || repeat('ee', 20), 'cli:owner', 0,
                row.status, row.failure, row.note, CASE WHEN row.status <> 'SUBMITTED' THEN hash END, row.gas, row.gas_usd,
                row.value_usd, CASE WHEN row.status = 'SUBMITTED' THEN row.at END, row.at,
                CASE WHEN row.status <> 'SUBMITTED' THEN row.at END);
        INSERT INTO transactions (withdrawal_id, realm, chain, signer, nonce, purpose, deadline)
        VALUES (currval('withdrawals_id_seq'), 'live', 'base', wallet, 1000 + currval('withdrawals_id_seq'), 'transfer', row.at)
        RETURNING id INTO transaction;
        INSERT INTO attempts (transaction_id, purpose, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, gas_limit)
        VALUES (transaction, row.purpose, hash, '\x01', 1, 1, 21000);
    END LOOP;
END $$;
