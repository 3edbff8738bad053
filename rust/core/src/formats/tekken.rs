//! Mistral's `tekken.json`: a rank file with its split pattern and its special tokens.
//!
//! The ids of the special tokens come first, then those of the vocabulary, which may be cut short: a file holds more
//! tokens than are used.
//!
//! There is no writer: a file states which of Mistral's chat formats it is for, and a tokenizer does not know one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::json::{parse, shown};
use super::limits;
use super::node::{Fields, Node};
use crate::definition::{AddedToken, Definition, Matching, MergeRule};
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::pipeline::Pipeline;
use crate::pretokenize::Pretokenizer;

/// The keys of the outermost object. Those after the first three do not bear on the ids of a text.
const KEYS: [&str; 9] =
    ["config", "vocab", "special_tokens", "type", "version", "image", "audio", "multimodal", "model_settings_builder"];

/// The keys that a file begins with, and no other JSON that is a tokenizer.
pub(super) const FIRST_KEYS: [&str; 2] = ["config", "vocab"];

/// The pattern of all files published so far. It matches every text from end to end.
pub(super) const PATTERN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The special tokens of a file that lists none.
const DEFAULT_SPECIAL_TOKENS: [&str; 20] = [
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
];

/// The last version whose files may leave their special tokens out.
const LAST_WITH_DEFAULTS: u32 = 7;

/// Reads the text of a `tekken.json`.
///
/// Every special token is one in the sense of [`AddedToken::special`]: Mistral's own reader never finds them in a text.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the JSON path of what is malformed, there twice, at odds with
/// the counts or not modelled exactly.
///
/// # Complexity
///
/// O(`bytes.len()`), besides preparing the split pattern.
///
/// # Examples
///
/// ```
/// use bytepair_core::formats::tekken;
///
/// let error = tekken::read(br#"{"config": {"pattern": "[", "version": "v3"}, "vocab": []}"#).unwrap_err();
/// assert!(error.to_string().starts_with("$.config: \"num_vocab_tokens\" is missing"));
/// ```
pub fn read(bytes: &[u8]) -> Result<Definition> {
    let json = parse("", bytes)?;
    let root = Node::root("", &json);
    let file = root.fields()?;
    file.only(&KEYS)?;
    let config = file.require("config")?;
    let config = config.fields()?;
    config.only(&["pattern", "num_vocab_tokens", "default_vocab_size", "default_num_special_tokens", "version"])?;
    let vocab = file.require("vocab")?;
    let n_vocab = vocab.items()?.len();
    let (n_special, n_used) = counts(&config, n_vocab)?;
    let pretokenizer = read_pattern(&config.require("pattern")?)?;
    let added_tokens = read_special_tokens(&file, &config, n_special)?;
    let tokens = read_vocab(&vocab, n_special, n_used)?;
    Ok(Definition {
        name: None,
        pretokenizer,
        tokens,
        merges: MergeRule::ByRank,
        whole_pretokens: true,
        added_tokens,
        pipeline: Pipeline::default(),
    })
}

/// How many special tokens there are, and how many tokens of the vocabulary are used.
fn counts(config: &Fields<'_, '_>, n_vocab: usize) -> Result<(usize, usize)> {
    let stated = config.require("num_vocab_tokens")?;
    if stated.count()? != n_vocab {
        return Err(stated.refuse(format!("the file says {} tokens, but \"vocab\" has {n_vocab}", stated.count()?)));
    }
    let specials = config.require("default_num_special_tokens")?;
    let n_special = specials.count()?;
    if n_special > limits::TOKENS {
        return Err(specials.refuse(format!("{n_special} tokens are more than the limit of {}", limits::TOKENS)));
    }
    let size = config.require("default_vocab_size")?;
    let n_used = size.count()?.checked_sub(n_special).filter(|&n_used| n_used <= n_vocab);
    let n_used = n_used.ok_or_else(|| {
        size.refuse(format!("must lie between the {n_special} special tokens and these with {n_vocab} tokens"))
    })?;
    Ok((n_special, n_used))
}

/// Mistral's reader drops text that the pattern does not match, so the pattern must be known to match everything.
fn read_pattern(node: &Node<'_, '_>) -> Result<Pretokenizer> {
    let pattern = node.string()?;
    let pretokenizer = Pretokenizer::new(pattern).map_err(|error| node.refuse(error))?;
    let is_a_name = Pretokenizer::presets().any(|preset| preset == pattern);
    if pattern != PATTERN && (is_a_name || pretokenizer.preset().is_none()) {
        let message = "text that the pattern does not match would be dropped; that is modelled only for patterns that \
                       are known to match everything";
        return Err(node.refuse(message));
    }
    Ok(pretokenizer)
}

fn read_special_tokens(file: &Fields<'_, '_>, config: &Fields<'_, '_>, n_special: usize) -> Result<Vec<AddedToken>> {
    let version = config.require("version")?;
    let number = version.string()?.strip_prefix('v').and_then(|digits| digits.parse::<u32>().ok());
    let number = number.ok_or_else(|| version.refuse("must be \"v\" and a number"))?;
    let mut texts: Vec<String> = Vec::new();
    texts.try_reserve_exact(n_special).map_err(|_| Error::memory("the special tokens"))?;
    let mut seen: HashSet<&str, RandomState> = HashSet::default();
    let list = file.get_some("special_tokens");
    match &list {
        Some(list) => {
            let items = list.items()?;
            if items.len() > n_special {
                let message = format!("{} special tokens are more than the {n_special} of the config", items.len());
                return Err(list.refuse(message));
            }
            for (index, item) in items.enumerate() {
                let fields = item.fields()?;
                fields.only(&["rank", "token_str", "is_control"])?;
                check_rank(&fields.require("rank")?, index)?;
                fields.require("is_control")?.boolean()?;
                let text = fields.require("token_str")?;
                if let Some(fault) = limits::token_fault(text.string()?.len()) {
                    return Err(text.refuse(fault));
                }
                if !seen.insert(text.string()?) {
                    return Err(text.refuse("the special token is there twice"));
                }
                texts.push(text.string()?.to_owned());
            }
        }
        None if number > LAST_WITH_DEFAULTS => {
            return Err(
                file.refuse(format!("\"special_tokens\" is missing, as it may only up to v{LAST_WITH_DEFAULTS}"))
            );
        }
        None if n_special < DEFAULT_SPECIAL_TOKENS.len() => {
            let least = DEFAULT_SPECIAL_TOKENS.len();
            let message = format!("a file that lists no special tokens has at least {least}");
            return Err(config.require("default_num_special_tokens")?.refuse(message));
        }
        None => texts.extend(DEFAULT_SPECIAL_TOKENS.map(str::to_owned)),
    }
    for index in texts.len()..n_special {
        let filler = format!("<SPECIAL_{index}>");
        if seen.contains(filler.as_str()) {
            let message = format!("{filler} is listed, but also the name of the special token {index}");
            return Err(file.require("special_tokens")?.refuse(message));
        }
        texts.push(filler);
    }
    let added = texts.into_iter().enumerate().map(|(index, text)| {
        let id = TokenId::from_index(index).ok_or_else(|| Error::vocabulary("there are too many token ids"))?;
        Ok(AddedToken { text, id, special: true, matching: Matching::default() })
    });
    added.collect()
}

fn read_vocab(vocab: &Node<'_, '_>, n_special: usize, n_used: usize) -> Result<Vec<(TokenId, Vec<u8>)>> {
    let mut tokens = Vec::new();
    tokens.try_reserve_exact(n_used).map_err(|_| Error::memory("the vocabulary"))?;
    let mut ranks: HashMap<&str, usize, RandomState> = HashMap::default();
    ranks.try_reserve(n_used).map_err(|_| Error::memory("the vocabulary"))?;
    // What lies beyond the cut is looked at too: a fault there is damage as well.
    for (rank, item) in vocab.items()?.enumerate() {
        let fields = item.fields()?;
        fields.only(&["rank", "token_bytes", "token_str"])?;
        check_rank(&fields.require("rank")?, rank)?;
        let text = fields.require("token_str")?;
        if !text.is_null() {
            text.string()?;
        }
        let spelt = fields.require("token_bytes")?;
        let base64 = spelt.string()?;
        // The engine accepts one spelling only, so equal tokens are equal strings.
        let bytes =
            STANDARD.decode(base64).map_err(|_| spelt.refuse(format!("{} is not canonical base64", shown(base64))))?;
        if let Some(fault) = limits::token_fault(bytes.len()) {
            return Err(spelt.refuse(fault));
        }
        if let Some(first) = ranks.insert(base64, rank) {
            return Err(spelt.refuse(format!("the token is that of rank {first} already")));
        }
        if u8::try_from(rank).is_ok_and(|byte| bytes != [byte]) {
            return Err(spelt.refuse(format!("rank {rank} must be the byte 0x{rank:02X}")));
        }
        if rank < n_used {
            let id = TokenId::from_index(n_special + rank);
            tokens.push((id.ok_or_else(|| item.refuse("there are too many token ids"))?, bytes));
        }
    }
    if n_used <= usize::from(u8::MAX) {
        return Err(vocab.refuse(format!("{n_used} tokens are used, fewer than the 256 bytes")));
    }
    Ok(tokens)
}

/// Ranks number the items of a list from 0 on.
fn check_rank(node: &Node<'_, '_>, index: usize) -> Result<()> {
    match node.count()? {
        rank if rank == index => Ok(()),
        rank => Err(node.refuse(format!("rank {rank} stands where {index} must"))),
    }
}
