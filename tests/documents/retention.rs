//! `docs/retention.md` has every table.

use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_retention_has_every_table_and_no_other() {
    let db = testkit::db().await;
    let sql = "SELECT CASE table_schema WHEN 'public' THEN '' ELSE table_schema || '.' END || table_name
               FROM information_schema.tables
               WHERE table_schema IN ('public', 'apalis', 'paper') AND table_type = 'BASE TABLE'
                 AND table_name NOT LIKE '\\_sqlx%'";
    let there: Vec<String> = sqlx::query_scalar(sql).fetch_all(&db.pool).await.expect("tables");
    let page = include_str!("../../docs/retention.md");
    let written: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    assert_eq!(written, there);
}
