-- Takes the nonces of a trade that its job still wants, reserves what it may take and records what was signed: all or
-- nothing. The share lock makes a pause wait for this, or this see the pause. Jobs are locked before trades, and trades
-- before signers. What is reserved and open is read before the signer is locked: whatever adds to it moves the nonce or
-- the settlements, and then this takes nothing.
WITH job AS MATERIALIZED (
    SELECT status = ANY ($2::text[]) AS wants FROM jobs WHERE id = $1 FOR SHARE
), mine AS MATERIALIZED (
    SELECT id FROM trades WHERE (SELECT wants FROM job) AND id = $3 AND status = 'PENDING' AND version = $4
    FOR NO KEY UPDATE
), counter AS MATERIALIZED (
    SELECT next_nonce = $8 AND settlements = $9 AND halted_at IS NULL AS is_seen FROM signers
    WHERE realm = $5 AND chain = $6 AND address = $7::text
), wishes AS MATERIALIZED (
    SELECT w.asset, w.amount::numeric AS amount, w.spendable::numeric AS spendable, w.place
    FROM unnest($19::text[], $20::text[], $21::text[]) WITH ORDINALITY AS w (asset, amount, spendable, place)
), promised AS (
    SELECT asset, sum(amount) AS amount FROM (
        SELECT asset, amount FROM reservations WHERE realm = $5 AND chain = $6 AND wallet = $7::text
        UNION ALL
        SELECT u.asset, u.amount FROM withdrawals w, LATERAL (VALUES (w.asset, w.amount), ('native', w.gas_max)) AS u (asset, amount)
        WHERE w.realm = $5 AND w.chain = $6 AND w.wallet = $7::text AND w.status = 'SUBMITTED'
    ) AS each GROUP BY asset
), short AS MATERIALIZED (
    SELECT w.asset FROM wishes w LEFT JOIN promised p ON p.asset = w.asset
    WHERE greatest(w.spendable - coalesce(p.amount, 0), 0) < w.amount ORDER BY w.place LIMIT 1
), places AS MATERIALIZED (
    SELECT open_transactions($5, $6, $7::text) < $12 AS free
), taken AS (
    UPDATE signers SET next_nonce = next_nonce + $10
    WHERE EXISTS (SELECT FROM mine) AND NOT EXISTS (SELECT FROM short) AND (SELECT free FROM places)
      AND realm = $5 AND chain = $6 AND address = $7::text AND next_nonce = $8 AND settlements = $9
      AND halted_at IS NULL
    RETURNING next_nonce
), moved AS (
    UPDATE trades SET status = 'SUBMITTED', submitted_at = now(), version = version + 1,
           next_check_at = now() + make_interval(secs => $22)
    WHERE id = (SELECT id FROM mine) AND EXISTS (SELECT FROM taken) RETURNING id
), turn AS (
    DELETE FROM turns USING moved WHERE trade_id = moved.id
), bound AS (
    INSERT INTO transactions (trade_id, realm, chain, signer, nonce, purpose, deadline)
    SELECT moved.id, $5, $6, $7::text, $8 + s.place - 1, s.purpose, $11
    FROM moved, unnest($13::text[]) WITH ORDINALITY AS s (purpose, place) ORDER BY s.place
    RETURNING id, nonce
), signed AS (
    INSERT INTO attempts (transaction_id, purpose, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, gas_limit)
    SELECT bound.id, s.purpose, s.hash, s.raw, s.fee::numeric, s.tip::numeric, s.gas
    FROM unnest($13::text[], $14::bytea[], $15::bytea[], $16::text[], $17::text[], $18::bigint[])
         WITH ORDINALITY AS s (purpose, hash, raw, fee, tip, gas, place)
    JOIN bound ON bound.nonce = $8 + s.place - 1 ORDER BY s.place
), reserved AS (
    INSERT INTO reservations (trade_id, realm, chain, wallet, asset, amount)
    SELECT moved.id, $5, $6, $7::text, w.asset, w.amount FROM moved, wishes w WHERE w.amount > 0
)
SELECT (SELECT wants FROM job) AS "wants!", EXISTS (SELECT FROM mine) AS "is_mine!",
       coalesce((SELECT is_seen FROM counter), false) AS "is_seen!", (SELECT free FROM places) AS "has_place!",
       (SELECT asset FROM short) AS short, EXISTS (SELECT FROM moved) AS "moved!",
       array(SELECT id FROM bound ORDER BY nonce) AS "transactions!", now() AS "recorded_at!"
