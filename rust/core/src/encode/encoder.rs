//! What encoding needs to know of a vocabulary, and the ways in: a text, its number of ids, one pretoken.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cuts::Cuts;
use super::run::Run;
use super::scratch::Scratch;
use super::sink::{Count, Ids};
use super::trie::Trie;
use super::{long, short};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pretokenize::Pretokenizer;
use crate::vocab::canonical::Normalised;
use crate::vocab::{MergeTable, Vocabulary};

/// Encodes text without special tokens. Immutable; work memory is a [`Scratch`] passed in.
#[derive(Debug)]
pub struct Encoder {
    merges: Normalised,
    /// Whether a pretoken that is a token is emitted even if no merges lead to it.
    pub(super) whole_pretokens: bool,
    pub(super) cuts: Cuts,
    /// Built when the first long pretoken comes.
    trie: OnceLock<Trie>,
    /// Tells encoders apart, so that a scratch never answers from another's cache.
    serial: u64,
}

impl Encoder {
    /// An encoder for normalised merges.
    pub(crate) fn new(vocabulary: &Vocabulary, merges: Normalised, whole_pretokens: bool) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let cuts = Cuts::new(vocabulary, &merges.table, whole_pretokens);
        Self { merges, whole_pretokens, cuts, trie: OnceLock::new(), serial }
    }

    /// The canonical merges.
    pub fn table(&self) -> &MergeTable {
        &self.merges.table
    }

    /// Whether merges lead to this token.
    pub fn is_reachable(&self, id: u32) -> bool {
        let index = usize::try_from(id).unwrap_or(usize::MAX);
        self.merges.symbols.get(index).is_some_and(|symbol| !symbol.is_none())
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
        scratch.claim(self.serial);
        let sink = Ids::new(out, scratch.waiting.take());
        let mut run = Run::new(self, vocabulary, scratch, text, interrupt, sink);
        run.encode_text(pretokenizer, |_| true)?;
        scratch.waiting = Some(run.into_sink().into_waiting());
        Ok(())
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
        scratch.claim(self.serial);
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
        scratch.claim(self.serial);
        let sink = Ids::new(out, scratch.waiting.take());
        let mut run = Run::new(self, vocabulary, scratch, pretoken, interrupt, sink);
        run.encode_ends(0, &[pretoken.len()])?;
        scratch.waiting = Some(run.into_sink().into_waiting());
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
        // A token that merges lead to is its own encoding.
        if let Some(id) = vocabulary.ordinary_id(bytes).filter(|id| self.is_reachable(id.get())) {
            out.push(id.get());
        } else if bytes.len() <= short::MAX_LENGTH {
            short::encode(self.table(), bytes, out);
        } else {
            long::encode(self.table(), self.trie()?, work, bytes, interrupt, out)?;
        }
        Ok(())
    }

    /// Makes the safe cuts ready to be looked for.
    pub(super) fn prepare_cuts(&self, vocabulary: &Vocabulary) {
        self.cuts.prepare(vocabulary, self.table(), self.whole_pretokens);
    }

    /// The trie, built where this is the first to ask.
    ///
    /// The memory for its many small parts is asked for at once. It is built outside the cell: a process forked while another thread builds it inside would wait for ever.
    fn trie(&self) -> Result<&Trie> {
        /// What building takes for each token, most of it for its bytes and the order of them.
        const BYTES_A_TOKEN: usize = 192;
        match self.trie.get() {
            Some(trie) => Ok(trie),
            None => {
                let mut room: Vec<u8> = Vec::new();
                let n_bytes = self.table().n_symbols() * BYTES_A_TOKEN;
                room.try_reserve_exact(n_bytes).map_err(|_| Error::memory("the index of tokens"))?;
                drop(room);
                let trie = Trie::new(self.table());
                Ok(self.trie.get_or_init(|| trie))
            }
        }
    }
}
