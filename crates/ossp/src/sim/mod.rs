//! The virtual plug's physics: mains, loads, relay and front end, seeded and in simulated time.
