//! The protocol and its world, small enough to be explored completely.
//!
//! One trade, one or two nonces, two workers that may stop between any two of their steps, a network that loses,
//! repeats and delays, nodes that lie about what they know, a chain with reorgs, and another program with
//! the same key. What the workers *do* is decided by the real table.

mod decisions;

use std::collections::HashMap;

use crate::model::explore::Explored;
use chrono::{DateTime, Utc};
use lgi_mm::domain::trade::{ChainView, IllegalTrade, Patience, Step, TradeState};

/// Most nonces that a trade has; a swap alone has one, unless a broken rule binds it to two.
const NONCES: usize = 2;
/// Depth at which the world takes nothing back.
const FINAL: u8 = 2;

/// The table under test.
pub type Table = fn(&TradeState, &ChainView, &Patience, DateTime<Utc>) -> Result<Step, IllegalTrade>;

/// What is explored, and how it may be broken.
#[derive(Clone, Copy)]
pub struct Model {
    /// Whether an approve goes before the swap.
    pub approve: bool,
    /// Workers, 1 or 2.
    pub workers: usize,
    /// Attempts of one kind.
    pub attempts_max: usize,
    /// Reorganisations that may happen.
    pub reorgs: u8,
    /// Transactions that another program may send.
    pub foreign: u8,
    /// Decides.
    pub table: Table,
    /// Depth that the table believes in.
    pub required_depth: u8,
    /// Whether every change is guarded by the trade's version.
    pub guarded: bool,
    /// Whether who used a nonce is looked up.
    pub investigates: bool,
}

/// What the ledger has of one nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Recorded {
    own: u8,
    cancels: u8,
    /// A bit an attempt.
    sent: u8,
    foreign: bool,
}

impl Recorded {
    const fn attempts(self) -> u8 {
        self.own + self.cancels
    }
}

/// What a worker reads at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Ledger {
    status: u8,
    version: u8,
    bound: u8,
    nonces: [Recorded; NONCES],
}

const PENDING: u8 = 0;
const SUBMITTED: u8 = 1;
const EXECUTED: u8 = 2;
const FAILED: u8 = 3;

/// What a worker will do, and of which attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Act {
    Allocate,
    Expire,
    Broadcast { nonce: u8, attempt: u8 },
    Sign { nonce: u8, cancel: bool },
    Fill,
    Fail,
    Investigate { nonce: u8 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Worker {
    Idle,
    Loaded(Ledger),
    Decided { act: Act, version: u8 },
    Sent { nonce: u8, attempt: u8 },
}

/// Who is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Mined {
    Nobody,
    Ours { attempt: u8, success: bool, depth: u8 },
    Foreign { depth: u8 },
}

impl Mined {
    const fn depth(self) -> u8 {
        match self {
            Self::Nobody => 0,
            Self::Ours { depth, .. } | Self::Foreign { depth } => depth,
        }
    }

    const fn at(self, depth: u8) -> Self {
        match self {
            Self::Nobody => Self::Nobody,
            Self::Ours { attempt, success, .. } => Self::Ours {
                attempt,
                success,
                depth,
            },
            Self::Foreign { .. } => Self::Foreign { depth },
        }
    }
}

/// One nonce outside the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Outside {
    /// A bit an attempt: on its way to a node.
    flying: u8,
    pooled: Option<u8>,
    mined: Mined,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    ledger: Ledger,
    outside: [Outside; NONCES],
    workers: [Worker; 2],
    late: bool,
    reorgs: u8,
    foreign: u8,
}

type Next = crate::model::explore::Next<World>;

/// Distinct decisions by what was read and what there is to see.
#[derive(Default)]
pub struct Memory(HashMap<Sight, Vec<Act>>);

/// What was read, and what there is to see: pool and blocks of each nonce, and whether the deadline has passed.
type Sight = (Ledger, [(Option<u8>, Mined); NONCES], bool);

impl Explored for World {
    type Rules = Model;
    type Memory = Memory;
    const STUCK: &'static str = "a nonce may stay open indefinitely";

    fn start(model: &Model) -> Self {
        let outside = Outside {
            flying: 0,
            pooled: None,
            mined: Mined::Nobody,
        };
        Self {
            ledger: Ledger::default(),
            outside: [outside; NONCES],
            workers: [Worker::Idle; 2],
            late: false,
            reorgs: model.reorgs,
            foreign: model.foreign,
        }
    }

    fn is_over(&self) -> bool {
        self.ledger.status == EXECUTED || self.ledger.status == FAILED
    }

    fn wrong(&self, model: &Model) -> Option<&'static str> {
        let bound = usize::from(self.ledger.bound);
        let swap = |nonce: usize| !model.approve || nonce % 2 == 1;
        let swapped = |nonce: &usize| {
            swap(*nonce)
                && matches!(self.outside[*nonce].mined, Mined::Ours { attempt, success: true, .. }
                            if attempt < self.ledger.nonces[*nonce].own)
        };
        let settled = |nonce: &usize| self.outside[*nonce].mined.depth() >= FINAL;
        if (0..bound).filter(swapped).filter(settled).count() > 1 {
            return Some("two swaps of one trade are final");
        }
        if !self.is_over() {
            return None;
        }
        if !(0..bound).all(|nonce| settled(&nonce)) {
            return Some("a trade ended with an open nonce");
        }
        let happened = (0..bound).any(|nonce| swapped(&nonce));
        match (self.ledger.status, happened) {
            (FAILED, true) => Some("a swap that happened is recorded as failed"),
            (EXECUTED, false) => Some("a swap that did not happen is recorded as executed"),
            _ => None,
        }
    }

    fn nexts(&self, model: &Model, memory: &mut Memory) -> Vec<Next> {
        let mut nexts = vec![];
        if !self.is_over() {
            self.chain(&mut nexts);
            for worker in 0..model.workers {
                self.work(worker, model, memory, &mut nexts);
            }
        }
        nexts
    }
}

impl World {
    /// The signer's next nonce by the newest block.
    fn next_nonce(&self) -> usize {
        self.outside
            .iter()
            .take_while(|nonce| nonce.mined != Mined::Nobody)
            .count()
    }

    fn with(&self, nexts: &mut Vec<Next>, change: impl FnOnce(&mut Self)) {
        self.push(nexts, true, change);
    }

    fn push(&self, nexts: &mut Vec<Next>, helps: bool, change: impl FnOnce(&mut Self)) {
        let mut world = *self;
        change(&mut world);
        // The two workers are alike.
        if world.workers[1] < world.workers[0] {
            world.workers.swap(0, 1);
        }
        nexts.push(Next { world, helps });
    }

    fn chain(&self, nexts: &mut Vec<Next>) {
        let next = self.next_nonce();
        let bound = usize::from(self.ledger.bound);
        for nonce in next..bound {
            let outside = self.outside[nonce];
            for attempt in (0..8).filter(|attempt| outside.flying & (1 << attempt) != 0) {
                self.with(nexts, |w| w.outside[nonce].flying &= !(1 << attempt));
                if outside.pooled.is_none_or(|pooled| pooled < attempt) {
                    self.with(nexts, |w| {
                        w.outside[nonce].flying &= !(1 << attempt);
                        w.outside[nonce].pooled = Some(attempt);
                    });
                    self.push(nexts, false, |w| w.outside[nonce].pooled = Some(attempt));
                }
            }
            if outside.pooled.is_some() {
                self.with(nexts, |w| w.outside[nonce].pooled = None);
            }
        }
        if next < bound {
            self.mine(next, nexts);
        }
        if !self.late {
            self.with(nexts, |w| w.late = true);
        }
        if self.outside.iter().any(|o| (1..FINAL).contains(&o.mined.depth())) {
            self.with(nexts, |w| {
                for outside in &mut w.outside {
                    outside.mined = outside.mined.at((outside.mined.depth() + 1).min(FINAL));
                }
            });
            if self.reorgs > 0 {
                // The clock of a new branch may be behind.
                for late in [self.late, false] {
                    self.with(nexts, |w| w.take_back(late));
                }
            }
        }
    }

    fn mine(&self, nonce: usize, nexts: &mut Vec<Next>) {
        if let Some(attempt) = self.outside[nonce].pooled {
            let recorded = self.ledger.nonces[nonce];
            let is_cancel = attempt >= recorded.own;
            for success in [true, false] {
                // Calldata is refused past its deadline; a cancel cannot revert.
                if (is_cancel && !success) || (!is_cancel && success && self.late) {
                    continue;
                }
                self.with(nexts, |w| {
                    w.outside[nonce].pooled = None;
                    w.outside[nonce].mined = Mined::Ours {
                        attempt,
                        success,
                        depth: 1,
                    };
                });
            }
        }
        if self.foreign > 0 {
            self.push(nexts, false, |w| {
                w.foreign -= 1;
                w.outside[nonce].pooled = None;
                w.outside[nonce].mined = Mined::Foreign { depth: 1 };
            });
        }
    }

    /// Whatever is not final is in no block and in no pool any more.
    fn take_back(&mut self, late: bool) {
        self.reorgs -= 1;
        self.late = late;
        for outside in &mut self.outside {
            if outside.mined.depth() < FINAL {
                if matches!(outside.mined, Mined::Foreign { .. }) {
                    self.foreign += 1;
                }
                outside.mined = Mined::Nobody;
            }
        }
    }

    fn work(&self, index: usize, model: &Model, memory: &mut Memory, nexts: &mut Vec<Next>) {
        let worker = self.workers[index];
        if worker != Worker::Idle {
            // It crashes.
            self.with(nexts, |w| w.workers[index] = Worker::Idle);
        }
        match worker {
            Worker::Idle => self.with(nexts, |w| w.workers[index] = Worker::Loaded(w.ledger)),
            Worker::Loaded(ledger) => {
                for act in memory.acts(&ledger, self, model) {
                    let version = ledger.version;
                    self.with(nexts, |w| w.workers[index] = Worker::Decided { act, version });
                }
            }
            Worker::Decided { act, version } => self.with(nexts, |w| {
                w.workers[index] = Worker::Idle;
                w.act(index, act, version, model);
            }),
            Worker::Sent { nonce, attempt } => self.with(nexts, |w| {
                w.workers[index] = Worker::Idle;
                w.ledger.nonces[usize::from(nonce)].sent |= 1 << attempt;
            }),
        }
    }

    /// One write of the ledger, or one message.
    fn act(&mut self, index: usize, act: Act, version: u8, model: &Model) {
        let ledger = &mut self.ledger;
        let current = !model.guarded || ledger.version == version;
        let (pending, submitted) = (ledger.status == PENDING, ledger.status == SUBMITTED);
        match act {
            Act::Allocate if current && (pending || !model.guarded) => {
                let nonces = if model.approve { 2 } else { 1 };
                for nonce in &mut ledger.nonces[usize::from(ledger.bound)..][..nonces] {
                    nonce.own = 1;
                }
                ledger.bound += u8::try_from(nonces).expect("small");
                ledger.status = SUBMITTED;
                ledger.version += 1;
            }
            Act::Expire if current && pending => ledger.status = FAILED,
            Act::Broadcast { nonce, attempt } => {
                self.outside[usize::from(nonce)].flying |= 1 << attempt;
                self.workers[index] = Worker::Sent { nonce, attempt };
            }
            Act::Sign { nonce, cancel } if current && submitted => {
                let recorded = &mut ledger.nonces[usize::from(nonce)];
                if cancel {
                    recorded.cancels += 1;
                } else {
                    recorded.own += 1;
                }
                ledger.version += 1;
            }
            Act::Fill if current && submitted => ledger.status = EXECUTED,
            Act::Fail if current && submitted => ledger.status = FAILED,
            Act::Investigate { nonce } if model.investigates => {
                let nonce = usize::from(nonce);
                if matches!(self.outside[nonce].mined, Mined::Foreign { depth } if depth >= FINAL) {
                    ledger.nonces[nonce].foreign = true;
                }
            }
            _ => {}
        }
    }
}
