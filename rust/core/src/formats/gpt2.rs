//! GPT-2's files: `vocab.json` and `merges.txt`, and `special_tokens_map.json` where there is one.
//!
//! None of them holds the split pattern: it is GPT-2's unless whoever wrote them says otherwise.

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use super::json::{parse, quoted, shown};
use super::limits;
use super::node::{Fields, Node};
use super::vocab_json::{Spelt, VocabJson};
use crate::definition::{AddedToken, Definition, Matching, MergeRule};
use crate::error::{Error, Result};
use crate::pipeline::Pipeline;
use crate::pretokenize::Pretokenizer;

const VOCAB: &str = "vocab.json";
const MERGES: &str = "merges.txt";
const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";

/// What opens the optional first line of `merges.txt`.
const VERSION: &str = "#version";

/// The keys of `special_tokens_map.json` that hold one token.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The key that holds a list of them.
const ADDITIONAL: &str = "additional_special_tokens";

/// The texts of the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    /// The text of `vocab.json`.
    pub vocab: String,
    /// The text of `merges.txt`.
    pub merges: String,
    /// The text of `special_tokens_map.json`, where there are special tokens.
    pub special_tokens_map: Option<String>,
}

/// Reads the contents of GPT-2's files.
///
/// `special_tokens` names entries of `vocab.json` that are special besides those in `special_tokens_map`. The result
/// does not look up whole pretokens: an entry that no merges make is never emitted, unless it is special.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the file and the JSON path or line of what is malformed,
/// there twice or not modelled; or a special token that `vocab.json` lacks.
///
/// # Complexity
///
/// O(total size of the files).
pub fn read(
    vocab: &[u8],
    merges: &[u8],
    special_tokens_map: Option<&[u8]>,
    special_tokens: &[String],
    pretokenizer: Pretokenizer,
) -> Result<Definition> {
    let vocab = parse(VOCAB, vocab)?;
    let mut vocab = VocabJson::read(Node::root(VOCAB, &vocab))?;
    read_merges(merges, &mut vocab)?;
    let mut specials = Specials { vocab: &vocab, seen: HashSet::default(), found: Vec::new() };
    if let Some(map) = special_tokens_map {
        let map = parse(SPECIAL_TOKENS_MAP, map)?;
        specials.read_map(Node::root(SPECIAL_TOKENS_MAP, &map))?;
    }
    for text in special_tokens {
        specials.add(text).map_err(|fault| Error::format(VOCAB, fault))?;
    }
    let mut added_tokens = specials.found;
    added_tokens.sort_unstable_by_key(|token| token.id);
    let parts = vocab.finish(&added_tokens)?;
    let (tokens, merges) = (parts.tokens, MergeRule::List(parts.merges));
    Ok(Definition {
        name: None,
        pretokenizer,
        tokens,
        merges,
        whole_pretokens: false,
        added_tokens,
        pipeline: Pipeline::default(),
    })
}

fn read_merges(bytes: &[u8], vocab: &mut VocabJson<'_, '_>) -> Result<()> {
    limits::check_file(MERGES, bytes)?;
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Error::format(format!("{MERGES} byte {}", error.valid_up_to()), "not valid UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.is_empty() {
        return Ok(());
    }
    vocab.reserve_merges(memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1)?;
    for (index, line) in text.split('\n').enumerate() {
        let refuse = |message: String| Error::format(format!("{MERGES} line {}", index + 1), message);
        if line.starts_with(VERSION) {
            if index == 0 {
                continue;
            }
            // Other readers skip such a line wherever it stands, which shifts the ranks.
            return Err(refuse(format!("{VERSION} may stand on the first line only")));
        }
        if line.ends_with('\r') {
            return Err(refuse("the line ends in a carriage return; lines must end in \\n alone".to_owned()));
        }
        let sides = line.split_once(' ').filter(|(left, right)| !left.is_empty() && !right.is_empty());
        let (left, right) = sides
            .filter(|(_, right)| !right.contains(' '))
            .ok_or_else(|| refuse(format!("{} is not two tokens with one space between", shown(line))))?;
        vocab.merge(left, right).map_err(refuse)?;
    }
    Ok(())
}

/// Special tokens as they are found.
struct Specials<'v, 'p, 'j> {
    vocab: &'v VocabJson<'p, 'j>,
    seen: HashSet<String, RandomState>,
    found: Vec<AddedToken>,
}

impl Specials<'_, '_, '_> {
    fn read_map(&mut self, map: Node<'_, '_>) -> Result<()> {
        let fields = map.fields()?;
        for (key, value) in fields.iter() {
            if ROLES.contains(&key) {
                if !value.is_null() {
                    self.read_token(&value)?;
                }
            } else if key == ADDITIONAL {
                for item in value.items()? {
                    self.read_token(&item)?;
                }
            } else {
                return Err(value.refuse("the key is not modelled; expected a role such as eos_token"));
            }
        }
        Ok(())
    }

    fn read_token(&mut self, node: &Node<'_, '_>) -> Result<()> {
        let text = match node.as_string() {
            Some(text) => text,
            None => content(&node.fields()?)?,
        };
        self.add(text).map_err(|fault| node.refuse(fault))
    }

    /// One token may play several roles, so the second time is not an error.
    fn add(&mut self, text: &str) -> std::result::Result<(), String> {
        let id = self.vocab.id(text).ok_or_else(|| format!("special token {} is not in vocab.json", shown(text)))?;
        if super::byte_alphabet::is_ambiguous(text) {
            return Err(format!("special token {} is also how the vocabulary spells other bytes", shown(text)));
        }
        if self.vocab.id_of_literal(text).is_some_and(|other| other != id) {
            return Err(format!("special token {} is also an ordinary token with another id", shown(text)));
        }
        if self.seen.insert(text.to_owned()) {
            self.found.push(AddedToken { text: text.to_owned(), id, special: true, matching: Matching::default() });
        }
        Ok(())
    }
}

/// The text of a special token that is an object with options.
fn content<'j>(fields: &Fields<'_, 'j>) -> Result<&'j str> {
    fields.only(&["__type", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])?;
    for option in ["single_word", "lstrip", "rstrip"] {
        if let Some(value) = fields.get(option)
            && value.boolean()?
        {
            return Err(value.refuse("not modelled yet; only tokens that match exactly their text are"));
        }
    }
    fields.require("content")?.string()
}

/// Writes a definition as GPT-2's files, which mean GPT-2's split.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) where the files cannot express the definition: it splits in another
/// way, looks up whole pretokens, changes text besides, or has an added token that is not special or reads as other
/// bytes; or one of its merges looks like the version line. [`ErrorKind::Internal`](crate::ErrorKind::Internal) where its
/// merges are not listed, as [`Tokenizer::definition`](crate::Tokenizer::definition) lists them.
///
/// # Complexity
///
/// O(size of the files), and sorting the tokens by id.
pub fn write(definition: &Definition) -> Result<Files> {
    let Definition { pretokenizer, tokens, merges, whole_pretokens, added_tokens, .. } = definition;
    if pretokenizer.preset() != Some("gpt2") {
        let message = "the format means the pattern of GPT-2, and this tokenizer has another; save a tokenizer.json";
        return Err(Error::format(VOCAB, message));
    }
    if !definition.is_plain() {
        let message = "the format cannot say how a text is normalised or added tokens are found; save a tokenizer.json";
        return Err(Error::format(VOCAB, message));
    }
    let MergeRule::List(merges) = merges else {
        return Err(Error::internal("only a definition with listed merges can be written as merges.txt"));
    };
    if *whole_pretokens {
        let message = "the format cannot say that whole pretokens are looked up; save a tokenizer.json";
        return Err(Error::format(VOCAB, message));
    }
    if let Some(token) = added_tokens.iter().find(|token| !token.special) {
        let message = format!("the format cannot hold {}, an added token that is not special", shown(&token.text));
        return Err(Error::format(SPECIAL_TOKENS_MAP, message));
    }
    let spelt = Spelt::new(tokens, merges, added_tokens)?;
    let mut merges = format!("{VERSION}: 0.2\n");
    for merge in spelt.merges() {
        let (left, right) = merge?;
        if left.starts_with(VERSION) {
            let message = format!("other readers would skip the merge of {} as a version line", shown(left));
            return Err(Error::format(MERGES, message));
        }
        merges.extend([left, " ", right, "\n"]);
    }
    let mut by_id: Vec<&AddedToken> = added_tokens.iter().collect();
    by_id.sort_unstable_by_key(|token| token.id);
    let texts: Vec<String> = by_id.into_iter().map(|token| quoted(&token.text)).collect();
    let special_tokens_map = (!texts.is_empty()).then(|| format!("{{{}:[{}]}}", quoted(ADDITIONAL), texts.join(",")));
    Ok(Files { vocab: spelt.object(added_tokens), merges, special_tokens_map })
}
