//! The `added_tokens` of a `tokenizer.json`: literals that are found before the split.

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::noncontiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::super::json::shown;
use super::super::node::Node;
use super::super::vocab_json::VocabJson;
use super::super::{byte_alphabet, limits};
use crate::definition::{AddedToken, Matching};
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::pipeline::Pipeline;

/// Reads a list of added tokens, in the order of their ids.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the token or option that is not modelled, or whose id
/// `tokenizers` would replace by another.
pub(super) fn read(list: &Node<'_, '_>, vocab: &VocabJson<'_, '_>, pipeline: &Pipeline) -> Result<Vec<AddedToken>> {
    let items = list.items()?;
    if items.len() > limits::TOKENS {
        return Err(list.refuse(format!("{} tokens are more than the limit of {}", items.len(), limits::TOKENS)));
    }
    let mut ids = Ids::new(vocab);
    let mut texts: HashSet<&str, RandomState> = HashSet::default();
    let mut added = Vec::new();
    // Literals that `tokenizers` finds in its first pass, and in its second.
    let mut passes = [Vec::new(), Vec::new()];
    for item in items {
        let fields = item.fields()?;
        fields.only(&["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])?;
        let option = |key| fields.require(key)?.boolean();
        let matching = Matching {
            single_word: option("single_word")?,
            lstrip: option("lstrip")?,
            rstrip: option("rstrip")?,
            normalized: option("normalized")?,
        };
        let content = fields.require("content")?;
        let text = content.string()?;
        if let Some(fault) = limits::token_fault(text.len()) {
            return Err(content.refuse(fault));
        }
        if byte_alphabet::is_ambiguous(text) {
            let message = format!("{} would be decoded as the bytes that it spells, not as itself", shown(text));
            return Err(content.refuse(message));
        }
        if !texts.insert(text) {
            return Err(content.refuse(format!("{} is added twice", shown(text))));
        }
        let id = ids.check(&fields.require("id")?, text)?;
        let special = option("special")?;
        let [first, second] = &mut passes;
        if matching.normalized { second } else { first }.push(text);
        added.push(AddedToken { text: text.to_owned(), id, special, matching });
    }
    let is_literal =
        |token: &AddedToken| !(token.matching.single_word || token.matching.lstrip || token.matching.rstrip);
    if pipeline.normalizers.is_empty() && added.iter().all(is_literal) && reaching_into(&passes)?.is_none() {
        // One pass finds what two do, so that it does not matter which token is found in which.
        added.iter_mut().for_each(|token| token.matching.normalized = false);
    } else {
        check_normalized(list, &added, vocab, pipeline)?;
        check_strip(list, &added)?;
    }
    added.sort_unstable_by_key(|token| token.id);
    Ok(added)
}

/// The ids that `tokenizers` gives to added tokens, whatever the file says.
struct Ids<'v, 'p, 'j> {
    vocab: &'v VocabJson<'p, 'j>,
    taken: HashMap<TokenId, Option<String>, RandomState>,
    /// The id that the next token that is not in the vocabulary will get.
    next: usize,
}

impl<'v, 'p, 'j> Ids<'v, 'p, 'j> {
    fn new(vocab: &'v VocabJson<'p, 'j>) -> Self {
        Self { vocab, taken: vocab.ids().map(|id| (id, None)).collect(), next: vocab.len() }
    }

    fn check(&mut self, node: &Node<'_, '_>, text: &str) -> Result<TokenId> {
        let id = node.token_id()?;
        if let Some(expected) = self.vocab.id(text) {
            if id != expected {
                let message = format!("{} has id {id} here but {expected} in the vocabulary", shown(text));
                return Err(node.refuse(message));
            }
            return Ok(id);
        }
        if let Some(ordinary) = self.vocab.id_of_literal(text) {
            let message = format!(
                "{} is also the ordinary token {ordinary}; two ids for one text are not modelled yet",
                shown(text)
            );
            return Err(node.refuse(message));
        }
        if let Some(other) = self.taken.insert(id, Some(text.to_owned())) {
            let other = other.map_or("a token of the vocabulary".to_owned(), |other| shown(&other));
            return Err(node.refuse(format!("id {id} of {} is also that of {other}", shown(text))));
        }
        if id.index() != self.next {
            let message = format!(
                "{} has id {id}, but tokenizers would give it {}, the next after the vocabulary; \
                 list it in $.model.vocab to keep its id",
                shown(text),
                self.next
            );
            return Err(node.refuse(message));
        }
        self.next += 1;
        Ok(id)
    }
}

/// Refuses tokens whose normalised text could not be told from another's.
fn check_normalized(
    list: &Node<'_, '_>,
    added: &[AddedToken],
    vocab: &VocabJson<'_, '_>,
    pipeline: &Pipeline,
) -> Result<()> {
    let mut seen: HashSet<String, RandomState> = HashSet::default();
    for (token, item) in added.iter().zip(list.items()?).filter(|(token, _)| token.matching.normalized) {
        let text = pipeline.normalized(&token.text)?;
        let name = shown(&token.text);
        if text.is_empty() {
            return Err(item.refuse(format!("nothing is left of {name} when it is normalized")));
        }
        if text != token.text {
            if byte_alphabet::is_ambiguous(&text) {
                let text = shown(&text);
                return Err(
                    item.refuse(format!("{name} is normalized to {text}, which would be decoded as other bytes"))
                );
            }
            if vocab.is_ordinary(&token.text) || vocab.id_of_literal(&text).is_some() {
                let message = format!("{name} is normalized to other text, but one of the two is an ordinary token");
                return Err(item.refuse(message));
            }
        }
        if !seen.insert(text) {
            return Err(item.refuse(format!("{name} is normalized to the same text as another added token")));
        }
    }
    Ok(())
}

/// Refuses a token that takes the white space after it where another begins with white space: which has it?
fn check_strip(list: &Node<'_, '_>, added: &[AddedToken]) -> Result<()> {
    let begins = |token: &AddedToken| token.text.starts_with(char::is_whitespace);
    if !added.iter().any(begins) {
        return Ok(());
    }
    match added.iter().zip(list.items()?).find(|(token, _)| token.matching.rstrip) {
        Some((token, item)) => {
            let message = format!("{} takes the white space that another added token begins with", shown(&token.text));
            Err(item.refuse(message))
        }
        None => Ok(()),
    }
}

/// The first token of the second pass in which one of the first can begin.
///
/// `tokenizers` first finds the tokens that are not `normalized`, and then the others in the rest. One pass for all,
/// which takes the leftmost and of those the longest, finds the same unless it takes a token of the second kind where one
/// of the first kind begins inside it. A token of the first kind that begins earlier, or is longer, wins in either case.
///
/// # Complexity
///
/// O(total bytes of both).
fn reaching_into<'t>([first, second]: &[Vec<&'t str>; 2]) -> Result<Option<&'t str>> {
    if first.is_empty() || second.is_empty() {
        return Ok(None);
    }
    let automaton = NFA::builder()
        .match_kind(MatchKind::Standard)
        .build(first)
        .map_err(|error| Error::format("$.added_tokens", error))?;
    let start = automaton.start_state(Anchored::No).map_err(|error| Error::format("$.added_tokens", error))?;
    Ok(second.iter().copied().find(|text| {
        let mut state = start;
        let contains = text.bytes().any(|byte| {
            state = automaton.next_state(Anchored::No, state, byte);
            automaton.is_match(state)
        });
        // The automaton's state is the longest beginning of a literal that the text so far ends in.
        contains || state != start
    }))
}

#[cfg(test)]
mod tests {
    use aho_corasick::AhoCorasick;

    use super::*;

    fn reaches(first: &[&str], second: &[&str]) -> bool {
        reaching_into(&[first.to_vec(), second.to_vec()]).unwrap().is_some()
    }

    #[test]
    fn only_a_start_inside_a_normalized_token_counts() {
        assert!(reaches(&["<a>"], &["<a><b>"]) && reaches(&["<b>"], &["<a><b>"]) && reaches(&["yz"], &["xy"]));
        assert!(!reaches(&["xy"], &["yz"]) && !reaches(&["<a><b>"], &["<b>"]) && !reaches(&["<a>"], &["<b>"]));
    }

    /// Where each literal is found in `text`: its start and its length.
    fn find(literals: &[&str], text: &str, offset: usize) -> Vec<(usize, usize)> {
        let matcher = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(literals).unwrap();
        matcher.find_iter(text).map(|found| (offset + found.start(), found.len())).collect()
    }

    fn find_in_two_passes(first: &[&str], second: &[&str], text: &str) -> Vec<(usize, usize)> {
        let mut found = find(first, text, 0);
        let mut position = 0;
        for (start, length) in found.clone().into_iter().chain([(text.len(), 0)]) {
            found.extend(find(second, &text[position..start], position));
            position = start + length;
        }
        found.sort_unstable();
        found
    }

    #[test]
    fn one_pass_finds_what_two_find_unless_refused() {
        let strings = |length: u32| {
            let string = move |n: usize| (0..length).map(|i| ["a", "b"][n >> i & 1]).collect::<String>();
            (0..1_usize << length).map(string)
        };
        let literals: Vec<String> = (1..=3).flat_map(strings).collect();
        let texts: Vec<String> = strings(8).collect();
        let mut accepted = 0;
        for (a, b) in literals.iter().flat_map(|a| literals.iter().map(move |b| (a.as_str(), b.as_str()))) {
            for c in literals.iter().map(String::as_str) {
                if [b, c].contains(&a) || b == c || reaches(&[a], &[b, c]) {
                    continue;
                }
                accepted += 1;
                for text in &texts {
                    assert_eq!(
                        find(&[a, b, c], text, 0),
                        find_in_two_passes(&[a], &[b, c], text),
                        "{a} | {b} {c}: {text}"
                    );
                }
            }
        }
        assert!(accepted > 100, "{accepted}");
    }
}
