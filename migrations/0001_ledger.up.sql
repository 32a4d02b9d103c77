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
    -- What was announced and is not over, by name; and the last period that was summed up. So nothing is announced twice.
    announced   jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(announced) = 'object'),
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
    mode                  text        NOT NULL CHECK (mode IN ('ACCUMULATE', 'LIQUIDITY', 'ORDER', 'BASKET')),
    status                text        NOT NULL DEFAULT 'IDLE'
                          CHECK (status IN ('IDLE', 'RUNNING', 'PAUSED', 'LIQUIDATING', 'ERROR')),
    -- Where a PAUSED or ERROR job resumes to.
    status_before_stop    text        CHECK (status_before_stop IN ('RUNNING', 'LIQUIDATING')),
    -- The order in audit that paused it; none as soon as the status changes again.
    paused_by             bigint,
    -- The trade of the stop that paused or ended it, or the last fill of an order; none as soon as the status changes again.
    stopped_by            bigint,
    cycle                 integer     NOT NULL DEFAULT 0 CHECK (cycle >= 0),
    config                jsonb       NOT NULL,
    config_version        integer     NOT NULL DEFAULT 1 CHECK (config_version >= 1),
    -- How far back the rules of config look, seconds, written with config: younger price samples are kept.
    look_back_secs        bigint      NOT NULL DEFAULT 0 CHECK (look_back_secs >= 0),
    -- Grows with every change of the lifecycle or configuration: guards concurrent commands.
    version               bigint      NOT NULL DEFAULT 1,
    liquidation           jsonb,
    -- When each rule last filled in this cycle, by slot: LastFills in the program writes it, forward and back.
    last_fills            jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(last_fills) = 'object'),
    total_accumulated     usd         NOT NULL DEFAULT 0 CHECK (total_accumulated >= 0),
    token_balance         token_amount NOT NULL DEFAULT 0,
    cost_basis            usd         NOT NULL DEFAULT 0 CHECK (cost_basis >= 0),
    quote_balance         token_amount NOT NULL DEFAULT 0,
    realized_pnl          usd         NOT NULL DEFAULT 0,
    gas_usd               usd         NOT NULL DEFAULT 0 CHECK (gas_usd >= 0),
    -- What the owner paid in this cycle and has not got back (negative: more came back), and the most that it ever was.
    out_of_pocket         usd         NOT NULL DEFAULT 0,
    money_in              usd         NOT NULL DEFAULT 0 CHECK (money_in >= 0 AND money_in >= out_of_pocket),
    failures_in_row       integer     NOT NULL DEFAULT 0 CHECK (failures_in_row >= 0),
    backoff_until         timestamptz,
    last_error            text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    started_at            timestamptz,
    stopped_at            timestamptz,
    -- Makes an order that is given twice be placed once.
    request_key           text        CHECK (length(request_key) BETWEEN 1 AND 100),
    archived_at           timestamptz,
    CONSTRAINT jobs_status_before_stop CHECK ((status IN ('PAUSED', 'ERROR')) = (status_before_stop IS NOT NULL)),
    CONSTRAINT jobs_paused_by CHECK (paused_by IS NULL OR status = 'PAUSED'),
    CONSTRAINT jobs_stopped_by CHECK (stopped_by IS NULL OR status IN ('PAUSED', 'IDLE')),
    CONSTRAINT jobs_liquidating_has_plan CHECK (status <> 'LIQUIDATING' OR liquidation IS NOT NULL),
    CONSTRAINT jobs_archived_only_idle CHECK (archived_at IS NULL OR status = 'IDLE'),
    CONSTRAINT jobs_no_cost_without_tokens CHECK (token_balance > 0 OR cost_basis = 0),
    CONSTRAINT jobs_once_per_key UNIQUE (realm, chain, wallet, request_key)
);
CREATE UNIQUE INDEX jobs_one_per_position ON jobs (realm, chain, wallet, token_address) WHERE archived_at IS NULL;
-- Whether others were stopped by the same pause is asked of each job of a list.
CREATE INDEX jobs_paused_together ON jobs (paused_by) WHERE paused_by IS NOT NULL;

-- The hot, narrow half of a job: what the scheduler and every tick touch.
CREATE TABLE job_slots (
    job_id          bigint PRIMARY KEY REFERENCES jobs,
    -- The next nominal slot; none while the job is idle, paused or in error.
    next_slot       timestamptz,
    -- How far the clocks of the schedule's zone are ahead of UTC then, seconds, by the rules that it was computed with:
    -- rules may change. Means nothing without a next slot; none for a liquidation.
    next_offset     integer,
    -- When it is claimed: the slot plus its jitter.
    due_at          timestamptz,
    -- The slot that was handed to the queue and is not recorded yet: no second task until it is.
    open_slot       timestamptz,
    -- When it was handed out first, and last if more than once: a slot that is stuck differs from a lost task.
    open_since      timestamptz,
    handed_at       timestamptz,
    -- The newest recorded slot. A slot at or before it is never evaluated again.
    last_slot       timestamptz,
    last_price      numeric CHECK (last_price > 0),
    last_price_at   timestamptz,
    recent_high     numeric CHECK (recent_high > 0),
    -- The high that the trailing stop is measured from, written with each slot that has a price; none before it is armed.
    -- Of an order that trails the best price since it was placed: the lowest, if it buys.
    trailing_high   numeric CHECK (trailing_high > 0),
    -- The same of a trailing take-profit, since its goal was reached.
    profit_high     numeric CHECK (profit_high > 0),
    -- The run of equal holds that the newest slot belongs to, kept in the row that fences slots: a statement that waited
    -- for this row sees it as it is now, while the run itself may be newer than its snapshot.
    run_reason      text,
    run_first_slot  timestamptz,
    -- The highest sample of the job's window as its last tick saw it: while that sample is inside the window, only newer
    -- samples are read. Valid only for the configuration it was found under.
    sample_high        numeric CHECK (sample_high > 0),
    sample_high_at     timestamptz,
    sample_high_since  timestamptz,
    sample_high_config integer,
    -- What keeps the job from trading, by its event, and since which slot. Several reasons may have one event.
    blocked_by      text,
    blocked_since   timestamptz,
    -- The last such event that was sent and has not ended since, from when on it is true, and at which slot it was sent.
    told            text,
    told_since      timestamptz,
    told_slot       timestamptz,
    slots_claimed   bigint NOT NULL DEFAULT 0,
    slots_missed    bigint NOT NULL DEFAULT 0,
    slots_recorded  bigint NOT NULL DEFAULT 0,
    CONSTRAINT job_slots_due_with_slot CHECK ((next_slot IS NULL) = (due_at IS NULL)),
    CONSTRAINT job_slots_open_with_time CHECK ((open_slot IS NULL) = (open_since IS NULL)),
    CONSTRAINT job_slots_run_with_start CHECK ((run_reason IS NULL) = (run_first_slot IS NULL)),
    CONSTRAINT job_slots_blocked_with_start CHECK ((blocked_by IS NULL) = (blocked_since IS NULL)),
    CONSTRAINT job_slots_told_whole CHECK (num_nulls(told, told_since, told_slot) IN (0, 3)),
    CONSTRAINT job_slots_sample_high_whole CHECK (num_nulls(sample_high, sample_high_at, sample_high_since, sample_high_config) IN (0, 4))
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.1,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
-- Only a claim moves due_at: every other update of the row touches no index and is heap-only.
CREATE INDEX job_slots_due ON job_slots (due_at) WHERE due_at IS NOT NULL;

-- A trade is a plan frozen once: at most one a slot, at most one open a job.
CREATE TABLE trades (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id              bigint       NOT NULL REFERENCES jobs,
    slot                timestamptz  NOT NULL,
    cycle               integer      NOT NULL,
    side                text         NOT NULL CHECK (side IN ('BUY', 'SELL')),
    reason              text         NOT NULL CHECK (reason IN
                        ('DCA', 'DIP_BUY', 'TAKE_PROFIT', 'STOP_LOSS', 'TRAILING_STOP', 'SPREAD_BUY', 'SPREAD_SELL', 'REBALANCE',
                         'MARKET_ORDER', 'LIMIT_ORDER', 'STOP_ORDER', 'TRAILING_ORDER', 'LIQUIDATE')),
    status              text         NOT NULL DEFAULT 'PENDING'
                        CHECK (status IN ('PENDING', 'SUBMITTED', 'EXECUTED', 'FAILED', 'DROPPED')),
    -- Frozen with the plan.
    amount_in           token_amount NOT NULL CHECK (amount_in > 0),
    amount_out_expected token_amount NOT NULL,
    amount_out_min      token_amount NOT NULL CHECK (amount_out_min > 0),
    value_usd           usd          NOT NULL CHECK (value_usd >= 0),
    plan_price_usd      numeric      NOT NULL CHECK (plan_price_usd > 0),
    config_version      integer      NOT NULL,
    expires_at          timestamptz  NOT NULL,
    -- As planned while open, as filled once executed.
    base_amount         token_amount NOT NULL,
    quote_amount        token_amount NOT NULL,
    price_usd           numeric      NOT NULL CHECK (price_usd > 0),
    gas_usd             usd          NOT NULL DEFAULT 0 CHECK (gas_usd >= 0),
    tx_hash             bytea        CHECK (length(tx_hash) = 32),
    failure_kind        text         CHECK (failure_kind IN ('reverted', 'cancelled', 'expired', 'foreign')),
    -- Why it failed, or was dropped.
    error               text,
    -- What it waits for while it is open.
    note                text,
    next_check_at       timestamptz,
    -- It was final, and a reorg opened it again: it is not the one trade that a job may have open.
    reopened            boolean      NOT NULL DEFAULT false,
    version             bigint       NOT NULL DEFAULT 1,
    created_at          timestamptz  NOT NULL DEFAULT now(),
    submitted_at        timestamptz,
    executed_at         timestamptz,
    -- When its owner was notified that what was sent is accepted again and again, and is in no block.
    stuck_at            timestamptz,
    CONSTRAINT trades_once_per_slot UNIQUE (job_id, slot),
    CONSTRAINT trades_failure_has_kind CHECK ((status = 'FAILED') = (failure_kind IS NOT NULL)),
    CONSTRAINT trades_error_of_a_failure CHECK (error IS NULL OR status IN ('FAILED', 'DROPPED')),
    CONSTRAINT trades_dropped_sent_nothing CHECK (status <> 'DROPPED' OR (tx_hash IS NULL AND gas_usd = 0 AND submitted_at IS NULL)),
    CONSTRAINT trades_note_while_open CHECK (note IS NULL OR status IN ('PENDING', 'SUBMITTED')),
    CONSTRAINT trades_executed_has_proof CHECK (status <> 'EXECUTED' OR (tx_hash IS NOT NULL AND executed_at IS NOT NULL)),
    CONSTRAINT trades_open_is_checked CHECK ((status IN ('PENDING', 'SUBMITTED')) = (next_check_at IS NOT NULL))
);
CREATE UNIQUE INDEX trades_one_open_per_job ON trades (job_id) WHERE status IN ('PENDING', 'SUBMITTED') AND NOT reopened;
CREATE INDEX trades_to_check ON trades (next_check_at) WHERE status IN ('PENDING', 'SUBMITTED');
CREATE INDEX trades_by_job ON trades (job_id, created_at);
CREATE INDEX trades_failed ON trades (executed_at) WHERE status = 'FAILED';

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

-- Coins and tokens that the owner takes out of a wallet. No job owns them, so this is no trade; while it is SUBMITTED the
-- row itself reserves the amount and the gas.
CREATE TABLE withdrawals (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm         text         NOT NULL CHECK (realm = 'live'),
    chain         text         NOT NULL,
    wallet        evm_address  NOT NULL,
    -- 'native' or a token address.
    asset         text         NOT NULL CHECK (asset = 'native' OR asset ~ '^0x[0-9a-f]{40}$'),
    symbol        text         NOT NULL CHECK (length(symbol) BETWEEN 1 AND 32),
    decimals      smallint     NOT NULL CHECK (decimals BETWEEN 0 AND 36),
    amount        token_amount NOT NULL CHECK (amount > 0),
    receiver      evm_address  NOT NULL CHECK (receiver <> wallet),
    actor         text         NOT NULL CHECK (actor <> ''),
    -- The owner ordered all that was free, not this amount.
    takes_all     boolean      NOT NULL DEFAULT false,
    -- Makes an order that is given twice happen once.
    request_key   text         CHECK (length(request_key) BETWEEN 1 AND 100),
    -- Most that gas may take, wei.
    gas_max       token_amount NOT NULL,
    status        text         NOT NULL DEFAULT 'SUBMITTED' CHECK (status IN ('SUBMITTED', 'EXECUTED', 'FAILED')),
    failure_kind  text         CHECK (failure_kind IN ('reverted', 'cancelled', 'foreign')),
    -- What it waits for, or why it failed.
    note          text,
    tx_hash       bytea        CHECK (length(tx_hash) = 32),
    gas_native    token_amount NOT NULL DEFAULT 0,
    gas_usd       usd          NOT NULL DEFAULT 0 CHECK (gas_usd >= 0),
    -- What was paid was worth in its block; of a token that has no price feed it is not known.
    value_usd     usd          CHECK (value_usd >= 0),
    -- Checked until its block is final: a reorg opens it again, and the same bytes are sent.
    next_check_at timestamptz  DEFAULT now(),
    version       bigint       NOT NULL DEFAULT 1,
    created_at    timestamptz  NOT NULL DEFAULT now(),
    executed_at   timestamptz,
    FOREIGN KEY (realm, chain, wallet) REFERENCES signers (realm, chain, address),
    CONSTRAINT withdrawals_once_per_key UNIQUE (realm, chain, wallet, request_key),
    CONSTRAINT withdrawals_failure_has_kind CHECK ((status = 'FAILED') = (failure_kind IS NOT NULL)),
    CONSTRAINT withdrawals_ended_has_proof CHECK (status = 'SUBMITTED' OR (tx_hash IS NOT NULL AND executed_at IS NOT NULL)),
    CONSTRAINT withdrawals_open_is_checked CHECK (status <> 'SUBMITTED' OR next_check_at IS NOT NULL)
);
CREATE INDEX withdrawals_to_check ON withdrawals (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX withdrawals_open ON withdrawals (realm, chain, wallet) WHERE status = 'SUBMITTED';

-- One (chain, signer, nonce), permanently: never bound to another trade or withdrawal.
CREATE TABLE transactions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trade_id   bigint      REFERENCES trades,
    withdrawal_id bigint   REFERENCES withdrawals,
    realm      text        NOT NULL,
    chain      text        NOT NULL,
    signer     evm_address NOT NULL,
    nonce      bigint      NOT NULL CHECK (nonce >= 0),
    purpose    text        NOT NULL CHECK (purpose IN ('approve', 'swap', 'transfer', 'cancel')),
    deadline   timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT transactions_one_per_nonce UNIQUE (realm, chain, signer, nonce),
    CONSTRAINT transactions_of_one CHECK (num_nonnulls(trade_id, withdrawal_id) = 1),
    FOREIGN KEY (realm, chain, signer) REFERENCES signers (realm, chain, address)
);
CREATE INDEX transactions_by_trade ON transactions (trade_id);
CREATE INDEX transactions_by_withdrawal ON transactions (withdrawal_id) WHERE withdrawal_id IS NOT NULL;

-- Every signed replacement, recorded before it is sent, never deleted.
CREATE TABLE attempts (
    id                       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id           bigint      NOT NULL REFERENCES transactions,
    purpose                  text        NOT NULL CHECK (purpose IN ('approve', 'swap', 'transfer', 'cancel')),
    hash                     bytea       NOT NULL CHECK (length(hash) = 32),
    raw                      bytea       NOT NULL CHECK (length(raw) > 0),
    max_fee_per_gas          numeric(39, 0) NOT NULL CHECK (max_fee_per_gas >= 0),
    max_priority_fee_per_gas numeric(39, 0) NOT NULL CHECK (max_priority_fee_per_gas >= 0),
    gas_limit                bigint      NOT NULL CHECK (gas_limit > 0),
    recorded_at              timestamptz NOT NULL DEFAULT now(),
    sent_at                  timestamptz,
    sends                    integer     NOT NULL DEFAULT 0,
    -- What the node said last: its kind, which the program acts on, and its words, for people.
    answer_kind              text        CHECK (answer_kind IN
                             ('accepted', 'already_known', 'nonce_too_low', 'underpriced', 'insufficient_funds', 'ambiguous',
                              'rejected')),
    last_answer              text,
    CONSTRAINT attempts_hash_once UNIQUE (hash),
    CONSTRAINT attempts_answer_has_kind CHECK ((answer_kind IS NULL) = (last_answer IS NULL))
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
    -- A trade whose fill was reversed is filled again: its fills are numbered, and a reversal has its fill's number.
    round              integer      NOT NULL DEFAULT 1 CHECK (round > 0),
    CONSTRAINT fills_once_per_trade UNIQUE (trade_id, kind, round),
    CONSTRAINT fills_once_per_transaction UNIQUE (tx_hash, kind, round)
);
CREATE INDEX fills_by_job ON fills (job_id, cycle);

-- What each mined transaction of an ended trade paid for gas, read from its receipt: a swap, successful or reverted, an
-- approve, a cancel. A trade that a reorg opened again ends again, with a round of its own: only the last one counts.
CREATE TABLE gas_paid (
    trade_id   bigint       NOT NULL REFERENCES trades,
    round      integer      NOT NULL CHECK (round > 0),
    tx_hash    bytea        NOT NULL REFERENCES attempts (hash),
    success    boolean      NOT NULL,
    gas_native token_amount NOT NULL,
    gas_usd    usd          NOT NULL CHECK (gas_usd >= 0),
    mined_at   timestamptz  NOT NULL,
    PRIMARY KEY (trade_id, round, tx_hash)
);

-- Fills that a reorg may still reverse: where each was last seen, and how many looks in a row missed it. The row goes
-- when the fill is final, or reversed.
CREATE TABLE fill_watches (
    fill_id      bigint      PRIMARY KEY REFERENCES fills,
    watch_at     timestamptz NOT NULL DEFAULT now(),
    block_number bigint      NOT NULL,
    block_hash   bytea       NOT NULL CHECK (length(block_hash) = 32),
    misses       integer     NOT NULL DEFAULT 0 CHECK (misses >= 0)
) WITH (fillfactor = 80);
CREATE INDEX fill_watches_due ON fill_watches (watch_at);

-- Failures that a reorg may still reverse: the row goes when the blocks that prove them are final, or when the trade is
-- open again.
CREATE TABLE failure_watches (
    trade_id     bigint      PRIMARY KEY REFERENCES trades,
    watch_at     timestamptz NOT NULL DEFAULT now(),
    -- The highest block that the failure was read from.
    block_number bigint      NOT NULL,
    misses       integer     NOT NULL DEFAULT 0 CHECK (misses >= 0),
    created_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX failure_watches_due ON failure_watches (watch_at);

-- Evidence that a key is used elsewhere: the transaction that used a nonce of ours, read from its block.
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

-- A nonce that was never on chain may be given out again, on evidence that is kept: a node that lied about a wallet's
-- first nonce must not block the wallet.
CREATE TABLE nonce_repairs (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm      text        NOT NULL,
    chain      text        NOT NULL,
    signer     evm_address NOT NULL,
    -- The counter before and after.
    from_nonce bigint      NOT NULL,
    to_nonce   bigint      NOT NULL CHECK (to_nonce >= 0),
    -- What was seen on the chain, and of which of our hashes.
    evidence   jsonb       NOT NULL,
    actor      text        NOT NULL,
    repaired_at timestamptz NOT NULL DEFAULT now(),
    -- The counter may go back only in the transaction that wrote this row.
    repaired_by xid8       NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT nonce_repairs_go_back CHECK (to_nonce < from_nonce),
    FOREIGN KEY (realm, chain, signer) REFERENCES signers (realm, chain, address)
);

-- Trades that wait for a place among the open transactions of their wallet. A freed place calls the first of them. The
-- row goes when its trade has its nonce, or ends.
CREATE TABLE turns (
    trade_id  bigint      PRIMARY KEY REFERENCES trades,
    realm     text        NOT NULL,
    chain     text        NOT NULL,
    wallet    evm_address NOT NULL,
    -- Called, and to be checked at once. NULL: asleep until it is called, or until its next regular check.
    called_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX turns_by_wallet ON turns (realm, chain, wallet, trade_id);

-- Number of open transactions of a wallet. Found by what open trades reserve: a wallet's history, and all that other
-- wallets have open, may be long. PL/pgSQL keeps its plans, SQL functions are planned at each call;
-- and a plan made while the tables were small must not scan them once they are large.
CREATE FUNCTION open_transactions(of_realm text, on_chain text, of_wallet text) RETURNS bigint
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
BEGIN
    RETURN (SELECT count(*)
        FROM (SELECT DISTINCT trade_id FROM reservations WHERE (realm, chain, wallet) = (of_realm, on_chain, of_wallet)) r
        JOIN trades t ON t.id = r.trade_id AND t.status = 'SUBMITTED'
        JOIN transactions x ON x.trade_id = t.id)
        + (SELECT count(*) FROM withdrawals
           WHERE (realm, chain, wallet) = (of_realm, on_chain, of_wallet) AND status = 'SUBMITTED');
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

-- Everything that changes a position without a trade.
CREATE TABLE adjustments (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      bigint         NOT NULL REFERENCES jobs,
    cycle       integer        NOT NULL,
    kind        text           NOT NULL CHECK (kind IN ('deposit', 'withdraw', 'adopt', 'release', 'dust')),
    token_delta numeric(78, 0) NOT NULL DEFAULT 0,
    quote_delta numeric(78, 0) NOT NULL DEFAULT 0,
    cost_delta  usd            NOT NULL DEFAULT 0,
    note        text           NOT NULL,
    -- Adopted tokens that a lost transaction of the job may have bought: the next DCA buy waits as after a DCA fill.
    is_buy      boolean        NOT NULL DEFAULT false CHECK (NOT is_buy OR kind = 'adopt'),
    -- Makes an order that is given twice happen once.
    request_key text           CHECK (length(request_key) BETWEEN 1 AND 100),
    created_at  timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT adjustments_once_per_key UNIQUE (job_id, request_key)
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

-- Writes that belong to no job: paper money and faults, policy entries, nonce repairs, pruning, migrations. Writes to a
-- job are in job_events.
CREATE TABLE audit (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    -- The face and the person: cli:alice.
    actor   text        NOT NULL CHECK (actor <> ''),
    action  text        NOT NULL CHECK (action <> ''),
    -- What was written to, such as a wallet or a chain.
    subject text        NOT NULL,
    detail  jsonb       NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);

-- Bearer tokens of the HTTP API. A token holds 256 random bits, so a plain hash of it is enough at rest.
CREATE TABLE api_tokens (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text        NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,39}$'),
    role         text        NOT NULL CHECK (role IN ('viewer', 'operator', 'owner')),
    -- A link of the console becomes a session when it is opened.
    kind         text        NOT NULL DEFAULT 'token' CHECK (kind IN ('token', 'link', 'session')),
    -- SHA-256 of the whole token.
    hash         bytea       NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    -- To the minute.
    last_used_at timestamptz,
    CONSTRAINT api_tokens_expire_later CHECK (expires_at > created_at)
);
-- The trail names a token by its name, so a name is one token until that is revoked.
CREATE UNIQUE INDEX api_tokens_by_name ON api_tokens (name) WHERE revoked_at IS NULL;

-- Writes of the HTTP API by their Idempotency-Key: a request that is sent again gets the first one's answer.
CREATE TABLE api_requests (
    token_id bigint      NOT NULL REFERENCES api_tokens,
    key      text        NOT NULL CHECK (char_length(key) BETWEEN 1 AND 100),
    -- SHA-256 of method, path and body.
    request  bytea       NOT NULL CHECK (octet_length(request) = 32),
    begun_at timestamptz NOT NULL DEFAULT now(),
    -- The answer; none while the request is carried out, or if its process ended before it knew how that went.
    status   smallint,
    answer   text,
    PRIMARY KEY (token_id, key),
    CONSTRAINT api_requests_answered CHECK ((status IS NULL) = (answer IS NULL))
);
CREATE INDEX api_requests_by_time ON api_requests (begun_at);

-- Signals from outside by their webhook-id: one that is delivered again is carried out once, and gets the first answer.
CREATE TABLE signals (
    name        text        NOT NULL CHECK (name ~ '^[a-z0-9_-]{1,32}$'),
    id          text        NOT NULL CHECK (char_length(id) BETWEEN 1 AND 100),
    -- SHA-256 of the body.
    body        bytea       NOT NULL CHECK (octet_length(body) = 32),
    job_id      bigint      NOT NULL REFERENCES jobs,
    action      text        NOT NULL CHECK (action IN ('pause', 'resume', 'tick', 'order')),
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The job's status.
    before      text        NOT NULL,
    after       text        NOT NULL,
    -- The slot of a tick: a repetition evaluates the same one, which adopts what was decided.
    slot        timestamptz,
    -- Why nothing was done.
    refused     text,
    PRIMARY KEY (name, id),
    CONSTRAINT signals_slot_of_a_tick CHECK ((slot IS NOT NULL) = (action = 'tick' AND refused IS NULL))
);
CREATE INDEX signals_by_time ON signals (received_at);

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

-- What retention has deleted: the slots of pruned runs still count, and pruning continues where it stopped.
CREATE TABLE ticks_pruned (
    job_id bigint      PRIMARY KEY REFERENCES jobs,
    runs   bigint      NOT NULL CHECK (runs >= 0),
    slots  bigint      NOT NULL CHECK (slots >= runs),
    -- No run of holds before this is left.
    up_to  timestamptz NOT NULL
);

-- Whether what a live job holds can be sold: proven with every buy, and by a dry sale at most once a day.
CREATE TABLE sale_proofs (
    job_id           bigint      PRIMARY KEY REFERENCES jobs,
    looked_at        timestamptz NOT NULL,
    -- Null: the last look found that it can be sold.
    unsellable_since timestamptz,
    detail           text        CHECK (char_length(detail) <= 2000),
    -- What the newest buy and a sale of all that was held after it were tried to cost: RoundTripRow in the program.
    round_trip       jsonb       CHECK (jsonb_typeof(round_trip) = 'object'),
    round_trip_at    timestamptz CHECK ((round_trip_at IS NULL) = (round_trip IS NULL)),
    CHECK ((unsellable_since IS NULL) = (detail IS NULL))
) WITH (fillfactor = 80);

-- The best pool found for a pair, so that a process that starts need not search again.
CREATE TABLE pools (
    chain      text        NOT NULL,
    token      evm_address NOT NULL,
    quote      evm_address NOT NULL,
    pool       text        NOT NULL,
    found_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain, token, quote)
);

-- Uniswap V4 pools of tokens, whatever their fee, spacing and hook. A key never changes, so that none is searched twice.
-- Besides, young pools of other exchanges, by their addresses: found by factory, and kept for their age alone.
CREATE TABLE v4_pools (
    chain      text        NOT NULL,
    id         bytea       NOT NULL CHECK (octet_length(id) = 32),
    currency0  evm_address NOT NULL,
    currency1  evm_address NOT NULL,
    pool       text        NOT NULL,
    -- Null: unknown, and long ago.
    created_at timestamptz,
    found_by   text        NOT NULL CHECK (found_by IN ('log', 'launchpad', 'listing', 'factory')),
    found_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain, id)
);
CREATE INDEX v4_pools_currency0 ON v4_pools (chain, currency0);
CREATE INDEX v4_pools_currency1 ON v4_pools (chain, currency1);

-- How far the logs of a token's V4 pools were read.
CREATE TABLE v4_scans (
    chain      text        NOT NULL,
    token      evm_address NOT NULL,
    -- The next block to read; null: nothing was read yet.
    next_block bigint      CHECK (next_block >= 0),
    -- One process at a time reads on.
    due_at     timestamptz NOT NULL,
    PRIMARY KEY (chain, token)
);

-- Events, written in the transaction that causes them.
CREATE TABLE outbox (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A halted signer belongs to a wallet, not to one job; a missing process and a summary to the whole installation.
    job_id          bigint      REFERENCES jobs,
    trade_id        bigint      REFERENCES trades,
    event           text        NOT NULL,
    payload         jsonb       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    -- When it was handed to its receivers.
    fanned_out_at   timestamptz,
    -- Grows when a field of a payload changes its meaning or goes away.
    payload_version smallint    NOT NULL DEFAULT 1,
    CONSTRAINT outbox_job_or_signer CHECK (job_id IS NOT NULL OR event = 'signer.halted' OR event = 'summary'
                                          OR event LIKE 'service.%')
);
CREATE INDEX outbox_to_fan_out ON outbox (id) WHERE fanned_out_at IS NULL;

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
CREATE TRIGGER gas_paid_append_only BEFORE UPDATE OR DELETE ON gas_paid FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER adjustments_append_only BEFORE UPDATE OR DELETE ON adjustments FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER job_events_append_only BEFORE UPDATE OR DELETE ON job_events FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER transactions_append_only BEFORE UPDATE OR DELETE ON transactions FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER nonce_repairs_append_only BEFORE UPDATE OR DELETE ON nonce_repairs FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER trades_never_deleted BEFORE DELETE ON trades FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER attempts_never_deleted BEFORE DELETE ON attempts FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

-- What a withdrawal pays, and to whom, never changes.
CREATE FUNCTION withdrawals_order_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.realm, NEW.chain, NEW.wallet, NEW.asset, NEW.amount, NEW.takes_all, NEW.receiver, NEW.actor, NEW.request_key)
       IS DISTINCT FROM
       (OLD.realm, OLD.chain, OLD.wallet, OLD.asset, OLD.amount, OLD.takes_all, OLD.receiver, OLD.actor, OLD.request_key) THEN
        RAISE EXCEPTION 'a withdrawal''s amount and receiver never change' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER withdrawals_order_is_fixed BEFORE UPDATE ON withdrawals FOR EACH ROW EXECUTE FUNCTION withdrawals_order_is_fixed();
CREATE TRIGGER withdrawals_never_deleted BEFORE DELETE ON withdrawals FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

-- An attempt's bytes are what was signed; only their outcome may be noted.
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
    IF (NEW.job_id, NEW.slot, NEW.cycle, NEW.side, NEW.reason, NEW.amount_in, NEW.amount_out_min, NEW.value_usd, NEW.plan_price_usd,
        NEW.config_version)
       IS DISTINCT FROM (OLD.job_id, OLD.slot, OLD.cycle, OLD.side, OLD.reason, OLD.amount_in, OLD.amount_out_min, OLD.value_usd,
        OLD.plan_price_usd, OLD.config_version) THEN
        RAISE EXCEPTION 'a trade''s plan is frozen' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status IN ('EXECUTED', 'FAILED', 'DROPPED') AND NEW.status <> OLD.status
       -- Only a fill whose reversal is on record may be undone.
       AND NOT (OLD.status = 'EXECUTED' AND NEW.status = 'SUBMITTED' AND NEW.reopened AND NOT EXISTS (
           SELECT 1 FROM fills f WHERE f.trade_id = OLD.id AND f.kind = 'fill' AND NOT EXISTS (
               SELECT 1 FROM fills r WHERE r.trade_id = f.trade_id AND r.kind = 'reversal' AND r.round = f.round)))
       -- And a failure only while it is not known to be final.
       AND NOT (OLD.status = 'FAILED' AND NEW.status = 'SUBMITTED' AND NEW.reopened AND EXISTS (
           SELECT 1 FROM failure_watches w WHERE w.trade_id = OLD.id))
    THEN
        RAISE EXCEPTION 'a final trade stays final' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trades_plan_is_frozen BEFORE UPDATE ON trades FOR EACH ROW EXECUTE FUNCTION trades_plan_is_frozen();

-- A nonce only grows, except for a repair that is on record.
CREATE FUNCTION signers_nonce_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.next_nonce < OLD.next_nonce
       AND NOT EXISTS (
           SELECT 1 FROM nonce_repairs r
           WHERE (r.realm, r.chain, r.signer) = (OLD.realm, OLD.chain, OLD.address)
             AND (r.from_nonce, r.to_nonce) = (OLD.next_nonce, NEW.next_nonce)
             AND r.repaired_by = pg_current_xact_id())
    THEN
        RAISE EXCEPTION 'a signer''s nonce never goes back' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signers_nonce_only_grows BEFORE UPDATE ON signers FOR EACH ROW EXECUTE FUNCTION signers_nonce_only_grows();

-- Couriers are woken by an event at once. A statement that could have written one and did not wakes nobody.
CREATE FUNCTION outbox_announces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM written) THEN
        PERFORM pg_notify('lgi_mm_outbox', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_announces AFTER INSERT ON outbox REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_announces();
