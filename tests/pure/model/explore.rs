//! Breadth-first search of all states.

use std::{collections::HashMap, fmt::Debug, hash::Hash};

/// A transition, and whether it counts as progress. A network that repeats a message, or another program that uses up
/// the nonce, may happen to help, but the protocol cannot rely on them.
pub struct Next<W> {
    pub world: W,
    pub helps: bool,
}

/// What can be explored.
pub trait Explored: Copy + Eq + Hash + Debug {
    /// What is explored, and how it may be broken.
    type Rules;
    /// What is worked out once.
    type Memory: Default;
    /// The report of a world from which no end can be reached.
    const STUCK: &'static str;

    fn start(rules: &Self::Rules) -> Self;

    fn is_over(&self) -> bool;

    /// What must be true of every world. `None`: all is well.
    fn wrong(&self, rules: &Self::Rules) -> Option<&'static str>;

    /// Everything that can happen next.
    fn nexts(&self, rules: &Self::Rules, memory: &mut Self::Memory) -> Vec<Next<Self>>;
}

/// What was found.
pub struct Found<W> {
    /// Worlds.
    pub states: usize,
    /// Ways from one to another.
    pub edges: usize,
    /// The first thing that must not be, and the shortest way to it.
    pub wrong: Option<(&'static str, Vec<W>)>,
}

/// Explores until something is wrong, or everything was seen.
pub fn explore<W: Explored>(model: &W::Rules) -> Found<W> {
    let start = W::start(model);
    let mut worlds = vec![start];
    let mut from: Vec<u32> = vec![0];
    let mut number: HashMap<W, u32> = HashMap::from([(start, 0)]);
    // Search backwards from the ends over progress transitions: an unreached state cannot reach an end.
    let mut back: Vec<(u32, u32)> = vec![];
    let mut memory = W::Memory::default();
    let mut edges = 0;
    let mut at = 0;
    while at < worlds.len() {
        let (world, here) = (worlds[at], u32::try_from(at).expect("a small model"));
        if let Some(wrong) = world.wrong(model) {
            return Found {
                states: worlds.len(),
                edges,
                wrong: Some((wrong, way_to(here, &worlds, &from))),
            };
        }
        for next in world.nexts(model, &mut memory) {
            edges += 1;
            let there = *number.entry(next.world).or_insert_with(|| {
                worlds.push(next.world);
                from.push(here);
                u32::try_from(worlds.len() - 1).expect("a small model")
            });
            if next.helps && there != here {
                back.push((there, here));
            }
        }
        at += 1;
    }
    let stuck = without_end(&worlds, back);
    Found {
        states: worlds.len(),
        edges,
        wrong: stuck.map(|here| (W::STUCK, way_to(here, &worlds, &from))),
    }
}

/// A world from which no end can be reached.
fn without_end<W: Explored>(worlds: &[W], mut back: Vec<(u32, u32)>) -> Option<u32> {
    back.sort_unstable();
    let mut ends: Vec<bool> = worlds.iter().map(W::is_over).collect();
    let mut todo: Vec<u32> = (0_u32..)
        .zip(&ends)
        .filter(|(_, over)| **over)
        .map(|(n, _)| n)
        .collect();
    while let Some(here) = todo.pop() {
        let first = back.partition_point(|(there, _)| *there < here);
        for (_, before) in back[first..].iter().take_while(|(there, _)| *there == here) {
            let known = &mut ends[*before as usize];
            if !*known {
                *known = true;
                todo.push(*before);
            }
        }
    }
    ends.iter()
        .position(|ends| !ends)
        .map(|n| u32::try_from(n).expect("a small model"))
}

fn way_to<W: Copy>(mut here: u32, worlds: &[W], from: &[u32]) -> Vec<W> {
    let mut way = vec![worlds[here as usize]];
    while here != 0 {
        here = from[here as usize];
        way.push(worlds[here as usize]);
    }
    way.reverse();
    way
}
