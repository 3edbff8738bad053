//! What a file may ask for: checked before anything is allocated.

/// The longest token, in bytes.
pub const TOKEN_BYTES: usize = 1 << 16;

/// The largest file, and the most bytes that all tokens together may have.
pub const FILE_BYTES: usize = 512 << 20;
