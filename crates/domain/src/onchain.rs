//! What happens on a chain, as plain data: assets, swaps, quotes, calls, fees, blocks, receipts. The paper venue speaks
//! of the same things.

use alloy_primitives::{Address, B256, Bytes, U256};
use strum::{Display, EnumString, VariantArray};

use super::{
    Timestamp,
    kept::Kept,
    pool::{NATIVE, Pool},
    purpose::Purpose,
    span::Span,
    units::{Amount, Price},
};

/// Something a wallet can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asset {
    /// The chain's own coin, which pays for gas.
    Native,
    /// A token contract.
    Token(Address),
}

impl Asset {
    /// The asset behind an address, where zero stands for the native coin.
    #[must_use]
    pub fn of(address: Address) -> Self {
        if address == NATIVE {
            Self::Native
        } else {
            Self::Token(address)
        }
    }
}

/// As databases and tables write it: `native`, or the token's address in lower case.
impl std::fmt::Display for Asset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native => f.pad("native"),
            Self::Token(token) => f.pad(&format!("{token:#x}")),
        }
    }
}

impl std::str::FromStr for Asset {
    type Err = alloy_primitives::hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "native" => Ok(Self::Native),
            token => token.parse().map(Self::Token),
        }
    }
}

/// A swap of an exact input. Zero stands for the native coin on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwapRequest {
    /// The wallet that trades.
    pub wallet: Address,
    /// What goes out.
    pub token_in: Address,
    /// What comes in.
    pub token_out: Address,
    /// How much goes out, base units of `token_in`.
    pub amount_in: Amount,
    /// What the accepted prices say it is worth, base units of `token_out`, before any cost.
    pub amount_out_fair: Amount,
    /// What rounding cut off `amount_out_fair`: millionths of a base unit. The paper venue, whose pool has no other
    /// price, rounds once at the end as a pool does.
    pub fair_rest: u32,
    /// The pool that the job has pinned.
    pub pool: Option<Pool>,
    /// Whether a sell of what is bought, and of all that is held already, must be shown to work before anything is
    /// bought.
    pub prove_sell: bool,
    /// What the swap is held to.
    pub checks: Checks,
}

/// What a swap is held to besides the floor of its plan. The venue passes over pools that break it, and makes no
/// calldata that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// Digits of `token_in` and `token_out` as the job knows them; `None`: not compared with the contracts.
    pub decimals: Option<(u8, u8)>,
    /// Basis points that a quote may be better than `amount_out_fair`; `None`: any.
    pub better_max_bps: Option<u32>,
    /// Basis points that a quote may be worse than `amount_out_fair` less what pool, hook and token keep. A pool that
    /// gives less is passed over for another; the floor of the plan is what refuses it. `None`: any.
    pub worse_max_bps: Option<u32>,
    /// Basis points that the swap may move a pool's price. A pool that it moves further is passed over for another;
    /// the limits of the job are what refuses it. `None`: any.
    pub impact_max_bps: Option<u32>,
    /// Basis points of a swap that pool, hook and token may keep together. A pool that keeps more is passed over for
    /// another, and a buy is refused whose sale would keep more; the limits of the job are what refuses it. `None`:
    /// any.
    pub kept_max_bps: Option<u32>,
    /// Age that a pool must have; a younger one is passed over for another, and the limits of the job are what refuses
    /// it. `None`: any. A pool of unknown age is old.
    pub pool_age_min: Option<Span>,
    /// Basis points that may arrive less than was simulated when the calldata was made, 0 to 10000.
    pub slip_max_bps: u32,
    /// What the job holds of `token_out` already, base units: a sale is proven for this and for what arrives.
    pub held: Amount,
    /// Basis points that a buy and a sell right after it may lose together; 0: what is kept of both, and 300.
    pub round_trip_loss_max_bps: u32,
}

impl Checks {
    /// No checks: to quote a pool only, and for paper money.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            decimals: None,
            better_max_bps: None,
            worse_max_bps: None,
            impact_max_bps: None,
            kept_max_bps: None,
            pool_age_min: None,
            slip_max_bps: 10_000,
            held: Amount::ZERO,
            round_trip_loss_max_bps: 0,
        }
    }
}

/// What a venue says a swap would do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Expected output, base units of `token_out`.
    pub amount_out: Amount,
    /// How far this swap moves the price at the least, basis points; all of it where nothing was measured.
    pub price_impact_bps: u32,
    /// The same; nothing where nothing was measured. A loss beyond it is not the pool's.
    pub explained_bps: u32,
    /// What pool, hook and token are proven to keep of it.
    pub kept: Kept,
    /// Gas of all calls together, units.
    pub gas_units: u64,
    /// What an L2 asks for their data besides, wei.
    pub data_fee: Amount,
    /// What the buy and a sale of all that would be held cost together, where that sale was tried.
    pub round_trip: Option<RoundTrip>,
    /// How old the pool is; `None`: not known, and long ago.
    pub launched: Option<Launched>,
}

/// A pool whose creation was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launched {
    /// Time since then.
    pub age: Span,
    /// Whether a hook decides what the pool keeps, so that this may fall.
    pub hooked: bool,
}

/// A buy and a sale of all that would be held after it, as they were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    /// What of the price paid does not come back, gas apart: fees, hook, tax and price impact of both. Basis points,
    /// rounded up.
    pub lost_bps: u32,
    /// Gas of the sale alone, units.
    pub sale_gas_units: u64,
}

/// One call to be signed. The approves of a swap come first, the swap last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it is for.
    pub purpose: Purpose,
    /// Contract.
    pub to: Address,
    /// Calldata; deadline and minimum output are inside.
    pub data: Bytes,
    /// Native coin sent along, wei.
    pub value: U256,
    /// Gas limit, units.
    pub gas_limit: u64,
}

impl Call {
    /// The call that only uses up a nonce: nothing, sent to oneself.
    #[must_use]
    pub fn cancel(wallet: Address) -> Self {
        Self {
            purpose: Purpose::Cancel,
            to: wallet,
            data: Bytes::new(),
            value: U256::ZERO,
            gas_limit: 21_000,
        }
    }
}

/// `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

impl Call {
    /// Pays `amount` of `asset` to `to`. The gas limit is that of a plain payment.
    #[must_use]
    pub fn pay(asset: Asset, to: Address, amount: Amount) -> Self {
        let call = Self {
            purpose: Purpose::Transfer,
            to,
            data: Bytes::new(),
            value: amount.units(),
            gas_limit: 21_000,
        };
        match asset {
            Asset::Native => call,
            Asset::Token(token) => {
                let amount: [u8; 32] = amount.units().to_be_bytes();
                Self {
                    to: token,
                    data: [&TRANSFER[..], to.into_word().as_slice(), &amount]
                        .concat()
                        .into(),
                    value: U256::ZERO,
                    ..call
                }
            }
        }
    }
}

/// The newest block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Block number.
    pub number: u64,
    /// Its time: the clock of deadlines.
    pub time: Timestamp,
}

impl Head {
    /// Blocks on top of `block`, its own included: 1 is the newest block. 0: the block is ahead of this head, so
    /// nothing is built on it as far as this node knows.
    #[must_use]
    pub const fn depth(&self, block: u64) -> u64 {
        self.number.saturating_add(1).saturating_sub(block)
    }
}

/// A signer's transaction counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonces {
    /// Mined.
    pub latest: u64,
    /// Mined and pooled.
    pub pending: u64,
}

/// EIP-1559 fees, wei per unit of gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// Most that is paid in all.
    pub max_fee_per_gas: u128,
    /// Most that goes to the block's producer.
    pub max_priority_fee_per_gas: u128,
}

/// USD per whole coin or token, and where that is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsdPrice {
    /// The price.
    pub price: Price,
    /// Its source: `par`, `chainlink`, `paper`.
    pub source: &'static str,
    /// Of when it is.
    pub at: Timestamp,
}

/// Who used a nonce: positive evidence, read from the block itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceUse {
    /// The transaction that used it.
    pub hash: B256,
    /// Block it is in.
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: B256,
}

/// A movement of tokens or of the native coin (token zero) that a receipt proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// The contract that logged it.
    pub token: Address,
    /// Sender.
    pub from: Address,
    /// Receiver.
    pub to: Address,
    /// Base units.
    pub amount: Amount,
}

/// What a mined transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Executed rather than reverted.
    pub success: bool,
    /// Block it is in.
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: B256,
    /// Time of that block.
    pub block_time: Timestamp,
    /// All it cost its sender in native coin, wei: gas and an L2's data fee.
    pub gas_native: Amount,
    /// Token movements, in log order.
    pub transfers: Vec<Transfer>,
}

/// What a node knows of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing; which is no proof of anything.
    Absent,
    /// It waits in the pool.
    Pooled,
    /// It is in a block.
    Mined(Receipt),
}

/// What a block did to a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Around {
    /// Nobody needs to look: several nodes agree on receipts, or the chain is our own.
    Agreed,
    /// What there was before the block and after it, base units.
    Seen {
        /// At the end of the block before.
        before: Amount,
        /// At its own end.
        after: Amount,
    },
    /// Nobody has the state of that block any more, or of the one before.
    Unproven,
}

/// What a node said to stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
pub enum Sent {
    /// Taken into the pool.
    #[strum(to_string = "accepted")]
    Accepted,
    /// It has them already.
    #[strum(to_string = "already known")]
    AlreadyKnown,
}

/// What a node said to stored bytes, as far as the program acts on it. Stored with every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum AnswerKind {
    /// Taken into the pool.
    Accepted,
    /// It has them already.
    AlreadyKnown,
    /// The nonce is used.
    NonceTooLow,
    /// A pooled transaction on this nonce pays more.
    Underpriced,
    /// The wallet cannot pay gas and value.
    InsufficientFunds,
    /// No answer, or an unknown one: the bytes may have been taken.
    Ambiguous,
    /// Refused for a reason that a retry will not fix.
    Rejected,
}

impl From<Sent> for AnswerKind {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Accepted => Self::Accepted,
            Sent::AlreadyKnown => Self::AlreadyKnown,
        }
    }
}

/// A call with everything a signature needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedTransaction {
    /// What to do.
    pub call: Call,
    /// The nonce it takes.
    pub nonce: u64,
    /// What it pays.
    pub fees: Fees,
}

/// Signed bytes that stay valid to send, and their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    /// Transaction hash.
    pub hash: B256,
    /// What is sent.
    pub raw: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ahead_of_the_head_has_no_depth() {
        let head = Head {
            number: 10,
            time: Timestamp::UNIX_EPOCH,
        };
        assert_eq!([11, 10, 9, 0].map(|block| head.depth(block)), [0, 1, 2, 11]);
    }

    #[test]
    fn an_asset_is_written_and_read_back() {
        for asset in [Asset::Native, Asset::Token(Address::repeat_byte(0xAB))] {
            assert_eq!(asset.to_string().parse(), Ok(asset));
        }
        assert_eq!(
            Asset::Token(Address::repeat_byte(0xAB)).to_string(),
            format!("0x{}", "ab".repeat(20))
        );
        assert!("gold".parse::<Asset>().is_err());
    }
}
