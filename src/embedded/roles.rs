//! Who may be whom in the private server's database.
//!
//! The program works as `lgi_mm`, which owns its database and nothing else. Only the operating system's user who
//! started the server may be a role of it; no password is involved.

use std::{io::Write, path::PathBuf};

use nix::unistd::{Uid, User};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{EmbeddedError, Server, owned, place::Place};

/// The bootstrap superuser: makes databases, and nothing else.
pub(super) const ADMIN: &str = "postgres";
/// What the program works as.
pub(super) const APP: &str = "lgi_mm";
/// The name of the map in `pg_ident.conf`.
const MAP: &str = "lgi_mm";

/// Hands what the superuser made in an earlier version to the program's role. Members of extensions stay whose they are.
const HAND_OVER: &str = r"
DO $$
DECLARE
    target record;
BEGIN
    FOR target IN
        SELECT format('ALTER SCHEMA %I OWNER TO lgi_mm', nspname) AS statement
        FROM pg_namespace
        WHERE nspowner = 'postgres'::regrole AND nspname !~ '^pg_' AND nspname <> 'information_schema'
        UNION ALL
        SELECT format('ALTER %s %s OWNER TO lgi_mm',
                      CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                           ELSE 'TABLE' END, c.oid::regclass)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relowner = 'postgres'::regrole AND c.relkind IN ('r', 'p', 'S', 'v', 'm')
          AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                                    AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype IN ('a', 'i')))
        UNION ALL
        SELECT format('ALTER ROUTINE %s OWNER TO lgi_mm', p.oid::regprocedure)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proowner = 'postgres'::regrole AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                                                    AND d.deptype = 'e')
        UNION ALL
        SELECT format('ALTER TYPE %s OWNER TO lgi_mm', t.oid::regtype)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typowner = 'postgres'::regrole AND t.typtype IN ('e', 'd') AND n.nspname !~ '^pg_'
          AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid
                                                    AND d.deptype = 'e')
    LOOP
        EXECUTE target.statement;
    END LOOP;
END $$";

/// Writes who may connect, beside the data: the server's user can read it and not change it. `open` lets us be any
/// role, for tests that make their own.
///
/// # Errors
/// [`EmbeddedError`].
pub(super) fn write_access(place: &Place, open: bool) -> Result<(), EmbeddedError> {
    let uid = Uid::effective();
    let us = User::from_uid(uid).ok().flatten();
    let us = us.ok_or(EmbeddedError::NoName(uid.as_raw()))?.name;
    let quoted = us.replace('"', "\"\"");
    let others = if open { "trust" } else { "scram-sha-256" };
    let access = format!(
        "# Written at each start. Nothing listens but a socket that only its owner can reach.\n\
         local all {ADMIN} peer map={MAP}\nlocal all {APP} peer map={MAP}\nlocal all all {others}\n"
    );
    let names = format!("{MAP} \"{quoted}\" {ADMIN}\n{MAP} \"{quoted}\" {APP}\n");
    for (path, text) in [(access_file(place), access), (names_file(place), names)] {
        let written = owned::fresh(&path, 0o644).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| EmbeddedError::Path { path, source })?;
    }
    Ok(())
}

/// `pg_hba.conf`.
pub(super) fn access_file(place: &Place) -> PathBuf {
    place.file("pg_hba.conf")
}

/// `pg_ident.conf`.
pub(super) fn names_file(place: &Place) -> PathBuf {
    place.file("pg_ident.conf")
}

/// Makes a database of the server that belongs to the program's role, if it is not there; one that an earlier version
/// made as superuser is handed over.
///
/// # Errors
/// [`EmbeddedError::Database`].
pub async fn ensure_database(server: &Server, name: &str) -> Result<(), EmbeddedError> {
    let mut admin = PgConnection::connect(&server.url(ADMIN)).await?;
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(APP)
        .fetch_one(&mut admin)
        .await?;
    if !known {
        let role = format!("CREATE ROLE {APP} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION");
        unless_there(&mut admin, role).await?;
    }
    let owner: Option<String> =
        sqlx::query_scalar("SELECT datdba::regrole::text FROM pg_database WHERE datname = $1")
            .bind(name)
            .fetch_optional(&mut admin)
            .await?;
    let quoted = name.replace('"', "\"\"");
    match owner.as_deref() {
        None => unless_there(&mut admin, format!("CREATE DATABASE \"{quoted}\" OWNER {APP}")).await?,
        Some(ADMIN) => {
            let mut inside = PgConnection::connect(&server.url(name)).await?;
            sqlx::query(HAND_OVER).execute(&mut inside).await?;
            inside.close().await?;
            // Last: whoever was interrupted before it begins again.
            let owner = format!("ALTER DATABASE \"{quoted}\" OWNER TO {APP}");
            sqlx::query(AssertSqlSafe(owner)).execute(&mut admin).await?;
        }
        Some(_) => {}
    }
    admin.close().await?;
    Ok(())
}

/// Another process may be faster: `duplicate_object`, `duplicate_database`, or their unique index.
async fn unless_there(connection: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    match sqlx::query(AssertSqlSafe(statement)).execute(connection).await {
        Err(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("42P04" | "42710" | "23505")) =>
        {
            Ok(())
        }
        other => other.map(|_| ()),
    }
}
