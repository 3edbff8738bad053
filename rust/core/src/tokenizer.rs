//! The tokenizer: split, vocabulary, merges and added tokens together.

mod changed;
mod encode;
mod grown;

use std::collections::HashMap;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::decode;
use crate::definition::{AddedToken, Definition, MergeRule};
use crate::encode::{Encoder, Joints};
use crate::error::{Result, check_room};
use crate::formats::compact;
use crate::ids::{Symbol, TokenId};
use crate::pipeline::Pipeline;
use crate::pretokenize::Pretokenizer;
use crate::vocab::canonical::normalise;
use crate::vocab::{AddedTokens, MergeTable, Vocabulary};

pub use self::encode::Batch;

/// A byte-level BPE tokenizer: immutable, shared between threads, equal by what it does.
///
/// # Examples
///
/// ```
/// use bytepair_core::{Allowed, Scratch, Tokenizer, builtin};
///
/// let gpt2 = Tokenizer::new(builtin::definition("gpt2")?.expect("it is built in"))?;
/// let mut ids = Vec::new();
/// gpt2.encode(&mut Scratch::default(), b"hello world", Allowed::None, &mut ids)?;
/// assert_eq!(ids, [31373, 995]);
/// assert_eq!(gpt2.decode(&ids)?, b"hello world");
/// # Ok::<(), bytepair_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Tokenizer {
    name: Option<String>,
    pretokenizer: Pretokenizer,
    vocabulary: Vocabulary,
    encoder: Encoder,
    added: AddedTokens,
    pipeline: Pipeline,
    keeps_text: bool,
    /// The added tokens without the aliases, where there are such.
    own_added: Option<Vec<AddedToken>>,
    canonical_form: OnceLock<Vec<u8>>,
}

impl Tokenizer {
    /// Checks a definition and builds the tables to run it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) and
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) for the first fault found.
    ///
    /// # Complexity
    ///
    /// O(B log l) for tokens of B bytes in all, the longest of l bytes.
    pub fn new(definition: Definition) -> Result<Self> {
        let Definition { name, pretokenizer, tokens, merges, whole_pretokens, added_tokens, pipeline } = definition;
        pipeline.check()?;
        let mut normalized = HashMap::new();
        for token in added_tokens.iter().filter(|token| token.matching.normalized) {
            normalized.insert(token.id, pipeline.normalized(&token.text)?);
        }
        let vocabulary = if normalized.is_empty() {
            Vocabulary::new(&tokens, &added_tokens)?
        } else {
            Vocabulary::new(&tokens, &changed::decoded(&added_tokens, &normalized))?
        };
        drop(tokens);
        let merges = normalise(&vocabulary, &merges)?;
        // Where merges lead to every token that text can hold, looking up whole pretokens changes nothing: one
        // definition, not two.
        let missing = vocabulary.missing_bytes();
        let is_unreachable = |id: TokenId| merges.symbols.get(id.index()).is_none_or(|symbol| symbol.is_none());
        let whole_pretokens = whole_pretokens
            && vocabulary.ordinary().any(|(id, bytes)| is_unreachable(id) && missing.find(bytes).is_none());
        let encoder = Encoder::new(&vocabulary, merges.table, whole_pretokens);
        let added = AddedTokens::new(added_tokens, normalized)?;
        let keeps_text = pipeline.keeps_text() && added.match_literally();
        let (own_added, canonical_form) = (None, OnceLock::new());
        Ok(Self { name, pretokenizer, vocabulary, encoder, added, pipeline, keeps_text, own_added, canonical_form })
    }

    /// The tokenizer of merges that are known to be canonical, and to lead to every token; as all other parts are plain.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::new`] for the added tokens.
    pub(crate) fn of_canonical(
        name: &str,
        pretokenizer: Pretokenizer,
        vocabulary: Vocabulary,
        merges: MergeTable,
        joints: &Joints,
        added_tokens: Vec<AddedToken>,
    ) -> Result<Self> {
        Ok(Self {
            name: Some(name.to_owned()),
            pretokenizer,
            encoder: Encoder::of_canonical(&vocabulary, merges, joints),
            vocabulary,
            added: AddedTokens::new(added_tokens, HashMap::new())?,
            pipeline: Pipeline::default(),
            keeps_text: true,
            own_added: None,
            canonical_form: OnceLock::new(),
        })
    }

    /// The same tokenizer, which finds more texts as special tokens, whose ids stand for other tokens already: they encode to
    /// such an id, but no id decodes to them.
    ///
    /// tiktoken's `o200k_harmony` has one. No file can hold them, and they take no part in equality.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where one is empty, too long or there twice.
    pub fn with_aliases(self, aliases: impl IntoIterator<Item = AddedToken>) -> Result<Self> {
        let own_added = self.own_added().to_vec();
        let tokens = self.added.tokens().iter().cloned().chain(aliases).collect();
        let added = AddedTokens::new(tokens, HashMap::new())?;
        Ok(Self { added, own_added: Some(own_added), ..self })
    }

    /// The name it was given, such as `cl100k_base`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How text is split before merging.
    pub fn pretokenizer(&self) -> &Pretokenizer {
        &self.pretokenizer
    }

    /// The tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The encoder of text without special tokens.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The added tokens, special or not.
    pub fn added_tokens(&self) -> &AddedTokens {
        &self.added
    }

    /// What else is done to a text, before the split and after it.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Whether the ids of a text are those of consecutive parts of it, and decode to it.
    ///
    /// It is not so where a normaliser changes the text, a split drops some of it or puts a space before it, or an added
    /// token takes the white space beside it. What works on parts of a text must refuse such a tokenizer.
    pub fn keeps_text(&self) -> bool {
        self.keeps_text
    }

    /// The canonical merges in rank order: left, right and merged id.
    pub fn merges(&self) -> impl Iterator<Item = (TokenId, TokenId, TokenId)> {
        let table = self.encoder.table();
        table.merges().map(|(left, right, merged)| (table.id(left), table.id(right), table.id(merged)))
    }

    /// The canonical definition: tokens and added tokens by id, merges in rank order.
    ///
    /// A tokenizer built from it is equal to this one.
    pub fn definition(&self) -> Definition {
        Definition {
            name: self.name.clone(),
            pretokenizer: self.pretokenizer.clone(),
            tokens: self.vocabulary.ordinary().map(|(id, bytes)| (id, bytes.to_vec())).collect(),
            merges: MergeRule::List(self.merges().map(|(left, right, _)| (left, right)).collect()),
            whole_pretokens: self.encoder.whole_pretokens(),
            added_tokens: self.own_added().to_vec(),
            pipeline: self.pipeline.clone(),
        }
    }

    fn own_added(&self) -> &[AddedToken] {
        self.own_added.as_deref().unwrap_or(self.added.tokens())
    }

    /// The canonical form in bytes: equal for equal tokenizers, and read back by [`compact::read`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where there is no room for it.
    pub fn canonical_form(&self) -> Result<&[u8]> {
        /// About what a merge takes, with the list of them.
        const BYTES_A_MERGE: usize = 20;
        if let Some(form) = self.canonical_form.get() {
            return Ok(form);
        }
        let table = self.encoder.table();
        check_room(table.n_symbols() * BYTES_A_MERGE, "the canonical form")?;
        let byte_ids = std::array::from_fn(|byte| table.id(Symbol::from_index(byte)));
        let byte_ids = byte_ids.map(|id| (id != TokenId::NONE).then_some(id));
        // Most often merges lead to all, and none has to be looked at.
        let n_reachable = byte_ids.iter().flatten().count() + table.n_symbols() - Symbol::BYTES;
        let mut unmade = Vec::new();
        if n_reachable < self.vocabulary.n_ordinary() {
            unmade.extend(self.vocabulary.ordinary().filter(|(id, _)| !self.encoder.is_reachable(id.get())));
        }
        let form = compact::Form {
            pretokenizer: &self.pretokenizer,
            whole_pretokens: self.encoder.whole_pretokens(),
            byte_ids,
            merges: self.merges().collect(),
            unmade,
            added_tokens: self.own_added(),
            pipeline: &self.pipeline,
        };
        let form = form.to_bytes();
        Ok(self.canonical_form.get_or_init(|| form))
    }

    /// The SHA-256 of the canonical form, in hexadecimal.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::canonical_form`].
    pub fn fingerprint(&self) -> Result<String> {
        let digest = Sha256::digest(self.canonical_form()?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The bytes of `ids`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TokenId`](crate::ErrorKind::TokenId) for the first id that stands for no token.
    ///
    /// # Complexity
    ///
    /// O(ids + bytes).
    pub fn decode(&self, ids: &[u32]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.decode_into(ids, &mut bytes)?;
        Ok(bytes)
    }

    /// Appends the bytes of `ids` to `out`; on an error `out` is as it was.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    ///
    /// # Complexity
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_into(&self, ids: &[u32], out: &mut Vec<u8>) -> Result<()> {
        decode::decode(&self.vocabulary, ids, out)
    }

    /// Writes the bytes of `ids` over those that `out` begins with, and makes it longer where they do not fit; returns how many there
    /// are. On an error `out` may hold anything.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    ///
    /// # Complexity
    ///
    /// As [`decode`](Self::decode); as long as there is room, the ids are read once.
    pub fn decode_over(&self, ids: &[u32], out: &mut Vec<u8>) -> Result<usize> {
        decode::decode_over(&self.vocabulary, ids, out)
    }

    /// How many bytes `ids` decode to.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    ///
    /// # Complexity
    ///
    /// O(ids).
    pub fn decoded_length(&self, ids: &[u32]) -> Result<usize> {
        decode::decoded_length(&self.vocabulary, ids)
    }

    /// Decodes into memory that is there, of as many bytes as [`decoded_length`](Self::decoded_length) says, up to an
    /// id that stands for no token or has no room left.
    ///
    /// # Complexity
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_to(&self, ids: &[u32], out: &mut [u8]) {
        self.vocabulary.tokens().write(ids, out);
    }
}
