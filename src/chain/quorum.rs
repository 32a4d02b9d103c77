//! Agreement of several nodes. Two URLs of one host count as one vote.

use std::collections::{BTreeMap, BTreeSet};

/// The highest number that at least `quorum` nodes have reached; `None`: too few answered.
///
/// A host counts with its lowest number, so one false node cannot raise the result.
pub(super) fn reached<T: Ord + Copy>(
    said: impl IntoIterator<Item = (String, T)>,
    quorum: usize,
) -> Option<T> {
    let mut lowest: BTreeMap<String, T> = BTreeMap::new();
    for (voice, number) in said {
        let entry = lowest.entry(voice).or_insert(number);
        *entry = (*entry).min(number);
    }
    let mut numbers: Vec<T> = lowest.into_values().collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.get(quorum.checked_sub(1)?).copied()
}

/// Result of a vote on one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict<T> {
    /// At least `quorum` nodes agree, more than on any other answer. `dissent`: nodes that answer differently.
    Agreed {
        said: T,
        by: BTreeSet<String>,
        dissent: BTreeSet<String>,
    },
    /// Different answers, none with a quorum.
    Split(Vec<(T, BTreeSet<String>)>),
    /// One answer, below the quorum.
    TooFew(BTreeSet<String>),
}

/// Counts votes by answer.
pub(super) fn agree<T: Clone + PartialEq>(
    said: impl IntoIterator<Item = (String, T)>,
    quorum: usize,
) -> Verdict<T> {
    let mut camps: Vec<(T, BTreeSet<String>)> = Vec::new();
    for (voice, answer) in said {
        match camps.iter_mut().find(|(camp, _)| *camp == answer) {
            Some((_, voices)) => {
                voices.insert(voice);
            }
            None => camps.push((answer, BTreeSet::from([voice]))),
        }
    }
    // Ordered by size, then by name: equal splits produce equal messages.
    camps.sort_by(|(_, a), (_, b)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let others: BTreeSet<String> = camps
        .iter()
        .skip(1)
        .flat_map(|(_, voices)| voices.clone())
        .collect();
    match camps.first() {
        Some((said, by)) if by.len() >= quorum && by.len() > others.len() => Verdict::Agreed {
            said: said.clone(),
            by: by.clone(),
            dissent: others,
        },
        _ if camps.len() > 1 => Verdict::Split(camps),
        Some((_, by)) => Verdict::TooFew(by.clone()),
        None => Verdict::TooFew(BTreeSet::new()),
    }
}

/// Joins names for a message.
pub(super) fn names(voices: &BTreeSet<String>) -> String {
    let voices: Vec<&str> = voices.iter().map(String::as_str).collect();
    voices.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<T: Copy>(answers: &[(&str, T)]) -> Vec<(String, T)> {
        answers
            .iter()
            .map(|(voice, answer)| ((*voice).to_owned(), *answer))
            .collect()
    }

    #[test]
    fn one_liar_raises_no_number_and_a_missing_voice_settles_none() {
        assert_eq!(reached(said(&[("a", 5_000_000), ("b", 4)]), 2), Some(4));
        assert_eq!(reached(said(&[("a", 5_000_000), ("b", 4), ("c", 4)]), 2), Some(4));
        assert_eq!(reached(said(&[("a", 1), ("b", 9), ("c", 9)]), 2), Some(9));
        assert_eq!(reached(said(&[("a", 4)]), 2), None);
        assert_eq!(
            reached(said(&[("a", 9), ("a", 9)]), 2),
            None,
            "two URLs of one host"
        );
        assert_eq!(reached(said(&[("a", 9), ("a", 3)]), 1), Some(3));
    }

    #[test]
    fn a_majority_of_enough_voices_agrees_and_an_even_split_does_not() {
        let agreed = agree(said(&[("a", 1), ("b", 2), ("c", 2)]), 2);
        assert!(matches!(agreed, Verdict::Agreed { said: 2, ref dissent, .. } if names(dissent) == "a"));
        assert!(matches!(agree(said(&[("a", 1), ("b", 2)]), 1), Verdict::Split(_)));
        assert!(matches!(agree(said(&[("a", 1), ("b", 2)]), 2), Verdict::Split(_)));
        assert!(matches!(agree(said(&[("a", 1)]), 2), Verdict::TooFew(_)));
        assert!(matches!(
            agree(said(&[("a", 1), ("a", 1)]), 2),
            Verdict::TooFew(_)
        ));
        assert!(matches!(
            agree(said(&[("a", 1), ("b", 1), ("c", 2), ("d", 3)]), 2),
            Verdict::Split(_)
        ));
        assert!(matches!(agree(said::<u8>(&[]), 1), Verdict::TooFew(_)));
    }
}
