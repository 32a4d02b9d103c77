//! Databases that were restored in part.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_restored_in_part_is_noticed_and_not_traded_with() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    trade(&db, dir.path()).await;
    let (code, text) = said(&mut program(&db.url, dir.path(), &["scheduler", "--once"]));
    assert_eq!(code, Some(0), "whole: {text}");
    for (damage, names, repair) in [
        (
            "CREATE TABLE kept AS SELECT * FROM fills; SET session_replication_role = replica; DELETE FROM fills",
            "fills of executed trades",
            "SET session_replication_role = replica; INSERT INTO fills OVERRIDING SYSTEM VALUE SELECT * FROM kept; DROP TABLE kept",
        ),
        (
            "ALTER TABLE trades DROP CONSTRAINT trades_once_per_slot",
            "constraint public.trades.trades_once_per_slot",
            "ALTER TABLE trades ADD CONSTRAINT trades_once_per_slot UNIQUE (job_id, slot)",
        ),
        (
            "DROP INDEX trades_one_open_per_job",
            "index public.trades_one_open_per_job",
            "CREATE UNIQUE INDEX trades_one_open_per_job ON trades (job_id)
             WHERE status IN ('PENDING', 'SUBMITTED') AND NOT reopened",
        ),
        (
            "ALTER TABLE fills DISABLE TRIGGER ALL",
            "trigger public.fills.",
            "ALTER TABLE fills ENABLE TRIGGER ALL",
        ),
        (
            "SELECT setval('trades_id_seq', 1, false)",
            "numbers of trades",
            "SELECT setval('trades_id_seq', 99999)",
        ),
        (
            "CREATE TABLE kept AS SELECT * FROM installation; SET session_replication_role = replica; DELETE FROM installation",
            "the row of installation",
            "SET session_replication_role = replica; INSERT INTO installation SELECT * FROM kept; DROP TABLE kept",
        ),
        (
            "ALTER TABLE adjustments RENAME TO gone",
            "table public.adjustments",
            "ALTER TABLE gone RENAME TO adjustments",
        ),
    ] {
        let pool = PgPool::connect(&db.url).await.expect("the database");
        run(&pool, damage).await;
        pool.close().await;
        for args in [&["scheduler", "--once"][..], &["worker"], &["daemon"]] {
            let (code, text) = said(&mut program(&db.url, dir.path(), args));
            assert!(
                code == Some(5) && text.contains("the ledger is not whole") && text.contains(names),
                "{damage}: {args:?}: {code:?} {text}"
            );
            assert!(text.contains("restore the whole backup"), "{text}");
        }
        let (code, text) = said(&mut program(&db.url, dir.path(), &["doctor", "--json"]));
        assert!(code == Some(6) && text.contains(names), "{damage}: {text}");
        let pool = PgPool::connect(&db.url).await.expect("the database");
        run(&pool, repair).await;
        pool.close().await;
        let (code, text) = said(&mut program(&db.url, dir.path(), &["scheduler", "--once"]));
        assert_eq!(code, Some(0), "repaired after {damage}: {text}");
    }
}

/// As an interrupted `pg_restore` leaves it: tables and rows, and not yet what guards them.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_stopped_before_the_constraints_is_noticed() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    trade(&db, dir.path()).await;
    let (before, rest) = db.url.split_at(db.url.rfind("/test_").expect("a database") + 1);
    let name = rest.split('?').next().expect("a name");
    let partial = format!("{name}_partial");
    let to = format!("{before}{}", rest.replacen(name, &partial, 1));
    run(&db.pool, &format!("CREATE DATABASE {partial}")).await;
    let dump = "pg_dump -Fc -f all.dump";
    let (code, text) = said(&mut program(&db.url, dir.path(), &["db", "sh", "-c", dump]));
    assert_eq!(code, Some(0), "{text}");
    let load = "pg_restore --no-owner --section=pre-data --section=data --dbname=\"$PGDATABASE\" all.dump";
    let (code, text) = said(&mut program(&to, dir.path(), &["db", "sh", "-c", load]));
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = said(&mut program(&to, dir.path(), &["doctor", "--json"]));
    assert!(code == Some(6) && text.contains("more constraints"), "{text}");
    let (code, text) = said(&mut program(&to, dir.path(), &["list"]));
    assert!(code == Some(0) && text.contains("not whole"), "{text}");
    let (code, text) = said(&mut program(&to, dir.path(), &["daemon"]));
    assert!(code == Some(5) && text.contains("not whole"), "{text}");
    let load = "pg_restore --no-owner --section=post-data --dbname=\"$PGDATABASE\" all.dump";
    let (code, text) = said(&mut program(&to, dir.path(), &["db", "sh", "-c", load]));
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = said(&mut program(&to, dir.path(), &["scheduler", "--once"]));
    assert_eq!(code, Some(0), "whole: {text}");
}
