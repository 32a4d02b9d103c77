//! The report of a basket's backtest: charts without a script, and the figures of the result.

use super::backtest::{ARGS, of_two_members};
use crate::{pnl::json, terminal::Terminal};

async fn page() -> (Terminal, String) {
    let terminal = of_two_members().await;
    let args = [&ARGS[..], &["--report", "page.html"]].concat();
    let ran = terminal.run(&args);
    assert!(
        ran.code == 0 && ran.stderr.contains("report written to page.html"),
        "{}",
        ran.story()
    );
    let page = std::fs::read_to_string(terminal.path("page.html")).expect("a page");
    (terminal, page)
}

/// How often it is in the page.
fn count(page: &str, text: &str) -> usize {
    page.matches(text).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_has_a_report_with_its_value_its_weights_and_each_members_prices_and_trades() {
    let (terminal, page) = page().await;
    let result = json(&terminal, &ARGS);
    // Value, weights, and the prices of two members.
    assert_eq!(count(&page, "<svg "), 4);
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
    // A layer for each member and one for quote, and one line between the targets of two members.
    assert_eq!(
        (count(&page, "style=\"fill:"), count(&page, "line dashed")),
        (3, 2)
    );
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
    // It asks for nothing: its icon is empty, and its script the theme's.
    assert_eq!(
        (count(&page, "src="), count(&page, "href="), count(&page, "url(")),
        (0, 1, 0)
    );
    assert_eq!(count(&page, "<script"), 1);
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
