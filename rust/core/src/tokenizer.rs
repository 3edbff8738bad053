//! The tokenizer: split, vocabulary, merges and added tokens together.

mod changed;
mod grown;

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::decode;
use crate::definition::{AddedToken, Definition, MergeRule};
use crate::encode::parallel::{self, Pieces};
use crate::encode::{Encoder, Joints, PooledScratch, Scratch, ScratchPool, take_ids};
use crate::error::{Error, ErrorKind, Result, check_room};
use crate::formats::compact;
use crate::huge_pages;
use crate::ids::{Symbol, TokenId};
use crate::interrupt::Interrupt;
use crate::pipeline::Pipeline;
use crate::pretokenize::{Pretokenizer, is_short};
use crate::text::{self, Text};
use crate::threads::n_threads;
use crate::vocab::canonical::normalise;
use crate::vocab::special::Segment;
use crate::vocab::{AddedTokens, Allowed, Matcher, MergeTable, Specials, Vocabulary};

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

/// Makes room in a list for the ids of `n_bytes`: text has three bytes a token or more, and what this is short of, growing makes
/// up for.
fn reserve(ids: &mut Vec<u32>, n_bytes: usize) -> Result<()> {
    if ids.capacity() - ids.len() < n_bytes / 3 {
        ids.try_reserve(n_bytes / 3).map_err(|_| Error::memory("the ids"))?;
        huge_pages::ask_for(ids);
    }
    Ok(())
}

/// Makes room in a list for the ids of `n_left` bytes more, where it may soon be full: for as many to a byte as the `n_done`
/// before have, whose ids come after the first `n_before`, but at least a third, and an eighth more.
///
/// A list that doubles its length instead is moved time and again, and is half empty in the end. It does so where there is no
/// room for so many at once, and where they are more.
fn reserve_for_rest(ids: &mut Vec<u32>, n_before: usize, n_done: usize, n_left: usize) {
    const KIB: usize = 1 << 10;
    let per_kib = ((ids.len() - n_before) / n_done.div_ceil(KIB).max(1)).max(KIB / 3);
    let soon = n_left.min(2 * parallel::BLOCK_BYTES);
    if ids.capacity() - ids.len() < per_kib * soon / KIB {
        let n_more = per_kib * n_left.div_ceil(KIB);
        let _ = ids.try_reserve_exact(n_more + n_more / 8);
        huge_pages::ask_for(ids);
    }
}

/// The ids of many documents, one after another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    /// The ids of all documents.
    pub ids: Vec<u32>,
    /// Where each document ends in `ids`.
    pub ends: Vec<usize>,
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

    /// Appends the ids of `text` to `out`.
    ///
    /// Special tokens in the text become ids only where `allowed`; otherwise they are plain text. Of special tokens that
    /// start at one place the longest wins. `text` need not be UTF-8: bytes that are not form pretokens of their own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where `allowed` names no special token;
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) where `text` holds a byte that is no token.
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes and a fixed vocabulary and pattern, whatever the text.
    pub fn encode(&self, scratch: &mut Scratch, text: &[u8], allowed: Allowed<'_>, out: &mut Vec<u32>) -> Result<()> {
        let specials = self.added.specials(allowed, Allowed::None)?;
        self.encode_with(scratch, text, &specials, &Interrupt::never(), out)
    }

    /// [`encode`](Self::encode) for special tokens prepared once for many texts, some of which may be refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where `text` contains one that is refused;
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) where it holds a byte that is no token;
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where there is no room for the ids;
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) where `interrupt` says so.
    ///
    /// # Complexity
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_with(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        specials.check(text)?;
        if !self.keeps_text {
            return self.encode_changed(scratch, text, specials, interrupt, out);
        }
        let missing = self.vocabulary.missing_bytes();
        let Some(matcher) = specials.found() else {
            missing.check(text, 0)?;
            return self.encode_text(scratch, text, interrupt, out);
        };
        reserve(out, text.len())?;
        let mut start = 0;
        for segment in matcher.literals().segments(text) {
            match segment {
                Segment::Text(text) => {
                    missing.check(text, start)?;
                    self.encode_text(scratch, text, interrupt, out)?;
                    start += text.len();
                }
                Segment::Literal(index) => {
                    out.extend(matcher.ids().get(index));
                    start += matcher.literals().literals().get(index).map_or(0, String::len);
                }
            }
        }
        Ok(())
    }

    /// [`encode_with`](Self::encode_with) for a text that need not be UTF-8 yet: it is made of it part by part.
    ///
    /// # Errors
    ///
    /// As [`encode_with`](Self::encode_with) and [`Text::append_to`].
    ///
    /// # Complexity
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_characters(
        &self,
        scratch: &mut Scratch,
        text: Text<'_>,
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        /// Parts of about so many characters: their UTF-8 stays near until it is encoded.
        const PART: usize = 1 << 15;
        if let Text::Bytes(text) = text {
            return self.encode_with(scratch, text, specials, interrupt, out);
        }
        let mut utf8 = scratch.take_bytes();
        utf8.clear();
        let is_whole = text.len() < 2 * PART || specials.refuse() || !self.may_join(specials);
        if is_whole || !self.pretokenizer.has_safe_cuts() {
            text.append_to(&mut utf8)?;
            self.encode_with(scratch, &utf8, specials, interrupt, out)?;
        } else {
            let (n_before, mut start) = (out.len(), 0);
            while start < text.len() {
                let end = parallel::next_cut(start, text.len(), PART, |at| self.is_safe_cut(text, at));
                utf8.clear();
                let made = text.part(start..end).append_to(&mut utf8);
                made.map_err(|error| text.first_surrogate().map_or(error, Error::surrogate))?;
                let Self { encoder, vocabulary, pretokenizer, .. } = self;
                encoder.encode(vocabulary, pretokenizer, scratch, &utf8, interrupt, out)?;
                interrupt.check()?;
                reserve_for_rest(out, n_before, end, text.len() - end);
                start = end;
            }
        }
        scratch.give_bytes(utf8);
        Ok(())
    }

    /// Whether texts can be cut and joined: a special token or a byte that is missing may lie across a cut, or be named by its
    /// place.
    fn may_join(&self, specials: &Specials<'_>) -> bool {
        self.keeps_text && specials.found().is_none() && self.vocabulary.missing_bytes().is_empty()
    }

    /// [`Pretokenizer::is_safe_cut`] of characters.
    fn is_safe_cut(&self, text: Text<'_>, at: usize) -> bool {
        text.near(at, |near, at| self.pretokenizer.is_safe_cut(near, at))
    }

    /// The ids of many documents, over `num_threads` threads, or one for each processor.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes in all, whatever the texts; the ids are the same for any number of threads.
    pub fn encode_batch(
        &self,
        pool: &ScratchPool,
        texts: &[&[u8]],
        allowed: Allowed<'_>,
        num_threads: Option<NonZero<usize>>,
    ) -> Result<Batch> {
        let specials = self.added.specials(allowed, Allowed::None)?;
        let texts: Vec<Text<'_>> = texts.iter().map(|text| Text::Bytes(text)).collect();
        let batch = self.encode_batch_with(pool, &texts, &specials, &Interrupt::never(), num_threads);
        batch.map_err(|(_, error)| error)
    }

    /// [`encode_batch`](Self::encode_batch) for special tokens that may be refused, and texts that need not be UTF-8 yet: it is
    /// made of them, part by part, by the threads.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode_with`] and [`Text::append_to`], with the index of the first text at fault.
    ///
    /// # Complexity
    ///
    /// As [`encode_batch`](Self::encode_batch).
    pub fn encode_batch_with(
        &self,
        pool: &ScratchPool,
        texts: &[Text<'_>],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        num_threads: Option<NonZero<usize>>,
    ) -> std::result::Result<Batch, (usize, Error)> {
        let n_bytes_of = |texts: &[Text<'_>]| texts.iter().map(|text| text.len()).sum::<usize>();
        let n_threads = n_threads(num_threads, n_bytes_of(texts));
        let may_join = self.may_join(specials);
        // Refused tokens are looked for in whole texts, before any is cut: not in such as are not UTF-8 yet.
        let is_utf8 = |text: &Text<'_>| matches!(text, Text::Bytes(_));
        let may_look = !specials.refuse() || texts.iter().all(is_utf8);
        let may_cut = may_join && may_look && n_threads > 1 && self.pretokenizer.has_safe_cuts();
        let is_cut = |text: Text<'_>, at| match text {
            Text::Bytes(text) => self.pretokenizer.is_safe_cut(text, at),
            _ => self.is_safe_cut(text, at),
        };
        let pieces = if may_cut { Pieces::cut(texts, is_cut) } else { Pieces::whole(texts) };
        if pieces.pieces.len() > texts.len() {
            for (index, text) in texts.iter().enumerate() {
                if let Text::Bytes(text) = text {
                    specials.check(text).map_err(|error| (index, error))?;
                }
            }
        }
        let encode = |scratch: &mut PooledScratch<'_>, first: usize, block: &[Text<'_>], batch: &mut Batch| {
            let of_document = |index, error: Error| {
                let document = pieces.document(index);
                // Its place was that in a piece.
                let place = texts.get(document).filter(|_| matches!(error.kind(), ErrorKind::Surrogate { .. }));
                let place = place.and_then(|text| text.first_surrogate());
                (document, place.map_or(error, Error::surrogate))
            };
            interrupt.check().map_err(|error| of_document(first, error))?;
            let mut index = first;
            for texts in block.chunk_by(|one, next| may_join && is_short(one.len()) && is_short(next.len())) {
                if let [text] = texts {
                    let encoded = self.encode_characters(scratch, *text, specials, interrupt, &mut batch.ids);
                    encoded.map_err(|error| of_document(index, error))?;
                    if pieces.is_last(index) {
                        batch.ends.push(batch.ids.len());
                    }
                } else {
                    self.encode_short(scratch, texts, specials, interrupt, batch)
                        .map_err(|(inside, error)| of_document(index + inside, error))?;
                }
                index += texts.len();
            }
            Ok(())
        };
        let mut batch = Batch { ids: take_ids(n_bytes_of(texts)), ends: Vec::new() };
        let no_room = |_| (0, Error::memory("the ids"));
        batch.ends.try_reserve_exact(texts.len()).map_err(no_room)?;
        let n_bytes = n_bytes_of(texts);
        let mut n_done = 0;
        if n_threads == 1 {
            let mut scratch = pool.lend();
            for (first, block) in parallel::blocks(texts) {
                encode(&mut scratch, first, block, &mut batch)?;
                n_done += n_bytes_of(block);
                reserve_for_rest(&mut batch.ids, 0, n_done, n_bytes - n_done);
            }
            return Ok(batch);
        }
        let mut blocks = parallel::blocks(&pieces.pieces).into_iter();
        let append = |part: &mut Batch| {
            let start = batch.ids.len();
            batch.ids.try_reserve(part.ids.len()).map_err(no_room)?;
            batch.ids.append(&mut part.ids);
            batch.ends.extend(part.ends.drain(..).map(|end| start + end));
            n_done += blocks.next().map_or(0, |(_, block)| n_bytes_of(block));
            reserve_for_rest(&mut batch.ids, 0, n_done, n_bytes - n_done);
            Ok(())
        };
        parallel::for_blocks(&pieces.pieces, n_threads, |thread| pool.lend_to(thread), encode, append)?;
        Ok(batch)
    }

    /// Encodes text without special tokens, a long one in pieces: how many ids the first has tells how much room all want.
    fn encode_text(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let Self { encoder, vocabulary, pretokenizer, .. } = self;
        let is_long = text.len() >= 2 * parallel::BLOCK_BYTES && pretokenizer.has_safe_cuts();
        let is_cut = |at| pretokenizer.is_safe_cut(text, at);
        let cuts = if is_long { parallel::cuts(text.len(), is_cut) } else { Vec::new() };
        if cuts.is_empty() {
            reserve(out, text.len())?;
            return encoder.encode(vocabulary, pretokenizer, scratch, text, interrupt, out);
        }
        let (n_before, mut start) = (out.len(), 0);
        for end in cuts.into_iter().chain([text.len()]) {
            let piece = text.get(start..end).unwrap_or_default();
            encoder.encode(vocabulary, pretokenizer, scratch, piece, interrupt, out)?;
            // The time to ask begins anew with each piece.
            interrupt.check()?;
            start = end;
            reserve_for_rest(out, n_before, end, text.len() - end);
        }
        Ok(())
    }

    /// Encodes short texts together; they are kept, hold no special token that is found, and miss no byte.
    fn encode_short(
        &self,
        scratch: &mut Scratch,
        texts: &[Text<'_>],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        batch: &mut Batch,
    ) -> std::result::Result<(), (usize, Error)> {
        let mut buffer = scratch.take_bytes();
        let texts = match text::in_utf8(texts, &mut buffer) {
            Ok(texts) => texts,
            Err((index, error)) => {
                // What is refused in one before it comes first.
                let before = text::in_utf8(texts.get(..index).unwrap_or_default(), &mut buffer)?;
                let refused =
                    before.iter().enumerate().find_map(|(index, text)| Some((index, specials.check(text).err()?)));
                return Err(refused.unwrap_or((index, error)));
            }
        };
        for (index, text) in texts.iter().enumerate() {
            specials.check(text).map_err(|error| (index, error))?;
        }
        let Self { encoder, vocabulary, pretokenizer, .. } = self;
        let ends = encoder.encode_texts(vocabulary, pretokenizer, scratch, &texts, interrupt, &mut batch.ids);
        batch.ends.append(&mut ends.map_err(|error| (0, error))?);
        scratch.give_bytes(buffer);
        Ok(())
    }

    /// How many ids `text` has, with special tokens as `specials` says and none refused; `None` where there are more than
    /// `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) where `text` holds a byte that is no token; after the
    /// limit is passed, one further on may go unseen. [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) where
    /// `interrupt` says so; [`ErrorKind::Memory`](crate::ErrorKind::Memory) where what a normaliser makes of the text
    /// does not fit.
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes, and at most those of as many tokens as the limit, each as long as the longest; stops soon
    /// after the limit is passed. The ids are never held all at once.
    pub fn count(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        specials: &Specials<'_>,
        limit: usize,
        interrupt: &Interrupt<'_>,
    ) -> Result<Option<usize>> {
        if !self.keeps_text {
            return self.count_changed(scratch, text, specials, limit, interrupt);
        }
        let literals = specials.found().map(Matcher::literals);
        let longest_literal = literals.and_then(|all| all.literals().iter().map(String::len).max());
        // Even of the longest tokens, a giant pretoken may take more than the limit: that it does, need not be found out.
        let longest = self.vocabulary.longest().max(longest_literal.unwrap_or(0));
        if text.len() > limit.saturating_mul(longest) && self.vocabulary.missing_bytes().is_empty() {
            return Ok(None);
        }
        let mut n_ids = 0;
        let mut start = 0;
        let segments = literals.map(|literals| literals.segments(text));
        for segment in segments.into_iter().flatten().chain(literals.is_none().then_some(Segment::Text(text))) {
            match segment {
                Segment::Text(text) => {
                    self.vocabulary.missing_bytes().check(text, start)?;
                    let limit = limit.saturating_sub(n_ids);
                    let Self { vocabulary, pretokenizer, encoder, .. } = self;
                    n_ids += encoder.count(vocabulary, pretokenizer, scratch, text, limit, interrupt)?;
                    start += text.len();
                }
                Segment::Literal(index) => {
                    n_ids += 1;
                    start += literals.and_then(|all| all.literals().get(index)).map_or(0, String::len);
                }
            }
            if n_ids > limit {
                return Ok(None);
            }
        }
        Ok(Some(n_ids))
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

    /// Decodes into memory that is there, of as many bytes as [`decoded_length`](Self::decoded_length) says. Ids that stand for
    /// no token, and bytes for which there is no room, are left out.
    ///
    /// # Complexity
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_to(&self, ids: &[u32], out: &mut [u8]) {
        self.vocabulary.tokens().write(ids, out);
    }
}
