DROP TABLE outbox, price_samples, job_events, adjustments, fills, reservations, attempts, transactions, signers,
    ticks, trades, job_slots, jobs, installation;
DROP FUNCTION jobs_identity_is_fixed, history_is_append_only, attempts_bytes_are_fixed, trades_plan_is_frozen,
    signers_nonce_only_grows;
DROP DOMAIN evm_address, token_amount, usd;
