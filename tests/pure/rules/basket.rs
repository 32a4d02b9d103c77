//! Mode basket: members that tick in any order, at any prices, with some of them stopped.

mod alone;

use lgi_mm::domain::{
    basket,
    config::{BasketConfig, JobConfig, Rules},
    decision::{Decision, Facts, HoldReason, Peer, Side},
    ids::JobId,
    job::JobMode,
    limits,
    units::{Amount, Price, Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::support::{dec, facts, price, quote, tokens, usd};

/// One member between its ticks.
#[derive(Debug, Clone)]
struct Member {
    rules: BasketConfig,
    tokens: Amount,
    quote: Amount,
    price: Price,
    runs: bool,
}

impl Member {
    fn new(weight: u32, members: u32, budget: &str) -> Self {
        Self {
            rules: BasketConfig {
                members,
                weight: Decimal::from(weight),
                ..BasketConfig::default()
            },
            tokens: Amount::ZERO,
            quote: quote(budget),
            price: Price::ONE,
            runs: true,
        }
    }

    fn worth(&self) -> Usd {
        self.tokens.value(18, self.price, Rounding::Down).expect("USD")
    }

    fn money(&self) -> Usd {
        self.quote.value(6, Price::ONE, Rounding::Down).expect("USD")
    }
}

/// A basket whose trades fill at once, at their price less a fee.
#[derive(Debug, Clone)]
struct Basket {
    members: Vec<Member>,
    /// What a trade loses, hundredths of a per cent.
    fee_bps: u32,
}

impl Basket {
    fn config(&self, of: usize) -> JobConfig {
        let mut config = JobConfig::for_mode(JobMode::Basket);
        config.limits.max_trades_per_hour = 0;
        config.limits.max_daily_spend_usd = Usd::ZERO;
        config.limits.max_position_usd = Usd::ZERO;
        config.limits.min_trade_usd = usd("1");
        config.rules = Rules::Basket(self.members[of].rules.clone());
        config
    }

    fn facts(&self, of: usize) -> Facts {
        let member = &self.members[of];
        let mut facts = facts();
        facts.price = member.price;
        facts.position.owns_quote = true;
        facts.position.token_balance = member.tokens;
        facts.position.cost_basis = member.worth();
        facts.position.quote_balance = member.quote;
        for (other, peer) in self.members.iter().enumerate().filter(|(other, _)| *other != of) {
            facts.peers.started += 1;
            if peer.runs {
                facts.peers.running.push(Peer {
                    job: JobId(i64::try_from(other).expect("few")),
                    weight: peer.rules.weight,
                    band_pct: peer.rules.band_pct,
                    tokens: Some(peer.worth()),
                    quote: peer.quote,
                    sells: false,
                    in_motion: false,
                    blocked: false,
                });
            }
        }
        facts
    }

    fn running(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.runs)
    }

    fn total(&self) -> Decimal {
        self.running()
            .map(|member| member.worth().decimal() + member.money().decimal())
            .sum()
    }

    fn target(&self, of: usize) -> Decimal {
        let weights: Decimal = self.running().map(|member| member.rules.weight).sum();
        self.total() * self.members[of].rules.weight / weights
    }

    /// What a member has above its target, USD.
    fn above(&self, of: usize) -> Decimal {
        self.members[of].worth().decimal() - self.target(of)
    }

    /// The same in per cent of the target.
    fn off(&self, of: usize) -> Decimal {
        self.above(of) * Decimal::ONE_HUNDRED / self.target(of)
    }

    /// One tick of one member, with everything that must hold for it.
    fn tick(&mut self, of: usize) -> Result<Option<Side>, TestCaseError> {
        let (config, facts) = (self.config(of), self.facts(of));
        let plan = match limits::decide(&config, &facts) {
            Decision::Hold(HoldReason::BasketQuote) => {
                let money = |basket: &Self| -> Amount {
                    let all = basket.members.iter().map(|member| member.quote);
                    all.fold(Amount::ZERO, |sum, one| sum.checked_add(one).expect("a sum"))
                };
                let before = money(self);
                let moves = basket::moves(&self.members[of].rules, &config.limits, &facts).expect("moves");
                // Nobody has quote to spare, and its own is less than the smallest trade.
                let poor = self.members[of].money() < config.limits.min_trade_usd;
                prop_assert!(!moves.is_empty() || poor, "it waits for quote that it has");
                for one in moves {
                    let from = usize::try_from(one.from.0).expect("an index");
                    prop_assert!(self.members[from].runs && from != of);
                    // The database refuses what would be below zero; the rule does not even try.
                    let left = self.members[from].quote.checked_sub(one.amount);
                    self.members[from].quote = left.expect("no more than it has");
                    let more = self.members[of].quote.checked_add(one.amount);
                    self.members[of].quote = more.expect("a sum");
                }
                prop_assert_eq!(money(self), before, "quote is moved, not made");
                return Ok(None);
            }
            Decision::Hold(_) => return Ok(None),
            Decision::Trade(plan) => plan,
        };
        let kept = plan
            .value
            .percent(
                Decimal::ONE_HUNDRED - Decimal::new(self.fee_bps.into(), 2),
                Rounding::Down,
            )
            .expect("USD");
        let band = self.members[of].rules.band_pct;
        let off = self.off(of);
        match plan.side {
            Side::Sell => {
                prop_assert!(off > Decimal::ZERO, "{off} sells");
                let member = &mut self.members[of];
                member.tokens = member
                    .tokens
                    .checked_sub(plan.amount_in)
                    .expect("no more than it owns");
                let got = kept.to_amount(6, Price::ONE, Rounding::Down).expect("quote");
                member.quote = member.quote.checked_add(got).expect("a sum");
            }
            Side::Buy => {
                prop_assert!(off < -band, "{off} buys");
                for (other, member) in self.members.iter().enumerate() {
                    let sells = member.runs
                        && self.off(other) > member.rules.band_pct + dec("0.01")
                        && self.above(other) > dec("1.01");
                    prop_assert!(!sells, "{other} sells first");
                }
                let member = &mut self.members[of];
                member.quote = member
                    .quote
                    .checked_sub(plan.amount_in)
                    .expect("no more than it owns");
                let got = kept.to_amount(18, plan.price, Rounding::Down).expect("tokens");
                member.tokens = member.tokens.checked_add(got).expect("a sum");
            }
        }
        prop_assert!(self.off(of).abs() <= off.abs(), "{off} -> {}", self.off(of));
        Ok(Some(plan.side))
    }
}

fn any_basket() -> impl Strategy<Value = Basket> {
    let members = prop::collection::vec((1_u32..20, 100_u32..2_000, any::<bool>()), 2..7);
    (members, 0_u32..100).prop_map(|(members, fee_bps)| {
        let count = u32::try_from(members.len()).expect("few");
        let members = members.into_iter().map(|(weight, budget, _)| {
            let mut member = Member::new(weight, count, &budget.to_string());
            member.runs = true;
            member
        });
        Basket {
            members: members.collect(),
            fee_bps,
        }
    })
}

/// Which member is next, whether it stops or runs, and its price in cents then.
type Step = (prop::sample::Index, u32, u8);

proptest! {
    /// Legs never spend the same quote twice, none sells more than it owns, and sells go first: `tick` asserts it.
    #[test]
    fn whatever_prices_do_each_leg_spends_its_own_and_at_rest_all_weights_are_within_their_bands(
        basket in any_basket(),
        steps in prop::collection::vec((any::<prop::sample::Index>(), 20_u32..500, 0_u8..20), 0..60)
    ) {
        let mut basket = basket;
        for (index, cents, event) in steps as Vec<Step> {
            let of = index.index(basket.members.len());
            basket.members[of].price = price(&Decimal::new(cents.into(), 2).to_string());
            // Some are stopped, and run again.
            if event == 0 {
                basket.members[of].runs = !basket.members[of].runs;
            }
            let untouched: Vec<(Amount, Amount)> =
                basket.members.iter().map(|member| (member.tokens, member.quote)).collect();
            if basket.members[of].runs {
                basket.tick(of)?;
            }
            for (member, before) in basket.members.iter().zip(untouched) {
                prop_assert!(member.runs || (member.tokens, member.quote) == before, "a stopped one is touched");
            }
        }
        for member in &mut basket.members {
            member.runs = true;
        }
        // Prices stand still: fees shrink the whole, so a few rounds are needed.
        for _ in 0..12 {
            for of in 0..basket.members.len() {
                basket.tick(of)?;
            }
        }
        let total = basket.total();
        for of in 0..basket.members.len() {
            let off = basket.off(of);
            let band = basket.members[of].rules.band_pct;
            // What is less than the smallest trade stays as it is, for each member, and the fees of the last round.
            let dust = Decimal::ONE_HUNDRED * Decimal::from(basket.members.len()) / total * dec("20");
            prop_assert!(off.abs() <= band + dust + dec("2"), "{of}: {off} % off in {basket:?}");
        }
    }
}

fn two(tokens_of: (&str, &str), quote_of: (&str, &str)) -> Basket {
    let mut members = vec![Member::new(1, 2, quote_of.0), Member::new(1, 2, quote_of.1)];
    members[0].tokens = tokens(tokens_of.0);
    members[1].tokens = tokens(tokens_of.1);
    Basket { members, fee_bps: 0 }
}

fn decided(basket: &Basket, of: usize, change: impl Fn(&mut Facts)) -> Result<(Side, Usd), HoldReason> {
    let mut facts = basket.facts(of);
    change(&mut facts);
    match limits::decide(&basket.config(of), &facts) {
        Decision::Trade(plan) => Ok((plan.side, plan.value)),
        Decision::Hold(reason) => Err(reason),
    }
}

#[test]
fn a_member_sells_what_is_above_its_band_down_to_its_target_and_only_then_the_other_buys() {
    let mut basket = two(("150", "50"), ("0", "0"));
    assert_eq!(decided(&basket, 0, |_| {}), Ok((Side::Sell, usd("50"))));
    assert_eq!(decided(&basket, 1, |_| {}), Err(HoldReason::BasketSales));
    // It sold; its quote is the other's as soon as nothing can take it back.
    basket.members[0].tokens = tokens("100");
    basket.members[0].quote = quote("50");
    assert_eq!(decided(&basket, 0, |_| {}), Err(HoldReason::BasketInBalance));
    let open = |f: &mut Facts| f.peers.running[0].sells = true;
    assert_eq!(decided(&basket, 1, open), Err(HoldReason::BasketSales));
    let not_final = |f: &mut Facts| f.peers.running[0].in_motion = true;
    assert_eq!(decided(&basket, 1, not_final), Err(HoldReason::BasketQuote));
    assert_eq!(
        basket::moves(&basket.members[1].rules, &basket.config(1).limits, &{
            let mut facts = basket.facts(1);
            not_final(&mut facts);
            facts
        }),
        Ok(vec![]),
        "what could be taken back stays"
    );
    assert_eq!(decided(&basket, 1, |_| {}), Err(HoldReason::BasketQuote));
    basket.members[0].quote = quote("0");
    basket.members[1].quote = quote("50");
    assert_eq!(decided(&basket, 1, |_| {}), Ok((Side::Buy, usd("50"))));
}

#[test]
fn exactly_at_its_band_a_member_neither_buys_nor_sells() {
    for (first, second, sells) in [("110", "90", false), ("110.1", "89.9", true)] {
        let basket = two((first, second), ("0", "0"));
        assert_eq!(decided(&basket, 0, |_| {}).is_ok(), sells, "{first}");
    }
    let basket = two(("90", "110"), ("0", "0"));
    assert_eq!(decided(&basket, 0, |_| {}), Err(HoldReason::BasketInBalance));
}

#[test]
fn what_a_member_below_its_band_lacks_is_brought_by_those_above_their_shares_within_their_bands() {
    let mut members = vec![
        Member::new(1, 3, "0"),
        Member::new(1, 3, "0"),
        Member::new(1, 3, "0"),
    ];
    members[0].tokens = tokens("106");
    members[1].tokens = tokens("109");
    members[2].tokens = tokens("85");
    let mut basket = Basket { members, fee_bps: 0 };
    assert_eq!(decided(&basket, 0, |_| {}), Ok((Side::Sell, usd("6"))));
    assert_eq!(decided(&basket, 1, |_| {}), Ok((Side::Sell, usd("9"))));
    assert_eq!(decided(&basket, 2, |_| {}), Err(HoldReason::BasketSales));
    // With ten in quote they bring five together, each its part.
    basket.members[2].tokens = tokens("75");
    basket.members[2].quote = quote("10");
    assert_eq!(decided(&basket, 0, |_| {}), Ok((Side::Sell, usd("6"))));
    basket.members[2].quote = quote("27");
    basket.members[0].tokens = tokens("102");
    basket.members[1].tokens = tokens("103");
    assert_eq!(decided(&basket, 0, |_| {}), Err(HoldReason::BasketInBalance));
    // Within all bands nobody sells.
    basket.members[2].tokens = tokens("95");
    basket.members[2].quote = quote("0");
    assert_eq!(decided(&basket, 0, |_| {}), Err(HoldReason::BasketInBalance));
}

#[test]
fn nobody_trades_before_all_were_started_or_while_a_running_one_has_no_price_and_a_blocked_one_keeps_nobody()
{
    let basket = two(("150", "50"), ("0", "20"));
    let alone = |f: &mut Facts| f.peers = Default::default();
    assert_eq!(decided(&basket, 0, alone), Err(HoldReason::BasketIncomplete));
    let blind = |f: &mut Facts| f.peers.running[0].tokens = None;
    assert_eq!(decided(&basket, 0, blind), Err(HoldReason::BasketPrice));
    // The one above its share cannot sell: the other buys with what is there.
    let blocked = |f: &mut Facts| f.peers.running[0].blocked = true;
    assert_eq!(decided(&basket, 1, blocked), Ok((Side::Buy, usd("20"))));
    // The other was stopped: it is left out, and this one has the whole of what is left.
    let stopped = |f: &mut Facts| f.peers.running.clear();
    assert_eq!(decided(&basket, 0, stopped), Err(HoldReason::BasketInBalance));
    assert_eq!(decided(&basket, 1, stopped), Ok((Side::Buy, usd("20"))));
}
