-- The ledger. Correctness lives here: in rows, constraints and guarded updates, never in the queue.
-- Token amounts are base units in NUMERIC(78,0); USD has 12 digits; all times carry a zone.

CREATE DOMAIN evm_address AS text CHECK (VALUE ~ '^0x[0-9a-f]{40}$');
CREATE DOMAIN token_amount AS numeric(78, 0) CHECK (VALUE >= 0);
CREATE DOMAIN usd AS numeric(38, 12);

-- One row: what this installation chose once.
CREATE TABLE installation (
    id          boolean PRIMARY KEY DEFAULT true CHECK (id),
    -- Makes jitter unpredictable to others and the same for all our processes.
    jitter_salt uuid        NOT NULL DEFAULT gen_random_uuid(),
    created_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO installation DEFAULT VALUES;

CREATE TABLE jobs (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm                 text        NOT NULL CHECK (realm IN ('paper', 'live')),
    chain                 text        NOT NULL CHECK (chain ~ '^[a-z0-9-]{1,32}$'),
    wallet                evm_address NOT NULL,
    token_address         evm_address NOT NULL,
    token_symbol          text        NOT NULL CHECK (length(token_symbol) BETWEEN 1 AND 32),
    token_decimals        smallint    NOT NULL CHECK (token_decimals BETWEEN 0 AND 36),
    quote_address         evm_address NOT NULL CHECK (quote_address <> token_address),
    quote_symbol          text        NOT NULL CHECK (length(quote_symbol) BETWEEN 1 AND 32),
    quote_decimals        smallint    NOT NULL CHECK (quote_decimals BETWEEN 0 AND 36),
    mode                  text        NOT NULL CHECK (mode IN ('ACCUMULATE', 'LIQUIDITY')),
    status                text        NOT NULL DEFAULT 'IDLE'
                          CHECK (status IN ('IDLE', 'RUNNING', 'PAUSED', 'LIQUIDATING', 'ERROR')),
    -- Where a PAUSED or ERROR job resumes to.
    status_before_stop    text        CHECK (status_before_stop IN ('RUNNING', 'LIQUIDATING')),
    cycle                 integer     NOT NULL DEFAULT 0 CHECK (cycle >= 0),
    config                jsonb       NOT NULL,
    config_version        integer     NOT NULL DEFAULT 1 CHECK (config_version >= 1),
    -- Grows with every change of the lifecycle or configuration: guards concurrent commands.
    version               bigint      NOT NULL DEFAULT 1,
    liquidation           jsonb,
    last_dca_buy_time     timestamptz,
    last_dip_buy_time     timestamptz,
    last_take_profit_time timestamptz,
    last_take_profit_price numeric    CHECK (last_take_profit_price > 0),
    last_spread_time      timestamptz,
    last_rebalance_time   timestamptz,
    total_accumulated     usd         NOT NULL DEFAULT 0 CHECK (total_accumulated >= 0),
    token_balance         token_amount NOT NULL DEFAULT 0,
    cost_basis            usd         NOT NULL DEFAULT 0 CHECK (cost_basis >= 0),
    quote_balance         token_amount NOT NULL DEFAULT 0,
    realized_pnl          usd         NOT NULL DEFAULT 0,
    gas_usd               usd         NOT NULL DEFAULT 0 CHECK (gas_usd >= 0),
    failures_in_row       integer     NOT NULL DEFAULT 0 CHECK (failures_in_row >= 0),
    backoff_until         timestamptz,
    last_error            text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    started_at            timestamptz,
    stopped_at            timestamptz,
    archived_at           timestamptz,
    CONSTRAINT jobs_status_before_stop CHECK ((status IN ('PAUSED', 'ERROR')) = (status_before_stop IS NOT NULL)),
    CONSTRAINT jobs_liquidating_has_plan CHECK (status <> 'LIQUIDATING' OR liquidation IS NOT NULL),
    CONSTRAINT jobs_archived_only_idle CHECK (archived_at IS NULL OR status = 'IDLE'),
    CONSTRAINT jobs_no_cost_without_tokens CHECK (token_balance > 0 OR cost_basis = 0)
);
CREATE UNIQUE INDEX jobs_one_per_position ON jobs (realm, chain, wallet, token_address) WHERE archived_at IS NULL;

-- The hot, narrow half of a job: what the scheduler and every tick touch.
CREATE TABLE job_slots (
    job_id          bigint PRIMARY KEY REFERENCES jobs,
    -- The next nominal slot; none while the job is idle, paused or in error.
    next_slot       timestamptz,
    -- When it is claimed: the slot plus its jitter.
    due_at          timestamptz,
    -- The slot that was handed to the queue and is not recorded yet: no second task until it is.
    open_slot       timestamptz,
    open_since      timestamptz,
    -- The newest recorded slot. A slot at or before it is never evaluated again.
    last_slot       timestamptz,
    last_price      numeric CHECK (last_price > 0),
    last_price_at   timestamptz,
    recent_high     numeric CHECK (recent_high > 0),
    slots_claimed   bigint NOT NULL DEFAULT 0,
    slots_missed    bigint NOT NULL DEFAULT 0,
    slots_recorded  bigint NOT NULL DEFAULT 0,
    CONSTRAINT job_slots_due_with_slot CHECK ((next_slot IS NULL) = (due_at IS NULL)),
    CONSTRAINT job_slots_open_with_time CHECK ((open_slot IS NULL) = (open_since IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX job_slots_due ON job_slots (due_at) WHERE open_slot IS NULL AND due_at IS NOT NULL;
CREATE INDEX job_slots_open ON job_slots (open_since) WHERE open_slot IS NOT NULL;

-- A trade is a plan frozen once: at most one a slot, at most one open a job.
CREATE TABLE trades (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id              bigint       NOT NULL REFERENCES jobs,
    slot                timestamptz  NOT NULL,
    cycle               integer      NOT NULL,
    side                text         NOT NULL CHECK (side IN ('BUY', 'SELL')),
    reason              text         NOT NULL CHECK (reason IN
                        ('DCA', 'DIP_BUY', 'TAKE_PROFIT', 'SPREAD_BUY', 'SPREAD_SELL', 'REBALANCE', 'LIQUIDATE')),
    status              text         NOT NULL DEFAULT 'PENDING'
                        CHECK (status IN ('PENDING', 'SUBMITTED', 'EXECUTED', 'FAILED')),
    -- Frozen with the plan.
    amount_in           token_amount NOT NULL CHECK (amount_in > 0),
    amount_out_expected token_amount NOT NULL,
    amount_out_min      token_amount NOT NULL CHECK (amount_out_min > 0),
    value_usd           usd          NOT NULL CHECK (value_usd >= 0),
    config_version      integer      NOT NULL,
    expires_at          timestamptz  NOT NULL,
    -- As planned while open, as filled once executed.
    base_amount         token_amount NOT NULL,
    quote_amount        token_amount NOT NULL,
    price_usd           numeric      NOT NULL CHECK (price_usd > 0),
    gas_usd             usd          NOT NULL DEFAULT 0 CHECK (gas_usd >= 0),
    tx_hash             bytea        CHECK (length(tx_hash) = 32),
    failure_kind        text         CHECK (failure_kind IN ('reverted', 'cancelled', 'expired', 'foreign')),
    error               text,
    next_check_at       timestamptz,
    version             bigint       NOT NULL DEFAULT 1,
    created_at          timestamptz  NOT NULL DEFAULT now(),
    submitted_at        timestamptz,
    executed_at         timestamptz,
    CONSTRAINT trades_once_per_slot UNIQUE (job_id, slot),
    CONSTRAINT trades_failure_has_kind CHECK ((status = 'FAILED') = (failure_kind IS NOT NULL)),
    CONSTRAINT trades_executed_has_proof CHECK (status <> 'EXECUTED' OR (tx_hash IS NOT NULL AND executed_at IS NOT NULL)),
    CONSTRAINT trades_open_is_checked CHECK ((status IN ('PENDING', 'SUBMITTED')) = (next_check_at IS NOT NULL))
);
CREATE UNIQUE INDEX trades_one_open_per_job ON trades (job_id) WHERE status IN ('PENDING', 'SUBMITTED');
CREATE INDEX trades_to_check ON trades (next_check_at) WHERE status IN ('PENDING', 'SUBMITTED');
CREATE INDEX trades_by_job ON trades (job_id, created_at);

-- Runs of equal decisions: equal holds in a row are one row.
CREATE TABLE ticks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id     bigint      NOT NULL REFERENCES jobs,
    outcome    text        NOT NULL CHECK (outcome IN ('hold', 'trade')),
    -- The hold's name, or the trade's reason.
    reason     text        NOT NULL,
    detail     text,
    price_usd  numeric     CHECK (price_usd > 0),
    trade_id   bigint      UNIQUE REFERENCES trades,
    first_slot timestamptz NOT NULL,
    last_slot  timestamptz NOT NULL CHECK (last_slot >= first_slot),
    count      bigint      NOT NULL DEFAULT 1 CHECK (count > 0),
    CONSTRAINT ticks_once_per_slot UNIQUE (job_id, first_slot),
    CONSTRAINT ticks_trade_is_one CHECK (outcome <> 'trade' OR (trade_id IS NOT NULL AND count = 1))
) WITH (fillfactor = 80);

-- One counter a signer: the only place a nonce comes from.
CREATE TABLE signers (
    realm         text        NOT NULL CHECK (realm IN ('paper', 'live')),
    chain         text        NOT NULL,
    address       evm_address NOT NULL,
    next_nonce    bigint      NOT NULL CHECK (next_nonce >= 0),
    -- Grows with every settled trade: a balance read before it is stale.
    settlements   bigint      NOT NULL DEFAULT 0,
    halted_at     timestamptz,
    halted_reason text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, chain, address),
    CONSTRAINT signers_halt_has_reason CHECK ((halted_at IS NULL) = (halted_reason IS NULL))
);

-- One (chain, signer, nonce) for ever, never bound to another trade.
CREATE TABLE transactions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trade_id   bigint      NOT NULL REFERENCES trades,
    realm      text        NOT NULL,
    chain      text        NOT NULL,
    signer     evm_address NOT NULL,
    nonce      bigint      NOT NULL CHECK (nonce >= 0),
    purpose    text        NOT NULL CHECK (purpose IN ('approve', 'swap', 'cancel')),
    deadline   timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT transactions_one_per_nonce UNIQUE (realm, chain, signer, nonce),
    FOREIGN KEY (realm, chain, signer) REFERENCES signers (realm, chain, address)
);
CREATE INDEX transactions_by_trade ON transactions (trade_id);

-- Every signed replacement, recorded before it is sent, never deleted.
CREATE TABLE attempts (
    id                       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id           bigint      NOT NULL REFERENCES transactions,
    purpose                  text        NOT NULL CHECK (purpose IN ('approve', 'swap', 'cancel')),
    hash                     bytea       NOT NULL CHECK (length(hash) = 32),
    raw                      bytea       NOT NULL CHECK (length(raw) > 0),
    max_fee_per_gas          numeric(39, 0) NOT NULL CHECK (max_fee_per_gas >= 0),
    max_priority_fee_per_gas numeric(39, 0) NOT NULL CHECK (max_priority_fee_per_gas >= 0),
    gas_limit                bigint      NOT NULL CHECK (gas_limit > 0),
    recorded_at              timestamptz NOT NULL DEFAULT now(),
    sent_at                  timestamptz,
    sends                    integer     NOT NULL DEFAULT 0,
    last_answer              text,
    CONSTRAINT attempts_hash_once UNIQUE (hash)
);
CREATE INDEX attempts_by_transaction ON attempts (transaction_id);

-- What an open trade may still take out of a wallet.
CREATE TABLE reservations (
    trade_id bigint       NOT NULL REFERENCES trades,
    realm    text         NOT NULL,
    chain    text         NOT NULL,
    wallet   evm_address  NOT NULL,
    -- 'native' or a token address.
    asset    text         NOT NULL CHECK (asset = 'native' OR asset ~ '^0x[0-9a-f]{40}$'),
    amount   token_amount NOT NULL CHECK (amount > 0),
    PRIMARY KEY (trade_id, asset)
);
CREATE INDEX reservations_by_wallet ON reservations (realm, chain, wallet, asset);

-- What really moved, read from receipts. A reorg deeper than expected adds a reversal, never an edit.
CREATE TABLE fills (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trade_id           bigint       NOT NULL REFERENCES trades,
    job_id             bigint       NOT NULL REFERENCES jobs,
    cycle              integer      NOT NULL,
    kind               text         NOT NULL DEFAULT 'fill' CHECK (kind IN ('fill', 'reversal')),
    side               text         NOT NULL CHECK (side IN ('BUY', 'SELL')),
    base_amount        token_amount NOT NULL,
    quote_amount       token_amount NOT NULL,
    quote_usd          usd          NOT NULL CHECK (quote_usd >= 0),
    quote_price_usd    numeric      NOT NULL CHECK (quote_price_usd > 0),
    quote_price_source text         NOT NULL,
    quote_price_at     timestamptz  NOT NULL,
    cost_sold_usd      usd          NOT NULL DEFAULT 0,
    realized_usd       usd          NOT NULL DEFAULT 0,
    gas_native         token_amount NOT NULL,
    gas_usd            usd          NOT NULL CHECK (gas_usd >= 0),
    tx_hash            bytea        NOT NULL CHECK (length(tx_hash) = 32),
    block_number       bigint       NOT NULL,
    block_hash         bytea        NOT NULL CHECK (length(block_hash) = 32),
    filled_at          timestamptz  NOT NULL,
    created_at         timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT fills_once_per_trade UNIQUE (trade_id, kind),
    CONSTRAINT fills_once_per_transaction UNIQUE (tx_hash, kind)
);
CREATE INDEX fills_by_job ON fills (job_id, cycle);

-- Everything that changes a position without a trade.
CREATE TABLE adjustments (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      bigint         NOT NULL REFERENCES jobs,
    cycle       integer        NOT NULL,
    kind        text           NOT NULL CHECK (kind IN ('deposit', 'withdraw', 'adopt', 'dust')),
    token_delta numeric(78, 0) NOT NULL DEFAULT 0,
    quote_delta numeric(78, 0) NOT NULL DEFAULT 0,
    cost_delta  usd            NOT NULL DEFAULT 0,
    note        text           NOT NULL,
    created_at  timestamptz    NOT NULL DEFAULT now()
);
CREATE INDEX adjustments_by_job ON adjustments (job_id, cycle);

-- Who changed what, before and after.
CREATE TABLE job_events (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id  bigint      NOT NULL REFERENCES jobs,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text        NOT NULL,
    action  text        NOT NULL,
    before  jsonb,
    after   jsonb
);
CREATE INDEX job_events_by_job ON job_events (job_id, at);

-- One accepted price a series and bucket; the first one seen stays.
CREATE TABLE price_samples (
    chain    text        NOT NULL,
    token    evm_address NOT NULL,
    -- Source and its parameters: two jobs with the same series share samples.
    series   text        NOT NULL,
    bucket   timestamptz NOT NULL,
    price    numeric     NOT NULL CHECK (price > 0),
    observed_at timestamptz NOT NULL,
    PRIMARY KEY (chain, token, series, bucket)
);

-- Written with the fill, delivered at least once by whoever sends notifications.
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id       bigint      NOT NULL REFERENCES jobs,
    trade_id     bigint      REFERENCES trades,
    event        text        NOT NULL,
    payload      jsonb       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz
);
CREATE INDEX outbox_undelivered ON outbox (id) WHERE delivered_at IS NULL;

-- A job is its position: realm, chain, wallet and token, and its mode, never change.
CREATE FUNCTION jobs_identity_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.realm, NEW.chain, NEW.wallet, NEW.token_address, NEW.mode)
       IS DISTINCT FROM (OLD.realm, OLD.chain, OLD.wallet, OLD.token_address, OLD.mode) THEN
        RAISE EXCEPTION 'a job''s realm, chain, wallet, token and mode never change' USING ERRCODE = 'check_violation';
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_identity_is_fixed BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_identity_is_fixed();

-- What happened stays: no row of these tables is ever deleted or rewritten.
CREATE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER fills_append_only BEFORE UPDATE OR DELETE ON fills FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER adjustments_append_only BEFORE UPDATE OR DELETE ON adjustments FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER job_events_append_only BEFORE UPDATE OR DELETE ON job_events FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER transactions_append_only BEFORE UPDATE OR DELETE ON transactions FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER trades_never_deleted BEFORE DELETE ON trades FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER attempts_never_deleted BEFORE DELETE ON attempts FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

-- An attempt's bytes are what was signed; only what became of them may be noted.
CREATE FUNCTION attempts_bytes_are_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.transaction_id, NEW.purpose, NEW.hash, NEW.raw) IS DISTINCT FROM (OLD.transaction_id, OLD.purpose, OLD.hash, OLD.raw) THEN
        RAISE EXCEPTION 'an attempt''s bytes never change' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attempts_bytes_are_fixed BEFORE UPDATE ON attempts FOR EACH ROW EXECUTE FUNCTION attempts_bytes_are_fixed();

-- A frozen plan stays frozen, and a final trade stays final.
CREATE FUNCTION trades_plan_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.job_id, NEW.slot, NEW.cycle, NEW.side, NEW.reason, NEW.amount_in, NEW.amount_out_min, NEW.value_usd, NEW.config_version)
       IS DISTINCT FROM (OLD.job_id, OLD.slot, OLD.cycle, OLD.side, OLD.reason, OLD.amount_in, OLD.amount_out_min, OLD.value_usd, OLD.config_version) THEN
        RAISE EXCEPTION 'a trade''s plan is frozen' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status IN ('EXECUTED', 'FAILED') AND NEW.status <> OLD.status THEN
        RAISE EXCEPTION 'a final trade stays final' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trades_plan_is_frozen BEFORE UPDATE ON trades FOR EACH ROW EXECUTE FUNCTION trades_plan_is_frozen();

-- Nonces only go up.
CREATE FUNCTION signers_nonce_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.next_nonce < OLD.next_nonce THEN
        RAISE EXCEPTION 'a signer''s nonce never goes back' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signers_nonce_only_grows BEFORE UPDATE ON signers FOR EACH ROW EXECUTE FUNCTION signers_nonce_only_grows();
