//! Root runs the private server as another user, and that user tries to become root through it.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use lgi_mm::embedded::{EmbeddedError, Options, Server, ensure_database, start_or_join};
use nix::unistd::User;
use sqlx::{Connection, PgConnection, PgPool};

use super::{may_be_others, nobody, ran, shell};

/// A directory that other users can pass through.
fn scratch() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    dir
}

fn start(dir: &Path) -> Result<Server, EmbeddedError> {
    start_or_join(&Options {
        data_dir: Some(dir.to_owned()),
        ..Options::default()
    })
}

/// A file that root alone may read, and what must not change of it.
struct Victim(PathBuf);

impl Victim {
    fn new(dir: &Path, name: &str) -> Self {
        let path = dir.join(name);
        fs::write(&path, "root's own secret\n").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
        Self(path)
    }

    fn assert_untouched(&self, after: &str) {
        let found = fs::metadata(&self.0).expect("it is there");
        assert_eq!((found.uid(), found.mode() & 0o777), (0, 0o600), "after {after}");
        let text = fs::read_to_string(&self.0).expect("it can be read");
        assert_eq!(text, "root's own secret\n", "after {after}");
    }
}

/// Whom earlier versions gave the whole directory to.
fn earlier_user() -> User {
    let postgres = User::from_name("postgres").expect("users");
    postgres.unwrap_or_else(nobody)
}

/// The directory as an earlier version left it, all of it the server's user's.
fn earlier_layout(dir: &Path, user: &User) -> PathBuf {
    let place = dir.join("postgres");
    fs::create_dir(&place).expect("a directory");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).expect("permissions");
    chown(&place, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("theirs");
    place
}

#[test]
fn the_servers_user_can_change_nothing_that_root_works_with() {
    if !may_be_others() {
        return;
    }
    let dir = scratch();
    let victim = Victim::new(dir.path(), "victim");
    let server = start(dir.path()).expect("a server");
    let place = dir.path().join("postgres");
    let owner = fs::metadata(place.join("data")).expect("data");
    assert_ne!(owner.uid(), 0, "PostgreSQL refuses root");
    for attempt in [
        "ln -sf ../victim holders",
        "ln -sf ../victim lock",
        "ln -sf ../victim server.log",
        "ln -sf ../victim pg_hba.conf",
        "ln -s ../victim ack.1-1",
        "ln -s ../victim data.new.77",
        "mv holders elsewhere",
        "mv lock data/",
        "mv data elsewhere",
        "mv socket elsewhere",
        "rm -f answers",
        "mkdir another",
        "echo 'local all all trust' >> pg_hba.conf",
        "echo x >> server.log",
        "cat lock",
        "ls",
        "mv ../postgres ../elsewhere",
    ] {
        let done = ran(shell(owner.uid(), owner.gid(), &place, attempt));
        assert!(!done.status.success(), "the server's user could: {attempt}");
    }
    // Anybody else gets nowhere at all.
    let other = nobody();
    for attempt in ["ls socket", "ls data", "cat server.log", "test -x socket"] {
        let done = ran(shell(other.uid.as_raw(), other.gid.as_raw(), &place, attempt));
        assert!(!done.status.success(), "nobody could: {attempt}");
    }
    drop(server);
    start(dir.path()).expect("it starts again");
    victim.assert_untouched("all attempts");
}

#[test]
fn what_was_planted_in_an_earlier_versions_directory_is_not_followed() {
    if !may_be_others() {
        return;
    }
    for name in [
        "holders",
        "lock",
        "server.log",
        "answers",
        "ended",
        "pg_hba.conf",
        "pg_ident.conf",
        "socket",
    ] {
        let dir = scratch();
        let user = earlier_user();
        let place = earlier_layout(dir.path(), &user);
        let victim = Victim::new(dir.path(), "victim");
        symlink("../victim", place.join(name)).expect("planted");
        symlink("../made-by-root", place.join("ack.1-0")).expect("planted");
        let server = start(dir.path());
        victim.assert_untouched(name);
        assert!(!dir.path().join("made-by-root").exists(), "{name}");
        server.unwrap_or_else(|error| panic!("{name}: {error}"));
        let now = fs::metadata(&place).expect("the directory");
        assert_eq!(
            (now.uid(), now.mode() & 0o777),
            (0, 0o711),
            "{name}: root took it back"
        );
    }
    // A hard link cannot be distinguished from the file.
    let dir = scratch();
    let place = earlier_layout(dir.path(), &earlier_user());
    let victim = Victim::new(dir.path(), "victim");
    for name in ["lock", "holders", "server.log"] {
        fs::hard_link(&victim.0, place.join(name)).expect("planted");
    }
    start(dir.path()).expect("a server");
    victim.assert_untouched("hard links");
}

#[test]
fn data_that_leads_elsewhere_is_refused_and_not_read_by_root() {
    if !may_be_others() {
        return;
    }
    let user = earlier_user();
    let dir = scratch();
    let victim = Victim::new(dir.path(), "victim");
    let place = earlier_layout(dir.path(), &user);
    symlink("/etc", place.join("data")).expect("planted");
    start(dir.path()).expect_err("the data is a link");
    assert_eq!(fs::metadata("/etc").expect("there").uid(), 0);

    let dir = scratch();
    let place = earlier_layout(dir.path(), &user);
    let data = place.join("data");
    fs::create_dir(&data).expect("a directory");
    chown(&data, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("theirs");
    symlink(&victim.0, data.join("PG_VERSION")).expect("planted");
    let refused = start(dir.path())
        .expect_err("there is no such version")
        .to_string();
    assert!(!refused.contains("secret"), "{refused}");
    victim.assert_untouched("a version that leads elsewhere");
}

/// What the review did: names are swapped as fast as the machine can while root starts the server.
#[test]
fn swapping_names_while_root_starts_wins_nothing() {
    if !may_be_others() {
        return;
    }
    const SWAP: &str = "while :; do for n in holders lock server.log answers data.new socket; do \
                        ln -sf ../victim $n.x; mv -fT $n.x $n; rm -f $n; done; done 2>/dev/null";
    let user = earlier_user();
    for round in 0..4 {
        let dir = scratch();
        let victim = Victim::new(dir.path(), "victim");
        let place = earlier_layout(dir.path(), &user);
        let mut swapping = shell(user.uid.as_raw(), user.gid.as_raw(), &place, SWAP)
            .spawn()
            .expect("a shell");
        std::thread::sleep(Duration::from_millis(30 * round));
        // Whether it starts is up to luck; what it does to others is not.
        let started = start(dir.path());
        swapping.kill().expect("it runs");
        swapping.wait().expect("an end");
        victim.assert_untouched("a race");
        drop(started);
        start(dir.path()).expect("nobody can disturb it any more");
        victim.assert_untouched("a race and another start");
    }
}

#[test]
fn root_refuses_a_directory_that_somebody_else_could_swap() {
    if !may_be_others() {
        return;
    }
    let dir = scratch();
    let other = nobody();
    let theirs = dir.path().join("theirs");
    fs::create_dir_all(theirs.join("data")).expect("a directory");
    chown(&theirs, Some(other.uid.as_raw()), None).expect("theirs");
    for below in ["", "data", "not/there/yet"] {
        let refused = start(&theirs.join(below))
            .expect_err("another's directory")
            .to_string();
        let named = theirs.canonicalize().expect("it is there").display().to_string();
        assert!(
            refused.contains(&named) && refused.contains("LGI_MM_DATA_DIR"),
            "{refused}"
        );
    }
    assert!(!theirs.join("not").exists(), "nothing was made there");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_is_no_superuser_of_its_private_server() {
    let dir = scratch();
    let server = start(dir.path()).expect("a server");
    ensure_database(&server, "app").await.expect("a database");
    let pool = PgPool::connect(&server.app_url("app")).await.expect("it answers");
    lgi_mm::store::migrate(&pool)
        .await
        .expect("migrations as the program's own role");
    let might: bool = sqlx::query_scalar(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&pool)
    .await
    .expect("a role");
    assert!(!might, "it is a role without rights over others");
    for attempt in [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "CREATE ROLE more SUPERUSER",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE postgres",
        "ALTER SYSTEM SET archive_command = 'id'",
    ] {
        let refused = sqlx::raw_sql(attempt).execute(&pool).await.expect_err(attempt);
        let code = refused
            .as_database_error()
            .and_then(|error| error.code().map(|code| code.to_string()));
        assert_eq!(code.as_deref(), Some("42501"), "{attempt}: {refused}");
    }
    // No role that is created later can log in without a password.
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("it answers");
    sqlx::query("CREATE ROLE another LOGIN")
        .execute(&mut admin)
        .await
        .expect("a role");
    let another = server.url("app").replacen("postgres@", "another@", 1);
    PgConnection::connect(&another)
        .await
        .expect_err("it has no password");
}

/// As with the data of an earlier version, in which the superuser did everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_superusers_database_is_handed_over_whole() {
    let dir = scratch();
    let server = start(dir.path()).expect("a server");
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("it answers");
    sqlx::query("CREATE DATABASE app")
        .execute(&mut admin)
        .await
        .expect("a database");
    let before = PgPool::connect(&server.url("app")).await.expect("it answers");
    lgi_mm::store::migrate(&before)
        .await
        .expect("migrations as superuser");
    before.close().await;
    for _ in 0..2 {
        ensure_database(&server, "app")
            .await
            .expect("handed over, and no second time");
    }
    let pool = PgPool::connect(&server.app_url("app")).await.expect("it answers");
    lgi_mm::store::migrate(&pool).await.expect("nothing is missing");
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relowner <> 'lgi_mm'::regrole AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
         UNION ALL SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.proowner <> 'lgi_mm'::regrole AND n.nspname NOT IN ('pg_catalog', 'information_schema')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')",
    )
    .fetch_all(&pool)
    .await
    .expect("owners");
    assert_eq!(left, Vec::<String>::new());
    sqlx::raw_sql("ALTER TABLE jobs ADD COLUMN x int; ALTER TABLE jobs DROP COLUMN x")
        .execute(&pool)
        .await
        .expect("later migrations can change it");
}
