//! The questions before something that moves real money or cannot be undone.

use crate::{
    app::{
        jobs::{
            left::Left,
            sale::{Sale, Trader},
            start::{Step, Terms},
        },
        name::JobName,
    },
    cli::{
        costs::sentence,
        out::{dollars, tokens},
        wording::CommandLine,
    },
    domain::{brief, job::Realm, span::Span, units::Usd},
};

/// What would be sold, and for about how much.
pub(super) fn sell_question(mut sales: Vec<Sale>, parts: Option<(u32, Span)>) -> String {
    // Real money first.
    sales.sort_by_key(|sale| (sale.name.realm == Realm::Paper, sale.name.job));
    let mut lines = vec!["Sell with real money:".to_owned()];
    lines.extend(sales.iter().map(sale_line));
    let live = sales.iter().filter(|sale| sale.name.realm == Realm::Live);
    let worth: Vec<Option<Usd>> = live.map(|sale| sale.worth_usd).collect();
    let total = worth.iter().try_fold(Usd::ZERO, |sum, worth| {
        worth.and_then(|worth| sum.checked_add(worth).ok())
    });
    lines.push(match total {
        Some(total) => format!(
            "  LIVE in all: about {} USD, before fees, price impact and gas",
            dollars(total)
        ),
        None => "  LIVE in all: not known, since a price is missing".to_owned(),
    });
    lines.extend(parts.map(|(sells, over)| format!("  each in {sells} parts over {over}")));
    lines.push("Continue?".to_owned());
    lines.join("\n")
}

fn sale_line(sale: &Sale) -> String {
    let position = tokens(sale.position);
    let worth = match (sale.worth_usd, sale.price) {
        (Some(worth), Some((price, age))) => format!(
            "about {} USD at {} USD each, a price {age} old",
            dollars(worth),
            brief::price(price)
        ),
        _ => "no price known yet".to_owned(),
    };
    let wallet = match sale.name.realm {
        Realm::Live => format!(" from wallet {}", sale.wallet),
        Realm::Paper => String::new(),
    };
    format!(
        "  {}: {position} {}{wallet}, {worth}",
        sale.name, sale.name.symbol
    )
}

/// Which jobs would trade again.
pub(super) fn resume_question(traders: &[Trader]) -> String {
    let mut lines = vec!["Resume trading with real money:".to_owned()];
    lines.extend(
        traders
            .iter()
            .map(|Trader { name, wallet }| format!("  {name}, wallet {wallet}")),
    );
    lines.push("Continue?".to_owned());
    lines.join("\n")
}

/// A slot now may be a trade.
pub(super) fn tick_question(Trader { name, wallet }: &Trader) -> String {
    format!("Evaluate a slot of {name} now? It may trade with real money from wallet {wallet}.")
}

/// Which jobs would be removed, and what of them nobody would count any more.
pub(super) fn remove_question(jobs: &[(JobName, Option<Left>)]) -> String {
    let names: Vec<String> = jobs.iter().map(|(name, _)| name.to_string()).collect();
    let mut lines: Vec<String> = jobs
        .iter()
        .filter_map(|(name, left)| Some(format!("{name}: {}", left.as_ref()?)))
        .collect();
    if !lines.is_empty() {
        lines.push("`liquidate` sells them first; `adopt` makes them another job's later.".to_owned());
    }
    lines.push(format!(
        "Remove {}? This cannot be undone; the history stays in the database.",
        names.join(", ")
    ));
    lines.join("\n")
}

/// What would become of the job.
fn step(step: Step) -> String {
    match step {
        Step::Created(mode) => format!("a new job of mode {mode}"),
        Step::Cycle(cycle) => format!("cycle {cycle} of the job"),
        other => other.to_string(),
    }
}

/// What a live start would do.
pub(super) fn start_question(terms: &Terms<'_>) -> String {
    start_questions(std::slice::from_ref(terms))
}

/// What several live starts would do together.
pub(super) fn start_questions(all: &[Terms<'_>]) -> String {
    let mut lines: Vec<String> = all.iter().flat_map(start_lines).collect();
    lines.push("Continue?".to_owned());
    lines.join("\n")
}

fn start_lines(terms: &Terms<'_>) -> Vec<String> {
    let pair = &terms.pair;
    let mut lines = vec![
        format!(
            "Trade with real money: LIVE on {}, wallet {} trades {} for {}",
            terms.chain, pair.wallet, pair.token, pair.quote
        ),
        format!("  {}; {}", step(terms.step), terms.spends),
    ];
    lines.extend(terms.costs.map(|costs| format!("  {}", sentence(costs))));
    // The first line has said these.
    let said = [
        format!("wallet {} ", pair.wallet),
        format!("pays with {} ", pair.quote),
    ];
    let assumed = terms.assumed.iter().map(|assumed| assumed.rendered(&CommandLine));
    let new = assumed.filter(|assumed| !said.iter().any(|said| assumed.starts_with(said)));
    lines.extend(new.map(|assumed| format!("  assumed: {assumed}")));
    lines
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;
    use crate::{
        app::{jobs::start::Pair, message::Message},
        domain::job::JobMode,
    };

    #[test]
    fn what_the_first_line_says_is_not_said_again() {
        let wallet = Address::repeat_byte(7);
        let assumed: Vec<Message> = [
            format!("wallet {wallet} (wallet.address)"),
            "pays with ETH (--quote ETH, WETH or USDC)".to_owned(),
            "onchain says 2 USD now".to_owned(),
        ]
        .map(Message::from)
        .into();
        let terms = Terms {
            chain: "base",
            contract: Address::repeat_byte(8),
            pair: Pair {
                wallet,
                token: "CLAWD".to_owned(),
                quote: "ETH".to_owned(),
            },
            step: Step::Created(JobMode::Order),
            spends: "buys for 20 USD in all".to_owned(),
            costs: None,
            assumed: &assumed,
        };
        let wallet = wallet.to_string();
        assert_eq!(
            start_question(&terms).lines().collect::<Vec<_>>(),
            [
                &*format!("Trade with real money: LIVE on base, wallet {wallet} trades CLAWD for ETH"),
                "  a new job of mode ORDER; buys for 20 USD in all",
                "  assumed: onchain says 2 USD now",
                "Continue?",
            ]
        );
    }
}
