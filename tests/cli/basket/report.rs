//! The report of a basket's backtest: charts without a script, and the figures of the result.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::backtest::{ARGS, of_two_members};
use crate::{pnl::json, terminal::Terminal};

async fn page() -> (Terminal, String) {
    let terminal = of_two_members().await;
    let page = page_of(&terminal, &ARGS);
    (terminal, page)
}

/// The report of this backtest.
fn page_of(terminal: &Terminal, args: &[&str]) -> String {
    let args = [args, &["--report", "page.html"]].concat();
    let ran = terminal.run(&args);
    assert!(
        ran.code == 0 && ran.stderr.contains("report written to page.html"),
        "{}",
        ran.story()
    );
    std::fs::read_to_string(terminal.path("page.html")).expect("a page")
}

/// How often it is in the page.
fn count(page: &str, text: &str) -> usize {
    page.matches(text).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_has_a_report_with_its_value_its_weights_and_each_members_prices_and_trades() {
    let (terminal, page) = page().await;
    let result = json(&terminal, &ARGS);
    // Value, weights, and prices and weight of two members.
    assert_eq!(count(&page, "<svg "), 6);
    let (mut buys, mut sells) = (0, 0);
    for member in result["members"].as_array().expect("members") {
        for trade in member["trades"].as_array().expect("trades") {
            *if trade["side"] == "BUY" {
                &mut buys
            } else {
                &mut sells
            } += 1;
        }
    }
    assert!(buys > 1 && sells > 0, "{result}");
    let marks = |class: &str| count(&page, &format!("class=\"mark {class}\""));
    assert_eq!((marks("buys"), marks("sells")), (buys, sells), "each trade once");
    // A layer for each member and one for quote. The money in, the line between the targets of two members, and the
    // target of each with its band.
    assert_eq!(
        (
            count(&page, "class=\"layer tint-h"),
            count(&page, "line dashed"),
            count(&page, "class=\"band\"")
        ),
        (3, 4, 2)
    );
    assert_eq!(count(&page, "Band: buys below 45.00 %, sells above 55.00 %"), 2);
    for word in [
        "A basket of ONE, TWO",
        "ONE: price and trades",
        "Kept instead",
        "one.csv",
        "two.csv",
    ] {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("{{") && !page.contains("NaN"));
    // It asks for nothing: its icon is empty, and its script the theme's, which its policy names.
    assert_eq!(
        (count(&page, "src="), count(&page, "href="), count(&page, "url(")),
        (0, 1, 0)
    );
    assert_eq!(count(&page, "<script"), 1);
    let script = page.split_once("<script>").expect("a script").1;
    let script = script.split_once("</script>").expect("its end").0;
    let hash = STANDARD.encode(Sha256::digest(script.as_bytes()));
    assert!(
        page.contains(&format!("default-src 'none'; script-src 'sha256-{hash}';")),
        "{hash}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_files_stay_text_and_two_of_one_name_are_told_apart() {
    let terminal = of_two_members().await;
    let odd = "a<b>&\"c'.csv";
    std::fs::copy(terminal.path("two.csv"), terminal.path(odd)).expect("a copy");
    terminal.file(
        "index.toml",
        "[basket]\nname = \"index\"\n[[member]]\ntoken = \"0x0000000000000000000000000000000000000001\"\n\
         [[member]]\ntoken = \"0x0000000000000000000000000000000000000002\"\n",
    );
    let args = [
        "backtest",
        "--config",
        "index.toml",
        "--prices",
        odd,
        "--prices",
        odd,
    ];
    let page = page_of(&terminal, &args);
    assert!(!page.contains("<b>"));
    for member in [1, 2] {
        let name = format!("a&lt;b&gt;&amp;&quot;c&#39;.csv (member {member})");
        // Title, heading, panel, two charts, and the tables.
        assert!(count(&page, &name) > 6, "{member}: {}", count(&page, &name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_sweep_is_that_of_its_best_configuration() {
    let terminal = of_two_members().await;
    let sweep = [&ARGS[..], &["--sweep", "basket.band_pct=5..15:5"]].concat();
    let swept = json(&terminal, &sweep);
    let best = swept["configurations"][0]["values"][0].as_str().expect("a value");
    let page = page_of(&terminal, &sweep);
    let alone = page_of(
        &terminal,
        &[&ARGS[..], &["--set", &format!("basket.band_pct={best}")]].concat(),
    );
    assert_eq!(page, alone);
    let other = page_of(&terminal, &[&ARGS[..], &["--set", "basket.band_pct=7"]].concat());
    assert_ne!(page, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_basket_shows_this() {
    let (_, page) = page().await;
    let body = page.split_once("<header").expect("a page").1;
    let body = body
        .split_once("<section class=\"panel\" aria-labelledby=\"h-config\">")
        .expect("a page")
        .0;
    insta::assert_snapshot!("basket_report", body.replace("><", ">\n<"));
}
