//! The characters of a `str`, where they lie.
//!
//! Invariant: a `str` does not change, and its memory lies still as long as anyone holds it, whoever has the GIL. What is lent here
//! is held by who asks.

#![allow(unsafe_code)]

use bytepair_core::Text;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::types::string::PyStringData;

/// The characters of a `str` in the form that Python holds them in.
pub(crate) fn of<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Text<'a>> {
    // SAFETY: it is a valid str, and what PyO3 finds in it is tested with the Python that this is built for.
    Ok(match unsafe { text.data() }? {
        // SAFETY: as above; finding its characters has made it ready.
        PyStringData::Ucs1(bytes) if unsafe { ffi::PyUnicode_IS_ASCII(text.as_ptr()) } != 0 => Text::Bytes(bytes),
        PyStringData::Ucs1(units) => Text::Latin1(units),
        PyStringData::Ucs2(units) => Text::Ucs2(units),
        PyStringData::Ucs4(units) => Text::Ucs4(units),
    })
}
