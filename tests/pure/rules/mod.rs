//! The rules as claims: properties that hold for all facts, and tables of the cases that matter.

#[cfg(test)]
mod accounting;
#[cfg(test)]
mod accumulate;
#[cfg(test)]
mod basket;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod config;
#[cfg(test)]
mod config_text;
#[cfg(test)]
mod few_units;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod liquidate;
#[cfg(test)]
mod liquidity;
#[cfg(test)]
mod order;
#[cfg(test)]
mod outlook;
#[cfg(test)]
mod price;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod support;
#[cfg(test)]
mod take_profit;
#[cfg(test)]
mod units;
