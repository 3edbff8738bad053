"""Rank files: read and written, on this machine only."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from bytepair import _files

__all__ = ["dump_tiktoken_bpe", "load_tiktoken_bpe"]


def load_tiktoken_bpe(tiktoken_bpe_file: str | os.PathLike[str], expected_hash: str | None = None) -> dict[bytes, int]:
    """Return the ranks by token that a rank file holds.

    Parameters
    ----------
    tiktoken_bpe_file : path
        Of a file on this machine: nothing is downloaded, and nothing is cached.
    expected_hash : str, optional
        The SHA-256 of the file, in hexadecimal.

    Returns
    -------
    dict of bytes to int

    Raises
    ------
    ValueError
        The file has another hash, or a line that is no token and rank; or it is a URL.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dump_tiktoken_bpe({b"!": 0}, Path(folder) / "ranks.tiktoken")
    ...     load_tiktoken_bpe(Path(folder) / "ranks.tiktoken")
    {b'!': 0}
    """
    if "://" in os.fspath(tiktoken_bpe_file):
        raise ValueError(
            f"{tiktoken_bpe_file} is a URL, and this module uses no network; download it and pass the path"
        )
    contents = _files.read(tiktoken_bpe_file)
    if expected_hash is not None and hashlib.sha256(contents).hexdigest() != expected_hash:
        raise ValueError(
            f"Hash mismatch for data downloaded from {tiktoken_bpe_file} (expected {expected_hash}). "
            "This may indicate a corrupted download. Please try again."
        )
    ranks = {}
    for line in filter(None, contents.splitlines()):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except ValueError:
            raise ValueError(f"Error parsing line {line!r} in {tiktoken_bpe_file}") from None
    return ranks


def dump_tiktoken_bpe(bpe_ranks: dict[bytes, int], tiktoken_bpe_file: str | os.PathLike[str]) -> None:
    """Write ranks by token as a rank file, by rank: the old file or the whole new one, never half.

    Parameters
    ----------
    bpe_ranks : dict of bytes to int
    tiktoken_bpe_file : path
    """
    by_rank = sorted(bpe_ranks.items(), key=lambda item: item[1])
    text = "".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in by_rank)
    _files.write({Path(tiktoken_bpe_file): text})
