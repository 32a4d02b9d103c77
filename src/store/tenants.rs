//! What a database holds before a dump is restored into it, and who else uses it.

use sqlx::PgPool;

use super::{StoreError, integrity};

/// Names shown of what a database holds.
const SHOWN_MAX: i64 = 5;

/// Tables, views and sequences that belong to no extension, ours or not. Not checked when we are compiled: there may be
/// none of our tables.
const RELATIONS: &str = "
    SELECT n.nspname || '.' || c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY (n.nspname IN ('public', 'paper', 'apalis')), 1";

/// Rows that a ledger lacks until its owner gives the first order.
const ROWS: &str = "
    SELECT (SELECT count(*) FROM public.jobs) + (SELECT count(*) FROM public.trades) + (SELECT count(*) FROM public.signers)
         + (SELECT count(*) FROM public.audit WHERE action <> 'migrate')";

const JOBS: &str = "
    SELECT format('%s (%s on %s, %s, %s)', id, token_symbol, chain, realm,
                  CASE WHEN archived_at IS NULL THEN status ELSE 'removed' END)
    FROM public.jobs ORDER BY archived_at IS NOT NULL, id LIMIT $1";

const COUNTS: &str = "SELECT (SELECT count(*) FROM public.jobs), (SELECT count(*) FROM public.trades)";

/// Removes all that migrations made, and nothing of an extension.
const CLEAR: &str = "
DO $$
DECLARE
    part record;
BEGIN
    LOCK TABLE public.jobs, public.trades, public.signers, public.audit IN ACCESS EXCLUSIVE MODE;
    IF (SELECT count(*) FROM public.jobs) + (SELECT count(*) FROM public.trades) + (SELECT count(*) FROM public.signers) > 0
    THEN
        RAISE EXCEPTION 'a job was started meanwhile';
    END IF;
    DROP SCHEMA IF EXISTS paper, apalis CASCADE;
    FOR part IN
        SELECT format('DROP TABLE IF EXISTS %s CASCADE', c.oid::regclass) AS statement
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    LOOP
        EXECUTE part.statement;
    END LOOP;
    FOR part IN
        SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure) AS statement
        FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE part.statement;
    END LOOP;
    FOR part IN
        SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype) AS statement
        FROM pg_type t
        WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE part.statement;
    END LOOP;
END $$";

/// Other sessions on this database, by program; autovacuum and replication are none.
const OTHERS: &str = "
    SELECT DISTINCT coalesce(nullif(application_name, ''), 'lgi-mm or another program')
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
      AND coalesce(backend_type, 'client backend') = 'client backend'
    ORDER BY 1";

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// No table.
    Nothing,
    /// Our tables, in which nobody has given an order yet.
    NewLedger,
    /// A ledger in use.
    Ledger {
        /// Jobs, removed ones included.
        jobs: i64,
        /// Trades.
        trades: i64,
        /// The first jobs, in words.
        named: Vec<String>,
    },
    /// Something that is not ours: the first of it, by name.
    Foreign(Vec<String>),
}

/// What the database holds.
///
/// # Errors
/// [`StoreError`].
pub async fn holds(pool: &PgPool) -> Result<Holds, StoreError> {
    let relations: Vec<String> = sqlx::query_scalar(RELATIONS).fetch_all(pool).await?;
    if relations.is_empty() {
        return Ok(Holds::Nothing);
    }
    let ours = [
        "public.installation",
        "public.jobs",
        "public.trades",
        "public.signers",
        "public.audit",
    ];
    let foreign = relations.iter().any(|name| {
        !["public.", "paper.", "apalis."]
            .iter()
            .any(|ours| name.starts_with(ours))
    });
    if foreign
        || !ours
            .iter()
            .all(|table| relations.iter().any(|name| name == table))
    {
        let shown = usize::try_from(SHOWN_MAX).unwrap_or(usize::MAX);
        return Ok(Holds::Foreign(relations.into_iter().take(shown).collect()));
    }
    let rows: i64 = sqlx::query_scalar(ROWS).fetch_one(pool).await?;
    if rows == 0 {
        let strangers = integrity::strangers(pool).await?;
        return Ok(if strangers.is_empty() {
            Holds::NewLedger
        } else {
            Holds::Foreign(strangers)
        });
    }
    let (jobs, trades): (i64, i64) = sqlx::query_as(COUNTS).fetch_one(pool).await?;
    let named = sqlx::query_scalar(JOBS).bind(SHOWN_MAX).fetch_all(pool).await?;
    Ok(Holds::Ledger { jobs, trades, named })
}

/// Removes the tables of a ledger in which nobody has given an order.
///
/// # Errors
/// [`StoreError`], also if a job was started meanwhile; nothing is removed then.
pub async fn clear_new_ledger(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::raw_sql(CLEAR).execute(pool).await?;
    Ok(())
}

/// Which programs have other sessions on this database.
///
/// # Errors
/// [`StoreError`].
pub async fn others(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(OTHERS).fetch_all(pool).await?)
}

/// Numbers of jobs and trades.
///
/// # Errors
/// [`StoreError`].
pub async fn counts(pool: &PgPool) -> Result<(i64, i64), StoreError> {
    Ok(sqlx::query_as(COUNTS).fetch_one(pool).await?)
}

/// The server's major version.
///
/// # Errors
/// [`StoreError`].
pub async fn server_major(pool: &PgPool) -> Result<u32, StoreError> {
    let sql = "SELECT current_setting('server_version_num')::int / 10000";
    let major: i32 = sqlx::query_scalar(sql).fetch_one(pool).await?;
    u32::try_from(major).map_err(|_| StoreError::Corrupt {
        column: "server_version_num",
        value: major.to_string(),
    })
}
