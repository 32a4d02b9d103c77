//! A database whose clock the test turns.
//!
//! Whatever asks for the time asks `now()` or `clock_timestamp()`, and both are looked up along the search path: here
//! a schema with functions of these names comes before the built-in ones. No statement of the program is changed.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use lgi_mm::store::{self, WAKE_CHANNEL};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub struct Clock {
    pub pool: PgPool,
}

impl Clock {
    /// A migrated database in which it is `now`, and stays so.
    pub async fn at(now: DateTime<Utc>) -> Self {
        let other = testkit::db().await;
        let database = format!("clock_{}", now.timestamp());
        run(&other.pool, &format!("CREATE DATABASE {database}")).await;
        run(
            &other.pool,
            &format!("ALTER DATABASE {database} SET search_path = public, clock, pg_catalog"),
        )
        .await;
        let options = PgConnectOptions::from_str(&other.url)
            .expect("an address")
            .database(&database);
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .connect_lazy_with(options);
        run(
            &pool,
            "CREATE SCHEMA clock;
             CREATE TABLE clock.hands (at timestamptz NOT NULL);
             INSERT INTO clock.hands VALUES (pg_catalog.now());
             CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM clock.hands';
             CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
                 AS 'SELECT at FROM clock.hands';",
        )
        .await;
        let clock = Self { pool };
        // Before the tables are made: their defaults are of this clock, too.
        clock.set(now).await;
        store::migrate(&clock.pool).await.expect("migrations");
        assert_eq!(store::now(&clock.pool).await.expect("now"), now);
        clock
    }

    /// Advances the clock and wakes all that sleep by it.
    pub async fn set(&self, now: DateTime<Utc>) {
        sqlx::query("UPDATE clock.hands SET at = $1")
            .bind(now)
            .execute(&self.pool)
            .await
            .expect("a clock");
        sqlx::query("SELECT pg_notify($1, 'clock')")
            .bind(WAKE_CHANNEL)
            .execute(&self.pool)
            .await
            .expect("a notification");
    }
}

async fn run(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(pool)
        .await
        .expect(sql);
}
