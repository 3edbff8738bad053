//! Finds matches with a DFA in time linear in the text, whatever the pattern.
//!
//! A DFA reads each byte once in a search, but a text takes many searches, and each may read far past the match that it
//! ends up with: `a*b|a` reads all of `aaaa...` to find one `a`, then again from the next. The cure is Reps' ("Maximal-munch
//! tokenization in linear time", 1998): a state at a position either leads to a later match or does not, no matter where the
//! search began. So remember those that did not, and stop when one is met again.

use std::collections::HashSet;
use std::ops::Range;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, Input};

use super::syntax::Part;
use crate::error::{Error, Result};

/// The most memory a pattern's automaton may take.
const DFA_LIMIT: usize = 16 << 20;

/// How many bytes a search reads past its last match before it consults the memo. Most never do.
const OVERRUN: usize = 64;

/// The least number of bytes between positions the memo holds.
const STRIDE: usize = 64;

/// The automaton of a pattern.
pub(super) struct Matcher {
    dfa: dense::DFA<Vec<u32>>,
    /// Where a search starts, if it starts the same everywhere.
    start: Option<StateID>,
    /// The bytes a match can begin with, or more.
    can_start: [bool; 256],
    /// Of each part, whether a match gives back its last character.
    gives_back: Vec<bool>,
}

impl Matcher {
    /// Compiles the parts of a pattern; the first that matches wins.
    pub(super) fn new(parts: &[Part]) -> Result<Self> {
        let too_large = || {
            let limit = DFA_LIMIT >> 20;
            let advice = "use smaller counts or fewer alternatives";
            Error::pattern(0, format!("the pattern needs an automaton of more than {limit} MiB; {advice}"))
        };
        let config =
            thompson::Config::new().which_captures(thompson::WhichCaptures::None).nfa_size_limit(Some(DFA_LIMIT));
        let regexes: Vec<_> = parts.iter().map(|part| &part.regex).collect();
        let nfa = thompson::Compiler::new().configure(config).build_many_from_hir(&regexes).map_err(|_| too_large())?;
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(DFA_LIMIT))
            .determinize_size_limit(Some(2 * DFA_LIMIT));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa).map_err(|_| too_large())?;
        let start = dfa.universal_start_state(Anchored::Yes);
        let can_start = std::array::from_fn(|byte| {
            let byte = u8::try_from(byte).unwrap_or_default();
            // No character begins with a continuation byte.
            let is_dead = |start| dfa.is_dead_state(dfa.next_state(start, byte));
            byte & 0xC0 != 0x80 && !start.is_some_and(is_dead)
        });
        Ok(Self { dfa, start, can_start, gives_back: parts.iter().map(|part| part.gives_back).collect() })
    }
}

/// The searches of one text.
pub(super) struct Search<'p, 't> {
    matcher: &'p Matcher,
    text: &'t str,
    memo: Memo,
    /// What this search has to tell the memo if it finds no match after it.
    passed: Vec<(StateID, usize)>,
    /// Bytes read, to test that their number is linear.
    #[cfg(test)]
    pub(super) steps: usize,
}

impl<'p, 't> Search<'p, 't> {
    pub(super) fn new(matcher: &'p Matcher, text: &'t str) -> Self {
        Self {
            matcher,
            text,
            memo: Memo::new(text.len()),
            passed: Vec::new(),
            #[cfg(test)]
            steps: 0,
        }
    }

    /// The first match at or after `from`, a char boundary, that is not empty.
    ///
    /// # Complexity
    ///
    /// To find all matches of a text, each from the end of the one before, takes O(q n) for its n bytes and the q states of
    /// the automaton, which depends on the pattern alone. The memo takes O(n) memory, and none unless a search overruns.
    pub(super) fn next(&mut self, from: usize) -> Option<Range<usize>> {
        let mut at = from;
        loop {
            let can_start = |byte: &u8| self.matcher.can_start[usize::from(*byte)];
            at += self.text.as_bytes().get(at..)?.iter().position(can_start)?;
            if let Some(end) = self.end(at) {
                return Some(at..end);
            }
            at += 1;
        }
    }

    /// The end of the match that starts at `start`, a char boundary, if there is one and it is not empty.
    fn end(&mut self, start: usize) -> Option<usize> {
        let (end, part) = self.find(start)?;
        let gives_back = self.matcher.gives_back.get(part).copied().unwrap_or_default();
        let last = if gives_back { self.text.get(..end)?.chars().next_back()?.len_utf8() } else { 0 };
        (end - last > start).then_some(end - last)
    }

    /// The end of the match that starts at `start`, and which part of the pattern it is of.
    fn find(&mut self, start: usize) -> Option<(usize, usize)> {
        let dfa = &self.matcher.dfa;
        let bytes = self.text.as_bytes();
        let mut state = match self.matcher.start {
            Some(state) => state,
            None => {
                let input = Input::new(bytes).range(start..).anchored(Anchored::Yes);
                // Fails only for a quit byte before `start`, which comes with Unicode word boundaries: never built.
                dfa.start_state_forward(&input).ok()?
            }
        };
        let mut found = None;
        let mut last = start;
        let mut at = start;
        while at < bytes.len() {
            // Between the positions that the memo holds there is nothing to do but step.
            let stop = self.memo.next(at).min(bytes.len());
            for &byte in bytes.get(at..stop).unwrap_or_default() {
                state = dfa.next_state(state, byte);
                if dfa.is_special_state(state) {
                    if dfa.is_match_state(state) {
                        // A match is reported one byte late: it ends before the one just read.
                        found = Some((at, dfa.match_pattern(state, 0).as_usize()));
                        last = at;
                        self.passed.clear();
                    } else if dfa.is_dead_state(state) {
                        return self.give_up(start, at + 1, found);
                    }
                }
                at += 1;
            }
            if at < bytes.len() && at - last > OVERRUN {
                if self.memo.is_hopeless(state, at) {
                    return self.give_up(start, at, found);
                }
                if self.passed.try_reserve(1).is_ok() {
                    self.passed.push((state, at));
                }
            }
        }
        state = dfa.next_eoi_state(state);
        if dfa.is_match_state(state) {
            found = Some((at, dfa.match_pattern(state, 0).as_usize()));
            self.passed.clear();
        }
        self.give_up(start, at, found)
    }

    /// Ends a search from `start` that read up to `at` with what it has `found`.
    fn give_up(&mut self, start: usize, at: usize, found: Option<(usize, usize)>) -> Option<(usize, usize)> {
        #[cfg(test)]
        {
            self.steps += at - start;
        }
        #[cfg(not(test))]
        let _ = at;
        if !self.passed.is_empty() {
            self.memo.add(&mut self.passed, start);
        }
        found
    }
}

/// States that led to no later match, at positions a stride apart.
///
/// To leave out the positions in between costs each search at most a stride more, and saves memory. Should the budget be
/// exceeded even so, the stride doubles. There are at most q n / stride entries for q states, so that the budget of n / 64
/// holds as soon as the stride is 64 q: a constant of the pattern, and with it the time of a search stays one.
struct Memo {
    /// A power of two.
    stride: usize,
    budget: usize,
    hopeless: HashSet<(StateID, usize)>,
}

impl Memo {
    fn new(text_length: usize) -> Self {
        Self { stride: STRIDE, budget: (text_length / 64).max(1024), hopeless: HashSet::new() }
    }

    /// The first position after `at` that the memo may hold.
    #[inline(always)]
    fn next(&self, at: usize) -> usize {
        (at | (self.stride - 1)).saturating_add(1)
    }

    fn is_hopeless(&self, state: StateID, at: usize) -> bool {
        self.hopeless.contains(&(state, at))
    }

    /// Adds what a search from `start` passed in vain.
    fn add(&mut self, passed: &mut Vec<(StateID, usize)>, start: usize) {
        // Without memory the memo is of less use, but the answer is the same.
        if self.hopeless.try_reserve(passed.len()).is_ok() {
            self.hopeless.extend(passed.drain(..));
        }
        passed.clear();
        if self.hopeless.len() > self.budget {
            // No search will be before `start` again. Down to half the budget, so as not to be back here soon.
            self.hopeless.retain(|&(_, at)| at >= start);
            while self.hopeless.len() > self.budget / 2 {
                self.stride *= 2;
                let stride = self.stride;
                self.hopeless.retain(|&(_, at)| at & (stride - 1) == 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::Parsed;
    use super::*;

    /// The number of bytes read to find all matches, and the number of matches.
    fn work(regex: &str, text: &str) -> (usize, usize) {
        let matcher = Matcher::new(&Parsed::new(regex).unwrap().parts().unwrap()).unwrap();
        let mut search = Search::new(&matcher, text);
        let (mut at, mut matches) = (0, 0);
        while let Some(found) = search.next(at) {
            at = found.end;
            matches += 1;
        }
        (search.steps, matches)
    }

    #[test]
    fn work_is_linear_where_searches_overrun() {
        let patterns = [
            (r"a*b|a", "a"),
            (r"a*b", "a"),
            (r"(?:aaaaaaa)*b|a", "a"),
            (r"(?:a{3}|a{5})*b|aa", "a"),
            (r"a{1,300}b|a", "a"),
            (r"a\PZ*Z|[^Z]", "a b"),
            (r"\s+Z|\s+(?!\S)", " x  "),
            (r"\s+\z|x", " "),
            (r"(?:ab)*c|(?:ba)*d|.", "ab"),
            (r"\w+!|\w{1,2}", "中a"),
            (r"(?s)a.*Z|b.*Y|c.*X|.", "abc"),
        ];
        for (regex, unit) in patterns {
            // A text that ends the runs, and one that does not.
            for end in ["", "x"] {
                let text = |n: usize| unit.repeat(n / unit.len()) + end;
                let sizes = [1 << 14, 1 << 15, 1 << 16, 1 << 17];
                let [.., before, last] = sizes.map(|n| work(regex, &text(n)).0);
                assert!(last * 10 <= before * 21, "{regex} {end:?}: {before} steps, then {last}");
                assert!(last <= (1 << 17) * 1000, "{regex} {end:?}: {last} steps");
            }
        }
    }

    #[test]
    fn memo_keeps_its_budget_and_the_matches() {
        // Seven hundred paths that never meet: the memo overflows, and must thin itself out.
        let regex = r"(?:a{700})*b|a";
        let text = "a".repeat(1 << 16);
        let matcher = Matcher::new(&Parsed::new(regex).unwrap().parts().unwrap()).unwrap();
        let mut search = Search::new(&matcher, &text);
        for at in 0..text.len() {
            assert_eq!(search.next(at), Some(at..at + 1));
            assert!(search.memo.hopeless.len() <= search.memo.budget);
        }
        assert!(search.memo.stride > STRIDE);
    }

    #[test]
    fn too_large_an_automaton_is_refused() {
        for regex in [r"\w{500}", r"[ab]*a[ab]{25}", r"(?:\p{L}{100}){100}"] {
            let error = Matcher::new(&Parsed::new(regex).unwrap().parts().unwrap()).err().unwrap();
            assert!(error.is_pattern() && error.to_string().contains("16 MiB"), "{regex}: {error}");
        }
    }
}
