//! Writes a `tokenizer.json`.

use super::super::json::quoted;
use super::super::vocab_json::Spelt;
use super::{VERSION, write_pipeline};
use crate::definition::{AddedToken, Definition, Matching, MergeRule};
use crate::error::{Error, Result};

/// Writes a definition as the text of a `tokenizer.json` that `tokenizers` reads with the same ids.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) where the format cannot express the definition: a split that is not
/// known to mean the same to its engine, or an added token that would be read as other bytes or as another token.
/// [`ErrorKind::Internal`](crate::ErrorKind::Internal) where the merges are not listed, as
/// [`Tokenizer::definition`](crate::Tokenizer::definition) lists them.
///
/// # Complexity
///
/// O(size of the file), and sorting the tokens by id.
pub fn write(definition: &Definition) -> Result<String> {
    let Definition { pretokenizer, tokens, merges, whole_pretokens, added_tokens, pipeline, .. } = definition;
    let MergeRule::List(merges) = merges else {
        return Err(Error::internal("only a definition with listed merges can be written as a tokenizer.json"));
    };
    let stages = pretokenizer.hugging_face_stages().ok_or_else(|| {
        let message = "the split pattern is not known to mean the same to the engine of tokenizers";
        Error::format("$.pre_tokenizer", message)
    })?;
    let mut added: Vec<AddedToken> = added_tokens.clone();
    added.sort_unstable_by_key(|token| token.id);
    let spelt = Spelt::new(tokens, merges, &added)?;
    let vocab = spelt.object(if keeps_ids(&spelt, &added) { &[] } else { &added });
    let merges = spelt.merges().map(|merge| merge.map(|(left, right)| format!("[{},{}]", quoted(left), quoted(right))));
    let merges = merges.collect::<Result<Vec<String>>>()?.join(",");
    let (pre_tokenizer, sorted) = (write_pipeline::pre_tokenizer(&pipeline.steps, &stages)?, added);
    let added = added_list(&sorted);
    let normalizer = write_pipeline::normalizer(&pipeline.normalizers);
    let post_processor = write_pipeline::post_processor(&pipeline.post_processors);
    let file = format!(
        r#"{{"version":"{VERSION}","truncation":null,"padding":null,"added_tokens":[{added}],"normalizer":{normalizer},"#
    ) + &format!(
        r#""pre_tokenizer":{pre_tokenizer},"post_processor":{post_processor},"decoder":{DECODER},"#
    ) + r#""model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"#
        + r#""end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"#
        + &format!(r#""ignore_merges":{whole_pretokens},"vocab":{vocab},"merges":[{merges}]}}}}"#);
    if !definition.is_plain() {
        check(&file, definition, &sorted)?;
    }
    Ok(file)
}

const DECODER: &str = r#"{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}"#;

/// Refuses a pipeline, or ways to find added tokens, that a reader would see otherwise than they are: some that no file
/// states can be made by hand.
fn check(file: &str, definition: &Definition, added: &[AddedToken]) -> Result<()> {
    let again = super::read(file.as_bytes())?;
    if again.pipeline != definition.pipeline || again.added_tokens != added {
        return Err(Error::format("$", "the format cannot hold this pipeline: it would be read as another"));
    }
    Ok(())
}

/// Whether `tokenizers` numbers the added tokens as we do if they are not in the vocabulary.
///
/// It ignores the ids that the file states, and counts on from the size of the vocabulary. Where that gives other ids,
/// the tokens must be entries of the vocabulary as well: then it takes the ids from there.
fn keeps_ids(spelt: &Spelt<'_>, added: &[AddedToken]) -> bool {
    spelt.len() == spelt.n_ids() && (spelt.len()..).zip(added).all(|(next, token)| token.id.index() == next)
}

fn added_list(added: &[AddedToken]) -> String {
    let list: Vec<String> = added.iter().map(added_token).collect();
    list.join(",")
}

fn added_token(AddedToken { text, id, special, matching }: &AddedToken) -> String {
    let Matching { single_word, lstrip, rstrip, normalized } = matching;
    format!(
        r#"{{"id":{id},"content":{},"single_word":{single_word},"lstrip":{lstrip},"rstrip":{rstrip},"#,
        quoted(text)
    ) + &format!(r#""normalized":{normalized},"special":{special}}}"#)
}
