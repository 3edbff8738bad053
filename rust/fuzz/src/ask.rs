//! The other ways of asking, each against its plain definition by whole encodings.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use bytepair_core::decode::DecodeStream;
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::vocab::Specials;
use bytepair_core::{AddedToken, Allowed, ErrorKind, Interrupt, Scratch, ScratchPool, Tokenizer, ask::EncodeStream};

use super::{id, vocabulary, word};

/// Special tokens that words are full of; none is the beginning of all texts.
const SPECIALS: [&[&str]; 4] = [&[], &["ab"], &["ab", "abca", "c c"], &["bcbc", "中"]];

/// Long inputs would take long, and show no more.
const MOST_STEPS: usize = 24;

/// A tokenizer and what it is asked with.
struct Asked {
    tokenizer: Tokenizer,
    allowed: Allowed<'static>,
    scratch: Scratch,
    /// For whole encodings: what the others know, these do not.
    apart: RefCell<Scratch>,
}

impl Asked {
    fn new(source: &mut Unstructured<'_>) -> Result<Self> {
        let strings = (0..source.int_in_range(0..=16)?).map(|_| word(source, 7)).collect::<Result<Vec<_>>>()?;
        let mut definition = vocabulary(&strings, source.arbitrary()?);
        static SPLITS: OnceLock<Vec<Pretokenizer>> = OnceLock::new();
        let splits = SPLITS.get_or_init(|| {
            let patterns = ["gpt2", "cl100k", "o200k", "a+b|c", r"\s+|\S+"];
            let none = definition.pretokenizer.clone();
            [none].into_iter().chain(patterns.map(|pattern| Pretokenizer::new(pattern).unwrap())).collect()
        });
        definition.pretokenizer = source.choose(splits)?.clone();
        let known: Vec<Vec<u8>> = definition.tokens.iter().map(|(_, token)| token.clone()).collect();
        let added = source.choose(&SPECIALS)?.iter().filter(|text| !known.contains(&text.as_bytes().to_vec()));
        definition.added_tokens = added
            .enumerate()
            .map(|(index, &text)| AddedToken {
                text: text.to_owned(),
                id: id(known.len() + index),
                special: true,
                matching: Default::default(),
            })
            .collect();
        let tokenizer = Tokenizer::new(definition).unwrap();
        let allowed = if source.arbitrary()? { Allowed::All } else { Allowed::None };
        Ok(Self { tokenizer, allowed, scratch: Scratch::default(), apart: RefCell::default() })
    }

    fn specials(&self) -> Specials<'static> {
        self.tokenizer.added_tokens().specials(self.allowed, Allowed::None).unwrap().into_owned()
    }

    fn encode(&self, text: &[u8]) -> Vec<u32> {
        let mut ids = Vec::new();
        self.tokenizer.encode(&mut self.apart.borrow_mut(), text, self.allowed, &mut ids).unwrap();
        ids
    }

    /// Where each token of a text ends.
    fn ends(&self, text: &[u8]) -> Vec<usize> {
        let mut end = 0;
        let length = |id: u32| self.tokenizer.decode(&[id]).unwrap().len();
        self.encode(text)
            .into_iter()
            .map(|id| {
                end += length(id);
                end
            })
            .collect()
    }
}

/// A text, or any bytes.
fn any_text(source: &mut Unstructured<'_>, longest: usize) -> Result<Vec<u8>> {
    match source.int_in_range(0..=3)? {
        0 => {
            let n = source.int_in_range(0..=longest)?.min(source.len());
            Ok(source.bytes(n)?.to_vec())
        }
        1 => {
            let parts = ["a", "b", "中", "é", "😀", " ", "\n", "ab", "\u{301}", "1"];
            let n = source.int_in_range(0..=longest / 4)?;
            Ok((0..n).map(|_| source.choose(&parts).copied()).collect::<Result<String>>()?.into_bytes())
        }
        _ => word(source, longest),
    }
}

/// Where characters begin, and the end: of ill-formed sequences, each that is replaced by one U+FFFD.
fn boundaries(text: &[u8]) -> Vec<usize> {
    let mut all = vec![0];
    let mut at = 0;
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            at += c.len_utf8();
            all.push(at);
        }
        if !chunk.invalid().is_empty() {
            at += chunk.invalid().len();
            all.push(at);
        }
    }
    all
}

/// Text that grows and is taken back: after every step, the ids of the whole.
pub(super) fn encode_stream(data: &[u8]) -> Result<()> {
    let mut source = Unstructured::new(data);
    let mut asked = Asked::new(&mut source)?;
    let mut stream = EncodeStream::new(&asked.tokenizer, asked.specials()).unwrap();
    let mut text = Vec::new();
    for _ in 0..MOST_STEPS {
        if source.is_empty() {
            break;
        }
        if source.ratio(2, 3)? {
            let piece = any_text(&mut source, 40)?;
            let stable = stream.ids()[..stream.n_stable()].to_vec();
            stream.append(&asked.tokenizer, &mut asked.scratch, &piece, &Interrupt::never()).unwrap();
            assert!(stream.ids().starts_with(&stable));
            text.extend(piece);
        } else {
            let characters = boundaries(&text);
            let n = source.int_in_range(0..=12)?;
            let done = stream.rollback(&asked.tokenizer, &mut asked.scratch, n, &Interrupt::never());
            match (characters.len() - 1).checked_sub(n) {
                Some(left) => text.truncate(characters[left]),
                None => assert!(matches!(done.as_ref().unwrap_err().kind(), ErrorKind::Argument)),
            }
            assert_eq!(done.is_ok(), n < characters.len());
        }
        assert_eq!(stream.ids(), asked.encode(&text), "{:?}", text.escape_ascii().to_string());
    }
    Ok(())
}

/// Ids that come in parts: the bytes of all, and the same text if each part is decoded by itself.
pub(super) fn decode_stream(data: &[u8]) -> Result<()> {
    let mut source = Unstructured::new(data);
    let strings = (0..source.int_in_range(0..=16)?).map(|_| source.arbitrary::<&[u8]>().map(<[u8]>::to_vec));
    let strings: Vec<Vec<u8>> = strings.collect::<Result<_>>()?;
    let strings: Vec<Vec<u8>> = strings.into_iter().filter(|string| string.len() > 1).collect();
    let mut definition = vocabulary(&strings, true);
    definition.merges = bytepair_core::MergeRule::List(Vec::new());
    let n_tokens = u32::try_from(definition.tokens.len()).unwrap();
    let tokenizer = Tokenizer::new(definition).unwrap();
    let vocabulary = tokenizer.vocabulary();
    let (mut stream, mut all, mut joined, mut text) = (DecodeStream::default(), Vec::new(), Vec::new(), String::new());
    while !source.is_empty() {
        let n = source.int_in_range(0..=5)?;
        let ids = (0..n).map(|_| source.int_in_range(0..=n_tokens)).collect::<Result<Vec<_>>>()?;
        let before = (stream, joined.len());
        let mut part = Vec::new();
        match stream.push(vocabulary, &ids, &mut part) {
            Ok(()) => all.extend(ids),
            Err(_) => {
                assert!(ids.contains(&n_tokens) && part.is_empty());
                assert_eq!((stream, joined.len()), before);
            }
        }
        text += &String::from_utf8_lossy(&part);
        joined.extend(part);
    }
    let mut part = Vec::new();
    stream.flush(&mut part);
    assert_eq!(stream, DecodeStream::default());
    text += &String::from_utf8_lossy(&part);
    joined.extend(part);
    let expected = tokenizer.decode(&all).unwrap();
    assert_eq!(joined, expected);
    assert_eq!(text, String::from_utf8_lossy(&expected));
    Ok(())
}

/// Offsets, a limit, truncating, splitting and segments.
pub(super) fn ask(data: &[u8]) -> Result<()> {
    let mut source = Unstructured::new(data);
    let mut asked = Asked::new(&mut source)?;
    let (specials, never, pool) = (asked.specials(), Interrupt::never(), ScratchPool::default());
    for _ in 0..MOST_STEPS / 4 {
        if source.is_empty() {
            break;
        }
        // Short, or of several blocks.
        let longest = if source.ratio(1, 8)? { 800 } else { 80 };
        let text = any_text(&mut source, longest)?;
        let (ids, ends) = (asked.encode(&text), asked.ends(&text));
        let shown = text.escape_ascii().to_string();
        let max = source.int_in_range(0..=ids.len() + 2)?;
        let overlap = source.int_in_range(0..=max)?;
        let Asked { tokenizer, scratch, .. } = &mut asked;

        let mut found = Vec::new();
        let starts = tokenizer.encode_with_offsets(scratch, &text, &specials, &never, &mut found).unwrap();
        assert_eq!(found, ids);
        let before_last = ends.split_last().map_or(&[][..], |(_, before)| before);
        assert!(starts.iter().eq([0].iter().chain(before_last).take(ids.len())), "{shown}");

        let counted = tokenizer.count(scratch, &text, &specials, max, &never).unwrap();
        assert_eq!(counted, (ids.len() <= max).then_some(ids.len()), "{shown}");

        let right = tokenizer.truncate_right(scratch, &text, max, &specials, &never).unwrap();
        let left = tokenizer.truncate_left(scratch, &text, max, &specials, &never).unwrap();
        let spans = tokenizer.split(&pool, &text, max, overlap, &specials, &never);
        assert_eq!(right, truncated_right(&asked, &text, max), "{shown} {max}");
        assert_eq!(left, truncated_left(&asked, &text, max), "{shown} {max}");
        assert_eq!(spans.ok(), split(&asked, &text, max, overlap), "{shown} {max} {overlap}");

        segments(&mut asked, &mut source, &text)?;
    }
    Ok(())
}

/// The last of the ends of characters up to the one in which `reach` lies, such that the text from `start` has few tokens.
fn longest_start(asked: &Asked, text: &[u8], start: usize, reach: usize, max: usize) -> usize {
    let all = boundaries(text);
    let ceil = all[all.partition_point(|&at| at < reach)];
    let fits = |end: usize| end <= ceil && (end <= start || asked.encode(&text[start..end]).len() <= max);
    all.into_iter().rev().find(|&end| fits(end)).unwrap()
}

/// The first of the beginnings of characters from the one in which `earliest` lies, such that the rest has few tokens.
fn longest_end(asked: &Asked, text: &[u8], earliest: usize, max: usize) -> usize {
    let all = boundaries(text);
    let first = all.partition_point(|&at| at <= earliest) - 1;
    all[first..].iter().copied().find(|&at| asked.encode(&text[at..]).len() <= max).unwrap()
}

fn truncated_right(asked: &Asked, text: &[u8], max: usize) -> usize {
    let ends = asked.ends(text);
    let reach = if max < ends.len() { max.checked_sub(1).map_or(0, |last| ends[last]) } else { text.len() };
    longest_start(asked, text, 0, reach, max)
}

fn truncated_left(asked: &Asked, text: &[u8], max: usize) -> usize {
    let ends = asked.ends(text);
    // The end of the token before those that are asked for.
    let earliest = ends.len().checked_sub(max + 1).map_or(0, |before| ends[before]);
    longest_end(asked, text, earliest, max)
}

/// The spans, or none where an argument is refused.
fn split(asked: &Asked, text: &[u8], max: usize, overlap: usize) -> Option<Vec<Range<usize>>> {
    if overlap > 0 && overlap >= max {
        return None;
    }
    let (all, token_ends) = (boundaries(text), asked.ends(text));
    let (mut spans, mut start, mut covered) = (Vec::new(), 0, 0);
    while start < text.len() {
        let ends = &token_ends[token_ends.partition_point(|&end| end <= start)..];
        let reach = if max == 0 { start } else { ends.get(max - 1).copied().unwrap_or(text.len()) };
        let end = longest_start(asked, text, start, reach, max).max(start);
        if end > covered {
            spans.push(start..end);
            covered = end;
            let second = all[all.partition_point(|&at| at <= start)];
            let inside = ends.partition_point(|&at| at < end);
            let overlapping = inside.checked_sub(overlap).map_or(second, |first| ends[first]);
            start = match end < text.len() && overlap > 0 {
                true => {
                    let floor = all[all.partition_point(|&at| at <= overlapping) - 1];
                    longest_end(asked, &text[..end], floor.max(second), overlap)
                }
                false => end,
            };
        } else if start < covered {
            start = covered;
        } else {
            return None;
        }
    }
    Some(spans)
}

/// A text in segments: special tokens within trusted ones, and between them text without seams.
fn segments(asked: &mut Asked, source: &mut Unstructured<'_>, text: &[u8]) -> Result<()> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && parts.len() < 8 {
        let (part, after) = rest.split_at(source.int_in_range(0..=rest.len())?);
        parts.push((part, source.arbitrary()?));
        rest = after;
    }
    parts.push((rest, source.arbitrary()?));
    let Asked { tokenizer, scratch, apart, .. } = asked;
    let mut plain = |text: &mut Vec<u8>, ids: &mut Vec<u32>| {
        tokenizer.encode(apart.get_mut(), text, Allowed::None, ids).unwrap();
        text.clear();
    };
    let specials = tokenizer.added_tokens().tokens();
    let (mut expected, mut pending) = (Vec::new(), Vec::new());
    for &(part, is_trusted) in &parts {
        let mut at = 0;
        while at < part.len() {
            let starting = specials.iter().filter(|token| part[at..].starts_with(token.text.as_bytes()));
            match starting.max_by_key(|token| token.text.len()).filter(|_| is_trusted) {
                Some(token) => {
                    plain(&mut pending, &mut expected);
                    expected.push(token.id.get());
                    at += token.text.len();
                }
                None => {
                    pending.push(part[at]);
                    at += 1;
                }
            }
        }
    }
    plain(&mut pending, &mut expected);
    let trusted = tokenizer.added_tokens().specials(Allowed::All, Allowed::None).unwrap();
    let untrusted = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
    let mut ids = Vec::new();
    tokenizer.encode_segments(scratch, &parts, &trusted, &untrusted, &Interrupt::never(), &mut ids).unwrap();
    assert_eq!(ids, expected, "{parts:?}");
    Ok(())
}
