//! What an error of PostgreSQL, or of a pooler in front of it, means, and what to do about it: one table for every
//! command, `doctor`, `/readyz`, the log and docs/database.md.

use std::{fmt, io};

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The SQLSTATE; empty if the driver or one of our own checks reports it.
    pub code: &'static str,
    /// What the message must contain, in lower case; empty for any message.
    pub words: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.means, self.remedy)
    }
}

const fn row(code: &'static str, words: &'static str, means: &'static str, remedy: &'static str) -> Refusal {
    Refusal {
        code,
        words,
        means,
        remedy,
    }
}

/// Rows as `code words: means => remedy;`.
macro_rules! table {
    ($($code:literal $words:literal: $means:expr => $remedy:expr;)*) => {
        &[$(row($code, $words, $means, $remedy)),*]
    };
}

const USE_SESSION_MODE: &str = "set pool_mode = session for this database (pgbouncer), or point DATABASE_URL at the \
                                server itself instead of the pooler";
const RAISE_THE_POOL: &str = "raise the pooler's pool (pgbouncer: default_pool_size, max_client_conn), lower \
                              database.pool_max, or point DATABASE_URL at the server itself; docs/scale-out.md says \
                              how many connections a process needs";
const RAISE_THE_LIMIT: &str = "raise max_connections, or the CONNECTION LIMIT of the role or database, or lower \
                               database.pool_max; docs/scale-out.md says how many connections a process needs";
const ASK_THE_PRIMARY: &str = "point DATABASE_URL at the primary; if this is the primary, set \
                               default_transaction_read_only = off for the server, the database and the role";
const FREE_THE_DISK: &str =
    "free or add space where the server keeps its data and WAL; inactive replication slots keep WAL";
const CHECK_THE_LOGIN: &str =
    "check the user and the password in DATABASE_URL, database.password_file or PGPASSWORD";
/// What doctor says of a ledger that is not whole, `integrity::REMEDY`, goes before a migration.
const RESTORE_OR_MIGRATE: &str = "run `lgi-mm doctor`: if it says that the ledger is not whole, restore the whole dump; \
                                  otherwise run `lgi-mm migrate` as the role that owns the database";
const UNSTORABLE: &str = "a text holds a NUL character (U+0000), which PostgreSQL does not store";
const LEAVE_IT_OUT: &str =
    "leave it out of what was given; if nothing that was given has one, report it, with the server's log";
const REPORT_IT: &str = "report it, with the server's log";
const MIGRATE: &str = "run `lgi-mm migrate` as the role that owns the database";

/// One server process serves several sessions: nothing that belongs to a session works.
pub const SHARED_SESSIONS: Refusal = row(
    "",
    "",
    "a pooler in transaction or statement mode is in front of the database: its sessions share server processes, so \
     prepared statements, LISTEN and advisory locks do not work",
    USE_SESSION_MODE,
);

/// It takes no writes.
pub const READ_ONLY: Refusal = row(
    "25006",
    "",
    "the database is read-only (a standby, or default_transaction_read_only = on)",
    ASK_THE_PRIMARY,
);

/// Made by `CREATE DATABASE .. ENCODING 'LATIN1'`.
pub const NOT_UTF8: Refusal = row(
    "",
    "",
    "the database's encoding is not UTF8",
    "create it with ENCODING 'UTF8' TEMPLATE template0, then run `lgi-mm migrate`",
);

/// Our migrations and statements need a newer server.
pub const TOO_OLD: Refusal = row(
    "",
    "",
    "the server is older than PostgreSQL 15",
    "upgrade it to PostgreSQL 15 or newer, or point DATABASE_URL at another server",
);

/// No connection became free.
const NO_CONNECTION_FREE: Refusal = row(
    "",
    "",
    "no connection to the database within the time allowed: the server does not answer, or all connections that it or \
     its pooler allows are in use",
    "check host, port and firewall; then raise the pooler's pool (pgbouncer: default_pool_size, max_client_conn) or \
     max_connections, or lower database.pool_max: docs/scale-out.md says how many a process needs",
);

const REFUSES_TCP: Refusal = row(
    "",
    "",
    "no server listens at that address",
    "start PostgreSQL, or correct host and port in DATABASE_URL",
);

const NO_SUCH_HOST: Refusal = row(
    "",
    "",
    "the host or socket of DATABASE_URL cannot be reached",
    "correct host and port in DATABASE_URL, and check name resolution, firewall and that the server runs",
);

const CUT_OFF: Refusal = row(
    "",
    "",
    "the connection to the database was cut",
    "see the server's log; if a pooler or firewall is in between, see its log and its timeouts too",
);

const NO_TLS: Refusal = row(
    "",
    "",
    "TLS with the database failed",
    "turn on ssl in the server, or correct sslmode in DATABASE_URL and database.ssl_root_cert: docs/security.md",
);

/// What is found by connecting, or by the driver: no message of the server.
pub const BY_PROBE: &[Refusal] = &[
    SHARED_SESSIONS,
    NOT_UTF8,
    TOO_OLD,
    NO_CONNECTION_FREE,
    REFUSES_TCP,
    NO_SUCH_HOST,
    CUT_OFF,
    NO_TLS,
];

/// In this order: the first row that fits counts.
pub const TABLE: &[Refusal] = table! {
    // A pooler, by its messages.
    "42P05" "": SHARED_SESSIONS.means => USE_SESSION_MODE;
    "26000" "": SHARED_SESSIONS.means => USE_SESSION_MODE;
    "" "transaction blocks not allowed in statement pooling": SHARED_SESSIONS.means => USE_SESSION_MODE;
    "" "query_wait_timeout": "the pooler had no free server connection in time" => RAISE_THE_POOL;
    "" "max_client_conn": "the pooler accepts no more clients" => RAISE_THE_POOL;
    "" "no more connections allowed": "the pooler accepts no more clients" => RAISE_THE_POOL;
    "" "max clients reached": "the pooler accepts no more clients" => RAISE_THE_POOL;
    "08P01" "unsupported startup parameter": "the pooler refuses a parameter of the connection"
        => "set ignore_startup_parameters = extra_float_digits,options in the pooler (pgbouncer)";
    "08P01" "no such database": "the pooler does not know that database"
        => "correct the database name in DATABASE_URL, or add it to the pooler's [databases]";
    "08P01" "no such user": "the pooler does not know that user" => CHECK_THE_LOGIN;
    "08P01" "server login": "the pooler cannot log in at the server"
        => "see the pooler's log; check that the server runs and accepts the pooler's user";
    "08P01" "auth": "the pooler refuses the login" => CHECK_THE_LOGIN;
    "08P01" "cannot connect to server": "the pooler cannot reach the server"
        => "see the pooler's log; check that the server runs and that the pooler has its address";
    "08P01" "timeout": "the pooler ended the connection after one of its timeouts"
        => "raise query_timeout, client_idle_timeout and idle_transaction_timeout of the pooler, or set them to 0";
    "08P01" "shut": "the pooler is stopping" => "start the pooler again; the process retries by itself";
    "08P01" "": "the server or pooler does not speak the protocol as expected"
        => "check that DATABASE_URL points at PostgreSQL or at a pooler in session mode";
    // Whether we may come in.
    "28P01" "": "the password is wrong" => CHECK_THE_LOGIN;
    "28000" "pg_hba.conf": "the server's pg_hba.conf does not let this user in from here"
        => "add a line for this host, user and database to pg_hba.conf and reload it; if the message says \"no \
            encryption\", set sslmode=verify-full in DATABASE_URL";
    "28000" "is not permitted to log in": "the role may not log in"
        => "ALTER ROLE .. LOGIN, or use another role in DATABASE_URL";
    "28000" "does not exist": "there is no such role" => "correct the user in DATABASE_URL, or CREATE ROLE .. LOGIN";
    "28000" "": "the server refuses the login" => CHECK_THE_LOGIN;
    "3D000" "": "there is no such database"
        => "correct the database name in DATABASE_URL, or CREATE DATABASE .. ENCODING 'UTF8', then run `lgi-mm \
            migrate`";
    "55000" "accepting connections": "the database accepts no connections"
        => "ALTER DATABASE .. ALLOW_CONNECTIONS true, or correct the name in DATABASE_URL";
    "53300" "": "the server accepts no more connections" => RAISE_THE_LIMIT;
    "57P03" "hot standby": "the server is a standby that accepts no queries" => ASK_THE_PRIMARY;
    "57P03" "": "the server is starting, stopping or recovering"
        => "wait until it accepts connections, or raise database.connect_timeout; its log says how far it is";
    "57P01" "": "the server ended the connection: it is stopping, or an administrator ended the session"
        => "start the server again if it was stopped; the process retries by itself";
    "57P02" "": "the server ended all connections because one of its processes crashed"
        => "see the server's log for the cause; it recovers by itself";
    "57P04" "": "the database was dropped" => "restore it from a backup, or correct the name in DATABASE_URL";
    "57P05" "": "the session was idle for too long" => "set idle_session_timeout = 0 for our roles";
    "25P03" "": "a transaction was idle for too long: this process was held up"
        => "see the machine's load; idle_in_transaction_session_timeout is 20s unless DATABASE_URL sets it";
    "25P04" "": "a transaction took longer than transaction_timeout" => "set transaction_timeout = 0 for our roles";
    // Whether it takes our writes.
    "25006" "": READ_ONLY.means => READ_ONLY.remedy;
    "53100" "": "the server's disk is full" => FREE_THE_DISK;
    "" "no space left on device": "the server's disk is full" => FREE_THE_DISK;
    "53200" "max_locks_per_transaction": "the server's lock table is full"
        => "raise max_locks_per_transaction and restart the server";
    "53200" "shared memory": "the server's lock table is full"
        => "raise max_locks_per_transaction and restart the server";
    "53200" "": "the server is out of memory" => "give it more memory, or lower work_mem and max_connections";
    "53000" "": "the server is out of a resource" => "see the server's log for which one";
    "53400" "": "a limit of the server's settings is reached" => "see the server's log for which one, and raise it";
    "54000" "": "a limit of PostgreSQL is reached" => REPORT_IT;
    "58030" "": "the server cannot read or write its files" => "see the server's log, and check its disk";
    "58P01" "extension": "the server lacks an extension that lgi-mm needs"
        => "install PostgreSQL's contrib package: hstore and pgcrypto";
    "0A000" "extension": "the server lacks an extension that lgi-mm needs"
        => "install PostgreSQL's contrib package: hstore and pgcrypto";
    "58P01" "": "a file of the server is missing" => "see the server's log; restore from a backup if data is lost";
    "XX001" "": "the server's data is damaged" => "stop lgi-mm, check the disk, and restore from a backup";
    "XX002" "": "an index is damaged" => "REINDEX DATABASE, and check the disk";
    "42501" "extension": "this role may not create extensions"
        => "CREATE EXTENSION hstore; CREATE EXTENSION pgcrypto; in that database as a superuser, or run `lgi-mm \
            migrate` as the role that owns the database";
    "42501" "for schema": "this role may not use or create tables in that schema"
        => "run `lgi-mm migrate` as the role that owns the database, or GRANT CREATE, USAGE ON SCHEMA public to \
            this role";
    "42501" "for database \"": "this role may not connect to this database"
        => "GRANT CONNECT ON DATABASE .. to this role, or use the role for this kind of process: docs/scale-out.md";
    "42501" "for database": "this role may not create schemas in the database"
        => "run `lgi-mm migrate` as the role that owns the database, or GRANT CREATE ON DATABASE .. to this role";
    "42501" "must be owner": "this role does not own the tables" => "run it as the role that owns the database";
    "42501" "": "this role lacks a right"
        => "use the role for this kind of process (docs/scale-out.md), and run `lgi-mm migrate` as the owner: it \
            grants what they need";
    // The tables are not those of this version.
    "42P01" "": "a table is missing: another version's schema, or a restore that is not complete" => RESTORE_OR_MIGRATE;
    "3F000" "": "a schema is missing: another version's schema, or a restore that is not complete" => RESTORE_OR_MIGRATE;
    "42703" "": "a column is missing: another version's schema" => MIGRATE;
    "42883" "": "a function is missing: another version's schema, or a restore that is not complete" => RESTORE_OR_MIGRATE;
    "42704" "": "a type or setting is missing: another version's schema, or a server that is too old" => MIGRATE;
    "22021" "": UNSTORABLE => LEAVE_IT_OUT;
    "22P05" "": UNSTORABLE => LEAVE_IT_OUT;
    "55006" "": "another session is using it" => "stop the other processes that use this database, then run it again";
    // Waiting.
    "57014" "statement timeout": "a statement took longer than statement_timeout"
        => "set statement_timeout = 0 for our roles, or find what slows the server: locks, disk, load";
    "57014" "": "a statement was cancelled from outside" => "see the server's log for who cancelled it";
    "55P03" "": "a lock was not free within lock_timeout"
        => "set lock_timeout = 0 for our roles, or find who holds the lock: pg_locks";
    "40P01" "": "two transactions waited for each other" => "run it again; services retry by themselves";
    "40001" "": "another transaction came first" => "run it again; services retry by themselves";
};

/// What is known of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What happened, with what the server said.
    pub what: String,
    /// What to do; none for an error that the table does not know.
    pub remedy: Option<&'static str>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.remedy.map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

impl From<Refusal> for Explained {
    fn from(refusal: Refusal) -> Self {
        Self {
            what: refusal.means.to_owned(),
            remedy: Some(refusal.remedy),
        }
    }
}

/// Looks an error up in the table.
#[must_use]
pub fn explain(error: &sqlx::Error) -> Explained {
    match error {
        sqlx::Error::Database(said) => of_server(said.code().as_deref().unwrap_or_default(), said.message()),
        sqlx::Error::Migrate(error) => of_migration(error),
        sqlx::Error::PoolTimedOut => NO_CONNECTION_FREE.into(),
        sqlx::Error::Tls(said) => of_driver(NO_TLS, said),
        sqlx::Error::Io(said) => of_driver(of_io(said.kind()), said),
        sqlx::Error::Configuration(said) => Explained {
            what: format!("DATABASE_URL is not a connection string: {said}"),
            remedy: Some("write it as postgres://user:password@host:5432/database"),
        },
        other => of_server("", &other.to_string()),
    }
}

/// As [`explain`], of an error of a migration.
#[must_use]
pub fn of_migration(error: &sqlx::migrate::MigrateError) -> Explained {
    use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
    match error {
        Execute(error) | ExecuteMigration(error, _) => explain(error),
        other => Explained {
            what: other.to_string(),
            remedy: None,
        },
    }
}

/// As [`explain`], of a SQLSTATE and a message.
fn of_server(code: &str, message: &str) -> Explained {
    let lower = message.to_lowercase();
    let fits = |row: &&Refusal| {
        (row.code == code || row.code.is_empty())
            && lower.contains(row.words)
            && !(row.code.is_empty() && row.words.is_empty())
    };
    let known = TABLE.iter().find(fits);
    let said = if code.is_empty() {
        message.to_owned()
    } else {
        format!("{message} (SQLSTATE {code})")
    };
    Explained {
        what: known.map_or_else(|| said.clone(), |row| format!("{}: {said}", row.means)),
        remedy: known.map(|row| row.remedy),
    }
}

fn of_driver(refusal: Refusal, said: &dyn fmt::Display) -> Explained {
    Explained {
        what: format!("{}: {said}", refusal.means),
        remedy: Some(refusal.remedy),
    }
}

const fn of_io(kind: io::ErrorKind) -> Refusal {
    match kind {
        io::ErrorKind::ConnectionRefused => REFUSES_TCP,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => CUT_OFF,
        _ => NO_SUCH_HOST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SQLSTATE, message, part of the meaning, part of the remedy.
    const SAID: [(&str, &str, &str, &str); 18] = [
        (
            "08P01",
            "server login has been failing, try again later (server_login_retry)",
            "cannot log in at the server",
            "pooler's log",
        ),
        (
            "08P01",
            "server login failed: none of the server's SASL authentication mechanisms are supported",
            "cannot log in at the server",
            "pooler's log",
        ),
        (
            "42P05",
            "prepared statement \"sqlx_s_7\" already exists",
            "transaction or statement mode",
            "pool_mode = session",
        ),
        (
            "26000",
            "prepared statement \"sqlx_s_3\" does not exist",
            "transaction or statement mode",
            "pool_mode = session",
        ),
        (
            "08P01",
            "transaction blocks not allowed in statement pooling mode",
            "statement mode",
            "pool_mode = session",
        ),
        (
            "08P01",
            "query_wait_timeout",
            "no free server connection",
            "default_pool_size",
        ),
        (
            "08P01",
            "no more connections allowed (max_client_conn)",
            "no more clients",
            "max_client_conn",
        ),
        (
            "53300",
            "sorry, too many clients already",
            "no more connections",
            "max_connections",
        ),
        (
            "53300",
            "too many connections for role \"x\"",
            "no more connections",
            "CONNECTION LIMIT",
        ),
        (
            "42501",
            "permission denied to create extension \"hstore\"",
            "may not create extensions",
            "CREATE EXTENSION hstore",
        ),
        (
            "42501",
            "permission denied for schema public",
            "in that schema",
            "ON SCHEMA public",
        ),
        (
            "42501",
            "permission denied for table jobs",
            "lacks a right",
            "docs/scale-out.md",
        ),
        (
            "53100",
            "could not extend file \"base/5/1\": No space left on device",
            "disk is full",
            "WAL",
        ),
        (
            "58030",
            "could not write to file: No space left on device",
            "disk is full",
            "WAL",
        ),
        (
            "25006",
            "cannot execute INSERT in a read-only transaction",
            "read-only",
            "primary",
        ),
        (
            "57014",
            "canceling statement due to statement timeout",
            "statement_timeout",
            "statement_timeout = 0",
        ),
        (
            "28000",
            "no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", no encryption",
            "pg_hba.conf",
            "sslmode",
        ),
        (
            "3D000",
            "database \"x\" does not exist",
            "no such database",
            "CREATE DATABASE",
        ),
    ];

    #[test]
    fn what_a_server_or_pooler_says_is_known_by_code_and_words() {
        for (code, message, means, remedy) in SAID {
            let told = of_server(code, message);
            let advice = told.remedy.expect(message);
            assert!(told.what.contains(means) && told.what.contains(message), "{told}");
            assert!(advice.contains(remedy), "{told}");
        }
        let unknown = of_server("22012", "division by zero");
        assert_eq!(unknown.to_string(), "division by zero (SQLSTATE 22012)");
    }

    #[test]
    fn every_row_can_be_reached() {
        for (at, row) in TABLE.iter().enumerate() {
            let before = TABLE.iter().take(at).find(|earlier| {
                (earlier.code.is_empty() || earlier.code == row.code) && row.words.contains(earlier.words)
            });
            assert_eq!(before, None, "{row:?}");
        }
    }
}
