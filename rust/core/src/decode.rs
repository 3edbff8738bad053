//! Ids to bytes.

mod stream;

pub use stream::DecodeStream;

use crate::error::{Error, Result};
use crate::vocab::Vocabulary;

/// Appends the bytes of `ids` to `out`; on an error `out` is as it was.
///
/// # Errors
///
/// [`ErrorKind::TokenId`](crate::ErrorKind::TokenId) for the first id that stands for no token;
/// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where the bytes do not fit.
///
/// # Complexity
///
/// O(ids + bytes).
pub fn decode(vocabulary: &Vocabulary, ids: &[u32], out: &mut Vec<u8>) -> Result<()> {
    let mut n_bytes = 0;
    for (index, &id) in ids.iter().enumerate() {
        let token = vocabulary.token(id);
        n_bytes += token.ok_or_else(|| Error::unknown_token_id(id.into(), index, vocabulary.n_ids()))?.len();
    }
    out.try_reserve(n_bytes).map_err(|_| Error::memory("the decoded text"))?;
    for &id in ids {
        out.extend_from_slice(vocabulary.token(id).unwrap_or_default());
    }
    Ok(())
}
