-- What live trading adds: remembered pools, fills that are watched until nothing can take them back, and who
-- else used a nonce of ours.

-- The best pool found for a pair, so that a process that starts need not search again.
CREATE TABLE pools (
    chain      text        NOT NULL,
    token      evm_address NOT NULL,
    quote      evm_address NOT NULL,
    pool       text        NOT NULL,
    found_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain, token, quote)
);

-- A trade whose fill a deep reorganisation took back is filled again: its fills are numbered.
ALTER TABLE fills ADD COLUMN round integer NOT NULL DEFAULT 1 CHECK (round > 0);
ALTER TABLE fills DROP CONSTRAINT fills_once_per_trade;
ALTER TABLE fills DROP CONSTRAINT fills_once_per_transaction;
ALTER TABLE fills ADD CONSTRAINT fills_once_per_trade UNIQUE (trade_id, kind, round);
ALTER TABLE fills ADD CONSTRAINT fills_once_per_transaction UNIQUE (tx_hash, kind, round);
-- The next look at a fill that is not final yet; none once it is final, or reversed.
ALTER TABLE fills ADD COLUMN watch_at timestamptz DEFAULT now();
UPDATE fills SET watch_at = NULL;
CREATE INDEX fills_to_watch ON fills (watch_at) WHERE watch_at IS NOT NULL;

-- Positive evidence that somebody else used a nonce: the transaction that did, read from its block.
CREATE TABLE foreign_transactions (
    realm        text        NOT NULL,
    chain        text        NOT NULL,
    signer       evm_address NOT NULL,
    nonce        bigint      NOT NULL CHECK (nonce >= 0),
    hash         bytea       NOT NULL CHECK (length(hash) = 32),
    block_number bigint      NOT NULL,
    block_hash   bytea       NOT NULL CHECK (length(block_hash) = 32),
    trade_id     bigint      REFERENCES trades,
    seen_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, chain, signer, nonce, hash),
    FOREIGN KEY (realm, chain, signer) REFERENCES signers (realm, chain, address)
);
