//! The canonical form of a tokenizer in bytes: what is hashed, pickled and shipped.
//!
//! Two tokenizers that give the same ids by the same tokens have the same form, whichever files they came from. A token
//! that merges lead to is stored as its two parts, so a vocabulary takes about five bytes a token.
//!
//! ```text
//! "bytepair" 1           magic and version
//! flags                  1: whole pretokens, 2: a pipeline follows at the end
//! n (n_bytes text)*      the stages of the split, as regexes
//! id*256                 the ids of the single bytes; 2²⁴ for one that is no token
//! n (start length)*      the ids of the merges, as runs
//! (left right)*          the merges in rank order, as ids
//! n (id n_bytes bytes)*  tokens that no merges lead to, by id
//! n (id flags n_bytes text)*  added tokens, by id; 1: special, 2: single word, 4: lstrip, 8: rstrip, 16: normalized
//! the pipeline           where the flags say so
//! ```
//!
//! All numbers are LEB128.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{compact_pipeline, limits};
use crate::definition::{AddedToken, Definition, MAX_TOKEN_BYTES, Matching, MergeRule};
use crate::error::{Error, Result};
use crate::ids::{TokenId, narrow, widen, widen_u64};
use crate::pipeline::Pipeline;
use crate::pretokenize::Pretokenizer;

/// The tokens of a short input may have this many bytes in all.
const MIN_LIMIT: usize = 64 << 20;

/// The tokens of a long input may have this many bytes in all for each of its own.
const LIMIT_PER_BYTE: usize = 64;

/// Stands where the id of a byte would, if it were a token.
const NO_TOKEN: usize = widen(TokenId::LIMIT);

const MAGIC: &[u8] = b"bytepair\x01";

/// Writes a canonical definition, as [`Tokenizer::definition`](crate::Tokenizer::definition) gives it.
///
/// # Errors
///
/// [`ErrorKind::Internal`](crate::ErrorKind::Internal) where the definition is not canonical.
pub fn write(definition: &Definition) -> Result<Vec<u8>> {
    let broken = || Error::internal("only a canonical definition has a canonical form");
    let MergeRule::List(merges) = &definition.merges else { return Err(broken()) };
    let mut ids = HashMap::<&[u8], TokenId, RandomState>::default();
    let mut by_id = vec![&[][..]; definition.tokens.iter().map(|(id, _)| id.index() + 1).max().unwrap_or(0)];
    for (id, bytes) in &definition.tokens {
        ids.insert(bytes, *id);
        *by_id.get_mut(id.index()).ok_or_else(broken)? = bytes;
    }
    let byte_ids = std::array::from_fn(|byte| ids.get(&[u8::try_from(byte).unwrap_or(0)][..]).copied());
    let mut made = vec![false; by_id.len()];
    for id in byte_ids.iter().flatten() {
        *made.get_mut(id.index()).ok_or_else(broken)? = true;
    }
    let mut with_merged = Vec::with_capacity(merges.len());
    for &(left, right) in merges {
        let parts = [left, right].map(|id| by_id.get(id.index()).copied().unwrap_or_default());
        let id = *ids.get(&parts.concat()[..]).ok_or_else(broken)?;
        *made.get_mut(id.index()).ok_or_else(broken)? = true;
        with_merged.push((left, right, id));
    }
    let unmade = by_id.iter().zip(&made).enumerate().filter(|(_, (bytes, made))| !bytes.is_empty() && !**made);
    let unmade = unmade.filter_map(|(id, (bytes, _))| Some((TokenId::from_index(id)?, *bytes))).collect();
    let Definition { pretokenizer, whole_pretokens, added_tokens, pipeline, .. } = definition;
    let (whole_pretokens, merges) = (*whole_pretokens, with_merged);
    Ok(Form { pretokenizer, whole_pretokens, byte_ids, merges, unmade, added_tokens, pipeline }.to_bytes())
}

/// What the canonical form of a tokenizer says.
pub(crate) struct Form<'t> {
    pub(crate) pretokenizer: &'t Pretokenizer,
    pub(crate) whole_pretokens: bool,
    pub(crate) byte_ids: [Option<TokenId>; 256],
    /// The left, the right and the merged token of each, in rank order.
    pub(crate) merges: Vec<(TokenId, TokenId, TokenId)>,
    /// The tokens that no merges lead to, by id.
    pub(crate) unmade: Vec<(TokenId, &'t [u8])>,
    pub(crate) added_tokens: &'t [AddedToken],
    pub(crate) pipeline: &'t Pipeline,
}

impl Form<'_> {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer(MAGIC.to_vec());
        let has_pipeline = *self.pipeline != Pipeline::default();
        writer.flags([self.whole_pretokens, has_pipeline]);
        writer.number(self.pretokenizer.stages().len());
        for stage in self.pretokenizer.stages() {
            writer.bytes(stage.as_bytes());
        }
        for id in self.byte_ids {
            writer.number(id.map_or(NO_TOKEN, TokenId::index));
        }
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (_, _, id) in &self.merges {
            match runs.last_mut() {
                Some((start, length)) if *start + *length == id.index() => *length += 1,
                _ => runs.push((id.index(), 1)),
            }
        }
        writer.number(runs.len());
        for (start, length) in runs {
            writer.number(start);
            writer.number(length);
        }
        for (left, right, _) in &self.merges {
            writer.number(left.index());
            writer.number(right.index());
        }
        writer.number(self.unmade.len());
        for (id, bytes) in &self.unmade {
            writer.number(id.index());
            writer.bytes(bytes);
        }
        let mut added: Vec<&AddedToken> = self.added_tokens.iter().collect();
        added.sort_by_key(|token| token.id);
        writer.number(added.len());
        for token in added {
            writer.number(token.id.index());
            let Matching { single_word, lstrip, rstrip, normalized } = token.matching;
            writer.flags([token.special, single_word, lstrip, rstrip, normalized]);
            writer.bytes(token.text.as_bytes());
        }
        if has_pipeline {
            compact_pipeline::write(self.pipeline, &mut writer);
        }
        writer.0
    }
}

/// Reads what [`write()`] wrote.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format), with the byte position, for anything else;
/// [`ErrorKind::Pattern`](crate::ErrorKind::Pattern) where its split cannot be run.
///
/// # Complexity
///
/// O(total bytes of the tokens), which is bounded: 64 MiB, or 64 times the input where that is more.
pub fn read(bytes: &[u8]) -> Result<Definition> {
    let mut reader = Reader { bytes, position: 0 };
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(Error::format("byte 0", "not a bytepair tokenizer of version 1"));
    }
    let [whole_pretokens, has_pipeline] = reader.flags()?;
    let stages = (0..reader.count()?).map(|_| reader.text()).collect::<Result<Vec<String>>>()?;
    let limit = MIN_LIMIT.max(bytes.len().saturating_mul(LIMIT_PER_BYTE)).min(limits::FILE_BYTES);
    let mut tokens = Tokens { list: Vec::new(), places: Vec::new(), n_bytes: 0, limit };
    for byte in 0..=u8::MAX {
        if let Some(id) = reader.optional_id()? {
            tokens.add(id, vec![byte])?;
        }
    }
    let mut ids = Vec::new();
    for _ in 0..reader.count()? {
        let (start, length) = (reader.number()?, reader.count()?);
        if ids.len() + length > bytes.len() {
            return Err(reader.error("there are more merges than data"));
        }
        for id in start..start.saturating_add(length) {
            ids.push(TokenId::from_index(id).ok_or_else(|| reader.error("an id is out of range"))?);
        }
    }
    let mut merges = Vec::with_capacity(ids.len());
    // In some published vocabularies a part is made later than the whole: such a merge waits for its part.
    let mut waiting: HashMap<TokenId, Vec<usize>, RandomState> = HashMap::default();
    for index in 0..ids.len() {
        merges.push((reader.id()?, reader.id()?));
        let mut ready = vec![index];
        while let Some(index) = ready.pop() {
            let (Some(&id), Some(&(left_id, right_id))) = (ids.get(index), merges.get(index)) else { break };
            match (tokens.get(left_id), tokens.get(right_id)) {
                (Some(left), Some(right)) => {
                    let token = [left, right].concat();
                    tokens.add(id, token)?;
                    ready.extend(waiting.remove(&id).unwrap_or_default());
                }
                (left, _) => waiting.entry(if left.is_none() { left_id } else { right_id }).or_default().push(index),
            }
        }
    }
    if !waiting.is_empty() {
        return Err(reader.error("a merge names a token that nothing makes"));
    }
    for _ in 0..reader.count()? {
        let (id, token) = (reader.id()?, reader.sized()?.to_vec());
        tokens.add(id, token)?;
    }
    let mut added_tokens = Vec::new();
    for _ in 0..reader.count()? {
        let id = reader.id()?;
        let [special, single_word, lstrip, rstrip, normalized] = reader.flags()?;
        let matching = Matching { single_word, lstrip, rstrip, normalized };
        added_tokens.push(AddedToken { id, special, text: reader.text()?, matching });
    }
    let pipeline = if has_pipeline { compact_pipeline::read(&mut reader)? } else { Pipeline::default() };
    if reader.position != bytes.len() {
        return Err(reader.error("bytes follow the end"));
    }
    Ok(Definition {
        name: None,
        pretokenizer: Pretokenizer::from_stages(&stages)?,
        tokens: tokens.list,
        merges: MergeRule::List(merges),
        whole_pretokens,
        added_tokens,
        pipeline,
    })
}

/// The tokens read so far.
struct Tokens {
    list: Vec<(TokenId, Vec<u8>)>,
    /// By id: one more than the place in the list, or 0.
    places: Vec<u32>,
    n_bytes: usize,
    /// The most that `n_bytes` may be.
    limit: usize,
}

impl Tokens {
    fn add(&mut self, id: TokenId, token: Vec<u8>) -> Result<()> {
        // A merge doubles what a few bytes of input stand for, so that few could stand for more than memory holds.
        self.n_bytes += token.len();
        if token.len() > MAX_TOKEN_BYTES || self.n_bytes > self.limit {
            return Err(Error::format(format!("token {id}"), "the tokens are too long"));
        }
        self.list.push((id, token));
        if self.places.len() <= id.index() {
            self.places.resize(id.index() + 1, 0);
        }
        if let (Some(place), Some(last)) = (self.places.get_mut(id.index()), narrow(self.list.len())) {
            *place = last;
        }
        Ok(())
    }

    fn get(&self, id: TokenId) -> Option<&[u8]> {
        let place = widen(*self.places.get(id.index())?);
        self.list.get(place.checked_sub(1)?).map(|(_, bytes)| bytes.as_slice())
    }
}

pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn number(&mut self, value: usize) {
        let mut rest = widen_u64(value);
        loop {
            let low = u8::try_from(rest & 0x7F).unwrap_or(0);
            rest >>= 7;
            if rest == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    /// A bit for each, the first the lowest.
    pub(super) fn flags<const N: usize>(&mut self, flags: [bool; N]) {
        self.number(flags.iter().rev().fold(0, |bits, &flag| bits << 1 | usize::from(flag)));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    position: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn error(&self, message: &str) -> Error {
        Error::format(format!("byte {}", self.position), message)
    }

    fn take(&mut self, n_bytes: usize) -> Result<&'b [u8]> {
        let end = self.position.checked_add(n_bytes);
        let taken = end.and_then(|end| self.bytes.get(self.position..end));
        let taken = taken.ok_or_else(|| self.error("the data ends too soon"))?;
        self.position += n_bytes;
        Ok(taken)
    }

    /// A number below 2³²: at most five bytes.
    pub(super) fn number(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let &[byte] = self.take(1)? else { break };
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                let value = u32::try_from(value).map_err(|_| self.error("a number is too large"))?;
                return Ok(widen(value));
            }
        }
        Err(self.error("a number is too long"))
    }

    /// A number of things that take a byte each or more, so it cannot exceed what is left.
    pub(super) fn count(&mut self) -> Result<usize> {
        let count = self.number()?;
        if count > self.bytes.len() { Err(self.error("a count is larger than the data")) } else { Ok(count) }
    }

    pub(super) fn id(&mut self) -> Result<TokenId> {
        self.optional_id()?.ok_or_else(|| self.error("an id is out of range"))
    }

    /// An id, or [`NO_TOKEN`].
    fn optional_id(&mut self) -> Result<Option<TokenId>> {
        match self.number()? {
            NO_TOKEN => Ok(None),
            number => TokenId::from_index(number).map(Some).ok_or_else(|| self.error("an id is out of range")),
        }
    }

    /// What [`Writer::flags`] wrote.
    pub(super) fn flags<const N: usize>(&mut self) -> Result<[bool; N]> {
        let bits = self.number()?;
        if bits >> N != 0 {
            return Err(self.error("an unknown flag"));
        }
        Ok(std::array::from_fn(|flag| bits >> flag & 1 == 1))
    }

    fn sized(&mut self) -> Result<&'b [u8]> {
        let n_bytes = self.number()?;
        self.take(n_bytes)
    }

    pub(super) fn text(&mut self) -> Result<String> {
        let text = self.sized()?.to_vec();
        String::from_utf8(text).map_err(|_| self.error("a text is not UTF-8"))
    }
}
