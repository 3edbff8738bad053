//! Longest token at a position, and the next shorter one: what the encoder of long pretokens asks.

use crate::counters::count;
use crate::ids::{Symbol, narrow, widen};
use crate::vocab::MergeTable;

/// A trie over the bytes of every token that merges lead to.
///
/// Nodes are numbered by depth and then by bytes, so the children of a node are neighbours: those of node `n` are
/// `first_child[n]..first_child[n + 1]`, and their bytes a slice to search.
#[derive(Debug)]
pub(super) struct Trie {
    first_child: Vec<u32>,
    /// The byte that leads to a node. The root, node 0, has none.
    bytes: Vec<u8>,
    /// The longest token on the path to a node, its own included; `NONE` at the root.
    longest: Vec<Symbol>,
    /// By symbol: the longest token that is a proper prefix of it, or `NONE`.
    shorter: Vec<Symbol>,
}

impl Trie {
    /// Indexes the tokens of `table`.
    ///
    /// # Complexity
    ///
    /// O(B log n) time for n tokens of B bytes in all, O(B) space.
    pub(super) fn new(table: &MergeTable) -> Self {
        let mut tokens: Vec<(Vec<u8>, Symbol)> = Vec::with_capacity(table.n_symbols());
        for symbol in (0..table.n_symbols()).map(Symbol::from_index) {
            let mut bytes = Vec::with_capacity(table.length(symbol));
            table.append_bytes(symbol, &mut bytes);
            tokens.push((bytes, symbol));
        }
        tokens.sort_unstable();
        let none = Symbol::NONE;
        let shorter = vec![none; tokens.len()];
        let mut trie = Self { first_child: Vec::new(), bytes: vec![0], longest: vec![none], shorter };
        // The nodes of one depth, each with the tokens that go through it.
        let mut level = vec![(0, tokens.as_slice())];
        let mut depth = 0;
        while !level.is_empty() {
            let mut next_level = Vec::new();
            for (node, mut through) in level {
                trie.first_child.push(narrow(trie.bytes.len()).unwrap_or(u32::MAX));
                // A token that ends here sorts before those that go on.
                if through.first().is_some_and(|(bytes, _)| bytes.len() == depth) {
                    through = &through[1..];
                }
                for group in through.chunk_by(|(a, _), (b, _)| a[depth] == b[depth]) {
                    let (bytes, symbol) = &group[0];
                    let mut longest = trie.longest[node];
                    if bytes.len() == depth + 1 {
                        trie.shorter[symbol.index()] = longest;
                        longest = *symbol;
                    }
                    next_level.push((trie.bytes.len(), group));
                    trie.bytes.push(bytes[depth]);
                    trie.longest.push(longest);
                }
            }
            level = next_level;
            depth += 1;
        }
        trie.first_child.push(narrow(trie.bytes.len()).unwrap_or(u32::MAX));
        trie
    }

    /// The longest token that `bytes` start with; `NONE` only where `bytes` are empty.
    ///
    /// # Complexity
    ///
    /// O(length of the longest token with that beginning).
    #[inline]
    pub(super) fn longest(&self, bytes: &[u8]) -> Symbol {
        let mut node = 0;
        for &byte in bytes {
            count(1);
            let start = widen(self.first_child[node]);
            let children = &self.bytes[start..widen(self.first_child[node + 1])];
            // Deep nodes have one child, if any: no need to call for that.
            let index = match children {
                [only] => (*only == byte).then_some(0),
                _ => memchr::memchr(byte, children),
            };
            let Some(index) = index else { break };
            node = start + index;
        }
        self.longest[node]
    }

    /// The longest token that is a proper prefix of `symbol`, or `NONE`.
    #[inline]
    pub(super) fn shorter(&self, symbol: Symbol) -> Symbol {
        self.shorter[symbol.index()]
    }
}
