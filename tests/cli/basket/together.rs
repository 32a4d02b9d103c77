//! All members of a basket from one file, and members that do not fit together.

use super::{FIRST, SECOND, said, start};
use crate::{pnl::json, terminal::Terminal};

const SHARED: &str =
    "[price]\nsources = [\"generated\"]\ngenerated.swing_pct = 0\n[basket]\nname = \"index\"\n";

fn file(terminal: &Terminal, shared: &str, members: &[&str]) {
    let tables: String = members
        .iter()
        .map(|member| format!("[[member]]\n{member}\n"))
        .collect();
    terminal.file("index.toml", &format!("{shared}{tables}"));
}

fn member(token: &str, more: &str) -> String {
    format!("token = \"{token}\"\n{more}")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_starts_all_members_of_a_file_and_each_shows_the_basket() {
    let terminal = Terminal::new().await;
    let one = member(FIRST, "symbol = \"ONE\"\nweight = 3\nbudget_usd = 60\n");
    let two = member(SECOND, "symbol = \"TWO\"\nbudget_usd = 20\n");
    file(&terminal, SHARED, &[&one, &two]);
    let started = json(&terminal, &["basket", "start", "index.toml"]);
    assert_eq!(
        (&started[0]["job"], &started[1]["symbol"]),
        (&1.into(), &"TWO".into()),
        "{started}"
    );
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT job_id, action FROM job_events WHERE actor = 'cli:tester' ORDER BY id")
            .fetch_all(&terminal.pool)
            .await
            .expect("events");
    let rows: Vec<(i64, &str)> = rows.iter().map(|(job, action)| (*job, action.as_str())).collect();
    for job in [1, 2] {
        let own: Vec<&str> = rows.iter().filter(|row| row.0 == job).map(|row| row.1).collect();
        assert_eq!(own, ["create", "start"], "job {job}: {rows:?}");
    }
    let listed = json(&terminal, &["list", "--basket", "index"]);
    assert_eq!(listed[1]["basket"], "index", "{listed}");
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(
        json(&terminal, &["list", "--basket", "other"]),
        serde_json::json!([])
    );
    said(
        &terminal,
        &["status", "ONE"],
        &[
            "index, 2 of 2 members started, its value is not known yet",
            "job 2 (TWO), RUNNING",
        ],
    );
    said(&terminal, &["tick", "ONE"], &["basket_price"]);
    // Three quarters of 80 USD are 60: each buys with what it brought.
    said(&terminal, &["tick", "TWO"], &["trade 1"]);
    said(&terminal, &["tick", "ONE"], &["trade 2"]);
    let status = json(&terminal, &["status", "ONE"]);
    let basket = &status["next"]["basket"];
    let own = &basket["own"];
    assert_eq!(
        (
            &own["target_pct"],
            &own["buys_below_pct"],
            &own["sells_above_pct"]
        ),
        (&"75".into(), &"67.5".into(), &"82.5".into()),
        "{basket}"
    );
    let share = |standing: &serde_json::Value| -> f64 {
        let text = standing["share_pct"].as_str().expect("a share");
        text.parse().expect("a number")
    };
    let other = &basket["others"][0];
    assert!((share(own) - 75.0).abs() < 1.0, "{basket}");
    assert!(
        (share(own) + share(&other["standing"]) - 100.0).abs() < 0.1,
        "{basket}"
    );
    assert_eq!(other["standing"]["target_pct"], "25", "{basket}");
    // A member that is paused is left out, and the other one says so.
    terminal.ok(&["pause", "TWO"]);
    said(
        &terminal,
        &["status", "ONE"],
        &[
            "target 100 %",
            "job 2 (TWO), PAUSED: left out until it runs again",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_members_cannot_all_be_started_starts_none() {
    let terminal = Terminal::new().await;
    let one = member(FIRST, "symbol = \"ONE\"\n");
    let two = member(SECOND, "symbol = \"TWO\"\n");
    let quote = member(
        "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
        "symbol = \"USDC\"\n",
    );
    let cases: [(&str, &[&str], i32, &str); 8] = [
        (SHARED, &[&one], 2, "1 members; a basket has 2 to 100"),
        (
            SHARED,
            &[&one, &one],
            2,
            "member 2 (ONE): another member has this token",
        ),
        (SHARED, &[&one, &quote], 2, "member 2 (USDC): "),
        (
            SHARED,
            &[&one, "symbol = \"TWO\"\n"],
            2,
            "member 2: token (from index.toml): is not given",
        ),
        (
            SHARED,
            &[&one, &member(SECOND, "weigth = 2\n")],
            2,
            "member 2: weigth (from index.toml): a member has only token, symbol, decimals, weight, budget_usd",
        ),
        (
            SHARED,
            &[&one, &member(SECOND, "symbol = \"TWO\"\nweight = 0\n")],
            2,
            "member 2 (TWO): basket.weight = 0 is not allowed: above 0",
        ),
        (
            &format!("{SHARED}members = 3\n"),
            &[&one, &two],
            2,
            "basket.members (from index.toml): 3, but the file has 2 members",
        ),
        (
            SHARED,
            &[&one, &member(SECOND, "symbol = \"TWO\"\nweight = 0.001\n")],
            4,
            "member 2 (TWO): the share of the new job of TWO is 0.19",
        ),
    ];
    for (shared, members, code, says) in cases {
        file(&terminal, shared, members);
        let ran = terminal.run(&["basket", "start", "index.toml"]);
        assert!(
            ran.code == code && ran.stderr.contains(says),
            "{says}: {}",
            ran.story()
        );
        assert_eq!(json(&terminal, &["list"]), serde_json::json!([]), "{says}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_the_database_refuses_takes_the_others_with_it() {
    let terminal = Terminal::new().await;
    let one = member(FIRST, "symbol = \"ONE\"\n");
    let two = member(SECOND, "symbol = \"TWO\"\n");
    file(&terminal, SHARED, &[&one, &two]);
    sqlx::query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.token_symbol = 'TWO' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$",
    )
    .execute(&terminal.pool)
    .await
    .expect("a function");
    sqlx::query("CREATE TRIGGER refuse BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION refuse()")
        .execute(&terminal.pool)
        .await
        .expect("a trigger");
    let ran = terminal.run(&["basket", "start", "index.toml"]);
    assert!(
        ran.code != 0 && ran.stderr.contains("not this one"),
        "{}",
        ran.story()
    );
    assert_eq!(json(&terminal, &["list"]), serde_json::json!([]));
    sqlx::query("DROP TRIGGER refuse ON jobs")
        .execute(&terminal.pool)
        .await
        .expect("no trigger");
    terminal.ok(&["basket", "start", "index.toml"]);
    let ran = terminal.run(&["basket", "start", "index.toml"]);
    assert!(
        ran.code == 4
            && ran
                .stderr
                .contains("trades this token already, in mode BASKET, RUNNING"),
        "{}",
        ran.story()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_contradicts_another_is_refused_by_the_names_of_both_and_leaves_no_job() {
    let terminal = Terminal::new().await;
    terminal.file(
        "index.toml",
        "[price]\nsources = [\"generated\"]\n[basket]\nname = \"index\"\nmembers = 2\n",
    );
    terminal.ok(&start(FIRST, "ONE")[..14]);
    let cases: [(&[&str], &str); 4] = [
        (
            &["--set", "basket.members=3"],
            "the new job of TWO has basket.members = 3, and job 1 (ONE) has 2",
        ),
        (
            &["--set", "basket.band_pct=5"],
            "the new job of TWO has basket.band_pct = 5, and job 1 (ONE) has 10",
        ),
        (
            &["--set", "price.max_price_age=1s"],
            "job 1 (ONE) at '* * * * *': the price that job 1 (ONE) accepted last is never younger than \
             price.max_price_age = 1s of the new job of TWO",
        ),
        (
            &["--chain", "ethereum"],
            "the new job of TWO and job 1 (ONE) both have basket.name = index, but they trade on ethereum and base",
        ),
    ];
    for (more, says) in cases {
        let mut args = start(SECOND, "TWO")[..14].to_vec();
        args.extend(more);
        let ran = terminal.run(&args);
        assert!(
            ran.code == 4 && ran.stderr.contains(says),
            "{says}: {}",
            ran.story()
        );
        assert_eq!(
            json(&terminal, &["list"]).as_array().map(Vec::len),
            Some(1),
            "{says}"
        );
    }
    terminal.ok(&start(SECOND, "TWO")[..14]);
    let third = start("0x0000000000000000000000000000000000000003", "THREE");
    let ran = terminal.run(&third[..14]);
    let says =
        "basket index has its 2 members: job 1 (ONE), job 2 (TWO); the new job of THREE would be one more";
    assert!(ran.code == 4 && ran.stderr.contains(says), "{}", ran.story());
}

/// Two that start the last place of a basket at the same time: one gets it.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_start_the_last_member_at_once_one_is_refused() {
    let terminal = Terminal::new().await;
    terminal.file(
        "index.toml",
        "[price]\nsources = [\"generated\"]\n[basket]\nname = \"index\"\nmembers = 2\n",
    );
    terminal.ok(&start(FIRST, "ONE")[..14]);
    let third = "0x0000000000000000000000000000000000000003";
    let begun: Vec<_> = [(SECOND, "TWO"), (third, "THREE")]
        .into_iter()
        .map(|(token, symbol)| {
            let mut command = terminal.command(&start(token, symbol)[..14]);
            command.stdout(std::process::Stdio::null());
            command.stderr(std::process::Stdio::piped());
            command.spawn().expect("it runs")
        })
        .collect();
    let ended: Vec<_> = begun
        .into_iter()
        .map(|child| child.wait_with_output().expect("it ends"))
        .collect();
    let refused: Vec<_> = ended.iter().filter(|output| !output.status.success()).collect();
    assert_eq!(refused.len(), 1, "{ended:?}");
    let said = String::from_utf8_lossy(&refused[0].stderr);
    assert!(said.contains("has its 2 members"), "{said}");
    assert_eq!(json(&terminal, &["list"]).as_array().map(Vec::len), Some(2));
}
