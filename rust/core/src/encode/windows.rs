//! Long pretokens, a window at a time: most texts have no token that is nearly as long as a window, and what is merged in one
//! is settled but for its end.
//!
//! A sequence of tokens is the encoding of its bytes exactly when every two adjacent tokens stay apart, see
//! [`long`](super::long). So any tokens in a row of the encoding of a window are the encoding of their bytes, and what is put
//! together from such rows is that of the whole if the two tokens at each joint stay apart. Where they do not, the tokens
//! before the joint are given up, one after the other; where that does not help, the other way has to be taken.

use super::long::Workspace;
use super::prefixes::Tokens;
use super::short;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// How long a window is. Merging it takes time that grows with its square, and of each the end is merged in vain.
const LENGTH: usize = 20;

/// So many tokens at the end of a window are not believed: what follows may merge with them.
const UNSETTLED: usize = 2;

/// So many tokens are given up at one joint.
const MOST_GIVEN_UP: usize = 4;

/// So many joints may fail in a pretoken,
const MOST_FAILED: usize = 16;

/// and besides one for so many windows.
const ONE_FAILED_IN: usize = 8;

/// Whether to stop is asked after this many windows: some milliseconds.
const CHECK_WINDOWS: usize = 1 << 12;

/// Appends the ids of `pretoken` to `out`, or says that it did not find them, and appends nothing.
///
/// # Complexity
///
/// O(n) time for n bytes, whatever they are and whatever the vocabulary, since a joint that fails undoes no more than a part of
/// the last window, and few may fail; 4 bytes of memory per token.
///
/// # Errors
///
/// [`ErrorKind::Memory`](crate::ErrorKind::Memory) and [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted).
pub(super) fn encode(
    tokens: Tokens<'_>,
    work: &mut Workspace,
    pretoken: &[u8],
    interrupt: &Interrupt<'_>,
    out: &mut Vec<u32>,
) -> Result<bool> {
    let done = put_together(tokens, work, pretoken, interrupt);
    let found = &mut work.found;
    if let Ok(true) = done {
        out.try_reserve(found.len()).map_err(|_| Error::memory("the ids"))?;
        out.extend(found.iter().map(|&symbol| tokens.table.id(symbol).get()));
    }
    // One giant pretoken must not keep its memory for ever.
    if found.capacity() > 1 << 16 {
        *found = Vec::new();
    }
    done
}

/// Finds the tokens of `pretoken`, or not.
fn put_together(tokens: Tokens<'_>, work: &mut Workspace, pretoken: &[u8], interrupt: &Interrupt<'_>) -> Result<bool> {
    let Workspace { found, fits, .. } = work;
    found.clear();
    let (mut position, mut n_windows, mut n_failed, mut n_given_up, mut n_put) = (0, 0, 0, 0, 0);
    let (mut parts, mut last_window) = (short::Parts::default(), &[][..]);
    while position < pretoken.len() {
        n_windows += 1;
        if n_windows % CHECK_WINDOWS == 0 {
            interrupt.check()?;
        }
        let rest = pretoken.get(position..).unwrap_or_default();
        let window = rest.get(..LENGTH).unwrap_or(rest);
        // In a run of one character each window is like the one before.
        if window != last_window {
            (parts, last_window) = (short::Parts::merged(tokens.table, window), window);
        }
        let symbols = parts.symbols();
        let n_settled =
            if window.len() == rest.len() { symbols.len() } else { symbols.len().saturating_sub(UNSETTLED).max(1) };
        let is_joined = match (found.last(), symbols.clone().next()) {
            (Some(&last), Some(first)) => fits.stay_apart(tokens.table, last, first),
            _ => true,
        };
        if is_joined {
            (n_given_up, n_put) = (0, n_settled);
            found.try_reserve(n_settled).map_err(|_| Error::memory("an encoding"))?;
            for symbol in symbols.take(n_settled) {
                let n_bytes = tokens.bytes(symbol).len();
                // A byte that is no token: who asks before knows, and others get what the walk makes of it.
                if n_bytes == 0 {
                    return Ok(false);
                }
                position += n_bytes;
                found.push(symbol);
            }
        } else {
            n_failed += usize::from(n_given_up == 0);
            n_given_up += 1;
            // Where all that the last window put is given up, the same window would come again.
            if n_given_up > MOST_GIVEN_UP || n_given_up >= n_put || n_failed > MOST_FAILED + n_windows / ONE_FAILED_IN {
                return Ok(false);
            }
            position -= found.pop().map_or(0, |symbol| tokens.bytes(symbol).len());
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::{long, prefixes::Prefixes};
    use super::*;
    use crate::builtin;

    /// Random ones of some bytes, now and then in runs.
    fn pretoken(alphabet: &[u8], runs: usize, length: usize, state: &mut u64) -> Vec<u8> {
        let mut next = |below: usize| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 33) as usize % below
        };
        let mut pretoken = Vec::new();
        while pretoken.len() < length {
            let n = if next(8) == 0 { 1 + next(runs) } else { 1 };
            pretoken.extend(std::iter::repeat_n(alphabet[next(alphabet.len())], n));
        }
        pretoken
    }

    #[test]
    fn what_is_put_together_is_what_walking_finds() {
        let mut state = 1;
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let alphabets = [&b"0123456789"[..], b"abcdefghijklmnopqrstuvwxyz", b"ab", b"-", b" \n\t", b"AGCT", &all];
        let mut n_found = [0; 2];
        for name in ["r50k_base", "o200k_base"] {
            let tokenizer = builtin::tokenizer(name).unwrap().unwrap();
            let (vocabulary, table) = (tokenizer.vocabulary(), tokenizer.encoder().table());
            let tokens = Tokens { vocabulary, table };
            let prefixes = Prefixes::new(tokens).unwrap();
            let mut work = Workspace::default();
            for (index, alphabet) in alphabets.iter().cycle().take(2_000).enumerate() {
                let pretoken = pretoken(alphabet, [1, 5, 200][index % 3], 33 + index * 7 % 1_500, &mut state);
                let (mut ids, mut expected) = (vec![7], vec![7]);
                let found = encode(tokens, &mut work, &pretoken, &Interrupt::never(), &mut ids).unwrap();
                long::encode(tokens, &prefixes, &mut work, &pretoken, &Interrupt::never(), &mut expected).unwrap();
                assert_eq!(ids, if found { &expected[..] } else { &[7] }, "{name} {pretoken:?}");
                n_found[usize::from(found)] += 1;
            }
        }
        // Runs have longer tokens than windows.
        assert!(n_found[0] > 200 && n_found[1] > 2_000, "{n_found:?}");
    }
}
