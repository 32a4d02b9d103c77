//! Whether the ledger is whole: a dump that was restored in part lacks rows, constraints or triggers, and everything
//! that keeps a trade from being made twice is one of these.

use std::collections::HashSet;

use sqlx::PgPool;

use super::StoreError;

/// What the migrations make, by name; a test writes this file from a migrated database.
const STRUCTURE: &str = include_str!("sql/ledger_structure.txt");

const IN_FORCE: &str = include_str!("sql/ledger_structure.sql");
const HOLES: &str = include_str!("sql/ledger_holes.sql");
const HOLES_IN_FULL: &str = include_str!("sql/ledger_holes_in_full.sql");

/// Names shown of what is missing.
const SHOWN_MAX: usize = 3;

/// What to do about a ledger that is not whole.
pub const REMEDY: &str = "stop lgi-mm and restore the whole backup into an empty database (docs/keep-running.md); \
     never add the missing parts by hand";

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The catalog and small tables.
    Short,
    /// Whole tables as well.
    Full,
}

/// The parts of a whole ledger, by name, such as `table public.jobs`.
pub fn parts() -> impl Iterator<Item = &'static str> {
    STRUCTURE.lines().filter(|line| !line.is_empty())
}

/// What the ledger lacks; nothing if it is whole. Parts that our role may not read are not looked at.
///
/// # Errors
/// [`StoreError::Database`].
pub async fn missing(pool: &PgPool, depth: Depth) -> Result<Vec<String>, StoreError> {
    let mut missing = structure(pool).await?;
    // Without its tables there is nothing to count.
    if missing.iter().any(|part| part.starts_with("table ")) {
        return Ok(shown(missing));
    }
    missing = shown(missing);
    missing.extend(holes(pool, HOLES).await?);
    if depth == Depth::Full {
        missing.extend(holes(pool, HOLES_IN_FULL).await?);
    }
    Ok(missing)
}

/// Tables, views and functions in the ledger's schemas that no migration made, by name, such as `table public.orders`.
///
/// # Errors
/// [`StoreError::Database`].
pub async fn strangers(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(IN_FORCE).fetch_all(pool).await?;
    let ours: HashSet<&str> = parts().collect();
    let kinds = ["table ", "view ", "function "];
    let stands_alone = |name: &String| kinds.iter().any(|kind| name.starts_with(kind));
    Ok(names
        .into_iter()
        .filter(|name| stands_alone(name) && !ours.contains(name.as_str()))
        .collect())
}

async fn structure(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(IN_FORCE).fetch_all(pool).await?;
    let in_force: HashSet<&str> = names.iter().map(String::as_str).collect();
    let missing = parts().filter(|line| !in_force.contains(line));
    Ok(missing.map(str::to_owned).collect())
}

/// The first names, and how many more. Tables first: they explain the rest.
#[must_use]
pub fn shown(mut missing: Vec<String>) -> Vec<String> {
    missing.sort_by_key(|part| !part.starts_with("table "));
    let more = missing.len().saturating_sub(SHOWN_MAX);
    missing.truncate(SHOWN_MAX);
    if more > 0 {
        missing.push(format!("{more} more constraints, indexes, triggers or tables"));
    }
    missing
}

async fn holes(pool: &PgPool, sql: &'static str) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query_as::<_, (String, i64)>(sql).fetch_all(pool).await;
    match rows {
        Ok(rows) => Ok(rows
            .into_iter()
            .map(|(what, count)| format!("{what}: {count}"))
            .collect()),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501") => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
