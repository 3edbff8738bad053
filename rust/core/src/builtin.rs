//! The vocabularies that come with the crate.

use crate::definition::Definition;
use crate::error::Result;
use crate::formats::compact;

/// Name and canonical form. `gpt2` is the published name of the tokenizer whose rank file is called `r50k_base`.
const FORMS: [(&str, &[u8]); 5] = [
    ("gpt2", include_bytes!("../data/r50k_base.bpe")),
    ("r50k_base", include_bytes!("../data/r50k_base.bpe")),
    ("p50k_base", include_bytes!("../data/p50k_base.bpe")),
    ("cl100k_base", include_bytes!("../data/cl100k_base.bpe")),
    ("o200k_base", include_bytes!("../data/o200k_base.bpe")),
];

/// The names of the vocabularies that come with the crate.
pub fn names() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|&(name, _)| name)
}

/// The definition of a vocabulary that comes with the crate, or `None`.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) where the crate itself is damaged.
pub fn definition(name: &str) -> Result<Option<Definition>> {
    let Some(&(name, form)) = FORMS.iter().find(|(known, _)| *known == name) else { return Ok(None) };
    Ok(Some(Definition { name: Some(name.to_owned()), ..compact::read(form)? }))
}
