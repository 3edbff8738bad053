//! What a file may ask for: checked before anything is allocated.

use crate::definition::MAX_TOKEN_BYTES;
use crate::error::{Error, Result};

/// The largest file, and the most bytes that all tokens together may have.
pub const FILE_BYTES: usize = 512 << 20;

/// The most tokens, and the most merges.
pub const TOKENS: usize = 1 << 24;

/// The most values in a JSON file: a token or a merge takes at most three.
///
/// A value in memory is many times larger than the two bytes of `1,` in a file.
pub(super) const JSON_VALUES: usize = 4 * TOKENS;

/// The deepest nesting of a JSON file; a `tokenizer.json` needs eight.
pub(super) const JSON_DEPTH: usize = 64;

/// Refuses a file that is larger than [`FILE_BYTES`].
pub(super) fn check_file(location: &str, bytes: &[u8]) -> Result<()> {
    if bytes.len() > FILE_BYTES {
        let (size, limit) = (bytes.len(), FILE_BYTES);
        return Err(Error::format(location, format!("the file has {size} bytes, more than the limit of {limit}")));
    }
    Ok(())
}

/// What is wrong with the length of a token's bytes, if anything.
pub(super) fn token_fault(n_bytes: usize) -> Option<String> {
    match n_bytes {
        0 => Some("the token is empty; every token must have at least one byte".to_owned()),
        n if n > MAX_TOKEN_BYTES => Some(format!("the token has {n} bytes, more than the limit of {MAX_TOKEN_BYTES}")),
        _ => None,
    }
}
