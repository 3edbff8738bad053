//! The characters of a `str`, where they lie.
//!
//! Invariant: a `str` does not change, and its memory lies still as long as anyone holds it, whoever has the GIL. What is lent here
//! is held by who asks. A new one is written before anybody else knows of it, to its last character.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::slice;

use bytepair_core::Text;
use bytepair_core::characters::{self, Unit, Width};
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

/// Python makes a shorter one as soon.
const SHORT: usize = 64;

/// A `str` of some text.
pub(crate) fn string<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    if text.len() < SHORT {
        return PyString::from_bytes(py, text.as_bytes());
    }
    match Width::of(text) {
        Width::Ascii => PyString::from_bytes(py, text.as_bytes()),
        Width::Latin1 => made_of::<u8>(py, text, 0xFF),
        Width::Ucs2 => made_of::<u16>(py, text, 0xFFFF),
        Width::Ucs4 => made_of::<u32>(py, text, char::MAX.into()),
    }
}

/// A `str` that holds text in units of some kind, which are what Python has for such a `highest` character.
fn made_of<'py, T: Unit>(py: Python<'py>, text: &str, highest: u32) -> PyResult<Bound<'py, PyString>> {
    let n = text.chars().count();
    // SAFETY: it makes a str of so many characters, or sets an exception.
    let made = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyUnicode_New(isize::try_from(n)?, highest)) }?;
    // SAFETY: nobody else has it yet, and its memory has as many units of this kind.
    let places: &mut [MaybeUninit<T>] =
        unsafe { slice::from_raw_parts_mut(ffi::PyUnicode_DATA(made.as_ptr()).cast(), n) };
    if characters::write(text, places) != n {
        // Never so, as each character is one unit: but what is not written must not be read.
        return PyString::from_bytes(py, text.as_bytes());
    }
    Ok(made.cast_into()?)
}
