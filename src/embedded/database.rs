//! The program's own database in the private server. The program works as `lgi_mm`, which owns its database and nothing
//! else.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{
    error::EmbeddedError,
    roles::{ADMIN, APP},
    server::Server,
};

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
            // Last: a process that was interrupted before it begins again.
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
