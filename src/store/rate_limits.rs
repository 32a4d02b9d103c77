//! A token bucket in the database: an outside API counts our requests, not our processes.

use std::time::Duration;

use sqlx::PgPool;

/// Part of a minute's requests that may be made at once. The rest is spread over the minute, so that no window of 60
/// seconds ever exceeds the limit.
const BURST_DIVISOR: f64 = 5.0;
/// Longest retry-after of the API that is obeyed.
const HOLD_OFF_MAX: Duration = Duration::from_secs(300);

/// A number of requests per minute that all processes share.
#[derive(Debug)]
pub struct RateLimit {
    pool: PgPool,
    name: &'static str,
    burst: f64,
    per_second: f64,
}

/// A request that may not be made now.
#[derive(Debug, thiserror::Error)]
pub enum RateLimited {
    /// The next free request would come too late for the caller.
    #[error("the rate limit shared by all workers is used up")]
    UsedUp,
    /// The number of requests made is unknown.
    #[error("the shared rate limit cannot be read: {}", super::refusal::explain(.0))]
    Database(#[from] sqlx::Error),
}

impl RateLimit {
    /// `a_minute` requests in any 60 seconds, at least 1.
    #[must_use]
    pub fn new(pool: PgPool, name: &'static str, a_minute: u32) -> Self {
        let limit = f64::from(a_minute.max(1));
        let burst = (limit / BURST_DIVISOR).max(1.0);
        let spread = (limit - burst).max(0.5);
        Self {
            pool,
            name,
            burst,
            per_second: spread / 60.0,
        }
    }

    /// Takes a turn, now or up to `patience` ahead, and waits for it. A turn ahead is a debt of the bucket:
    /// one statement a request however many wait, and first come, first served.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub async fn turn(&self, patience: Duration) -> Result<(), RateLimited> {
        let left = sqlx::query_scalar!(
            r#"INSERT INTO rate_limits AS bucket (name, tokens, updated_at)
               VALUES ($1, $2::float8 - 1, clock_timestamp())
               ON CONFLICT (name) DO UPDATE SET
                   tokens = least($2, bucket.tokens + $3::float8
                       * greatest(0, extract(epoch FROM clock_timestamp() - bucket.updated_at))::float8) - 1,
                   updated_at = clock_timestamp()
               WHERE bucket.tokens + $3
                   * greatest(0, extract(epoch FROM clock_timestamp() - bucket.updated_at))::float8
                   >= 1 - $3 * $4::float8
               RETURNING tokens"#,
            self.name,
            self.burst,
            self.per_second,
            patience.as_secs_f64(),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(RateLimited::UsedUp)?;
        let ahead = Duration::try_from_secs_f64(-left / self.per_second).unwrap_or_default();
        tokio::time::sleep(ahead).await;
        Ok(())
    }

    /// Stops the requests of all processes for `span`, as the API asked.
    ///
    /// # Errors
    /// [`RateLimited::Database`].
    pub async fn hold_off(&self, span: Duration) -> Result<(), RateLimited> {
        sqlx::query!(
            "UPDATE rate_limits SET
                 tokens = least(1 - $2::float8 * $3::float8, tokens + $2
                     * greatest(0, extract(epoch FROM clock_timestamp() - updated_at))::float8),
                 updated_at = clock_timestamp()
             WHERE name = $1",
            self.name,
            self.per_second,
            span.min(HOLD_OFF_MAX).as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
