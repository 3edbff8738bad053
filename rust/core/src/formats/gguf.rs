//! The tokenizer inside a GGUF file, from the fields of its header. Reading the header is the caller's.
//!
//! Only byte-level BPE is modelled, which such a file calls `gpt2`. Its tokens are spelt in GPT-2's byte alphabet, but
//! for literals, which have types of their own. How text is split it says by the name of a pre-tokenizer.

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::json::shown;
use super::{byte_alphabet, limits};
use crate::definition::{AddedToken, Definition, Matching, MergeRule};
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::pipeline::Pipeline;
use crate::pretokenize::Pretokenizer;

/// The name of byte-level BPE in `tokenizer.ggml.model`.
const MODEL: &str = "gpt2";

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const PRE: &str = "tokenizer.ggml.pre";

/// What the header says of the tokenizer.
#[derive(Clone, Copy, Debug)]
pub struct Header<'h> {
    /// `tokenizer.ggml.model`.
    pub model: &'h str,
    /// `tokenizer.ggml.pre`, the name of the split.
    pub pre: Option<&'h str>,
    /// `tokenizer.ggml.tokens`, by id.
    pub tokens: &'h [String],
    /// `tokenizer.ggml.token_type`, by id.
    pub types: &'h [i64],
    /// `tokenizer.ggml.merges`, by rank.
    pub merges: &'h [String],
}

/// How the text of a pre-tokenizer's name is split.
struct Split {
    names: &'static [&'static str],
    /// Presets or regexes, one after the other.
    stages: &'static [&'static str],
    /// Whether a pretoken that is a token is emitted even if no merges lead to it.
    whole_pretokens: bool,
}

/// The names that are known, by what they stand for in the models that they are named for.
const SPLITS: &[Split] = &[
    Split {
        names: &["gpt-2", "phi-2", "mpt", "olmo", "gigachat", "mellum", "exaone4", "trillion", "granite-docling"],
        stages: &["gpt2"],
        whole_pretokens: false,
    },
    Split {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
        stages: &[r"\p{N}", "gpt2"],
        whole_pretokens: false,
    },
    Split {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "lfm2"],
        stages: &["llama3"],
        whole_pretokens: true,
    },
    Split { names: &["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"], stages: &["llama3"], whole_pretokens: false },
    Split {
        names: &["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "grok-2"],
        stages: &["qwen2"],
        whole_pretokens: false,
    },
    Split { names: &["gpt-4o", "llama4"], stages: &["o200k"], whole_pretokens: false },
    Split { names: &["deepseek-v3", "hunyuan-dense"], stages: &["deepseek_v3"], whole_pretokens: false },
    Split { names: &["tekken"], stages: &[super::tekken::PATTERN], whole_pretokens: true },
];

/// What a token is, by its number in `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    /// Matched only where control ids are allowed.
    Special,
    /// Matched wherever its text stands.
    UserDefined,
    /// There to fill the table.
    Unused,
}

impl Kind {
    fn of(number: i64) -> std::result::Result<Self, String> {
        match number {
            1 => Ok(Self::Normal),
            2 | 3 => Ok(Self::Special),
            4 => Ok(Self::UserDefined),
            5 => Ok(Self::Unused),
            6 => Err("type 6, a byte by its number, has no place in byte-level BPE".to_owned()),
            other => Err(format!("type {other} is not one of 1 to 6")),
        }
    }
}

/// Makes a definition of what a header says.
///
/// An unused token has an id that stands for nothing.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the field and index of what is malformed, there twice or not
/// modelled; an unknown split is refused by its name.
///
/// # Complexity
///
/// O(total bytes of the tokens and merges).
///
/// # Examples
///
/// ```
/// use bytepair_core::formats::gguf::{Header, read};
///
/// let header = Header { model: "gpt2", pre: Some("gpt-5"), tokens: &[], types: &[], merges: &[] };
/// assert!(read(&header).unwrap_err().to_string().starts_with("tokenizer.ggml.pre: \"gpt-5\" is not known"));
/// ```
pub fn read(header: &Header<'_>) -> Result<Definition> {
    if header.model != MODEL {
        let message = format!("the model {} is not modelled, only byte-level BPE, {MODEL:?}", shown(header.model));
        return Err(Error::format("tokenizer.ggml.model", message));
    }
    let split = split(header.pre)?;
    let pretokenizer = Pretokenizer::from_stages(split.stages)?;
    let table = Table::new(header)?;
    let (merges, in_merges) = table.merges(header.merges)?;
    let (mut tokens, mut added_tokens) = (Vec::new(), Vec::new());
    tokens.try_reserve_exact(header.tokens.len()).map_err(|_| Error::memory("the vocabulary"))?;
    for (index, text) in header.tokens.iter().enumerate() {
        let (id, kind) = table.entry(index)?;
        if kind == Kind::Normal || in_merges.contains(&id) {
            let bytes = byte_alphabet::decode(text).map_err(|character| {
                let message = format!("{} holds {character:?}, which is not in the byte alphabet", shown(text));
                Error::format(format!("{TOKENS}[{index}]"), message)
            })?;
            tokens.push((id, bytes));
        }
        if matches!(kind, Kind::Special | Kind::UserDefined) {
            let special = kind == Kind::Special;
            added_tokens.push(AddedToken { text: text.clone(), id, special, matching: Matching::default() });
        }
    }
    Ok(Definition {
        name: None,
        pretokenizer,
        tokens,
        merges: MergeRule::List(merges),
        whole_pretokens: split.whole_pretokens,
        added_tokens,
        pipeline: Pipeline::default(),
    })
}

fn split(pre: Option<&str>) -> Result<&'static Split> {
    let pre = pre.ok_or_else(|| {
        let message = "the file does not say how text is split; load the tokenizer.json of its model instead";
        Error::format(PRE, message)
    })?;
    SPLITS.iter().find(|split| split.names.contains(&pre)).ok_or_else(|| {
        let known: Vec<&str> = SPLITS.iter().flat_map(|split| split.names).copied().collect();
        let message = format!("{} is not known; known are {}", shown(pre), known.join(", "));
        Error::format(PRE, format!("{message}; load the tokenizer.json of its model instead"))
    })
}

/// The two sides of a merge.
type Merge = (TokenId, TokenId);

/// The tokens by text.
struct Table<'h> {
    kinds: Vec<Kind>,
    ids: HashMap<&'h str, TokenId, RandomState>,
}

impl<'h> Table<'h> {
    fn new(header: &Header<'h>) -> Result<Self> {
        let (n_tokens, n_types) = (header.tokens.len(), header.types.len());
        if n_tokens != n_types {
            return Err(Error::format(TYPES, format!("{n_types} types do not go with {n_tokens} tokens")));
        }
        for (field, list) in [(TOKENS, header.tokens), (MERGES, header.merges)] {
            if list.len() > limits::TOKENS {
                return Err(Error::format(
                    field,
                    format!("{} are more than the limit of {}", list.len(), limits::TOKENS),
                ));
            }
        }
        let failed = |_| Error::memory("the vocabulary");
        let mut table = Self { kinds: Vec::new(), ids: HashMap::default() };
        table.kinds.try_reserve_exact(n_tokens).map_err(|_| Error::memory("the vocabulary"))?;
        table.ids.try_reserve(n_tokens).map_err(failed)?;
        for (index, (text, &number)) in header.tokens.iter().zip(header.types).enumerate() {
            let kind = Kind::of(number).map_err(|fault| Error::format(format!("{TYPES}[{index}]"), fault))?;
            table.kinds.push(kind);
            let refuse = |message: String| Error::format(format!("{TOKENS}[{index}]"), message);
            if kind == Kind::Unused {
                continue;
            }
            if let Some(fault) = limits::token_fault(text.len()) {
                return Err(refuse(fault));
            }
            let id = TokenId::from_index(index).ok_or_else(|| refuse("there are too many token ids".to_owned()))?;
            if let Some(first) = table.ids.insert(text, id) {
                return Err(refuse(format!("{} is token {first} already", shown(text))));
            }
        }
        Ok(table)
    }

    fn entry(&self, index: usize) -> Result<(TokenId, Kind)> {
        let id = TokenId::from_index(index);
        id.zip(self.kinds.get(index).copied()).ok_or_else(|| Error::internal("a token has no kind"))
    }

    /// The merges by id, and the tokens that they use or make.
    fn merges(&self, list: &[String]) -> Result<(Vec<Merge>, HashSet<TokenId, RandomState>)> {
        let mut merges = Vec::new();
        merges.try_reserve_exact(list.len()).map_err(|_| Error::memory("the merges"))?;
        let mut used = HashSet::default();
        let mut seen: HashSet<Merge, RandomState> = HashSet::default();
        seen.try_reserve(list.len()).map_err(|_| Error::memory("the merges"))?;
        for (index, merge) in list.iter().enumerate() {
            let refuse = |message: String| Error::format(format!("{MERGES}[{index}]"), message);
            let sides = merge.split_once(' ').filter(|(left, right)| !left.is_empty() && !right.is_empty());
            let (left, right) = sides
                .filter(|(_, right)| !right.contains(' '))
                .ok_or_else(|| refuse(format!("{} is not two tokens with one space between", shown(merge))))?;
            let id = |text: &str| {
                let unknown = || refuse(format!("{} is not a token", shown(text)));
                self.ids.get(text).copied().ok_or_else(unknown)
            };
            let (left, right, merged) = (id(left)?, id(right)?, id(&[left, right].concat())?);
            if !seen.insert((left, right)) {
                return Err(refuse(format!("{} is there twice", shown(merge))));
            }
            used.extend([left, right, merged]);
            merges.push((left, right));
        }
        Ok((merges, used))
    }
}
