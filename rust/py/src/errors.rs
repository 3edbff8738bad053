//! Every conversion of an error into a Python exception, and the one way into the core.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytepair_core::{Error, ErrorKind};
use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError, PyOSError};
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

/// The Python exception for an error of the core.
pub(crate) fn to_python(error: &Error) -> PyErr {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Vocabulary => python::VocabularyError::new_err(message),
        ErrorKind::Format { location } => python::FormatError::new_err((message, location.clone())),
        ErrorKind::Pattern { position } => python::PatternError::new_err((message, *position)),
        ErrorKind::SpecialToken { token, offset } => {
            python::SpecialTokenError::new_err((message, token.clone(), *offset))
        }
        ErrorKind::MissingByte { byte, offset } => python::MissingByteError::new_err((message, *byte, *offset)),
        ErrorKind::TokenId { id, index } => python::TokenIdError::new_err((message, *id, *index)),
        ErrorKind::Training => python::TrainingError::new_err(message),
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
    let guarded = AssertUnwindSafe(|| if n_bytes < DETACH_BYTES { work() } else { py.detach(work) });
    match catch_unwind(guarded) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(to_python(&error)),
        Err(panic) => {
            let reason = panic.downcast_ref::<String>().map(String::as_str);
            let reason = reason.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
            Err(python::InternalError::new_err(format!("a defect of bytepair, please report it: {reason}")))
        }
    }
}
