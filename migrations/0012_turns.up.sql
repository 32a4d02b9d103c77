-- Trades that wait for a place among the open transactions of their wallet, so that they need not ask again and again:
-- who gives a place back calls the first of them. A row goes when its trade has its nonce, or its end.
CREATE TABLE turns (
    trade_id  bigint      PRIMARY KEY REFERENCES trades,
    realm     text        NOT NULL,
    chain     text        NOT NULL,
    wallet    evm_address NOT NULL,
    -- Told to look at once. NULL: asleep until it is called, or until the next look that every open trade has.
    called_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX turns_by_wallet ON turns (realm, chain, wallet, trade_id);

-- How many transactions of a wallet are open. By what open trades reserve: a wallet's own history, and all that other
-- wallets have open, may be long. PL/pgSQL keeps its plans, SQL functions are planned at each call;
-- and a plan that was made while there was little to read must not read all of it for ever.
CREATE FUNCTION open_transactions(of_realm text, on_chain text, of_wallet text) RETURNS bigint
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
BEGIN
    RETURN (SELECT count(*)
        FROM (SELECT DISTINCT trade_id FROM reservations WHERE (realm, chain, wallet) = (of_realm, on_chain, of_wallet)) r
        JOIN trades t ON t.id = r.trade_id AND t.status = 'SUBMITTED'
        JOIN transactions x ON x.trade_id = t.id);
END $$;

-- Whose turn it is: of the trades that wait, the one planned first. A row that was left behind, or a plan that has
-- expired, stops nobody.
CREATE FUNCTION first_turn(of_realm text, on_chain text, of_wallet text) RETURNS bigint
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
BEGIN
    RETURN (SELECT w.trade_id
        FROM turns w JOIN trades t ON t.id = w.trade_id AND t.status = 'PENDING' AND t.expires_at > now()
        WHERE (w.realm, w.chain, w.wallet) = (of_realm, on_chain, of_wallet)
        ORDER BY w.trade_id LIMIT 1);
END $$;
