//! One error type for the crate: what went wrong, where, and how to go on.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::ids::TokenId;

/// What every fallible function of the crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this crate: a message that says what, where and how to fix, with its values at hand.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
}

/// The families of errors, with the values a caller may want to act on.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Tokens, ids or merges do not form a vocabulary.
    Vocabulary,
    /// A file is not what its format says, or holds something this crate does not model exactly.
    Format {
        /// Where in the file: a JSON path such as `$.model.merges[3]`, or `line 7`.
        location: String,
        /// The file, where it was opened here.
        path: Option<PathBuf>,
    },
    /// A split pattern is malformed or cannot be run exactly.
    Pattern {
        /// Byte offset in the pattern.
        position: usize,
    },
    /// A special token is unusable, or stands in a text where it is not allowed.
    SpecialToken {
        /// The special token's text.
        token: String,
        /// Byte offset in the text, where there is one.
        offset: Option<usize>,
    },
    /// A text holds a byte that the vocabulary lacks.
    MissingByte {
        /// The byte.
        byte: u8,
        /// Byte offset in the text.
        offset: usize,
    },
    /// A text holds a number that is no character: half of a pair of surrogates.
    Surrogate {
        /// Its index in the text.
        index: usize,
    },
    /// An id to decode is not in the vocabulary.
    TokenId {
        /// The id as given.
        id: i128,
        /// Its index in the list to decode.
        index: usize,
    },
    /// The corpus or the arguments of training are unusable.
    Training,
    /// What is asked for cannot be had: too few tokens for a character, a change undone that was never made.
    Argument,
    /// A file could not be read.
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Memory for the input could not be had.
    Memory,
    /// The caller asked to stop.
    Interrupted,
    /// A defect of this crate.
    Internal,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into() }))
    }

    pub(crate) fn vocabulary(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Vocabulary, message)
    }

    pub(crate) fn format(location: impl Into<String>, message: impl fmt::Display) -> Self {
        let location = location.into();
        let message = format!("{location}: {message}");
        Self::new(ErrorKind::Format { location, path: None }, message)
    }

    pub(crate) fn pattern(position: usize, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Pattern { position }, message)
    }

    pub(crate) fn special_token(token: &str, offset: Option<usize>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::SpecialToken { token: token.to_owned(), offset }, message)
    }

    /// An id that is not in the vocabulary; public because a binding sees ids that fit no `u32`.
    pub fn unknown_token_id(id: i128, index: usize, vocab_size: usize) -> Self {
        let message = if id < 0 {
            format!("token id {id} at index {index} is negative; ids start at 0")
        } else if id >= i128::from(TokenId::LIMIT) || usize::try_from(id).is_ok_and(|id| id >= vocab_size) {
            format!(
                "token id {id} at index {index} is out of range: the largest id is {}",
                vocab_size.saturating_sub(1)
            )
        } else {
            format!("token id {id} at index {index} is not assigned to any token")
        };
        Self::new(ErrorKind::TokenId { id, index }, message)
    }

    pub(crate) fn missing_byte(byte: u8, offset: usize, n_missing: usize) -> Self {
        let lacks = if n_missing == 1 { "this byte".to_owned() } else { format!("{n_missing} of the 256 bytes") };
        let message = format!(
            "the byte 0x{byte:02X} at byte offset {offset} is no token: the vocabulary lacks {lacks}, so it cannot \
             encode this text; remove the byte, or use a vocabulary that has it"
        );
        Self::new(ErrorKind::MissingByte { byte, offset }, message)
    }

    pub(crate) fn surrogate(index: usize) -> Self {
        let message = format!("character {index} is half of a pair of surrogates, which UTF-8 cannot hold");
        Self::new(ErrorKind::Surrogate { index }, message)
    }

    pub(crate) fn training(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Training, message)
    }

    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Argument, message)
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        let message = format!("{}: {source}", path.display());
        Self::new(ErrorKind::Io { path: path.to_owned(), source }, message)
    }

    pub(crate) fn memory(what: &str) -> Self {
        Self::new(ErrorKind::Memory, format!("not enough memory for {what}"))
    }

    /// The caller asked to stop: what a progress callback returns to end the work early.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// This error, which lies in the file `path`, if it is one of a file.
    pub(crate) fn within(mut self, file: &Path) -> Self {
        if let ErrorKind::Format { path, .. } = &mut self.0.kind {
            *path = Some(file.to_owned());
        }
        self
    }

    /// What is wrong, without the file's path.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The family of this error and its values.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether this is [`ErrorKind::Format`].
    pub fn is_format(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Format { .. })
    }

    /// Whether this is [`ErrorKind::Vocabulary`].
    pub fn is_vocabulary(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Vocabulary)
    }

    /// Whether this is [`ErrorKind::Pattern`].
    pub fn is_pattern(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Pattern { .. })
    }

    /// Whether this is [`ErrorKind::MissingByte`].
    pub fn is_missing_byte(&self) -> bool {
        matches!(self.0.kind, ErrorKind::MissingByte { .. })
    }

    /// Whether this is [`ErrorKind::Training`].
    pub fn is_training(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Training)
    }
}

/// Refuses to go on where there is no room for `n_bytes`: for memory that is taken in several parts, which do not ask.
pub(crate) fn check_room(n_bytes: usize, what: &str) -> Result<()> {
    let mut room: Vec<u8> = Vec::new();
    room.try_reserve_exact(n_bytes).map_err(|_| Error::memory(what))?;
    // What is never used need not be asked for, as far as the compiler knows.
    std::hint::black_box(room);
    Ok(())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ErrorKind::Format { path: Some(path), .. } = &self.0.kind {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
