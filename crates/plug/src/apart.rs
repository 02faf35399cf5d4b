//! Futures that keep to themselves: on the heap, and with a stack frame of their own when they are polled.
//!
//! Joined futures are compiled into one function, whose frame then holds what each of them needs, all at once: 11 KB
//! for the parts of `run_rest` on the ESP32-C3. Apart, only the largest counts.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll};

/// A future apart from those beside it.
pub(crate) struct Apart<F>(Pin<Box<F>>);

/// Puts the future that `make` makes on the heap. Not inlined: what stands on the stack while it is made must not stay
/// there for as long as it runs.
#[inline(never)]
pub(crate) fn apart<F: Future>(make: impl FnOnce() -> F) -> Apart<F> {
    Apart(Box::pin(make()))
}

impl<F: Future> Future for Apart<F> {
    type Output = F::Output;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().poll(context)
    }
}
