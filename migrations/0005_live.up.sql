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

-- Fills that the chain may still take back: where each was last seen, and how often in a row it was missed. The
-- row goes when the fill is final, or reversed.
CREATE TABLE fill_watches (
    fill_id      bigint      PRIMARY KEY REFERENCES fills,
    watch_at     timestamptz NOT NULL DEFAULT now(),
    block_number bigint      NOT NULL,
    block_hash   bytea       NOT NULL CHECK (length(block_hash) = 32),
    misses       integer     NOT NULL DEFAULT 0 CHECK (misses >= 0)
) WITH (fillfactor = 80);
CREATE INDEX fill_watches_due ON fill_watches (watch_at);

-- A trade that was final and is not any more does not count as the one that a job may have open.
ALTER TABLE trades ADD COLUMN reopened boolean NOT NULL DEFAULT false;
DROP INDEX trades_one_open_per_job;
CREATE UNIQUE INDEX trades_one_open_per_job ON trades (job_id) WHERE status IN ('PENDING', 'SUBMITTED') AND NOT reopened;
CREATE OR REPLACE FUNCTION trades_plan_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.job_id, NEW.slot, NEW.cycle, NEW.side, NEW.reason, NEW.amount_in, NEW.amount_out_min, NEW.value_usd, NEW.config_version)
       IS DISTINCT FROM (OLD.job_id, OLD.slot, OLD.cycle, OLD.side, OLD.reason, OLD.amount_in, OLD.amount_out_min, OLD.value_usd, OLD.config_version) THEN
        RAISE EXCEPTION 'a trade''s plan is frozen' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status IN ('EXECUTED', 'FAILED') AND NEW.status <> OLD.status
       -- Only a fill whose reversal is on record may be undone.
       AND NOT (OLD.status = 'EXECUTED' AND NEW.status = 'SUBMITTED' AND NEW.reopened AND NOT EXISTS (
           SELECT 1 FROM fills f WHERE f.trade_id = OLD.id AND f.kind = 'fill' AND NOT EXISTS (
               SELECT 1 FROM fills r WHERE r.trade_id = f.trade_id AND r.kind = 'reversal' AND r.round = f.round)))
    THEN
        RAISE EXCEPTION 'a final trade stays final' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

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
