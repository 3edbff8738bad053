//! The vocabularies that come with the crate.
//!
//! What is shipped of each are its canonical merges: the parts of every token, in rank order. They are bytes of our own
//! program and held to the published files by tests, so that loading has nothing to check, and takes milliseconds.

use crate::definition::{AddedToken, Definition, Matching};
use crate::encode::Joints;
use crate::error::{Error, Result};
use crate::formats::byte_alphabet;
use crate::ids::{Symbol, TokenId, narrow};
use crate::pretokenize::Pretokenizer;
use crate::tokenizer::Tokenizer;
use crate::vocab::{Ids, MergeTable, Parts, Recipe, Vocabulary};

/// A published vocabulary. The ids are those of the bytes in the order of GPT-2's alphabet, then those of the merges, but for
/// the ids of special tokens.
struct Published {
    name: &'static str,
    pattern: &'static str,
    /// Which bytes stand side by side in some token.
    joints: &'static Joints,
    /// The parts of each merge, and maybe of others after them.
    merges: &'static [u8],
    n_merges: usize,
    /// How many bytes the tokens have in all.
    n_bytes: usize,
    /// How many bytes the longest has.
    longest: usize,
    special: &'static [(&'static str, u32)],
}

const GPT2: Published = Published {
    name: "gpt2",
    pattern: "gpt2",
    joints: include_bytes!("../data/r50k_base.joints"),
    // Those of p50k_base begin with them.
    merges: include_bytes!("../data/p50k_base.merges"),
    n_merges: 50_000,
    n_bytes: 320_814,
    longest: 128,
    special: &[("<|endoftext|>", 50_256)],
};

/// `gpt2` is the published name of the tokenizer whose rank file is called `r50k_base`.
const PUBLISHED: [Published; 5] = [
    GPT2,
    Published { name: "r50k_base", ..GPT2 },
    Published {
        name: "p50k_base",
        joints: include_bytes!("../data/p50k_base.joints"),
        n_merges: 50_024,
        n_bytes: 321_138,
        ..GPT2
    },
    Published {
        name: "cl100k_base",
        pattern: "cl100k",
        joints: include_bytes!("../data/cl100k_base.joints"),
        merges: include_bytes!("../data/cl100k_base.merges"),
        n_merges: 100_000,
        n_bytes: 643_830,
        longest: 128,
        special: &[
            ("<|endoftext|>", 100_257),
            ("<|fim_prefix|>", 100_258),
            ("<|fim_middle|>", 100_259),
            ("<|fim_suffix|>", 100_260),
            ("<|endofprompt|>", 100_276),
        ],
    },
    Published {
        name: "o200k_base",
        pattern: "o200k",
        joints: include_bytes!("../data/o200k_base.joints"),
        merges: include_bytes!("../data/o200k_base.merges"),
        n_merges: 199_742,
        n_bytes: 1_397_670,
        longest: 128,
        special: &[("<|endoftext|>", 199_999), ("<|endofprompt|>", 200_018)],
    },
];

/// The names of the vocabularies that come with the crate.
pub fn names() -> impl Iterator<Item = &'static str> {
    PUBLISHED.iter().map(|published| published.name)
}

/// The tokenizer of a vocabulary that comes with the crate, or `None`.
///
/// # Errors
///
/// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where there is no room for its tables.
///
/// # Complexity
///
/// O(n) for n tokens, whatever their length. Their bytes are made when first asked for: merging needs none.
///
/// # Examples
///
/// ```
/// use bytepair_core::{Allowed, Scratch, builtin};
///
/// let gpt2 = builtin::tokenizer("gpt2")?.expect("it is built in");
/// let mut ids = Vec::new();
/// gpt2.encode(&mut Scratch::default(), b"hello world", Allowed::None, &mut ids)?;
/// assert_eq!(ids, [31373, 995]);
/// # Ok::<(), bytepair_core::Error>(())
/// ```
pub fn tokenizer(name: &str) -> Result<Option<Tokenizer>> {
    let Some(published) = published(name) else { return Ok(None) };
    published.tokenizer(published.special_tokens()?).map(Some)
}

/// The tokenizer of a vocabulary that comes with the crate, with these special tokens in place of its own; or `None`.
///
/// # Errors
///
/// As [`Tokenizer::new`] for the special tokens.
///
/// # Complexity
///
/// As [`tokenizer`], and O(bytes of the special tokens), where there is nothing wrong with them.
pub fn with_special_tokens(name: &str, special: Vec<AddedToken>) -> Result<Option<Tokenizer>> {
    let Some(published) = published(name) else { return Ok(None) };
    let mut by_id = special.clone();
    by_id.sort_by_key(|token| token.id);
    let own = published.special_tokens()?;
    let end = published.n_ordinary() + published.n_among(&own);
    let is_free = |id: TokenId| id.index() >= end || own.iter().any(|own| own.id == id);
    let is_sound = by_id.windows(2).all(|pair| pair[0].id != pair[1].id)
        && by_id.iter().all(|token| is_free(token.id) && token.matching == Matching::default())
        && by_id.last().is_none_or(|last| last.id.index() < 2 * published.n_ordinary());
    if is_sound {
        let tokenizer = published.tokenizer(by_id)?;
        if !special.iter().any(|token| tokenizer.encoder().makes_token(token.text.as_bytes())) {
            return Ok(Some(tokenizer));
        }
    }
    // What may be wrong is looked at closely.
    let definition = published.tokenizer(own)?.definition();
    Tokenizer::new(Definition { added_tokens: special, ..definition }).map(Some)
}

/// The definition of a vocabulary that comes with the crate, or `None`.
///
/// # Errors
///
/// As [`tokenizer`].
pub fn definition(name: &str) -> Result<Option<Definition>> {
    Ok(tokenizer(name)?.map(|tokenizer| tokenizer.definition()))
}

fn published(name: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|published| published.name == name)
}

impl Published {
    fn damaged(&self) -> Error {
        Error::internal(format!("what is shipped of {} is damaged", self.name))
    }

    fn n_ordinary(&self) -> usize {
        Symbol::BYTES + self.n_merges
    }

    /// By id.
    fn special_tokens(&self) -> Result<Vec<AddedToken>> {
        let token = |&(text, id): &(&str, u32)| {
            let id = TokenId::new(id).ok_or_else(|| self.damaged())?;
            Ok(AddedToken { text: text.to_owned(), id, special: true, matching: Matching::default() })
        };
        self.special.iter().map(token).collect()
    }

    /// How many special tokens have ids among those of the others.
    fn n_among(&self, special: &[AddedToken]) -> usize {
        special.iter().take_while(|token| token.id.index() < self.n_ordinary()).count()
    }

    fn ids(&self) -> Result<Ids> {
        let mut in_order: [u8; Symbol::BYTES] = std::array::from_fn(|byte| u8::try_from(byte).unwrap_or_default());
        in_order.sort_unstable_by_key(|&byte| byte_alphabet::char_of(byte));
        let mut first = vec![TokenId::NONE; Symbol::BYTES];
        for (&byte, id) in in_order.iter().zip((0..).filter_map(TokenId::new)) {
            first[usize::from(byte)] = id;
        }
        // Where a special token's id is among the others, those after it are one more than they would be.
        let special = self.special_tokens()?;
        let n_among = self.n_among(&special);
        for (n_before, token) in special.iter().enumerate().take(n_among) {
            first.extend((first.len() + n_before..token.id.index()).filter_map(TokenId::from_index));
        }
        Ok(Ids::new(first, narrow(n_among).ok_or_else(|| self.damaged())?))
    }

    /// `special` are by id; their ids and texts are no other tokens'.
    fn tokenizer(&self, special: Vec<AddedToken>) -> Result<Tokenizer> {
        let merges: &[Parts] = self.merges.as_chunks().0.get(..self.n_merges).ok_or_else(|| self.damaged())?;
        let (ids, &Self { n_bytes, longest, .. }) = (self.ids()?, self);
        let vocabulary = Vocabulary::of(Recipe { ids: ids.clone(), merges, added: special.clone(), n_bytes, longest });
        let table = MergeTable::of_canonical(ids, merges)?;
        let pretokenizer = Pretokenizer::new(self.pattern)?;
        Tokenizer::of_canonical(self.name, pretokenizer, vocabulary, table, self.joints, special)
    }
}
