//! How the parts of `access` work together.
