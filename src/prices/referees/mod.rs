//! Aggregators that are asked what a swap would pay elsewhere. Their routes and calldata are never used.

mod client;
mod kyberswap;
mod settings;
mod velora;

use async_trait::async_trait;
use futures::future::join_all;

pub use self::{client::Aggregators, settings::RefereeSettings};
use crate::{
    domain::{
        foreign::Foreign,
        referees::{RefereeName, Said},
        units::Amount,
    },
    ports::{RefereeSwap, Referees},
};

impl Aggregators {
    async fn one(&self, name: RefereeName, swap: &RefereeSwap<'_>) -> Result<Amount, String> {
        let chain_id = self.chain_ids.get(swap.chain).copied();
        let chain_id = chain_id.ok_or_else(|| format!("the settings give no chain id of {}", swap.chain))?;
        match name {
            RefereeName::Kyberswap => kyberswap::ask(self, swap).await,
            RefereeName::Velora => velora::ask(self, swap, chain_id).await,
        }
    }
}

#[async_trait]
impl Referees for Aggregators {
    async fn ask(&self, names: &[RefereeName], swap: &RefereeSwap<'_>) -> Vec<Said> {
        let asked = names.iter().map(|name| async {
            let answer = self.one(*name, swap).await;
            (*name, answer.map_err(|why| Foreign::new(&why).to_string()))
        });
        join_all(asked).await
    }
}
