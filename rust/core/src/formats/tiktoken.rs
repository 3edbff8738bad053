//! Rank files (`.tiktoken`): a token in base64 and its rank on each line.
//!
//! The rank is both the token's id and its priority. The file holds no split pattern and no special tokens; whoever
//! reads it must know them. It has no end mark either: a file that was cut at the end of a line looks complete, and
//! only its hash can tell.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::limits;
use crate::definition::{AddedToken, Definition, MAX_TOKEN_BYTES, MergeRule};
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::vocab::canonical::normalise;
use crate::vocab::{MergeTable, MissingBytes, Vocabulary, missing};

/// Reads a rank file: the tokens in the order of the file.
///
/// A line is canonical base64 with padding, one space, and a decimal number without sign or leading zeros. Lines end in
/// `\n`, which the last one may lack. Published files have no other form, so any other is a sign of damage.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the line that is malformed, repeats a token or a rank, or has
/// an absurd rank; or naming a single byte that is not a token.
///
/// # Complexity
///
/// O(`bytes.len()`).
///
/// # Examples
///
/// ```
/// use bytepair_core::formats::tiktoken;
///
/// let error = tiktoken::parse(b"IQ== 0\nIg= 1\n").unwrap_err();
/// assert_eq!(error.to_string(), "line 2: \"Ig=\" is not canonical base64");
/// ```
pub fn parse(bytes: &[u8]) -> Result<Vec<(TokenId, Vec<u8>)>> {
    limits::check_file("file", bytes)?;
    let content = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if content.is_empty() {
        return Err(Error::format("file", "the file has no tokens"));
    }
    let n_lines = memchr::memchr_iter(b'\n', content).count() + 1;
    if n_lines > limits::TOKENS {
        return Err(Error::format("file", format!("{n_lines} lines are more than the limit of {}", limits::TOKENS)));
    }
    let mut tokens = Vec::new();
    tokens.try_reserve_exact(n_lines).map_err(|_| Error::memory("the tokens of a rank file"))?;
    for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
        let refuse = |message: String| Error::format(format!("line {}", index + 1), message);
        let (id, token) = parse_line(line).map_err(refuse)?;
        // The same bound as in `Vocabulary`, here with its line.
        if id.index() > 4 * n_lines {
            return Err(refuse(format!("rank {id} is absurd for {n_lines} tokens")));
        }
        tokens.push((id, token));
    }
    check_unique(&tokens)?;
    Ok(tokens)
}

fn parse_line(line: &[u8]) -> std::result::Result<(TokenId, Vec<u8>), String> {
    if line.is_empty() {
        return Err("the line is empty".to_owned());
    }
    if line.ends_with(b"\r") {
        return Err("the line ends in a carriage return; lines must end in \\n alone".to_owned());
    }
    let space = memchr::memchr(b' ', line).and_then(|space| line.split_at_checked(space));
    let Some((token, [_, rank @ ..])) = space else {
        return Err("there is no space between token and rank".to_owned());
    };
    if token.len() > MAX_TOKEN_BYTES.div_ceil(3) * 4 {
        return Err(format!("the token has more than the limit of {} bytes", MAX_TOKEN_BYTES));
    }
    // The engine accepts one spelling only: padded, and without stray bits in the last character.
    let bytes = STANDARD.decode(token).map_err(|_| format!("{} is not canonical base64", shown(token)))?;
    if let Some(fault) = limits::token_fault(bytes.len()) {
        return Err(fault);
    }
    Ok((parse_rank(rank)?, bytes))
}

fn parse_rank(digits: &[u8]) -> std::result::Result<TokenId, String> {
    let canonical =
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || !digits.starts_with(b"0"));
    if !canonical {
        return Err(format!("{} is not a rank, a decimal number without sign or leading zeros", shown(digits)));
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number
        .and_then(TokenId::new)
        .ok_or_else(|| format!("rank {} is absurd; ranks lie below {}", shown(digits), TokenId::LIMIT))
}

fn shown(bytes: &[u8]) -> String {
    let (start, more) = bytes.split_at_checked(64).unwrap_or((bytes, b""));
    format!("\"{}\"{}", start.escape_ascii(), if more.is_empty() { "" } else { "…" })
}

fn check_unique(tokens: &[(TokenId, Vec<u8>)]) -> Result<()> {
    let mut lines_by_token: HashMap<&[u8], usize, RandomState> = HashMap::default();
    let mut lines_by_rank: HashMap<TokenId, usize, RandomState> = HashMap::default();
    let reserved = lines_by_token.try_reserve(tokens.len()).and(lines_by_rank.try_reserve(tokens.len()));
    reserved.map_err(|_| Error::memory("the tokens of a rank file"))?;
    for (line, (id, token)) in (1..).zip(tokens) {
        let location = format!("line {line}");
        if let Some(first) = lines_by_token.insert(token, line) {
            return Err(Error::format(location, format!("token {} is on line {first} already", shown(token))));
        }
        if let Some(first) = lines_by_rank.insert(*id, line) {
            return Err(Error::format(location, format!("rank {id} is on line {first} already")));
        }
    }
    // No published file lacks one, so this is damage. Other readers would merge through a byte that is no token.
    match MissingBytes::of(lines_by_token.keys().copied()).iter().next() {
        Some(byte) => Err(Error::format("file", missing::message(byte))),
        None => Ok(()),
    }
}

/// Writes tokens as a rank file, by rank, byte for byte as published ones are.
///
/// # Complexity
///
/// O(n log n) for n tokens, and the size of the result.
///
/// # Examples
///
/// ```
/// use bytepair_core::{TokenId, formats::tiktoken};
///
/// let id = |number| TokenId::new(number).expect("it is small");
/// assert_eq!(tiktoken::write_ranks(&[(id(1), b"\"".to_vec()), (id(0), b"!".to_vec())]), "IQ== 0\nIg== 1\n");
/// ```
pub fn write_ranks(tokens: &[(TokenId, Vec<u8>)]) -> String {
    let mut by_rank: Vec<(TokenId, &[u8])> = tokens.iter().map(|(id, bytes)| (*id, bytes.as_slice())).collect();
    by_rank.sort_unstable();
    let mut text = String::new();
    for (id, bytes) in by_rank {
        STANDARD.encode_string(bytes, &mut text);
        text.push(' ');
        text.push_str(&id.to_string());
        text.push('\n');
    }
    text
}

/// Writes a definition as a rank file, if its ids follow from its ranks alone.
///
/// Pattern and special tokens are not written.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) where a reader of the file would get other ids: the merges are not
/// those that the ranks imply, tokens that no merges lead to are not looked up whole, a byte is no token, or an added token is not special.
/// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) where the tokens do not form a vocabulary.
///
/// # Complexity
///
/// O(B log l) for tokens of B bytes in all, the longest of l bytes.
pub fn write(definition: &Definition) -> Result<String> {
    if !definition.is_plain() {
        let message =
            "a rank file cannot say how a text is normalised or added tokens are found; save a tokenizer.json";
        return Err(Error::format("added_tokens", message));
    }
    let vocabulary = Vocabulary::new(&definition.tokens, &[])?;
    if let Some(byte) = vocabulary.missing_bytes().iter().next() {
        let message = format!("a rank file must hold every byte, and this vocabulary lacks 0x{byte:02X}");
        return Err(Error::format("tokens", format!("{message}; save a tokenizer.json")));
    }
    if let Some(AddedToken { text, .. }) = definition.added_tokens.iter().find(|token| !token.special) {
        let message =
            format!("a reader cannot be told of {}, an added token that is not special", shown(text.as_bytes()));
        return Err(Error::format("added_tokens", format!("{message}; save a tokenizer.json")));
    }
    let by_rank = normalise(&vocabulary, &MergeRule::ByRank)?.table;
    let own = normalise(&vocabulary, &definition.merges)?.table;
    if !ids(&by_rank).eq(ids(&own)) {
        let message = "a rank file cannot hold these merges: their order is not that of the ids; save a tokenizer.json";
        return Err(Error::format("merges", message));
    }
    if !definition.whole_pretokens && by_rank.n_symbols() < definition.tokens.len() {
        let message =
            "a rank file cannot hold a token that no merges lead to but a reader would emit; save a tokenizer.json";
        return Err(Error::format("tokens", message));
    }
    Ok(write_ranks(&definition.tokens))
}

/// The merges of a table as ids.
fn ids(table: &MergeTable) -> impl Iterator<Item = [TokenId; 3]> {
    table.merges().map(|(left, right, merged)| [left, right, merged].map(|symbol| table.id(symbol)))
}
