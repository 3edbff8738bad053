//! What encoding needs to know of a vocabulary, and the ways in: a text, its number of ids, one pretoken.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cuts::{Characters, Cuts, Joints};
use super::packed::Packing;
use super::prefixes::{Prefixes, Tokens};
use super::run::Run;
use super::scratch::Scratch;
use super::sink::{Count, Ids};
use super::{long, short, windows};
use crate::error::{Error, Result};
use crate::ids::widen;
use crate::interrupt::Interrupt;
use crate::pretokenize::Pretokenizer;
use crate::vocab::{MergeTable, Vocabulary};

/// What is looked up has to be made first, in time that grows with the vocabulary. To how many tokens one short pretoken is
/// merged before, or one byte of a long one: about as long is spent in vain, if it is, as making takes.
const TOKENS_TO_INDEX: usize = 8;

/// The same for sorting tokens, which only long pretokens need that windows do not do.
const TOKENS_TO_SORT: usize = 4;

/// Encodes text without special tokens. Immutable; work memory is a [`Scratch`] passed in.
#[derive(Debug)]
pub struct Encoder {
    table: MergeTable,
    /// One bit for each id that merges lead to, but for some in a row.
    reachable: Vec<u64>,
    reachable_in_a_row: Range<usize>,
    /// Whether a pretoken that is a token is emitted even if no merges lead to it.
    pub(super) whole_pretokens: bool,
    pub(super) cuts: Cuts,
    /// Built when the first long pretoken comes that windows do not do.
    prefixes: OnceLock<Prefixes>,
    /// Tells encoders apart, so that a scratch never answers from another's cache.
    serial: u64,
    /// How the caches of this encoder keep ids.
    packing: Packing,
}

impl Encoder {
    /// An encoder for canonical merges.
    pub(crate) fn new(vocabulary: &Vocabulary, table: MergeTable, whole_pretokens: bool) -> Self {
        let cuts = Cuts::new(vocabulary, &table, whole_pretokens);
        Self::with_cuts(vocabulary, table, whole_pretokens, cuts)
    }

    /// An encoder for canonical merges that lead to every token, whose tokens were looked at for safe cuts before.
    pub(crate) fn of_canonical(vocabulary: &Vocabulary, table: MergeTable, joints: &Joints) -> Self {
        Self::with_cuts(vocabulary, table, false, Cuts::of(joints))
    }

    fn with_cuts(vocabulary: &Vocabulary, table: MergeTable, whole_pretokens: bool, cuts: Cuts) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut reachable = vec![0; vocabulary.n_ids().div_ceil(64)];
        for id in table.ids().first() {
            if let Some(word) = reachable.get_mut(id.index() / 64) {
                *word |= 1 << (id.index() % 64);
            }
        }
        let packing = Packing::of(vocabulary.n_ids());
        let reachable_in_a_row = table.ids().others(table.n_symbols());
        Self { table, reachable, reachable_in_a_row, whole_pretokens, cuts, prefixes: OnceLock::new(), serial, packing }
    }

    /// The canonical merges.
    pub fn table(&self) -> &MergeTable {
        &self.table
    }

    /// Whether merges lead to this token.
    #[inline]
    pub fn is_reachable(&self, id: u32) -> bool {
        let word = self.reachable.get(widen(id / 64)).copied().unwrap_or(0);
        word >> (id % 64) & 1 == 1 || self.reachable_in_a_row.contains(&widen(id))
    }

    /// Whether merging makes one token of all of these bytes.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n bytes.
    pub(crate) fn makes_token(&self, bytes: &[u8]) -> bool {
        let mut ids = Vec::new();
        long::encode_plainly(&self.table, bytes, &mut ids);
        ids.len() == 1
    }

    /// Whether whole-pretoken look-up can change a result: only where some token is unreachable by merges.
    pub fn whole_pretokens(&self) -> bool {
        self.whole_pretokens
    }

    /// Appends the ids of `text` to `out`; special tokens in it are plain text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where the ids do not fit;
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) where `interrupt` says so.
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes and a fixed vocabulary and pattern, whatever the text.
    pub fn encode(
        &self,
        vocabulary: &Vocabulary,
        pretokenizer: &Pretokenizer,
        scratch: &mut Scratch,
        text: &[u8],
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        scratch.claim(self.serial, self.packing);
        let mut waiting = scratch.waiting.take().unwrap_or_default();
        Run::new(self, vocabulary, scratch, text, interrupt, Ids::new(out, &mut waiting))
            .encode_text(pretokenizer, |_| true)?;
        scratch.waiting = Some(waiting);
        Ok(())
    }

    /// [`encode`](Self::encode) for many short texts; returns where the ids of each end in `out`.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode); some of the texts may have ids by then.
    ///
    /// # Complexity
    ///
    /// As [`encode`](Self::encode), for n bytes in all.
    pub(crate) fn encode_texts(
        &self,
        vocabulary: &Vocabulary,
        pretokenizer: &Pretokenizer,
        scratch: &mut Scratch,
        mut texts: &[&[u8]],
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<Vec<usize>> {
        scratch.claim(self.serial, self.packing);
        let mut ends = Vec::new();
        ends.try_reserve_exact(texts.len()).map_err(|_| Error::memory("the ids"))?;
        let mut waiting = scratch.waiting.take().unwrap_or_default();
        let mut joined = std::mem::take(&mut scratch.joined);
        while !texts.is_empty() {
            texts = joined.fill(texts);
            let sink = Ids::new(out, &mut waiting);
            Run::new(self, vocabulary, scratch, &joined.text, interrupt, sink).encode_texts(
                pretokenizer,
                &joined.text_ends,
                &mut ends,
            )?;
        }
        scratch.waiting = Some(waiting);
        scratch.joined = joined;
        Ok(ends)
    }

    /// How many ids `text` has; where there are more than `limit`, some number that is more.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    ///
    /// # Complexity
    ///
    /// As [`encode`](Self::encode); stops soon after the limit is passed.
    pub fn count(
        &self,
        vocabulary: &Vocabulary,
        pretokenizer: &Pretokenizer,
        scratch: &mut Scratch,
        text: &[u8],
        limit: usize,
        interrupt: &Interrupt<'_>,
    ) -> Result<usize> {
        scratch.claim(self.serial, self.packing);
        let mut run = Run::new(self, vocabulary, scratch, text, interrupt, Count::new());
        run.encode_text(pretokenizer, |sink| sink.n_ids <= limit)?;
        Ok(run.into_sink().n_ids)
    }

    /// Appends the ids of one pretoken, of any bytes, to `out`.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes and a fixed vocabulary.
    pub fn encode_pretoken(
        &self,
        vocabulary: &Vocabulary,
        scratch: &mut Scratch,
        pretoken: &[u8],
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        if pretoken.is_empty() {
            return Ok(());
        }
        scratch.claim(self.serial, self.packing);
        let mut waiting = scratch.waiting.take().unwrap_or_default();
        Run::new(self, vocabulary, scratch, pretoken, interrupt, Ids::new(out, &mut waiting))
            .encode_ends(0, &[pretoken.len()])?;
        scratch.waiting = Some(waiting);
        Ok(())
    }

    /// Appends the ids that merging makes of non-empty bytes.
    pub(super) fn merge(
        &self,
        vocabulary: &Vocabulary,
        work: &mut long::Workspace,
        bytes: &[u8],
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let (table, is_short) = (self.table(), bytes.len() <= short::MAX_LENGTH);
        if !vocabulary.is_indexed() {
            work.n_not_looked_up += if is_short { 1 } else { bytes.len() };
            if work.n_not_looked_up < table.n_symbols() / TOKENS_TO_INDEX {
                if is_short {
                    short::encode(table, bytes, out)
                } else {
                    long::encode_plainly(table, bytes, out)
                }
                return Ok(());
            }
            vocabulary.check_room()?;
        }
        // A token that merges lead to is its own encoding. A short one that is merged comes to the same.
        if !is_short || work.odds.are_good() {
            let token = vocabulary.ordinary_id(bytes).filter(|id| self.is_reachable(id.get()));
            if is_short {
                work.odds.note(token.is_some());
            }
            if let Some(id) = token {
                out.push(id.get());
                return Ok(());
            }
        }
        if is_short {
            short::encode(table, bytes, out);
            return Ok(());
        }
        let tokens = Tokens { vocabulary, table };
        if windows::encode(tokens, work, bytes, interrupt, out)? {
            return Ok(());
        }
        if self.prefixes.get().is_none() {
            work.n_plain += bytes.len();
            if work.n_plain < table.n_symbols() / TOKENS_TO_SORT {
                long::encode_plainly(table, bytes, out);
                return Ok(());
            }
        }
        long::encode(tokens, self.prefixes(tokens)?, work, bytes, interrupt, out)
    }

    /// Makes the safe cuts of a text ready to be looked for.
    pub(super) fn prepare_cuts(&self, vocabulary: &Vocabulary, text: &[u8]) -> Result<()> {
        self.cuts.prepare(text, vocabulary, self.table(), self.whole_pretokens)
    }

    /// The safe cuts between characters of three bytes, known from now on.
    pub(super) fn characters(&self, vocabulary: &Vocabulary) -> Result<&Characters> {
        self.cuts.characters(vocabulary, self.table(), self.whole_pretokens)
    }

    /// The sorted tokens, sorted where this is the first to ask.
    ///
    /// Outside the cell: a process forked while another thread sorts inside would wait for ever.
    fn prefixes(&self, tokens: Tokens<'_>) -> Result<&Prefixes> {
        match self.prefixes.get() {
            Some(prefixes) => Ok(prefixes),
            None => {
                tokens.vocabulary.check_room()?;
                let prefixes = Prefixes::new(tokens)?;
                Ok(self.prefixes.get_or_init(|| prefixes))
            }
        }
    }
}
