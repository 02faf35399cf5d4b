//! The pure core: `handle(now, event) -> actions`, `poll_at()`. No clock, no socket, no waiting in here.

pub mod relay;
