//! The `ossp` program.

fn main() {}
