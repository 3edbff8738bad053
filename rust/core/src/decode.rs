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
    let (start, n_bytes) = (out.len(), decoded_length(vocabulary, ids)?);
    out.try_reserve(n_bytes).map_err(|_| Error::memory("the decoded text"))?;
    out.resize(start + n_bytes, 0);
    vocabulary.tokens().write(ids, out.get_mut(start..).unwrap_or_default());
    Ok(())
}

/// How many bytes `ids` decode to.
///
/// # Errors
///
/// [`ErrorKind::TokenId`](crate::ErrorKind::TokenId) for the first id that stands for no token.
///
/// # Complexity
///
/// O(ids).
pub fn decoded_length(vocabulary: &Vocabulary, ids: &[u32]) -> Result<usize> {
    vocabulary.check_room()?;
    let unknown = |index| {
        let id: u32 = ids.get(index).copied().unwrap_or_default();
        Error::unknown_token_id(id.into(), index, vocabulary.n_ids())
    };
    vocabulary.tokens().total_length(ids).map_err(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin;

    /// Whatever the ids, what comes out is the tokens one after the other, after what was there.
    #[test]
    fn decoding_joins_tokens() {
        for name in ["gpt2", "o200k_base"] {
            let definition = builtin::definition(name).unwrap().unwrap();
            let vocabulary = Vocabulary::new(&definition.tokens, &definition.added_tokens).unwrap();
            let assigned: Vec<u32> = vocabulary.iter().map(|(id, _)| id.get()).collect();
            for step in [1, 7, 1013] {
                let ids: Vec<u32> = (0..20_000).map(|n| assigned[n * step % assigned.len()]).collect();
                let expected: Vec<&[u8]> = ids.iter().map(|&id| vocabulary.token(id).unwrap()).collect();
                let mut out = b"before".to_vec();
                decode(&vocabulary, &ids, &mut out).unwrap();
                assert_eq!(out, [b"before", &expected.concat()[..]].concat());
            }
            // Each token last, where nothing may be written behind it.
            for &id in &assigned {
                let mut out = Vec::new();
                decode(&vocabulary, &[id], &mut out).unwrap();
                assert_eq!(out, vocabulary.token(id).unwrap());
            }
        }
    }
}
