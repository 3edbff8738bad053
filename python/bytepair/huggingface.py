"""A drop-in for the read side of Hugging Face's `tokenizers`: ``from bytepair.huggingface import Tokenizer``.

Ids, tokens, offsets and words are those of `tokenizers` 0.23, for the files that :class:`bytepair.Tokenizer` reads.
What that library has and this module has not raises, with the reason.

Examples
--------
>>> from bytepair.huggingface import Tokenizer
>>> tokenizer = Tokenizer.from_pretrained("gpt2")
>>> encoding = tokenizer.encode("hello world")
>>> encoding.ids, encoding.tokens, encoding.offsets
([31373, 995], ['hello', 'Ġworld'], [(0, 5), (5, 11)])
>>> tokenizer.decode(encoding.ids)
'hello world'
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from bytepair import _core, _files, _load
from bytepair._encoding import Encoding, absent
from bytepair.errors import TokenIdError, TrainingError
from bytepair.tokenizer import Tokenizer as Native

if TYPE_CHECKING:
    from bytepair._core import _Columns

__all__ = ["AddedToken", "Encoding", "Tokenizer"]

# What the class of the same name has there and not here, and why.
_FIXED = "a tokenizer does not change; edit its tokenizer.json, or make one with bytepair.Tokenizer.with_special_tokens"
_PARTS = "the parts of a tokenizer are not objects; read its tokenizer.json with to_str"
_STATE = "padding and truncation are no state here; cut or pad the array that the ids go into"
_ASYNC = "run encode_batch in a thread: it lets go of the interpreter"
_ABSENT = {
    **dict.fromkeys(["add_special_tokens", "add_tokens", "train"], _FIXED),
    **dict.fromkeys(["decoder", "model", "normalizer", "post_processor", "pre_tokenizer"], _PARTS),
    **dict.fromkeys(["enable_padding", "enable_truncation", "no_padding", "no_truncation"], _STATE),
    **dict.fromkeys(
        ["async_decode_batch", "async_encode", "async_encode_batch", "async_encode_batch_fast"],
        _ASYNC,
    ),
    "post_process": "encode does it",
}


class AddedToken(NamedTuple):
    """A token that is found in the text before it is split; a description, as `get_added_tokens_decoder` gives it."""

    content: str
    rstrip: bool = False
    lstrip: bool = False
    single_word: bool = False
    normalized: bool = True
    special: bool = False

    def __str__(self) -> str:
        return self.content

    def __repr__(self) -> str:
        flags = ", ".join(f"{name}={value}" for name, value in self._asdict().items() if name != "content")
        return f'AddedToken("{self.content}", {flags})'


class Tokenizer:
    """The read side of `tokenizers.Tokenizer`, on :class:`bytepair.Tokenizer`; made by its ``from_...`` methods.

    Safe to share between threads; picklable.

    Examples
    --------
    >>> tokenizer = Tokenizer.from_pretrained("gpt2")
    >>> tokenizer.get_vocab_size(), tokenizer.token_to_id("Ġworld"), tokenizer.id_to_token(995)
    (50257, 995, 'Ġworld')
    """

    __slots__ = ("_lazy", "_native", "_source")

    _native: Native
    _source: str
    _lazy: _Lazy | None

    def __init__(self, model: object = None) -> None:
        raise TypeError(
            "bytepair.huggingface.Tokenizer is made from a file: use Tokenizer.from_file, from_str, from_buffer or "
            "from_pretrained; to train one from nothing, use bytepair.Tokenizer.train"
        )

    @classmethod
    def _make(cls, native: Native, source: str) -> Tokenizer:
        tokenizer = super().__new__(cls)
        tokenizer._native, tokenizer._source, tokenizer._lazy = native, source, None
        return tokenizer

    @classmethod
    def from_native(cls, tokenizer: Native) -> Tokenizer:
        """Return a tokenizer of this module for one of :mod:`bytepair`.

        Raises
        ------
        FormatError
            A `tokenizer.json` cannot express it.
        """
        return cls._make(tokenizer, tokenizer._to_huggingface())

    @classmethod
    def from_str(cls, json: str) -> Tokenizer:
        """Read the text of a `tokenizer.json`.

        Raises
        ------
        FormatError
            The location is the JSON path of what is wrong or not modelled exactly.
        """
        if not isinstance(json, str):
            raise TypeError(f"{type(json).__name__!r} object is not an instance of 'str'")
        native = Native._from_engine(_core.Engine.from_huggingface(json.encode()))
        return cls._make(native, json)

    @classmethod
    def from_buffer(cls, buffer: bytes) -> Tokenizer:
        """Read the bytes of a `tokenizer.json`; raises as `from_str`."""
        if not isinstance(buffer, bytes):
            raise TypeError(f"{type(buffer).__name__!r} object is not an instance of 'bytes'")
        native = Native._from_engine(_core.Engine.from_huggingface(buffer))
        return cls._make(native, buffer.decode())

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Read a `tokenizer.json`.

        Raises
        ------
        FormatError
            As for `from_str`; `path` is the file.
        OSError
            The file cannot be read.
        """
        return cls._make(Native.from_huggingface(Path(path)), _files.read(path).decode())

    @classmethod
    def from_pretrained(cls, identifier: str, revision: str = "main", token: str | None = None) -> Tokenizer:
        """Return a vocabulary that comes with the package, or one of the Hugging Face hub.

        Raises
        ------
        VocabularyError, FormatError, OSError, ModuleNotFoundError
            As for :meth:`bytepair.Tokenizer.from_pretrained`.
        """
        if "/" not in identifier:
            return cls.from_native(
                Native.from_pretrained(identifier, revision=None if revision == "main" else revision)
            )
        path = _load.fetch(identifier, revision, False, token)
        if path.name == "tokenizer.json":
            return cls.from_file(path)
        return cls.from_native(Native.load(path))

    def train_from_iterator(
        self,
        iterator: Iterable[str] | Iterable[Iterable[str]],
        trainer: Any = None,  # noqa: ANN401
        length: int | None = None,
    ) -> None:
        """Learn another vocabulary from texts, split as this tokenizer splits them; it takes the place of this one's.

        Parameters
        ----------
        iterator : iterable of str or of iterables of str
        trainer : tokenizers.trainers.BpeTrainer, or any object with its attributes
            ``initial_alphabet`` must hold all 256 characters of the byte alphabet.
        length : int, optional
            Not used: there is no progress bar.

        Raises
        ------
        TrainingError
            The trainer asks for what is not done exactly, or this tokenizer normalises text.
        """
        special_tokens = _training_arguments(self._native, self._added, trainer)
        n_merges = max(trainer.vocab_size - 256 - len(special_tokens), 0)
        learned = Native.train(
            _documents(iterator),
            256 + n_merges,
            pattern=self._native.pattern,
            special_tokens=(),
            min_frequency=max(trainer.min_frequency, 1),
        )
        import json

        alphabet = sorted(_core.spell(bytes([byte])) for byte in range(256))
        merges = [[_core.spell(left), _core.spell(right)] for left, right in learned.merges]
        spelt = [*(token.content for token in special_tokens), *alphabet, *map("".join, merges)]
        file = dict(self._file)
        added = enumerate(special_tokens)
        file["added_tokens"] = [{"id": token_id, **token._asdict(), "special": True} for token_id, token in added]
        vocab = {token: token_id for token_id, token in enumerate(spelt)}
        file["model"] = {**file["model"], "vocab": vocab, "merges": merges}
        made = self.from_str(json.dumps(file, ensure_ascii=False))
        self._native, self._source, self._lazy = made._native, made._source, None

    # Encoding

    def encode(
        self, sequence: str, pair: object = None, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> Encoding:
        """Encode a text; its added tokens are always found, also the special ones.

        Parameters
        ----------
        sequence : str
        pair : None
            A second text is not encoded here.
        is_pretokenized : bool, default False
            Must be False.
        add_special_tokens : bool, default True
            Whether to put the tokens around the text that the file's post-processor says.

        Returns
        -------
        Encoding

        Raises
        ------
        TypeError
            The text is no str, or holds a lone surrogate.
        NotImplementedError
            For a pair or words.

        Examples
        --------
        >>> Tokenizer.from_pretrained("gpt2").encode("hello<|endoftext|>").tokens
        ['hello', '<|endoftext|>']
        """
        if pair is not None:
            _refuse_pair()
        _refuse_words(is_pretokenized)
        return self._encoding(_text(sequence, "TextInputSequence must be str"), add_special_tokens)

    def encode_batch(
        self, input: Sequence[str], is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> list[Encoding]:
        """Encode many texts; as `encode` for each."""
        return [self._encoding(text, add_special_tokens) for text in _texts(input, is_pretokenized)]

    def encode_batch_fast(
        self, input: Sequence[str], is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> list[Encoding]:
        """Encode many texts, over all processors; tokens, offsets and words are left empty, as they are there."""
        batch = self._native.encode_batch(_texts(input, is_pretokenized), allowed_special="all")
        return [self._wrap(self._native._finish_ids(ids, add_special_tokens)) for ids in batch]

    def _encoding(self, text: str, add_special_tokens: bool) -> Encoding:
        return self._wrap(self._native._encode_in_full(text, add_special_tokens))

    def _wrap(self, columns: _Columns) -> Encoding:
        return Encoding(columns, *self._facts.post_processing)

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        """Return how many tokens the post-processor puts around a text, or a pair of them."""
        return self._native._n_added(is_pair)

    @property
    def encode_special_tokens(self) -> bool:
        """False: special tokens in a text are found. In `bytepair.Tokenizer` they are not, unless allowed."""
        return False

    @property
    def padding(self) -> None:
        """None: there is no padding."""

    @property
    def truncation(self) -> None:
        """None: there is no truncation."""

    # Decoding

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """Return the text of ids. As there, ids that stand for no token are passed over.

        Examples
        --------
        >>> gpt2 = Tokenizer.from_pretrained("gpt2")
        >>> gpt2.decode([31373, 50256, 999999]), gpt2.decode([31373, 50256], skip_special_tokens=False)
        ('hello', 'hello<|endoftext|>')
        """
        facts = self._facts
        kept = _ids(ids)
        if skip_special_tokens and facts.special_ids:
            kept = [token_id for token_id in kept if token_id not in facts.special_ids]
        if facts.has_decoder:
            try:
                return self._native.decode(kept)
            except TokenIdError:
                known = [token_id for token_id in kept if self.id_to_token(token_id) is not None]
                return self._native.decode(known)
        tokens = map(self.id_to_token, kept)
        return " ".join(token for token in tokens if token is not None)

    def decode_batch(self, sequences: Sequence[Sequence[int]], skip_special_tokens: bool = True) -> list[str]:
        """Return the texts of many lists of ids; as `decode` for each."""
        return [self.decode(ids, skip_special_tokens) for ids in _sequence(sequences)]

    # The vocabulary

    def token_to_id(self, token: str) -> int | None:
        """Return the id of a token as the file spells it, or None."""
        if not isinstance(token, str):
            raise TypeError(f"{type(token).__name__!r} object is not an instance of 'str'")
        return self._facts.vocab.get(token)

    def id_to_token(self, id: int) -> str | None:
        """Return how the file spells a token, or None; an added token that is normalised, as it is found."""
        token_id = _ids([id])[0]
        try:
            token = self._native.id_to_bytes(token_id)
        except TokenIdError:
            return None
        return token.decode() if token_id in self._added else _core.spell(token)

    def get_vocab(self, with_added_tokens: bool = True) -> dict[str, int]:
        """Return the id of each token, as the file spells it."""
        return dict(self._facts.vocab if with_added_tokens else self._file["model"]["vocab"])

    def get_vocab_size(self, with_added_tokens: bool = True) -> int:
        """Return how many tokens there are."""
        return len(self._facts.vocab if with_added_tokens else self._file["model"]["vocab"])

    def get_added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Return the added tokens by id."""
        return dict(self._added)

    # Files

    def to_str(self, pretty: bool = False) -> str:
        """Return the text of the `tokenizer.json` that this was made from, laid out anew."""
        import json

        if pretty:
            return json.dumps(self._file, ensure_ascii=False, indent=2)
        return json.dumps(self._file, ensure_ascii=False, separators=(",", ":"))

    def save(self, path: str | os.PathLike[str], pretty: bool = True) -> None:
        """Write the `tokenizer.json`; at any moment the file is the old one or the whole new one."""
        _files.write({Path(path): self.to_str(pretty)})

    @property
    def native(self) -> Native:
        """The tokenizer of :mod:`bytepair` that does the work."""
        return self._native

    @property
    def _facts(self) -> _Lazy:
        if self._lazy is None:
            self._lazy = _Lazy.of(self._source, self._native)
        return self._lazy

    @property
    def _file(self) -> dict[str, Any]:
        return self._facts.file

    @property
    def _added(self) -> dict[int, AddedToken]:
        return self._facts.added

    def __reduce__(self) -> tuple[Any, tuple[Native, str]]:
        return _restore, (self._native, self._source)

    def __repr__(self) -> str:
        return f"<bytepair.huggingface.Tokenizer of {self._native!r}>"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        absent("Tokenizer", name, _ABSENT)


class _Lazy(NamedTuple):
    """What is read from the file when it is first asked for."""

    file: dict[str, Any]
    added: dict[int, AddedToken]
    vocab: dict[str, int]
    special_ids: frozenset[int]
    has_decoder: bool
    # Whether there is a post-processor, and whether it is clear what it counts as the text.
    post_processing: tuple[bool, bool]

    @classmethod
    def of(cls, source: str, native: Native) -> _Lazy:
        import json

        file = json.loads(source)
        listed = file.get("added_tokens", [])
        added = {token["id"]: AddedToken(**{key: token[key] for key in AddedToken._fields}) for token in listed}
        added = {token_id: added[token_id] for token_id in sorted(added)}
        vocab = {**file["model"]["vocab"], **{token.content: token_id for token_id, token in added.items()}}
        # What is skipped is what is spelt as a special token, once it is normalised.
        special = {token.content for token in added.values() if token.special}
        special_ids = frozenset(number for number in added if native.id_to_bytes(number).decode() in special)
        processor = file.get("post_processor")
        post_processing = (processor is not None, _keeps_sequences(processor))
        return cls(file, added, vocab, special_ids, file.get("decoder") is not None, post_processing)


def _keeps_sequences(processor: dict[str, Any] | None) -> bool:
    """Whether nothing comes after the post-processor that adds tokens."""

    def kinds(step: dict[str, Any]) -> Iterator[str]:
        if step["type"] == "Sequence":
            for inner in step["processors"]:
                yield from kinds(inner)
        else:
            yield step["type"]

    order = list(kinds(processor)) if processor else []
    return all(kind == "ByteLevel" for kind in order[:-1])


def _restore(native: Native, source: str) -> Tokenizer:
    return Tokenizer._make(native, source)


def _refuse_pair() -> NoReturn:
    raise NotImplementedError("a pair of texts is not encoded here; encode each, and join the ids")


def _refuse_words(is_pretokenized: bool) -> None:
    if is_pretokenized:
        raise NotImplementedError("a text that is split already is not encoded here; encode the text")


def _text(text: object, message: str) -> str:
    if not isinstance(text, str):
        raise TypeError(message)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TypeError(message) from None
    return text


def _texts(texts: object, is_pretokenized: bool) -> list[str]:
    _refuse_words(is_pretokenized)
    items = _sequence(texts)
    if any(isinstance(item, tuple | list) for item in items):
        _refuse_pair()
    message = "TextEncodeInput must be Union[TextInputSequence, Tuple[InputSequence, InputSequence]]"
    return [_text(item, message) for item in items]


def _sequence(items: Any) -> Sequence[Any]:  # noqa: ANN401
    if isinstance(items, str):
        raise TypeError("Can't extract `str` to `Vec`")
    if not isinstance(items, Sequence):
        raise TypeError(f"{type(items).__name__!r} object is not an instance of 'Sequence'")
    return items


def _ids(ids: Any) -> list[int]:  # noqa: ANN401
    numbers = [operator.index(token_id) for token_id in _sequence(ids)]
    if numbers and min(numbers) < 0:
        raise OverflowError("number too small to fit in target type")
    if numbers and max(numbers) >= 2**32:
        raise OverflowError("number too large to fit in target type")
    return numbers


def _documents(texts: Iterable[str] | Iterable[Iterable[str]]) -> Iterator[bytes]:
    for text in texts:
        if isinstance(text, str):
            yield text.encode()
        else:
            yield from (part.encode() for part in text)


def _training_arguments(
    native: Native,
    added: dict[int, AddedToken],
    trainer: Any,  # noqa: ANN401
) -> list[AddedToken]:
    """Refuse what training would not do exactly, and return the special tokens."""
    if trainer is None:
        raise TrainingError("pass a trainer, such as tokenizers.trainers.BpeTrainer(initial_alphabet=...)")
    if not native._keeps_text:
        raise TrainingError("this tokenizer normalises text or drops some of it; training on that is not done here")
    for name in ("continuing_subword_prefix", "end_of_word_suffix", "limit_alphabet", "max_token_length"):
        if getattr(trainer, name, None):
            raise TrainingError(f"the trainer's {name} is not modelled; it must be None")
    alphabet = {_core.spell(bytes([byte])) for byte in range(256)}
    if set(trainer.initial_alphabet) != alphabet:
        raise TrainingError("the trainer's initial_alphabet must be pre_tokenizers.ByteLevel.alphabet()")
    special_tokens = [
        AddedToken(token, normalized=False)
        if isinstance(token, str)
        else AddedToken(*(getattr(token, field) for field in AddedToken._fields))
        for token in trainer.special_tokens
    ]
    names = {token.content for token in special_tokens}
    if len(names) < len(special_tokens) or names & alphabet:
        raise TrainingError("the trainer's special_tokens must differ from each other and from single bytes")
    if added:
        message = "this tokenizer has added tokens, whose ids would outlive their vocabulary"
        raise TrainingError(f"{message}; take them out of its file, and name them in the trainer")
    return special_tokens
