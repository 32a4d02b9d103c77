//! Result of comparing the ledger with a venue.

/// Differences between the ledger and a venue's own records. All zeros: nothing was lost and nothing was doubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Findings {
    /// Slots with more than one swap at the venue, or decided more than once in the ledger.
    pub duplicate_slots: u64,
    /// Swaps that only one side knows, amounts that differ, and positions that differ from the venue's balance.
    pub position_mismatches: u64,
}
