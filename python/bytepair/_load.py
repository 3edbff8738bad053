"""From a file or folder to what a tokenizer is made of: the format by content, errors with their path."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bytepair import _core, _files
from bytepair.errors import FormatError, SpecialTokenError, VocabularyError

if TYPE_CHECKING:
    from pathlib import Path

    from bytepair._types import Pattern

__all__ = ["FOLDER_FILES", "fetch", "gpt2", "load", "pretrained", "within"]

# SHA-256 of published rank files, so that `load` can tell their pattern and special tokens without guessing.
_PUBLISHED_RANKS = {
    "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930": "r50k_base",
    "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069": "p50k_base",
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7": "cl100k_base",
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d": "o200k_base",
}

_GGUF_MAGIC = b"GGUF"

# What a folder is read from: the first of these of which all files are there.
FOLDER_FILES = (("tokenizer.json",), ("tekken.json",), ("vocab.json", "merges.txt"))

# Who reads vocab.json and merges.txt splits as GPT-2 did only if it is one of these.
_GPT2_CLASSES = {"GPT2Tokenizer", "GPT2TokenizerFast"}


@contextlib.contextmanager
def within(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name the file or folder `path` in errors about what it holds."""
    try:
        yield
    except FormatError as error:
        raise error.within(path) from None
    except (VocabularyError, SpecialTokenError) as error:
        error.add_note(f"in {os.fspath(path)}")
        raise


def load(path: Path) -> _core.Engine:
    """Read a tokenizer from a file or folder."""
    if path.is_dir():
        return _folder(path)
    data = _files.read(path, stop_at=_GGUF_MAGIC)
    with within(path):
        if data == _GGUF_MAGIC:
            return _gguf(path)
        format_ = _core.sniff(data)
        if format_ == "tokenizer.json":
            return _core.Engine.from_huggingface(data)
        if format_ == "tekken.json":
            return _core.Engine.from_tekken(data)
        if format_ == "tiktoken":
            return _published_ranks(data)
        if format_ == "vocab.json":
            raise FormatError(
                "this looks like a vocab.json; use Tokenizer.from_gpt2(vocab, merges), or load its folder"
            )
        raise FormatError("neither a tokenizer.json, a tekken.json, a rank file nor a GGUF file")


def _folder(path: Path) -> _core.Engine:
    """Read a tokenizer from the files of a folder."""
    there = next((names for names in FOLDER_FILES if all((path / name).exists() for name in names)), None)
    if there is None:
        wanted = ", ".join(" and ".join(names) for names in FOLDER_FILES)
        raise FormatError(f"the folder holds none of {wanted}").within(path)
    if len(there) == 1:
        return load(path / there[0])
    _check_gpt2_class(path / "tokenizer_config.json")
    vocab, merges = there
    return gpt2(path / vocab, path / merges, [], "gpt2")


def gpt2(vocab: Path, merges: Path, special_tokens: list[str], pattern: Pattern) -> _core.Engine:
    """Read `vocab.json` and `merges.txt`, and the `special_tokens_map.json` beside them if there is one."""
    special_map = vocab.with_name("special_tokens_map.json")
    map_data = _files.read(special_map) if special_map.exists() else None
    vocab_data, merges_data = _files.read(vocab), _files.read(merges)
    try:
        with within(vocab.parent):
            return _core.Engine.from_gpt2(vocab_data, merges_data, map_data, special_tokens, pattern)
    except FormatError as error:
        # The location begins with what the file is called by the format, which need not be its name here.
        named = {"merges.txt": merges, "special_tokens_map.json": special_map}
        at = (path for name, path in named.items() if error.location.startswith(name))
        raise error.within(next(at, vocab)) from None


def pretrained(name: str, revision: str | None, local_files_only: bool, token: str | bool | None) -> _core.Engine:
    """Return a vocabulary by name: one that comes with the package, or one of the hub."""
    if (engine := _core.Engine.builtin(name)) is not None:
        if revision is not None:
            message = f"{name!r} comes with the package and has no revisions; for the hub's, write its owner before it"
            raise ValueError(message)
        return engine
    if "/" not in name:
        import difflib

        names = _core.Engine.builtin_names()
        near = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        message = f"there is no vocabulary {name!r}; {hint}built in are {', '.join(names)}"
        raise VocabularyError(f"{message}; one of the hub is named with its owner, as in 'owner/name'")
    return load(fetch(name, revision, local_files_only, token))


def fetch(name: str, revision: str | None, local_files_only: bool, token: str | bool | None) -> Path:
    """Return the file, or the folder of files, that holds a tokenizer of the hub."""
    try:
        from bytepair import _hub
    except ModuleNotFoundError as error:
        message = f"the hub is reached with the package {error.name}: pip install 'bytepair[hub]'"
        raise ModuleNotFoundError(message, name=error.name) from None
    return _hub.fetch(name, revision, local_files_only, token)


def _check_gpt2_class(config: Path) -> None:
    """Refuse `vocab.json` and `merges.txt` whose reader, named beside them, is known not to split as GPT-2 did."""
    import json

    if not config.exists():
        return
    with within(config):
        try:
            options = json.loads(_files.read(config))
        except (ValueError, RecursionError) as error:
            raise FormatError(f"not valid JSON: {error}") from None
        if not isinstance(options, dict):
            raise FormatError("must be an object", "$")
        reader = options.get("tokenizer_class")
        if reader is not None and reader not in _GPT2_CLASSES:
            message = f"{reader!r:.80} is not known to split as GPT-2, and vocab.json does not say how text is split"
            message = f"$.tokenizer_class: {message}; use Tokenizer.from_gpt2(vocab, merges, pattern=...)"
            raise FormatError(message, "$.tokenizer_class")
        if options.get("add_prefix_space"):
            message = "not modelled: it would put a space before the text"
            raise FormatError(f"$.add_prefix_space: {message}", "$.add_prefix_space")


def _published_ranks(data: bytes) -> _core.Engine:
    import hashlib

    name = _PUBLISHED_RANKS.get(hashlib.sha256(data).hexdigest())
    engine = None if name is None else _core.Engine.builtin(name)
    if engine is None:
        raise FormatError("a rank file does not say its split pattern; use Tokenizer.from_tiktoken(path, pattern=...)")
    return engine


def _gguf(path: Path) -> _core.Engine:
    try:
        from bytepair import _gguf
    except ModuleNotFoundError as error:
        message = f"a GGUF file is read with the package {error.name}: pip install 'bytepair[weights]'"
        raise ModuleNotFoundError(message, name=error.name) from None
    return _gguf.read(path)
