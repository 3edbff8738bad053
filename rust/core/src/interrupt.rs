//! A way to stop long work from outside, such as by Ctrl-C.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// Tells long work whether to stop. It is asked every few milliseconds, by any thread that does a part of the work.
///
/// # Examples
///
/// ```
/// use bytepair_core::{Allowed, Interrupt, Scratch, Tokenizer, builtin};
///
/// let gpt2 = Tokenizer::new(builtin::definition("gpt2")?.expect("it is built in"))?;
/// let specials = gpt2.added_tokens().specials(Allowed::None, Allowed::None)?;
/// let (text, mut ids) = ("Stop! ".repeat(1_000_000), Vec::new());
/// let stop = || true;
/// let interrupt = Interrupt::new(&stop);
/// let stopped = gpt2.encode_with(&mut Scratch::default(), text.as_bytes(), &specials, &interrupt, &mut ids);
/// assert!(stopped.is_err());
/// # Ok::<(), bytepair_core::Error>(())
/// ```
pub struct Interrupt<'a> {
    should_stop: &'a (dyn Fn() -> bool + Sync),
    stopped: AtomicBool,
}

impl Interrupt<'static> {
    /// One that never stops anything.
    pub const fn never() -> Self {
        Self::new(&|| false)
    }
}

impl<'a> Interrupt<'a> {
    /// Stops the work once `should_stop` has said so to any of its threads.
    pub const fn new(should_stop: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { should_stop, stopped: AtomicBool::new(false) }
    }

    /// Asks whether to go on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) where the work is to stop.
    pub fn check(&self) -> Result<()> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        if (self.should_stop)() {
            self.stopped.store(true, Ordering::Relaxed);
            return Err(Error::interrupted());
        }
        Ok(())
    }
}

impl fmt::Debug for Interrupt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("stopped", &self.stopped).finish_non_exhaustive()
    }
}
