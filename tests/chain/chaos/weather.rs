//! Which fault meets which request: chosen by a seed, or by a test.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use alloy_primitives::keccak256;

/// What goes wrong with one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection breaks before the node has read anything.
    LostRequest,
    /// The node never hears of it, and the client waits in vain.
    Silence,
    /// The node does it, and the client waits in vain.
    SwallowedAnswer,
    /// The node does it, and the connection breaks within the answer.
    CutAnswer,
    /// The node gets it twice.
    Twice,
    /// The answer comes, but slowly.
    Slow,
    /// The node gets it after the client has given up.
    Late,
    /// 429.
    TooMany,
    /// 503, and the node never heard of it.
    Unavailable,
    /// 502, though the node did it.
    BadGateway,
    /// 200 and no JSON, though the node did it.
    Garbage,
    /// JSON of another shape, though the node did it.
    Nonsense,
    /// Mined transactions have no receipt yet.
    NoReceipt,
    /// Looked-up transactions are not known.
    Forgetful,
    /// A node that is some blocks behind: its counts, balances and receipts are old.
    Behind,
    /// Taken into a pool from which nothing is mined, until it is let go or replaced.
    Stuck,
    /// Taken, and forgotten at once.
    Dropped,
}

/// What an exchange is about; each has faults of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A transaction is handed over.
    Send,
    /// Transactions are looked up.
    Lookup,
    /// Anything else.
    Read,
}

impl Topic {
    /// Exchanges of a thousand that meet a fault.
    const fn per_mille(self) -> u64 {
        match self {
            Self::Send => 550,
            Self::Lookup => 200,
            Self::Read => 80,
        }
    }

    fn faults(self) -> Vec<Fault> {
        use Fault::*;
        let mut faults = vec![
            LostRequest,
            Silence,
            SwallowedAnswer,
            CutAnswer,
            Slow,
            TooMany,
            Unavailable,
            BadGateway,
            Garbage,
        ];
        match self {
            // What a node says of a transaction that it took is not looked at: nonsense would be no fault.
            Self::Send => faults.extend([Twice, Late, Stuck, Stuck, Dropped, Dropped]),
            Self::Lookup => faults.extend([
                Nonsense, NoReceipt, NoReceipt, Forgetful, Forgetful, Behind, Behind,
            ]),
            Self::Read => faults.extend([Nonsense, Behind, Behind, Behind]),
        }
        faults
    }
}

/// Decides by what is asked and how often it was asked before, not by when: a seed meets the same requests with
/// the same faults again.
pub struct Weather {
    seed: u64,
    stormy: AtomicBool,
    asked: Mutex<HashMap<String, u64>>,
    planned: Mutex<VecDeque<(Topic, Fault)>>,
    met: Mutex<BTreeMap<Fault, u64>>,
}

impl Weather {
    /// Fair until [`Self::storm`].
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            stormy: AtomicBool::new(false),
            asked: Mutex::default(),
            planned: Mutex::default(),
            met: Mutex::default(),
        }
    }

    /// Faults come as the seed says, or not at all.
    pub fn storm(&self, on: bool) {
        self.stormy.store(on, Ordering::Relaxed);
    }

    /// The next exchange on this topic meets this fault.
    pub fn plan(&self, topic: Topic, fault: Fault) {
        self.planned.lock().expect("plans").push_back((topic, fault));
    }

    /// How often each fault was met.
    pub fn met(&self) -> BTreeMap<Fault, u64> {
        self.met.lock().expect("counts").clone()
    }

    /// What meets this exchange.
    pub fn next(&self, topic: Topic, subject: &str) -> Option<Fault> {
        let fault = self.planned(topic).or_else(|| self.seeded(topic, subject))?;
        *self.met.lock().expect("counts").entry(fault).or_default() += 1;
        Some(fault)
    }

    fn planned(&self, topic: Topic) -> Option<Fault> {
        let mut planned = self.planned.lock().expect("plans");
        let index = planned.iter().position(|(of, _)| *of == topic)?;
        planned.remove(index).map(|(_, fault)| fault)
    }

    fn seeded(&self, topic: Topic, subject: &str) -> Option<Fault> {
        if !self.stormy.load(Ordering::Relaxed) {
            return None;
        }
        let times = {
            let mut asked = self.asked.lock().expect("counts");
            let times = asked.entry(subject.to_owned()).or_default();
            *times += 1;
            *times
        };
        let draw = keccak256(format!("{}/{subject}/{times}", self.seed));
        let number = |from: usize| u64::from_be_bytes(draw[from..from + 8].try_into().expect("8 bytes"));
        let faults = topic.faults();
        let index = number(8) % u64::try_from(faults.len()).expect("few");
        (number(0) % 1_000 < topic.per_mille()).then(|| faults[usize::try_from(index).expect("few")])
    }
}
