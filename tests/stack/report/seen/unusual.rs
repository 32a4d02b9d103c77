//! Unusual results: liquidity, tiny prices, no ticks, a crowded year, foreign names.

use super::*;

#[tokio::test]
async fn a_job_that_keeps_liquidity_is_shown_too() {
    let Some(shown) = shown(&fixture::liquidity(Size::QUARTER)).await else {
        return;
    };
    let browser = &shown.browser;
    for chart in CHARTS {
        assert!(colours(browser, chart).await > 4, "{chart} is empty");
    }
    let legend = text(browser, "#legend-price").await;
    for name in ["Moving average", "Spread buy", "Rebalance buy"] {
        assert!(legend.contains(name), "{legend}");
    }
    let legend = text(browser, "#legend-share").await;
    for name in ["Tokens", "Target", "Rebalanced above", "Rebalanced below"] {
        assert!(legend.contains(name), "{legend}");
    }
    assert!(colours(browser, "chart-share").await > 4, "the share is drawn");
    assert!(text(browser, "#legend-value").await.contains("Hold at target"));
    // Each kind of trade looks different.
    let looks = "const o = echarts.getInstanceByDom(document.getElementById('chart-price')).getOption().series.filter(s => s.type === 'scatter').map(s => `${s.symbol} ${s.symbolRotate} ${s.itemStyle.color}`); return [o.length, new Set(o).size];";
    let looks: (usize, usize) = serde_json::from_value(browser.run(looks).await).expect("two counts");
    assert!(looks.0 > 1 && looks.0 == looks.1, "{looks:?}");
    place(browser, "#chart-share").await;
    browser.picture("liquidity-share").await;
    browser.picture("liquidity").await;
    place(browser, "#chart-holds").await;
    browser.picture("liquidity-holds").await;
    nothing_leaves_and_nothing_fails(browser).await;
    shown.browser.close().await;
}

#[test]
fn the_page_names_the_token_the_date_and_invented_prices() {
    let mut result = fixture::accumulating(Size::QUARTER);
    result.setup.symbol = Some("<WIF>".to_owned());
    let page = |result: &BacktestResult| lgi_mm::report::page(result, fixture::start()).expect("a page");
    let real = page(&result);
    for part in [
        "<h1>Accumulating &lt;WIF&gt; over walk.csv</h1>",
        "<title>Backtest of &lt;WIF&gt;</title>",
        " on 2026-01-01.",
    ] {
        assert!(real.contains(part), "{part}");
    }
    assert!(!real.contains("INVENTED prices"));
    result.series.invented = true;
    let invented = page(&result);
    assert!(invented.contains("<title>Backtest of &lt;WIF&gt; (INVENTED prices)</title>"));
    assert!(invented.contains("over walk.csv <span class=\"invented\""));
}

#[tokio::test]
async fn a_token_of_many_noughts_is_legible() {
    let result = fixture::accumulating_at(Decimal::new(185, 12), Size::QUARTER);
    assert!(result.trades.len() > 20);
    let Some(shown) = shown(&result).await else { return };
    let browser = &shown.browser;
    for chart in CHARTS {
        assert!(colours(browser, chart).await > 4, "{chart} is empty");
    }
    let inside = "const v = echarts.getInstanceByDom(document.getElementById('chart-price')), [low, high] = v.getModel().getComponent('yAxis').axis.scale.getExtent(), drawn = v.getOption().series[0].data.map(p => p[1]); return [low <= Math.min(...drawn), high >= Math.max(...drawn), (high - low) < 2 * (Math.max(...drawn) - Math.min(...drawn))]";
    assert_eq!(
        browser.run(inside).await,
        json!([true, true, true]),
        "the axis holds the prices"
    );
    let wide = "return Math.max(...[...document.querySelectorAll('.legend b')].map(e => e.innerText.length))";
    assert!(browser.run(wide).await.as_i64().expect("a number") <= 18);
    place(browser, "#chart-price").await;
    browser.picture("zeros").await;
    nothing_leaves_and_nothing_fails(browser).await;
    shown.browser.close().await;
}

#[tokio::test]
async fn a_past_without_ticks_or_with_one_says_so_and_breaks_nothing() {
    for rows in [1, 2] {
        let result = fixture::accumulating(Size {
            rows,
            cron: "30 * * * *",
            ..Size::QUARTER
        });
        assert_eq!(u32::try_from(result.points.len()), Ok(rows - 1));
        let Some(shown) = shown(&result).await else { return };
        let browser = &shown.browser;
        let verdict = text(browser, ".verdict").await;
        let expected = if rows == 1 {
            "Nothing was traded"
        } else {
            "These rules put 10.00 USD in"
        };
        assert!(verdict.starts_with(expected), "{verdict}");
        let warned = text(browser, ".note").await;
        let expected = if rows == 1 {
            "Nothing was traded"
        } else {
            "is based on one trade"
        };
        assert!(warned.contains(expected), "{warned}");
        let [left, top, width, height] = place(browser, "#chart-price").await;
        browser.hover(left + width / 2, top + height / 3).await;
        browser.run("document.getElementById('theme').click()").await;
        browser.picture(&format!("rows-{rows}")).await;
        nothing_leaves_and_nothing_fails(browser).await;
        shown.browser.close().await;
    }
}

#[tokio::test]
async fn a_crowded_year_of_minutes_is_a_small_file_and_is_drawn() {
    let result = fixture::crowded();
    let size = lgi_mm::report::page(&result, fixture::start())
        .expect("a page")
        .len();
    println!(
        "{} trades, {} points, {} runs of holds: {size} bytes",
        result.trades.len(),
        result.points.len(),
        result.holds.len()
    );
    assert!(
        result.trades.len() > TRADES_MAX && size < 4_500_000,
        "{size} bytes"
    );
    let Some(shown) = shown(&result).await else { return };
    let browser = &shown.browser;
    let drawn = browser
        .run("return performance.now()")
        .await
        .as_f64()
        .expect("milliseconds");
    println!("drawn {drawn:.0} ms after it was opened");
    let notes = text(browser, "[aria-labelledby=h-how]").await;
    assert!(notes.contains(" DCA trades, every 3rd is drawn"), "{notes}");
    let rare = result
        .trades
        .iter()
        .filter(|trade| trade.reason == Reason::TakeProfit)
        .count();
    let shown_as = "return [...document.querySelectorAll('#legend-price button')].find(b => b.innerText.startsWith('Take profit')).querySelector('b').innerText.replace(',', '')";
    assert_eq!(
        browser.run(shown_as).await,
        rare.to_string(),
        "a rare rule is drawn whole"
    );
    browser.picture("crowded").await;
    for selector in ["#chart-price", "#chart-value", "#chart-holds"] {
        place(browser, selector).await;
        browser.picture(&format!("crowded-{}", &selector[7..])).await;
    }
    nothing_leaves_and_nothing_fails(browser).await;
    shown.browser.close().await;
}

#[tokio::test]
async fn names_and_values_of_others_stay_text() {
    let mut result = fixture::accumulating(Size::QUARTER);
    let hostile = "</script><img src=x onerror=\"document.title='taken'\">{{data}}'&amp;";
    hostile.clone_into(&mut result.series.name);
    result
        .setup
        .assumptions
        .push(format!("<script>document.title='taken'</script>{hostile}"));
    let Some(shown) = shown(&result).await else { return };
    let browser = &shown.browser;
    assert_eq!(text(browser, "h1").await, format!("Accumulating over {hostile}"));
    assert_eq!(
        browser.run("return document.title").await,
        format!("Backtest of {hostile}")
    );
    assert_eq!(browser.run("return document.images.length").await, 0);
    assert_eq!(browser.run("return document.scripts.length").await, 4);
    // Even what slips into the page by another way runs nothing and fetches nothing.
    let slipped = "document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x.png\" onerror=\"document.title=1\">'); const s = document.createElement('script'); s.textContent = 'document.title = 2'; document.body.append(s); return document.title;";
    assert_eq!(browser.run(slipped).await, format!("Backtest of {hostile}"));
    let refused = browser.log("browser").await;
    assert!(
        refused.iter().all(|entry| entry["message"]
            .as_str()
            .is_some_and(|said| said.contains("Content Security Policy"))),
        "{refused:#?}"
    );
    assert!(!refused.is_empty());
    shown.browser.close().await;
}
