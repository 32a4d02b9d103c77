//! Findings 6, 13, 14, 21, 25 and 27: what strangers say reaches no statement, log or terminal as it came, and one row

mod set_up;
mod strangers;
mod typed;
