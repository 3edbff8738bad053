"""The tokenizer: where one comes from, and where it goes.

Encoding, decoding and counting are inherited from the compiled part; training and files are here.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Self

from bytepair import _arguments, _core, _files, _load
from bytepair._training import TrainedTokenizer, learn, options_for
from bytepair.counts import counts_for
from bytepair.errors import FormatError, SpecialTokenError

if TYPE_CHECKING:
    from pathlib import Path

    from bytepair._types import Corpus, Format, Pattern, Progress, Tie
    from bytepair.counts import Counts

__all__ = ["Tokenizer"]

# What `train` has where nothing is given: an object of its own, so that what is given can be told from it.
_SPECIAL_TOKENS = ("<|endoftext|>",)


class Tokenizer(TrainedTokenizer):
    """A byte-level BPE tokenizer: immutable, hashable, picklable, and safe to share between threads.

    Two tokenizers are equal if they split, merge and number tokens alike, whichever files they came from.

    Parameters
    ----------
    vocab : mapping of int to bytes
        Every token by id. Each of the 256 single bytes must be one.
    merges : iterable of (bytes, bytes)
        The pairs that merge, the first to merge first. Each pair joined must be a token.
    pattern : str or sequence of str
        How text is split before merging: a preset's name, a regex, or regexes that split one after the other.
    special_tokens : iterable of str, default ()
        Tokens that only match as a whole and where allowed. Those missing from `vocab` are appended to it.

    Raises
    ------
    VocabularyError
        `vocab` is no bijection, lacks a byte, or a merge does not make a token.
    SpecialTokenError
        A special token is empty, there twice, a single byte, or made by merges too.
    PatternError
        The pattern is malformed or cannot be run exactly.

    Examples
    --------
    >>> vocab = {byte: bytes([byte]) for byte in range(256)} | {256: b"ab"}
    >>> tokenizer = Tokenizer(vocab, [(b"a", b"b")], pattern="gpt2", special_tokens=["<end>"])
    >>> tokenizer.encode("abba")
    [256, 98, 97]
    >>> tokenizer.special_tokens
    {'<end>': 257}
    """

    __slots__ = ()

    def __new__(  # noqa: D102
        cls,
        vocab: Mapping[int, bytes],
        merges: Iterable[tuple[bytes, bytes]],
        *,
        pattern: Pattern,
        special_tokens: Iterable[str] | None = (),
    ) -> Tokenizer:
        names = _arguments.special_names(special_tokens)
        tokens = {
            token_id: _arguments.token_bytes(token, f"token {token_id}") for token_id, token in dict(vocab).items()
        }
        pairs = [_arguments.pair(pair, index) for index, pair in enumerate(merges)]
        known = {token: token_id for token_id, token in tokens.items()}
        _arguments.refuse_bytes(names, known)
        made = {left + right: (left, right) for left, right in pairs}
        numbered = []
        for name in names:
            token = name.encode()
            if token in made:
                left, right = made[token]
                raise SpecialTokenError(
                    f"special token {name!r} is also what the merge {left!r}, {right!r} makes", name
                )
            # What is declared special is no longer an ordinary token: text must not make it by merging.
            numbered.append((name, known.get(token)))
            if token in known:
                del tokens[known[token]]
        return cls._from_engine(_core.Engine.from_vocab(list(tokens.items()), pairs, pattern, numbered))

    @classmethod
    def train(
        cls,
        corpus: Corpus | Counts,
        vocab_size: int = 50_257,
        *,
        pattern: Pattern | None = None,
        special_tokens: Iterable[str] | None = _SPECIAL_TOKENS,
        tie: Tie = "hf",
        min_frequency: int = 1,
        max_token_length: int | None = None,
        memory_limit: int | None = None,
        num_threads: int | None = None,
        progress: Progress | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Tokenizer:
        """Learn a vocabulary from a corpus.

        The ids are the 256 bytes, then the merges in the order they were learned, then the special tokens. The
        result depends only on how often each pretoken occurs: not on the order of the documents, on how they are
        cut into files, or on the number of threads.

        Parameters
        ----------
        corpus : Files, path, list of paths, str, bytes, Arrow array, iterable of str, bytes or Arrow arrays, or Counts
            Files, one document, or documents. A text file is one document, and so is a row of JSON lines, Parquet or
            Arrow; :class:`Files` says what to read of them. A path is an :class:`os.PathLike`; a `str` is always a
            text, and refused where it comes first and names a file or folder. Or all of it, counted before.
        vocab_size : int, default 50_257
            Tokens in all: 256 bytes, merges and special tokens.
        pattern : str or sequence of str, default "gpt2"
            How text is split: a preset's name, a regex, or regexes that split one after the other. With `Counts`, the
            default is how they were split, and anything else is refused.
        special_tokens : iterable of str, default ("<|endoftext|>",)
            They cut the documents where they occur, and are never trained on. With `Counts`, likewise.
        tie : {"hf", "id", "bytes"}, default "hf"
            Which of several most frequent pairs merges first: "hf" the one that Hugging Face's trainer takes, "id"
            the smallest pair of ids (as rustbpe), "bytes" the greatest pair of byte strings (as CS336).
        min_frequency : int, default 1
            Pairs that occur less often are not merged.
        max_token_length : int, optional
            The longest token, in bytes, this length included.
        memory_limit : int, default 2 GiB
            The bytes of memory that distinct pretokens may take while they are counted. What does not fit is written to
            temporary files, as `Counts` says; the result is the same.
        num_threads : int, optional
            Threads to count with; by default one for each processor.
        progress : callable, optional
            Called about ten times a second with the stage ("counting" or "merging"), what is done and the total, in
            bytes or merges, and at the end of each; the total is None where it is not known. What it raises ends the
            training.
        checkpoint : path, optional
            A folder of its own for this training, to go on from after Ctrl-C, an error or a kill: call `train` again
            with the same corpus and arguments, and the result is that of a training that was not interrupted. The
            counts are kept there once counting is done, and the merges every five seconds; an interrupted count
            begins anew. Another corpus is refused, and so are other arguments that decide the result, but for
            `vocab_size`: the folder stays when training is done, and a larger vocabulary then costs the additional
            merges alone. Remove it when you need it no more. One training at a time can use it.

        Returns
        -------
        Tokenizer
            Its `training_report` says why training stopped and what it found.

        Raises
        ------
        TrainingError
            The corpus is empty, or `vocab_size` leaves no room for the bytes and special tokens, or the counts were
            made with another pattern or other special tokens. Or the checkpoint is of another training; the message
            says what differs. Files are told apart by name, size and time of change, documents by their content, for
            which they are read again; a pipe, which cannot be, is refused.
        FormatError
            A file is damaged, or the checkpoint, or a row has no document.
        ImportError
            A package is missing that reads such files; the message names it.
        OSError
            A file cannot be read; the pretokens pass the memory limit, and the folder for temporary files is full; or
            the checkpoint cannot be written, and is as it was before.
        TypeError
            `corpus` or a document in it is of another type.

        Notes
        -----
        O(n) to count n bytes, then O(s log s) for s bytes of distinct pretokens. Training on text takes up to some 25 s
        bytes of memory, whatever `memory_limit` says.

        Rows of the library `datasets` are ``train(dataset["text"])``; without a Python object for each text they are
        ``train(batch["text"] for batch in dataset.with_format("arrow").iter(1000))``.

        With `tie="hf"` the merges are those of Hugging Face's trainer, but not with `max_token_length`: there, the
        limit itself is too long, and only pairs that a merge newly forms are held to it.

        Examples
        --------
        >>> tokenizer = Tokenizer.train(["low low low lower newest widest"], vocab_size=260)
        >>> tokenizer.merges
        [(b'l', b'o'), (b'lo', b'w'), (b' ', b'low')]
        """
        counts = counts_for(
            corpus, pattern, None if special_tokens is _SPECIAL_TOKENS else special_tokens or (), memory_limit
        )
        options = options_for(counts, vocab_size, tie, min_frequency, max_token_length)._replace(
            num_threads=num_threads, progress=progress
        )
        return cls._from_training(*learn(corpus, counts, options, checkpoint))

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
    ) -> Tokenizer:
        """Return a vocabulary that comes with the package, or one of the Hugging Face hub.

        Parameters
        ----------
        name : {"gpt2", "r50k_base", "p50k_base", "cl100k_base", "o200k_base"}, or str
            The first come with the package, and no network is used. A name with a slash, such as
            ``"Qwen/Qwen2.5-7B"``, is fetched with the package `huggingface_hub` (the extra `hub`), which keeps what it
            fetched and obeys ``HF_HOME``, ``HF_HUB_OFFLINE`` and its other settings.
        revision : str, optional
            A branch, tag or commit of the hub; by default the main branch.
        local_files_only : bool, default False
            Whether to take what was fetched before and ask no one.
        token : str or bool, optional
            What to show the hub, for what is not for everyone; by default what `huggingface_hub` has stored.

        Returns
        -------
        Tokenizer
            From the `tokenizer.json` of the hub; where there is none, from its `tekken.json`, or `vocab.json` and
            `merges.txt`.

        Raises
        ------
        VocabularyError
            There is no such vocabulary; the message names the nearest ones.
        FormatError
            The hub's files hold something that is not modelled exactly.
        OSError
            The hub has no such tokenizer, or it cannot be reached and nothing was fetched before.
        ModuleNotFoundError
            `huggingface_hub` is not installed.

        Examples
        --------
        >>> Tokenizer.from_pretrained("cl100k_base").encode("hello world")
        [15339, 1917]
        """
        return cls._from_engine(_load.pretrained(name, revision, local_files_only, token))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Read a tokenizer from a file or folder; its content decides the format, not its name.

        Parameters
        ----------
        path : path
            A `tokenizer.json`, a `tekken.json` of Mistral, a published rank file (`.tiktoken`), a GGUF file (with the
            extra `weights`), or a folder that holds one of the first two or `vocab.json` and `merges.txt`, such as a
            snapshot of the hub; the first of these that is there is read.

        Returns
        -------
        Tokenizer

        Raises
        ------
        FormatError
            The file is none of these, is damaged, or holds something that is not modelled exactly. A rank file does
            not say how text is split: one that is not known by its hash needs `from_tiktoken`.
        OSError
            The file cannot be read.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> tokenizer = Tokenizer.train(["low lower lowest"], vocab_size=260)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tokenizer.save(Path(folder) / "tokenizer.json")
        ...     Tokenizer.load(Path(folder) / "tokenizer.json") == tokenizer
        True
        """
        return cls._from_engine(_load.load(_files.as_path(path)))

    @classmethod
    def from_tiktoken(
        cls,
        path: str | os.PathLike[str],
        *,
        pattern: Pattern,
        special_tokens: Mapping[str, int] | Iterable[str] | None = (),
    ) -> Tokenizer:
        """Read a rank file: one line for each token, its bytes in base64 and its rank, which is its id.

        Parameters
        ----------
        path : path
        pattern : str or sequence of str
            How text is split; the file does not say. A preset's name, a regex, or several.
        special_tokens : mapping of str to int, or iterable of str, default ()
            With their ids, or to be numbered after the largest rank.

        Returns
        -------
        Tokenizer

        Raises
        ------
        FormatError
            A line is malformed or there twice; the location is its number.
        VocabularyError, SpecialTokenError, PatternError, OSError
            As for the constructor and `load`.

        Notes
        -----
        The format has no end mark: a file that was cut off at the end of a line cannot be told from a whole one.
        """
        specials = _arguments.numbered(special_tokens)
        with _load.within(path):
            return cls._from_engine(_core.Engine.from_tiktoken(_files.read(path), pattern, specials))

    @classmethod
    def from_gpt2(
        cls,
        vocab: str | os.PathLike[str],
        merges: str | os.PathLike[str],
        *,
        pattern: Pattern = "gpt2",
        special_tokens: Iterable[str] | None = (),
    ) -> Tokenizer:
        """Read `vocab.json` and `merges.txt`, as GPT-2 was published.

        Parameters
        ----------
        vocab, merges : path
        pattern : str or sequence of str, default "gpt2"
            How text is split; the format means GPT-2's pattern.
        special_tokens : iterable of str, default ()
            Tokens of `vocab` that are special, besides those that a `special_tokens_map.json` beside it names.

        Returns
        -------
        Tokenizer

        Raises
        ------
        FormatError, VocabularyError, SpecialTokenError, PatternError, OSError
            As for the constructor and `load`.
        """
        names = _arguments.special_names(special_tokens)
        return cls._from_engine(_load.gpt2(_files.as_path(vocab), _files.as_path(merges), names, pattern))

    @classmethod
    def from_huggingface(cls, source: str | os.PathLike[str]) -> Tokenizer:
        """Read a byte-level BPE `tokenizer.json`.

        Parameters
        ----------
        source : path, or str of JSON
            A `str` that starts with ``{`` is the JSON itself.

        Returns
        -------
        Tokenizer
            Its ids are those of Hugging Face's `tokenizers`, with ``allowed_special="all"``, which is how that
            library always reads a text.

        Raises
        ------
        FormatError
            The location is the JSON path of what is wrong or not modelled exactly.
        OSError
            The file cannot be read.
        """
        if isinstance(source, str) and source.lstrip().startswith("{"):
            return cls._from_engine(_core.Engine.from_huggingface(source.encode()))
        with _load.within(source):
            return cls._from_engine(_core.Engine.from_huggingface(_files.read(source)))

    def save(self, path: str | os.PathLike[str], format: Format | None = None) -> None:
        """Write the tokenizer to a file, or for GPT-2's format to three.

        Each file is, at any moment, the old one or the whole new one, never a part. Several take their names only when
        all of them are complete on disk; a crash at that moment may leave some of them new and some old. Through a
        symbolic link, the file that it leads to is replaced.

        Parameters
        ----------
        path : path
        format : {"tokenizer.json", "tiktoken", "gpt2"}, optional
            By default the suffix decides: `.json` or `.tiktoken`. "gpt2" writes `vocab.json`, `merges.txt` and
            `special_tokens_map.json` into the folder `path`. A `.tiktoken` file does not hold the pattern or the
            special tokens.

        Raises
        ------
        FormatError
            The format cannot express this tokenizer, or the folder holds a `tokenizer.json`, which `load` would read
            instead; nothing is written.
        OSError
            A file cannot be written, or is a folder, a pipe or a device; the old ones are untouched.
        ValueError
            The format is not known and the suffix does not tell.
        """
        path = _files.as_path(path)
        files = self._files_for(path, format)
        if len(files) > 1:
            path.mkdir(exist_ok=True)
        _files.write(files)

    def _files_for(self, path: Path, format: Format | None) -> Mapping[Path, str]:
        """Return the texts that `save` writes, by path, where nothing forbids writing them."""
        by_suffix: dict[str, Format] = {".json": "tokenizer.json", ".tiktoken": "tiktoken"}
        wanted = by_suffix.get(path.suffix) if format is None else format
        if wanted == "tokenizer.json":
            files = {path: self._to_huggingface()}
        elif wanted == "tiktoken":
            files = {path: self._to_tiktoken()}
        elif wanted == "gpt2":
            vocab, merges, special_map = self._to_gpt2()
            if (path / "tokenizer.json").exists():
                message = "load would read this file, and not GPT-2's beside it; remove it, or save to another folder"
                raise FormatError(message).within(path / "tokenizer.json")
            # A map without tokens, so that none stays that another tokenizer left there.
            names = ("vocab.json", "merges.txt", "special_tokens_map.json")
            files = dict(zip((path / name for name in names), (vocab, merges, special_map or "{}"), strict=True))
        else:
            message = f"cannot tell the format of {os.fspath(path)!r}: end it in .json or .tiktoken, or pass format="
            raise ValueError(f"{message} 'tokenizer.json', 'tiktoken' or 'gpt2'")
        folder = path.parent if wanted == "gpt2" else _files.target(path).parent
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", os.fspath(folder))
        for file in files:
            _files.target(file)
        return files

    def with_special_tokens(self, special_tokens: Mapping[str, int | None] | Iterable[str]) -> Self:
        """Return this tokenizer with more special tokens.

        Parameters
        ----------
        special_tokens : mapping of str to int or None, or iterable of str
            With their ids; None, or no id, numbers them on after the largest. One that is already special, with this id
            or without one given, stays as it is.

        Returns
        -------
        Tokenizer
            A new one, without a name. Text without these tokens has the same ids.

        Raises
        ------
        SpecialTokenError
            A token is empty, or is another token already, which is named.
        VocabularyError
            An id is another token's already, which is named.

        Examples
        --------
        >>> chat = Tokenizer.from_pretrained("gpt2").with_special_tokens({"<|user|>": 50300, "<|bot|>": None})
        >>> chat.encode("<|user|>hello<|bot|>", allowed_special="all")
        [50300, 31373, 50301]
        """
        return self._from_engine(self._with_special_tokens(_arguments.numbered(special_tokens)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _core.Tokenizer):
            return NotImplemented
        return self is other or self._form() == other._form()

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[..., Tokenizer], tuple[type[Tokenizer], str | bytes]]:
        # A vocabulary that comes with the package pickles as its name, any other as its canonical form.
        return _restore, (type(self), self._form() if self.name is None else self.name)

    def __repr__(self) -> str:
        name = "" if self.name is None else f"{self.name!r}, "
        specials = f", special_tokens={list(self.special_tokens)}" if len(self.special_tokens) <= 3 else ""
        return f"<Tokenizer {name}vocab_size={self.vocab_size}, pattern={self.pattern!r}{specials}>"


def _restore(cls: type[Tokenizer], state: str | bytes) -> Tokenizer:
    if isinstance(state, str):
        return cls.from_pretrained(state)
    return cls._from_engine(_core.Engine.from_form(state))
