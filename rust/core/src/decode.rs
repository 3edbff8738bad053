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
    append_from(0, vocabulary, ids, out)
}

/// Writes the bytes of `ids` over those that `out` begins with, and makes it longer where they do not fit; returns how many there
/// are. On an error `out` may hold anything.
///
/// # Errors
///
/// As [`decode`].
///
/// # Complexity
///
/// O(ids + bytes); as long as there is room, the ids are read once.
pub fn decode_over(vocabulary: &Vocabulary, ids: &[u32], out: &mut Vec<u8>) -> Result<usize> {
    vocabulary.check_room()?;
    let (n_ids, n_bytes) = vocabulary.tokens().write(ids, out);
    if n_ids == ids.len() {
        return Ok(n_bytes);
    }
    out.truncate(n_bytes);
    append_from(n_ids, vocabulary, ids, out)?;
    Ok(out.len())
}

/// Appends the bytes of `ids` from number `first` on.
fn append_from(first: usize, vocabulary: &Vocabulary, ids: &[u32], out: &mut Vec<u8>) -> Result<()> {
    let (start, n_bytes) = (out.len(), length_from(first, vocabulary, ids)?);
    out.try_reserve(n_bytes).map_err(|_| Error::memory("the decoded text"))?;
    out.resize(start + n_bytes, 0);
    vocabulary.tokens().write(ids.get(first..).unwrap_or_default(), out.get_mut(start..).unwrap_or_default());
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
    length_from(0, vocabulary, ids)
}

/// How many bytes `ids` from number `first` on decode to.
fn length_from(first: usize, vocabulary: &Vocabulary, ids: &[u32]) -> Result<usize> {
    vocabulary.check_room()?;
    vocabulary.tokens().total_length(ids.get(first..).unwrap_or_default()).map_err(|index| {
        let index = first + index;
        let id: u32 = ids.get(index).copied().unwrap_or_default();
        Error::unknown_token_id(id.into(), index, vocabulary.n_ids())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, builtin};

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
            // Over what was there, more or less of it, long or short; the first id that is none is named wherever it is.
            let ids: Vec<u32> = assigned.iter().copied().cycle().skip(300).take(2_000).collect();
            let expected = ids.iter().flat_map(|&id| vocabulary.token(id).unwrap()).copied().collect::<Vec<u8>>();
            for length in
                [0, 1, 15, 16, 17, expected.len() / 2, expected.len() - 1, expected.len(), expected.len() + 99]
            {
                let mut out = vec![b'x'; length];
                assert_eq!(decode_over(&vocabulary, &ids, &mut out).unwrap(), expected.len());
                assert!(out.starts_with(&expected) && out.len() == length.max(expected.len()), "{length}");
                for place in [0, 5, ids.len() - 1] {
                    let mut out = vec![b'x'; length];
                    let mut ids = ids.clone();
                    ids[place] = u32::MAX;
                    let error = decode_over(&vocabulary, &ids, &mut out).unwrap_err();
                    assert!(matches!(error.kind(), ErrorKind::TokenId { index, .. } if *index == place), "{error}");
                }
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
