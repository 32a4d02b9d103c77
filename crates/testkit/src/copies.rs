//! Many jobs at little cost: copies of one that the program's own code created and started.

use sqlx::PgPool;

/// Copies the job `model` this many times, each with a token of its own; `wallets`: how many wallets they share. The
/// first copy's token is 1, the next one's 2, and so on, 20 bytes.
pub async fn copy_job(pool: &PgPool, model: i64, copies: i64, wallets: i64) {
    let jobs = "INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address,
                    quote_symbol, quote_decimals, mode, status, cycle, config, config_version, version, started_at)
                SELECT realm, chain, '0x' || lpad(to_hex(1000000 + n % $3), 40, '0'), '0x' || lpad(to_hex(n), 40, '0'),
                    token_symbol, token_decimals, quote_address, quote_symbol, quote_decimals, mode, status, cycle,
                    config, config_version, version, started_at
                FROM jobs, generate_series(1, $2) n WHERE id = $1";
    sqlx::query(jobs)
        .bind(model)
        .bind(copies)
        .bind(wallets)
        .execute(pool)
        .await
        .expect("copies");
    let slots = "INSERT INTO job_slots (job_id, next_slot, due_at)
                 SELECT j.id, s.next_slot, s.due_at FROM jobs j, job_slots s WHERE s.job_id = $1 AND j.id <> $1";
    sqlx::query(slots).bind(model).execute(pool).await.expect("slots");
}
