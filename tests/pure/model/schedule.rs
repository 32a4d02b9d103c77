//! Slots of one job: a scheduler that claims them, a queue that loses, repeats and delays, workers that may die between
//! reading and recording, ticks by hand, and an owner whose orders wait for locks.
//!
//! Time goes in steps; a slot lies at a step or just after it, since ticks by hand and orders come at any instant.

use crate::model::explore::{Explored, Next};

/// The last step of time that is looked at.
const TIME_MAX: u8 = 5;
/// Number of distinct slots within one step.
const FINE: u8 = 6;
/// The schedule has a slot at every second step, and each starts one step late.
const EVERY: u8 = 2;
const JITTER: u8 = 1;

/// Which of the rules that keep a job going are followed.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Whether a slot is planned later than all that were recorded or handed out.
    pub plans_past_fence: bool,
    /// Whether a slot that was passed is stepped over when it is claimed.
    pub steps_over: bool,
    /// Whether a slot that is found to be decided is open no longer.
    pub closes: bool,
    /// Whether slots whose tasks were lost are handed out again.
    pub renews: bool,
    /// Whether only a slot later than the newest recorded one is recorded.
    pub fenced: bool,
    /// Ticks by hand.
    pub by_hand: u8,
    /// Orders of the owner: edits of a running job, and at last a liquidation.
    pub orders: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Order {
    Edit,
    Liquidate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slots {
    now: u8,
    liquidating: bool,
    next: u8,
    due: u8,
    open: Option<u8>,
    last: Option<u8>,
    /// A bit a slot: tasks in the queue, and what workers are deciding, as a running job and as one that is sold.
    queue: u64,
    deciding: [u64; 2],
    /// An order that waits for its locks, and when its transaction began.
    order: Option<(Order, u8)>,
    by_hand: u8,
    orders: u8,
    twice: bool,
    sold: bool,
}

const fn bit(slot: u8) -> u64 {
    1 << slot
}

fn slots(mask: u64) -> impl Iterator<Item = u8> {
    (0..64).filter(move |slot| mask & bit(*slot) != 0)
}

/// The first slot of the schedule after the instant `at`, in steps.
const fn scheduled_after(at: u8) -> u8 {
    (at / FINE / EVERY + 1) * EVERY
}

impl Slots {
    fn push(&self, nexts: &mut Vec<Next<Self>>, helps: bool, change: impl FnOnce(&mut Self)) {
        let mut world = *self;
        change(&mut world);
        nexts.push(Next { world, helps });
    }

    fn fence(&self) -> Option<u8> {
        self.last.max(self.open)
    }

    fn past_fence(&self, at: u8, rules: &Rules) -> u8 {
        match self.fence() {
            Some(fence) if rules.plans_past_fence => at.max(fence + 1),
            _ => at,
        }
    }

    fn is_decided(&self, slot: u8) -> bool {
        self.last.is_some_and(|last| last >= slot)
    }

    fn close(&mut self, rules: &Rules) {
        if rules.closes && self.open.is_some_and(|open| self.is_decided(open)) {
            self.open = None;
        }
    }

    fn claim(&mut self, rules: &Rules) {
        let slot = if self.liquidating {
            let slot = self.past_fence(self.next, rules);
            (self.next, self.due) = (self.now * FINE, self.now);
            slot
        } else {
            let slot = (self.now / EVERY * EVERY * FINE).max(self.next);
            let next = scheduled_after(self.now * FINE);
            (self.next, self.due) = (next * FINE, next + JITTER);
            slot
        };
        if rules.steps_over && self.is_decided(slot) {
            return;
        }
        self.open = Some(slot);
        self.queue |= bit(slot);
    }

    fn deliver(&mut self, slot: u8, rules: &Rules) {
        if rules.fenced && self.is_decided(slot) {
            self.close(rules);
        } else {
            self.deciding[usize::from(self.liquidating)] |= bit(slot);
        }
    }

    fn record(&mut self, slot: u8, selling: usize, rules: &Rules) {
        self.deciding[selling] &= !bit(slot);
        if rules.fenced && self.is_decided(slot) {
            self.close(rules);
            return;
        }
        self.twice |= self.is_decided(slot);
        self.last = self.last.max(Some(slot));
        if rules.fenced {
            // What is decided changes nothing any more, delivered or recorded: looking at it would only close it.
            let later = !(bit(slot) | (bit(slot) - 1));
            self.queue &= later;
            self.deciding = self.deciding.map(|deciding| deciding & later);
        }
        if self.open.is_some_and(|open| open <= slot) {
            self.open = None;
        }
        self.sold |= selling == 1;
    }

    /// What an order does when it has its locks.
    fn obey(&mut self, order: Order, began: u8, rules: &Rules) {
        self.order = None;
        let now = if rules.plans_past_fence { self.now } else { began };
        match order {
            Order::Edit => {
                let fence = self.fence().filter(|_| rules.plans_past_fence).unwrap_or(0);
                let next = scheduled_after(fence.max(now * FINE));
                (self.next, self.due) = (next * FINE, next + JITTER);
            }
            Order::Liquidate => {
                self.liquidating = true;
                self.next = self.past_fence(now * FINE + 1, rules);
                self.due = self.now;
            }
        }
    }

    fn workers(&self, rules: &Rules, nexts: &mut Vec<Next<Self>>) {
        for slot in slots(self.queue) {
            self.push(nexts, true, |w| {
                w.queue &= !bit(slot);
                w.deliver(slot, rules);
            });
            // Delivered twice, or lost.
            self.push(nexts, false, |w| w.deliver(slot, rules));
            self.push(nexts, false, |w| w.queue &= !bit(slot));
        }
        for selling in 0..2 {
            for slot in slots(self.deciding[selling]) {
                self.push(nexts, true, |w| w.record(slot, selling, rules));
                self.push(nexts, false, |w| w.deciding[selling] &= !bit(slot));
            }
        }
    }
}

impl Explored for Slots {
    type Rules = Rules;
    type Memory = ();
    const STUCK: &'static str = "a job may stand still indefinitely";

    fn start(rules: &Rules) -> Self {
        Self {
            now: 0,
            liquidating: false,
            next: EVERY * FINE,
            due: EVERY + JITTER,
            open: None,
            last: None,
            queue: 0,
            deciding: [0; 2],
            order: None,
            by_hand: rules.by_hand,
            orders: rules.orders,
            twice: false,
            sold: false,
        }
    }

    fn wrong(&self, _: &Rules) -> Option<&'static str> {
        self.twice.then_some("a slot was decided twice")
    }

    /// Sold, or nothing is open and the next slot lies past the time that is looked at.
    fn is_over(&self) -> bool {
        let waits = self.open.is_none() && self.next > TIME_MAX * FINE && !self.is_decided(self.next);
        self.sold || (waits && !self.liquidating && self.order.is_none())
    }

    fn nexts(&self, rules: &Rules, (): &mut ()) -> Vec<Next<Self>> {
        let mut nexts = vec![];
        if self.is_over() {
            return nexts;
        }
        if self.now < TIME_MAX {
            self.push(&mut nexts, true, |w| w.now += 1);
        }
        if self.open.is_none() && self.due <= self.now {
            self.push(&mut nexts, true, |w| w.claim(rules));
        }
        if let Some(open) = self.open.filter(|_| rules.renews) {
            self.push(&mut nexts, true, |w| {
                w.close(rules);
                if w.open.is_some() {
                    w.queue |= bit(open);
                }
            });
        }
        self.workers(rules, &mut nexts);
        if self.by_hand > 0 {
            self.push(&mut nexts, false, |w| {
                w.by_hand -= 1;
                let slot = w.past_fence(w.now * FINE + 2, rules);
                w.deliver(slot, rules);
            });
        }
        match self.order {
            Some((order, began)) => self.push(&mut nexts, true, |w| w.obey(order, began, rules)),
            None if self.orders > 0 && !self.liquidating => {
                for order in [Order::Edit, Order::Liquidate] {
                    self.push(&mut nexts, false, |w| {
                        w.orders -= 1;
                        w.order = Some((order, w.now));
                    });
                }
            }
            None => {}
        }
        nexts
    }
}
