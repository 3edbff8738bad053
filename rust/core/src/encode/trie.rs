//! Longest token at a position, and the next shorter one: what the encoder of long pretokens asks.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::ids::{Symbol, narrow, widen};
use crate::vocab::MergeTable;

/// A trie over the bytes of every token that merges lead to.
#[derive(Debug)]
pub(super) struct Trie {
    /// The child of a node, keyed by `node << 8 | byte`; node 0 is the root.
    children: HashMap<u64, u32, RandomState>,
    /// The token that ends at a node, or `NONE`.
    tokens: Vec<Symbol>,
    /// By symbol: the longest token that is a proper prefix of it, or `NONE`.
    shorter: Vec<Symbol>,
}

impl Trie {
    /// Indexes the tokens of `table`.
    ///
    /// # Complexity
    ///
    /// O(total bytes of the tokens) time and space.
    pub(super) fn new(table: &MergeTable) -> Self {
        let mut trie = Self { children: HashMap::default(), tokens: vec![Symbol::NONE], shorter: Vec::new() };
        let mut bytes = Vec::new();
        for symbol in (0..table.n_symbols()).map(Symbol::from_index) {
            bytes.clear();
            table.append_bytes(symbol, &mut bytes);
            let node = bytes.iter().fold(0, |node, &byte| trie.descend(node, byte));
            trie.tokens[widen(node)] = symbol;
        }
        // Nodes are numbered as they are made, but a prefix may be named a token after a longer one: so a second pass.
        for symbol in (0..table.n_symbols()).map(Symbol::from_index) {
            bytes.clear();
            table.append_bytes(symbol, &mut bytes);
            bytes.pop();
            trie.shorter.push(trie.longest(&bytes));
        }
        trie
    }

    fn descend(&mut self, node: u32, byte: u8) -> u32 {
        let next = narrow(self.tokens.len()).unwrap_or(u32::MAX);
        let child = *self.children.entry(key(node, byte)).or_insert(next);
        if child == next {
            self.tokens.push(Symbol::NONE);
        }
        child
    }

    /// The longest token that `bytes` start with; `NONE` only where `bytes` are empty.
    #[inline]
    pub(super) fn longest(&self, bytes: &[u8]) -> Symbol {
        let (mut node, mut longest) = (0, Symbol::NONE);
        for &byte in bytes {
            let Some(&child) = self.children.get(&key(node, byte)) else { break };
            node = child;
            let token = self.tokens[widen(node)];
            if !token.is_none() {
                longest = token;
            }
        }
        longest
    }

    /// The longest token that is a proper prefix of `symbol`, or `NONE`.
    #[inline]
    pub(super) fn shorter(&self, symbol: Symbol) -> Symbol {
        self.shorter[symbol.index()]
    }
}

#[inline]
fn key(node: u32, byte: u8) -> u64 {
    u64::from(node) << 8 | u64::from(byte)
}
