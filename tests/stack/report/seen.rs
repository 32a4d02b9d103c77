//! The page in a browser: drawn, hovered, zoomed, dark and light, on a phone.

mod unusual;

use std::path::PathBuf;

use chrono::TimeDelta;
use lgi_mm::{
    backtest::result::{BacktestResult, Benchmark},
    domain::decision::Reason,
    report::TRADES_MAX,
};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::{Value, json};

use crate::report::{
    browser::{self, Browser},
    fixture::{self, Size},
};

struct Shown {
    browser: Browser,
    _dir: tempfile::TempDir,
    page: PathBuf,
}

/// The page of a result in a window, if there is a browser.
async fn shown(result: &BacktestResult) -> Option<Shown> {
    if !browser::is_there() {
        return None;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("report.html");
    std::fs::write(
        &page,
        lgi_mm::report::page(result, fixture::start()).expect("a page"),
    )
    .expect("written");
    if let Some(kept) = std::env::var_os("LGI_MM_SCREENSHOTS") {
        let name = format!("{}.html", result.points.len());
        std::fs::copy(&page, PathBuf::from(kept).join(name)).expect("copied");
    }
    let browser = Browser::open().await;
    browser.show(&page).await;
    Some(Shown {
        browser,
        _dir: dir,
        page,
    })
}

/// No complaint of the page, and nothing asked for but the page itself.
async fn nothing_leaves_and_nothing_fails(browser: &Browser) {
    let console = browser.log("browser").await;
    assert!(console.is_empty(), "{console:#?}");
    let mut asked = 0;
    for entry in browser.log("performance").await {
        let message: Value = serde_json::from_str(entry["message"].as_str().expect("a text")).expect("JSON");
        let event = &message["message"];
        if event["method"] == "Network.requestWillBeSent" {
            let url = event["params"]["request"]["url"].as_str().expect("an address");
            assert!(
                url.starts_with("file:///") && url.ends_with("/report.html") || url.starts_with("data:"),
                "{url}"
            );
            asked += 1;
        }
    }
    assert!(asked > 0, "the network was not watched");
}

/// Left, top, width and height of an element in the window, after scrolling to it.
async fn place(browser: &Browser, selector: &str) -> [i64; 4] {
    let script = format!(
        "const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center' }}); const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height].map(Math.round);"
    );
    serde_json::from_value(browser.run(&script).await).expect("four numbers")
}

async fn text(browser: &Browser, selector: &str) -> String {
    let script = format!("return document.querySelector({selector:?}).innerText;");
    browser.run(&script).await.as_str().expect("a text").to_owned()
}

/// How many colours a chart's canvas has: an empty one has one.
async fn colours(browser: &Browser, chart: &str) -> i64 {
    let script = format!(
        "const c = document.querySelector('#{chart} canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, s = new Set(); for (let i = 0; i < d.length; i += 4) s.add(d[i] << 24 | d[i + 1] << 16 | d[i + 2] << 8 | d[i + 3]); return s.size;"
    );
    browser.run(&script).await.as_i64().expect("a number")
}

const CHARTS: [&str; 4] = ["chart-price", "chart-value", "chart-drawdown", "chart-holds"];

#[tokio::test]
async fn the_report_draws_all_its_charts_without_a_request_or_an_error() {
    let result = fixture::accumulating(Size::QUARTER);
    let Some(shown) = shown(&result).await else { return };
    let browser = &shown.browser;
    for chart in CHARTS {
        assert!(colours(browser, chart).await > 4, "{chart} is empty");
    }
    assert_eq!(
        browser
            .run("return document.querySelectorAll('#trades tbody tr').length")
            .await,
        25
    );
    browser.run("document.getElementById('later').click()").await;
    assert!(text(browser, "#page").await.starts_with("2 of "));
    // A name in a legend hides its series, and shows it again.
    let click = "const b = [...document.querySelectorAll('#legend-price button')].find(b => b.innerText.startsWith('DCA')); b.click(); return [document.activeElement.getAttribute('aria-pressed'), echarts.getInstanceByDom(document.getElementById('chart-price')).getOption().series.some(s => s.name === 'DCA buy')];";
    assert_eq!(browser.run(click).await, json!(["false", false]));
    assert_eq!(browser.run(click).await, json!(["true", true]));
    // The same money without the rules is drawn up to the value that the table has.
    for other in &result.comparisons {
        let name = match other.plan {
            Benchmark::LumpSum => "Lump sum",
            Benchmark::EqualDca => "Equal DCA",
            Benchmark::HoldAtTarget => panic!("only a job of mode liquidity has a target"),
            Benchmark::Keep => panic!("only an order to sell keeps tokens instead"),
        };
        let last = format!(
            "return echarts.getInstanceByDom(document.getElementById('chart-value')).getOption().series.find(s => s.name === '{name}').data.at(-1)[1]"
        );
        let last = browser.run(&last).await.as_f64().expect("a number");
        let worth = other.summary.value_usd.decimal().to_f64().expect("a number");
        assert!((last - worth).abs() < 0.001 * worth, "{name}: {last}, {worth}");
    }
    let verdict = text(browser, ".verdict").await;
    assert!(
        verdict.contains(" than a lump sum on the first day (") && verdict.contains(" than equal parts ("),
        "{verdict}"
    );
    // A quarter has no yearly rate, and its card shows none.
    assert!(!text(browser, ".cards").await.contains("a year"));
    assert!(!text(browser, "h1").await.contains("INVENTED"));
    browser.picture("light").await;
    nothing_leaves_and_nothing_fails(browser).await;
    shown.browser.close().await;
}

#[tokio::test]
async fn hovering_reads_all_charts_at_that_instant_and_names_the_trade_there() {
    let result = fixture::accumulating(Size::QUARTER);
    let Some(shown) = shown(&result).await else { return };
    let browser = &shown.browser;
    let [left, top, width, height] = place(browser, "#chart-price").await;
    let middle = fixture::start() + TimeDelta::days(44);
    let bought = result
        .trades
        .iter()
        .find(|trade| trade.reason == Reason::Dca && trade.at > middle)
        .expect("a buy");
    let (from, to) = (
        result.points.first().expect("a point").at,
        result.points.last().expect("a point").at,
    );
    // The plot's margins are 62 and 14 pixels.
    let x = left + 62 + (width - 76) * (bought.at - from).num_seconds() / (to - from).num_seconds();
    let before = text(browser, "#legend-value").await;
    browser.hover(x, top + height / 2).await;
    let tip = text(browser, "#chart-price ~ .tip").await;
    assert!(
        tip.contains(&bought.at.format("%Y-%m-%d").to_string()) && tip.contains("Average cost"),
        "{tip}"
    );
    assert!(tip.contains("DCA buy: bought for 10.00 USD at "), "{tip}");
    assert_ne!(
        text(browser, "#legend-value").await,
        before,
        "the other charts are read too"
    );
    let cursors = "return [...document.querySelectorAll('.cursor')].filter(c => !c.hidden).length";
    assert_eq!(browser.run(cursors).await, 4);
    browser.picture("hover").await;
    browser.hover(left + 20, 5).await;
    assert_eq!(browser.run(cursors).await, 0, "the pointer has left");
    nothing_leaves_and_nothing_fails(browser).await;
    shown.browser.close().await;
}

/// The range that the charts show.
async fn range(browser: &Browser) -> (String, String) {
    let found = browser
        .run("const { from, to } = document.getElementById('chart-price').dataset; return [from, to];")
        .await;
    serde_json::from_value(found).expect("two texts")
}

#[tokio::test]
async fn wheel_and_handles_zoom_all_charts_and_the_button_shows_the_whole_again() {
    let Some(shown) = shown(&fixture::accumulating(Size::QUARTER)).await else {
        return;
    };
    let browser = &shown.browser;
    let whole = range(browser).await;
    let [left, top, width, height] = place(browser, "#chart-price").await;
    browser
        .act(json!([
            { "type": "key", "id": "keys", "actions": [{ "type": "keyDown", "value": "\u{e009}" }, { "type": "pause" }, { "type": "keyUp", "value": "\u{e009}" }] },
            { "type": "wheel", "id": "wheel", "actions": [{ "type": "pause" }, { "type": "scroll", "x": left + width / 2, "y": top + height / 2, "deltaX": 0, "deltaY": -600 }, { "type": "pause" }] },
        ]))
        .await;
    let wheeled = range(browser).await;
    assert!(
        wheeled.0 > whole.0 && wheeled.1 < whole.1,
        "{wheeled:?} of {whole:?}"
    );
    browser.picture("zoomed").await;
    browser.run("document.getElementById('reset').click()").await;
    assert_eq!(range(browser).await, whole);
    // The left handle of the slider, a third of the way to the right.
    let (from, y) = (left + 62, top + height - 19);
    browser
        .act(json!([{ "type": "pointer", "id": "mouse", "actions": [
            { "type": "pointerMove", "x": from, "y": y, "duration": 0 }, { "type": "pointerDown", "button": 0 },
            { "type": "pointerMove", "x": from + width / 6, "y": y, "duration": 60 },
            { "type": "pointerMove", "x": from + width / 3, "y": y, "duration": 60 }, { "type": "pointerUp", "button": 0 },
        ] }]))
        .await;
    let dragged = range(browser).await;
    assert!(
        dragged.0 > whole.0 && dragged.1 == whole.1,
        "{dragged:?} of {whole:?}"
    );
    // All charts agree: under the same place lies the same instant.
    let mut instants = Vec::new();
    for chart in CHARTS {
        let [left, top, width, height] = place(browser, &format!("#{chart}")).await;
        browser.hover(left + width / 2, top + height / 3).await;
        let tip = text(browser, &format!("#{chart} ~ .tip")).await;
        instants.push(tip.lines().next().expect("a time")[..13].to_owned());
    }
    instants.dedup();
    assert_eq!(instants.len(), 1, "{instants:?}");
    nothing_leaves_and_nothing_fails(browser).await;
    shown.browser.close().await;
}

#[tokio::test]
async fn it_is_dark_where_the_reader_likes_it_dark_and_the_button_switches() {
    let Some(shown) = shown(&fixture::accumulating(Size::QUARTER)).await else {
        return;
    };
    let browser = &shown.browser;
    let look = "const s = getComputedStyle(document.body); return [document.documentElement.dataset.theme, s.backgroundColor, s.color];";
    let light = browser.run(look).await;
    assert_eq!(light[0], "light");
    let dark = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    browser.devtools("Emulation.setEmulatedMedia", dark).await;
    browser.show(&shown.page).await;
    let dark = browser.run(look).await;
    assert_eq!(dark[0], "dark");
    assert_ne!((&dark[1], &dark[2]), (&light[1], &light[2]));
    for chart in CHARTS {
        assert!(colours(browser, chart).await > 4, "{chart} is empty");
    }
    browser.picture("dark").await;
    browser.run("document.getElementById('theme').click()").await;
    assert_eq!(browser.run(look).await, light);
    nothing_leaves_and_nothing_fails(browser).await;
    shown.browser.close().await;
}

/// Fingers put down, moved and lifted.
async fn touch(browser: &Browser, path: &[Vec<(i64, i64)>]) {
    for (i, fingers) in path.iter().enumerate() {
        let points: Vec<Value> = fingers
            .iter()
            .zip(0..)
            .map(|((x, y), id)| json!({ "x": x, "y": y, "id": id }))
            .collect();
        let kind = if i == 0 { "touchStart" } else { "touchMove" };
        let event = json!({ "type": kind, "touchPoints": points });
        browser.devtools("Input.dispatchTouchEvent", event).await;
    }
    let lifted = json!({ "type": "touchEnd", "touchPoints": [] });
    browser.devtools("Input.dispatchTouchEvent", lifted).await;
}

#[tokio::test]
async fn it_fits_a_phone_and_answers_a_finger() {
    let Some(shown) = shown(&fixture::accumulating(Size::QUARTER)).await else {
        return;
    };
    let browser = &shown.browser;
    let phone = json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
    browser
        .devtools("Emulation.setDeviceMetricsOverride", phone)
        .await;
    browser
        .devtools("Emulation.setTouchEmulationEnabled", json!({ "enabled": true }))
        .await;
    browser.show(&shown.page).await;
    let wide = browser
        .run("return [document.documentElement.scrollWidth, innerWidth]")
        .await;
    assert_eq!(wide, json!([390, 390]), "nothing sticks out");
    let smallest = "return Math.min(...[...document.querySelectorAll('body *')].filter(e => e.children.length === 0 && e.innerText).map(e => parseFloat(getComputedStyle(e).fontSize)))";
    assert!(browser.run(smallest).await.as_f64().expect("a number") >= 12.0);
    browser.picture("phone-top").await;
    let [left, top, width, height] = place(browser, "#chart-value").await;
    touch(browser, &[vec![(left + width / 2, top + height / 3)]]).await;
    let tip = text(browser, "#chart-value ~ .tip").await;
    assert!(tip.contains("UTC") && tip.contains("Money in"), "{tip}");
    browser.picture("phone-value").await;
    // Two fingers zoom, one finger scrolls the page.
    let whole = range(browser).await;
    let (x, y) = (left + width / 2, top + height / 2);
    let apart = [20, 40, 60, 80].map(|far| vec![(x - far, y), (x + far, y)]);
    touch(browser, &apart).await;
    let pinched = range(browser).await;
    assert!(
        pinched.0 > whole.0 && pinched.1 < whole.1,
        "{pinched:?} of {whole:?}"
    );
    browser.picture("phone-pinched").await;
    let scrolled = browser.run("return scrollY").await.as_f64().expect("a number");
    let up: Vec<_> = (0..10).map(|step| vec![(x, y - 15 * step)]).collect();
    touch(browser, &up).await;
    let further = format!("return scrollY > {scrolled} + 50");
    browser.until(&further).await;
    for selector in ["#h-figures", "#h-trades", "#h-config", "#h-holds"] {
        place(browser, selector).await;
        browser.picture(&format!("phone-{}", &selector[3..])).await;
    }
    nothing_leaves_and_nothing_fails(browser).await;
    shown.browser.close().await;
}
