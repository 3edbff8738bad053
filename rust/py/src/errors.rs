//! Every conversion of an error into a Python exception, and the one way into the core.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Write;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytepair_core::{Error, ErrorKind, Interrupt};
use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError, PyOSError, PyValueError};
use pyo3::prelude::*;

mod python {
    //! The exceptions are Python classes, so that each can have two bases, attributes and a docstring.

    use pyo3::import_exception;

    import_exception!(bytepair.errors, FormatError);
    import_exception!(bytepair.errors, InternalError);
    import_exception!(bytepair.errors, MissingByteError);
    import_exception!(bytepair.errors, PatternError);
    import_exception!(bytepair.errors, SpecialTokenError);
    import_exception!(bytepair.errors, TokenIdError);
    import_exception!(bytepair.errors, TrainingError);
    import_exception!(bytepair.errors, VocabularyError);
}

/// Below this many bytes of work, releasing the GIL costs more than another thread could gain.
const DETACH_BYTES: usize = 4096;

/// How often long work looks for signals. To look takes the GIL, for which another thread may let us wait some milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// The Python exception for an error of the core.
pub(crate) fn to_python(error: &Error) -> PyErr {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Vocabulary => python::VocabularyError::new_err(message),
        ErrorKind::Format { location, path } => {
            let made = python::FormatError::new_err((error.message().to_owned(), location.clone()));
            let Some(path) = path else { return made };
            let within = |py: Python<'_>| made.value(py).call_method1("within", (path,)).map(drop);
            Python::attach(within).err().unwrap_or(made)
        }
        ErrorKind::Pattern { position } => python::PatternError::new_err((message, *position)),
        ErrorKind::SpecialToken { token, offset } => {
            python::SpecialTokenError::new_err((message, token.clone(), *offset))
        }
        ErrorKind::MissingByte { byte, offset } => python::MissingByteError::new_err((message, *byte, *offset)),
        ErrorKind::TokenId { id, index } => python::TokenIdError::new_err((message, *id, *index)),
        ErrorKind::Training => python::TrainingError::new_err(message),
        ErrorKind::Argument => PyValueError::new_err(message),
        ErrorKind::Io { path, source } => {
            match source.raw_os_error() {
                // With a number, `OSError` becomes `FileNotFoundError` and the like by itself, and shows the number.
                Some(code) => {
                    let reason = source.to_string();
                    let reason = reason.strip_suffix(&format!(" (os error {code})")).unwrap_or(&reason).to_owned();
                    PyOSError::new_err((code, reason, path.display().to_string()))
                }
                None => PyOSError::new_err(message),
            }
        }
        ErrorKind::Memory => PyMemoryError::new_err(message),
        ErrorKind::Interrupted => PyKeyboardInterrupt::new_err(message),
        _ => python::InternalError::new_err(message),
    }
}

/// Runs work in the core: without the GIL where it is worth it, with errors and panics as exceptions.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    n_bytes: usize,
    work: impl FnOnce() -> bytepair_core::Result<T> + Send,
) -> PyResult<T> {
    guarded(|| {
        let done = if n_bytes < DETACH_BYTES { work() } else { py.detach(work) };
        done.map_err(|error| to_python(&error))
    })
}

/// Runs work that may use Python, with panics as exceptions: `InternalError`, which a caller can catch, and not PyO3's
/// `PanicException`, which is no `Exception`.
pub(crate) fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        // Of a panic that comes from another thread, only the message is here.
        let said = PANIC.take();
        let what = if said.is_empty() { message(payload.as_ref()) } else { &said };
        Err(python::InternalError::new_err(format!("a defect of bytepair, please report it: {what}")))
    })
}

thread_local! {
    /// What the last panic of this thread said, and where.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Makes panics silent, as they become exceptions. The usual hook may also wait for ever where memory has run out, as
/// it allocates for its backtrace.
pub(crate) fn silence_panics() {
    panic::set_hook(Box::new(|info| {
        // Without memory for it, the message is empty.
        PANIC.with_borrow_mut(|said| {
            said.clear();
            if said.try_reserve(MAX_PANIC_BYTES).is_ok() {
                let _ = describe(info, said);
            }
        });
    }));
}

/// More of a panic's message is not kept.
const MAX_PANIC_BYTES: usize = 512;

/// What a panic says.
fn message(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("unknown")
}

fn describe(info: &PanicHookInfo<'_>, out: &mut String) -> std::fmt::Result {
    let message = message(info.payload());
    let (end, _) = message.char_indices().nth(MAX_PANIC_BYTES / 8).unwrap_or((message.len(), ' '));
    out.push_str(message.get(..end).unwrap_or_default());
    match info.location() {
        Some(place) => write!(out, " ({}:{})", place.file(), place.line()),
        None => Ok(()),
    }
}

/// Refuses work for which there is no room, where a library would not take no for an answer: PyO3 panics if Python cannot
/// allocate a list.
pub(crate) fn check_room(n_bytes: usize, what: &str) -> PyResult<()> {
    let mut room: Vec<u8> = Vec::new();
    room.try_reserve_exact(n_bytes).map_err(|_| no_memory(what))
}

/// The exception for memory that cannot be had.
pub(crate) fn no_memory(what: &str) -> PyErr {
    PyMemoryError::new_err(format!("not enough memory for {what}"))
}

/// The items of an iterator, of which there may be more than memory holds.
pub(crate) fn collect<T>(items: impl IntoIterator<Item = PyResult<T>>, what: &str) -> PyResult<Vec<T>> {
    let items = items.into_iter();
    let mut collected = Vec::new();
    collected.try_reserve(items.size_hint().0).map_err(|_| no_memory(what))?;
    for item in items {
        collected.try_reserve(1).map_err(|_| no_memory(what))?;
        collected.push(item?);
    }
    Ok(collected)
}

/// Gives other threads, and Ctrl-C, their turn between two parts of work that needs the GIL.
///
/// To let go of the GIL for a moment is not enough: who waits for it takes longer to wake than we to have it again, and
/// begins to wait anew each time.
pub(crate) fn give_way(py: Python<'_>) -> PyResult<()> {
    py.detach(|| thread::sleep(Duration::from_micros(50)));
    py.check_signals()
}

/// What tells threads from one another: where something lies of which each has its own. `thread::current()` takes longer.
pub(crate) fn this_thread() -> usize {
    thread_local! {
        static OWN: u8 = const { 0 };
    }
    OWN.with(|own| ptr::from_ref(own).addr())
}

/// [`run`] for work that may be long: Ctrl-C, or what else a signal handler raises, ends it.
pub(crate) fn run_interruptible<T: Send>(
    py: Python<'_>,
    n_bytes: usize,
    work: impl FnOnce(&Interrupt<'_>) -> bytepair_core::Result<T> + Send,
) -> PyResult<T> {
    let caller = this_thread();
    // When it looked last, or first might have: to ask for the time takes as long as to encode a word.
    let state: Mutex<(Option<Instant>, Option<PyErr>)> = Mutex::new((None, None));
    let should_stop = || {
        #[cfg(feature = "defects")]
        crate::defects::strike();
        // Signals are handled in the thread that Python runs in, never in one of ours.
        if this_thread() != caller {
            return false;
        }
        let (looked, raised) = &mut *state.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.get_or_insert_with(Instant::now).elapsed() < LOOK_EVERY {
            return false;
        }
        *raised = Python::attach(|py| py.check_signals()).err();
        *looked = Some(Instant::now());
        raised.is_some()
    };
    let done = run(py, n_bytes, || work(&Interrupt::new(&should_stop)));
    match state.into_inner().unwrap_or_else(PoisonError::into_inner).1 {
        Some(error) => Err(error),
        None => done,
    }
}
