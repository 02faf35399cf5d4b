//! Each rule of the claims machine, as a table.
