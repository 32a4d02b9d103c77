//! Invented prices never reach real money.
