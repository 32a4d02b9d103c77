//! Names of coins and tokens that tax tools cannot mistake.
//!
//! A tool knows coins by their tickers alone, and anybody may call a token USDC. So a token whose ticker belongs to a
//! well-known coin, or to a token that an earlier job trades, gets the first digits of its address behind it. Later
//! jobs change no name: the same period exported again is the same file.

use std::collections::{HashMap, HashSet};

use alloy_primitives::{Address, hex};

use crate::{
    config::Settings,
    domain::{chains, job::Realm, onchain::Asset, pool::NATIVE},
    store::{moves::Party, payouts::Payout},
};

/// Tickers that mean one coin everywhere, besides the coins that pay for gas.
const WELL_KNOWN: [&str; 20] = [
    "BTC", "WBTC", "CBBTC", "ETH", "WETH", "STETH", "WSTETH", "CBETH", "USDC", "USDT", "DAI", "USDS", "USD",
    "EUR", "EURC", "GBP", "BNB", "POL", "SOL", "XRP",
];
/// Bytes of an address that tell two tokens apart.
const TOLD_APART: usize = 4;

type TokenKey = (Realm, String, Address);

/// Names of all tokens and coins of the ledger.
pub(super) struct Names {
    tokens: HashMap<TokenKey, String>,
    /// What jobs pay with: these keep their tickers.
    quotes: HashSet<(String, Address)>,
    natives: HashMap<String, String>,
}

impl Names {
    /// `parties`: all jobs, in the order of their numbers.
    pub(super) fn of(parties: &[Party], settings: &Settings) -> Self {
        let mut natives = HashMap::new();
        for party in parties {
            let chain = &party.account.chain;
            if !natives.contains_key(chain) {
                natives.insert(chain.clone(), native(party, settings));
            }
        }
        let coins = coins(settings);
        let mut owners: HashMap<(Realm, String), (String, Address)> = HashMap::new();
        let mut tokens = HashMap::new();
        for party in parties {
            let ticker = party.token.symbol.trim();
            let upper = ticker.to_uppercase();
            let token = (party.account.chain.clone(), party.token.address);
            let taken = WELL_KNOWN.contains(&upper.as_str())
                || coins.contains(&upper)
                || *owners
                    .entry((party.realm(), upper))
                    .or_insert_with(|| token.clone())
                    != token;
            let name = if taken {
                told_apart(ticker, party.token.address)
            } else {
                ticker.to_owned()
            };
            tokens.entry((party.realm(), token.0, token.1)).or_insert(name);
        }
        let quotes = parties
            .iter()
            .map(|party| (party.account.chain.clone(), party.quote.address));
        Self {
            tokens,
            quotes: quotes.collect(),
            natives,
        }
    }

    /// The name of a job's token in a tax tool.
    pub(super) fn token<'a>(&'a self, party: &'a Party) -> &'a str {
        let key = (party.realm(), party.account.chain.clone(), party.token.address);
        self.tokens.get(&key).map_or(&party.token.symbol, String::as_str)
    }

    /// The name of what was taken out of a wallet, in a tax tool.
    pub(super) fn asset(&self, paid: &Payout, settings: &Settings) -> String {
        let Asset::Token(token) = paid.asset else {
            return paid.symbol.clone();
        };
        let chain = &paid.account.chain;
        if let Some(name) = self.tokens.get(&(paid.account.realm, chain.clone(), token)) {
            return name.clone();
        }
        let spec = settings.chain(chain).ok();
        let is_money = spec.is_some_and(|spec| token == spec.usdc || token == spec.wrapped_native);
        if is_money || self.quotes.contains(&(chain.clone(), token)) {
            return paid.symbol.clone();
        }
        told_apart(&paid.symbol, token)
    }

    /// Ticker of the coin that pays for gas.
    pub(super) fn native(&self, chain: &str, settings: &Settings) -> String {
        let known = self.natives.get(chain).cloned();
        known
            .or_else(|| Some(settings.chain(chain).ok()?.native_symbol))
            .unwrap_or_else(|| "native".to_owned())
    }
}

/// The coins that pay for gas, also wrapped, of all chains that this program or the settings know: in capitals. Not
/// only of those that have a job, or a later job would rename an earlier token.
fn coins(settings: &Settings) -> HashSet<String> {
    let known = chains::CHAINS.iter().map(|chain| chain.native_symbol.to_owned());
    let own = settings
        .chains
        .keys()
        .filter_map(|name| Some(settings.chain(name).ok()?.native_symbol));
    known
        .chain(own)
        .map(|coin| coin.to_uppercase())
        .flat_map(|coin| [format!("W{coin}"), coin])
        .collect()
}

fn told_apart(ticker: &str, address: Address) -> String {
    let digits = hex::encode(address.get(..TOLD_APART).unwrap_or_default());
    format!("{ticker}-{digits}")
}

/// The settings say it, also of a chain of their own; then our own table; then a job that pays with it.
fn native(party: &Party, settings: &Settings) -> String {
    let chain = &party.account.chain;
    if let Ok(spec) = settings.chain(chain) {
        return spec.native_symbol;
    }
    match chains::find(chain) {
        Ok(known) => known.native_symbol.to_owned(),
        Err(_) if party.quote.address == NATIVE => party.quote.symbol.clone(),
        Err(_) => "native".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{Account, JobId, Token};

    fn party(job: i64, chain: &str, byte: u8, symbol: &str) -> Party {
        let token = |byte, symbol: &str| Token {
            address: Address::repeat_byte(byte),
            symbol: symbol.to_owned(),
            decimals: 18,
        };
        Party {
            job: JobId(job),
            account: Account {
                realm: Realm::Live,
                chain: chain.to_owned(),
                wallet: Address::repeat_byte(1),
            },
            token: token(byte, symbol),
            quote: token(2, "USDC"),
        }
    }

    #[test]
    fn a_token_never_has_the_name_of_a_coin_or_of_an_earlier_token() {
        let parties = [
            party(1, "base", 0xa1, "MEME"),
            party(2, "base", 0xa2, "meme"),
            party(3, "ethereum", 0xa1, "MEME"),
            party(4, "base", 0xa1, "MEME"),
            party(5, "base", 0xa3, "usdc"),
            party(6, "base", 0xa4, "Eth"),
            party(7, "base", 0xa5, "OTHER"),
            party(8, "polygon", 0xa6, "wPOL"),
        ];
        let expected = [
            "MEME",
            "meme-a2a2a2a2",
            "MEME-a1a1a1a1",
            "MEME",
            "usdc-a3a3a3a3",
            "Eth-a4a4a4a4",
            "OTHER",
            "wPOL-a6a6a6a6",
        ];
        for known in 1..=parties.len() {
            let (known, _) = parties.split_at(known);
            let names = Names::of(known, &Settings::default());
            let named: Vec<&str> = known.iter().map(|party| names.token(party)).collect();
            assert_eq!(named, expected[..known.len()]);
        }
    }
}
