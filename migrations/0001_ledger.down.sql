DROP TABLE signals, api_requests, api_tokens, audit, outbox, v4_scans, v4_pools, pools, sale_proofs, ticks_pruned, price_samples, job_events, adjustments, turns,
    nonce_repairs, foreign_transactions, failure_watches, fill_watches, fills, gas_paid, reservations, attempts, transactions, withdrawals, signers, ticks, trades,
    job_slots, jobs, installation;
DROP FUNCTION first_turn, open_transactions, outbox_announces, jobs_identity_is_fixed, history_is_append_only,
    attempts_bytes_are_fixed, trades_plan_is_frozen, signers_nonce_only_grows, withdrawals_order_is_fixed;
DROP DOMAIN evm_address, token_amount, usd;
