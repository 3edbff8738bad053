//! Which parts of a corpus were counted, so that none counts twice.

use std::collections::BTreeSet;
use std::fmt;

use crate::error::Error;

/// A part of a corpus that is counted as a whole: by what is in it, or by its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Shard {
    /// The SHA-256 of a file.
    Content([u8; 32]),
    /// What its owner calls it.
    Name(String),
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(digest) => {
                f.write_str("the file with SHA-256 ")?;
                digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Name(name) => write!(f, "the shard {name:?}"),
        }
    }
}

/// Shards, in one order.
pub(super) type Shards = BTreeSet<Shard>;

/// What to say of a shard that is to be counted again.
pub(super) fn counted_before(shard: &Shard) -> Error {
    Error::training(format!("{shard} was counted before"))
}

/// The first shard that is in both.
pub(super) fn shared<'a>(ours: &'a Shards, theirs: &'a Shards) -> Option<&'a Shard> {
    ours.intersection(theirs).next()
}
