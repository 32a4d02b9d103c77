-- The paper venue: a ledger outside ours, as a chain is. Nothing here refers to the trading ledger, nothing
-- there refers to this, and no transaction touches both.

CREATE SCHEMA paper;

-- Block number n of a chain is made at genesis + n * block_millis, for every reader.
CREATE TABLE paper.chains (
    name         text PRIMARY KEY CHECK (name ~ '^[a-z0-9-]{1,32}$'),
    genesis      timestamptz NOT NULL,
    block_millis bigint      NOT NULL CHECK (block_millis BETWEEN 1 AND 3600000)
);

-- One row a sender; a change of its money or its transactions holds the row's lock.
CREATE TABLE paper.wallets (
    chain         text        NOT NULL REFERENCES paper.chains,
    address       text        NOT NULL CHECK (address ~ '^0x[0-9a-f]{40}$'),
    -- Transactions mined, successful or reverted: the nonce that is mined next.
    nonce         bigint      NOT NULL DEFAULT 0 CHECK (nonce >= 0),
    -- No later transaction lies in a block before this instant.
    next_block_at timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain, address)
);

CREATE TABLE paper.balances (
    chain   text           NOT NULL,
    address text           NOT NULL,
    asset   text           NOT NULL CHECK (asset = 'native' OR asset ~ '^0x[0-9a-f]{40}$'),
    amount  numeric(78, 0) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (chain, address, asset),
    FOREIGN KEY (chain, address) REFERENCES paper.wallets
);

CREATE TABLE paper.transactions (
    hash                     bytea          PRIMARY KEY CHECK (length(hash) = 32),
    chain                    text           NOT NULL,
    sender                   text           NOT NULL,
    nonce                    bigint         NOT NULL CHECK (nonce >= 0),
    raw                      bytea          NOT NULL CHECK (length(raw) > 0),
    max_fee_per_gas          numeric(39, 0) NOT NULL CHECK (max_fee_per_gas >= 0),
    max_priority_fee_per_gas numeric(39, 0) NOT NULL CHECK (max_priority_fee_per_gas BETWEEN 0 AND max_fee_per_gas),
    -- What it pays for a unit of gas, wei; fixed by the base fee when it came in.
    gas_price                numeric(39, 0) NOT NULL CHECK (gas_price BETWEEN 0 AND max_fee_per_gas),
    gas_limit                bigint         NOT NULL CHECK (gas_limit > 0),
    gas_needed               bigint         NOT NULL CHECK (gas_needed > 0),
    kind                     text           NOT NULL CHECK (kind IN ('swap', 'cancel')),
    token_in                 text           CHECK (token_in ~ '^0x[0-9a-f]{40}$'),
    token_out                text           CHECK (token_out ~ '^0x[0-9a-f]{40}$' AND token_out <> token_in),
    amount_in                numeric(78, 0) CHECK (amount_in > 0),
    amount_out               numeric(78, 0) CHECK (amount_out >= 0),
    amount_out_min           numeric(78, 0) CHECK (amount_out_min >= 0),
    deadline                 timestamptz,
    status                   text           NOT NULL CHECK (status IN ('pooled', 'mined', 'reverted', 'replaced', 'dropped')),
    received_at              timestamptz    NOT NULL DEFAULT now(),
    -- The first block that may hold it; none: it is stuck until it is replaced.
    mine_after               timestamptz,
    block_number             bigint         CHECK (block_number >= 0),
    block_time               timestamptz,
    gas_native               numeric(78, 0) CHECK (gas_native >= 0),
    revert_reason            text,
    FOREIGN KEY (chain, sender) REFERENCES paper.wallets,
    CONSTRAINT transactions_swap_is_whole CHECK (num_nonnulls(token_in, token_out, amount_in, amount_out, amount_out_min, deadline)
        = CASE kind WHEN 'swap' THEN 6 ELSE 0 END),
    CONSTRAINT transactions_mined_in_block CHECK (num_nonnulls(block_number, block_time, gas_native)
        = CASE WHEN status IN ('mined', 'reverted') THEN 3 ELSE 0 END),
    CONSTRAINT transactions_revert_has_reason CHECK ((status = 'reverted') = (revert_reason IS NOT NULL))
);
CREATE UNIQUE INDEX transactions_mined_once ON paper.transactions (chain, sender, nonce) WHERE status IN ('mined', 'reverted');
CREATE UNIQUE INDEX transactions_pooled_once ON paper.transactions (chain, sender, nonce) WHERE status = 'pooled';

-- The logs of mined swaps.
CREATE TABLE paper.transfers (
    tx_hash      bytea          NOT NULL REFERENCES paper.transactions,
    log_index    integer        NOT NULL CHECK (log_index >= 0),
    token        text           NOT NULL CHECK (token ~ '^0x[0-9a-f]{40}$'),
    from_address text           NOT NULL CHECK (from_address ~ '^0x[0-9a-f]{40}$'),
    to_address   text           NOT NULL CHECK (to_address ~ '^0x[0-9a-f]{40}$'),
    amount       numeric(78, 0) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (tx_hash, log_index)
);

-- Injected faults, to try alerts and crashes.
CREATE TABLE paper.faults (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('fail', 'revert', 'late', 'lost', 'stuck', 'drop', 'down')),
    chain        text        NOT NULL,
    -- Only what touches this token; none: everything on the chain.
    token        text        CHECK (token ~ '^0x[0-9a-f]{40}$'),
    -- How often it still strikes; none: without end.
    remaining    bigint      CHECK (remaining >= 0),
    until        timestamptz,
    delay_millis bigint      NOT NULL DEFAULT 0 CHECK (delay_millis >= 0),
    created_at   timestamptz NOT NULL DEFAULT now()
);

-- What is in a block stays in it.
CREATE FUNCTION paper.history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'paper.% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER transactions_never_deleted BEFORE DELETE ON paper.transactions
    FOR EACH ROW EXECUTE FUNCTION paper.history_is_append_only();
CREATE TRIGGER transactions_mined_are_final BEFORE UPDATE ON paper.transactions
    FOR EACH ROW WHEN (OLD.status IN ('mined', 'reverted')) EXECUTE FUNCTION paper.history_is_append_only();
CREATE TRIGGER transfers_append_only BEFORE UPDATE OR DELETE ON paper.transfers
    FOR EACH ROW EXECUTE FUNCTION paper.history_is_append_only();
