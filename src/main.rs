//! The `lgi-mm` command.

fn main() {}
