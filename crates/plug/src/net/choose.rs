//! Which of the networks that a scan found is joined, or why none is: a pure function.
