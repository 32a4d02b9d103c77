//! Which part of the program sent a statement to the database, for the figures of a trade.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use testkit::statements::Statement;

/// The parts of the program that a trade keeps busy, and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Evaluates slots and settles trades: whatever is of no other part.
    Engine,
    /// Looks for what is due, and claims it with its tasks.
    Scheduler,
    /// Fetches and acknowledges tasks.
    Queue,
    /// Heartbeats, messages, pruning, and fills of trades that ended before.
    Rest,
}

/// Words of statements that are not the engine's.
const WORDS: [(Part, &str); 13] = [
    (Part::Rest, "apalis.workers (id"),
    (Part::Rest, "j.lock_by = w.id"),
    (Part::Rest, "DELETE FROM apalis.workers"),
    (Part::Rest, "FROM apalis.workers w WHERE w.id = j.lock_by"),
    (Part::Rest, "installation SET announced"),
    (Part::Rest, "max(last_seen) AS last_seen"),
    (Part::Rest, "AS unclaimed_since"),
    (Part::Rest, "receivers"),
    (Part::Rest, "deliveries"),
    (Part::Rest, "w.fill_id"),
    (Part::Scheduler, "FROM fill_watches) <= now()"),
    (Part::Scheduler, "INSERT INTO apalis.jobs"),
    (Part::Queue, "apalis.jobs"),
];

/// Statements, those that begin and end transactions among them, and transactions, those of one statement among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    pub statements: usize,
    pub transactions: usize,
}

impl Cost {
    /// Whether it is no more than `most` of either.
    pub const fn fits(self, most: Self) -> bool {
        self.statements <= most.statements && self.transactions <= most.transactions
    }
}

/// What each part did.
#[derive(Default)]
pub struct Costs {
    parts: BTreeMap<Part, Cost>,
    transactions: Vec<(Part, Vec<String>)>,
}

impl Costs {
    pub fn of(statements: &[Statement]) -> Self {
        let mut open: HashMap<usize, Vec<String>> = HashMap::new();
        let mut costs = Self::default();
        for Statement { connection, sql } in statements {
            match (open.get_mut(connection), sql.as_str()) {
                (Some(begun), "COMMIT" | "ROLLBACK") => {
                    begun.push(sql.clone());
                    let done = open.remove(connection).expect("begun");
                    costs.add(done);
                }
                (Some(begun), _) => begun.push(sql.clone()),
                (None, "BEGIN") => {
                    open.insert(*connection, vec![sql.clone()]);
                }
                (None, _) => costs.add(vec![sql.clone()]),
            }
        }
        costs
    }

    fn add(&mut self, transaction: Vec<String>) {
        let has = |words: &str| transaction.iter().any(|sql| sql.contains(words));
        let part = WORDS.iter().find(|(_, words)| has(words));
        let part = part.map_or(Part::Engine, |(part, _)| *part);
        let cost = self.parts.entry(part).or_default();
        cost.statements += transaction.len();
        cost.transactions += 1;
        self.transactions.push((part, transaction));
    }

    pub fn part(&self, part: Part) -> Cost {
        self.parts.get(&part).copied().unwrap_or_default()
    }

    /// All of them without the rest.
    pub fn trade(&self) -> Cost {
        let parts = [Part::Engine, Part::Scheduler, Part::Queue].map(|part| self.part(part));
        Cost {
            statements: parts.iter().map(|cost| cost.statements).sum(),
            transactions: parts.iter().map(|cost| cost.transactions).sum(),
        }
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, cost) in &self.parts {
            write!(f, "{part:?} {}/{} ", cost.statements, cost.transactions)?;
        }
        writeln!(f, "(statements/transactions)")?;
        for (part, transaction) in self.transactions.iter().filter(|(part, _)| *part != Part::Rest) {
            for sql in transaction {
                writeln!(f, "  {part:?}: {}", sql.chars().take(150).collect::<String>())?;
            }
        }
        Ok(())
    }
}
