"""Training with its checkpoints; and more merges, or fewer: tokenizers made from others."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from bytepair import _core
from bytepair._arrays import ArrayTokenizer
from bytepair._report import SourceFigures, TrainingReport, measure
from bytepair.counts import count_corpus, counts_for
from bytepair.errors import TrainingError, VocabularyError
from bytepair.sources import Skipped

if TYPE_CHECKING:
    from bytepair._types import Corpus, Progress, Tie
    from bytepair.counts import Counts


class TrainedTokenizer(ArrayTokenizer):
    """What a tokenizer has from training."""

    __slots__ = ("_training_report",)

    _training_report: TrainingReport | None

    @classmethod
    def _from_engine(cls, engine: _core.Engine) -> Self:
        tokenizer = super().__new__(cls, engine)
        tokenizer._training_report = None
        return tokenizer

    @classmethod
    def _from_training(cls, engine: _core.Engine, report: dict[str, Any], skipped: Skipped) -> Self:
        tokenizer = cls._from_engine(engine)
        tokens = tokenizer.token_bytes()
        for token_id in tokenizer.special_tokens.values():
            tokens[token_id] = None
        found = TrainingReport(**report, tokens=tuple(tokens), n_skipped=skipped.n_rows, skipped=skipped.reasons)
        # The core tells of units.
        reason = re.sub(r"\d+", lambda number: str(found._ones(int(number[0]))), found.stop_reason)
        tokenizer._training_report = found._replace(stop_reason=reason)
        skipped.warn(3)
        return tokenizer

    @property
    def training_report(self) -> TrainingReport | None:
        """What training found, where this object comes from `train` or `extend`; it is not saved."""
        return self._training_report

    def extend(
        self,
        corpus: Corpus | Counts,
        vocab_size: int,
        *,
        tie: Tie = "hf",
        min_frequency: int = 1,
        max_token_length: int | None = None,
        memory_limit: int | None = None,
        num_threads: int | None = None,
        progress: Progress | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn more tokens from a corpus, after those that are there.

        Every token keeps its id, special ones too. The merges that are there come first, whatever the corpus; those
        learned from it follow, and their ids begin at `n_vocab`. So a text has the same ids or fewer, and an embedding
        table only gets rows at its end.

        Parameters
        ----------
        corpus : path, list of paths, str, bytes, iterable of str or bytes, or Counts
            As for `train`. It is split by this tokenizer's pattern and cut by its special tokens.
        vocab_size : int
            Tokens in all: those that are there, and the new ones.
        tie : {"hf", "id", "bytes"}, default "hf"
            As for `train`; a token that is there counts as one learned before, in the order of the merges.
        min_frequency, max_token_length, memory_limit, num_threads, progress, checkpoint
            As for `train`. They say nothing of the tokens that are there, but these count among the merges in progress.

        Returns
        -------
        Tokenizer
            A new one, without a name. Its `training_report` has the merges that were there too, as the corpus has them.

        Raises
        ------
        VocabularyError
            It cannot be extended exactly, and the message says which token or step is why: a text is changed before it
            is split, a byte is no token, a token is made by no merges (so in Llama 3's vocabulary) or from one that is
            merged later than itself.
        TrainingError
            The corpus is empty, or `vocab_size` is less than there are already.
        OSError, TypeError
            As for `train`.

        Notes
        -----
        O(n) to count n bytes, then O(s log s) for s bytes of distinct pretokens. The merges that are there take about
        as long as to encode these once.

        Examples
        --------
        >>> import bytepair
        >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
        >>> more = gpt2.extend(["Добра книга, добра порада"] * 9, vocab_size=50_265)
        >>> more.encode("<|endoftext|>", allowed_special="all")
        [50256]
        >>> len(gpt2.encode("добра книга")), len(more.encode("добра книга"))
        (12, 7)
        """
        wanted = index(vocab_size, "vocab_size")
        n_merges, cuts = self._start()
        n_more = wanted - self.vocab_size
        if n_more < 0:
            raise TrainingError(f"vocab_size={wanted} is less than the {self.vocab_size} tokens that are there already")
        counts = counts_for(corpus, self.pattern, cuts, memory_limit)
        options = Options(n_merges + n_more, tie, min_frequency, max_token_length, num_threads, progress)
        return self._from_training(*learn(corpus, counts, options, checkpoint, self))

    def with_vocab_size(self, vocab_size: int) -> Self:
        """Return this tokenizer without the merges that were learned last: the one that training with this size gives.

        Special tokens that come last, as they do after `train`, take the ids that are then next; all other tokens keep
        theirs.

        Parameters
        ----------
        vocab_size : int
            Tokens in all, at most those that there are.

        Returns
        -------
        Tokenizer
            A new one, without a `training_report`.

        Raises
        ------
        VocabularyError
            There are fewer tokens; bytes or special tokens would have to go; or the tokenizer was loaded and its
            ids are not in the order of its merges.

        Notes
        -----
        O(bytes of the tokens): nothing is trained again.

        Examples
        --------
        >>> import bytepair
        >>> corpus = ["low low low lower newest newest widest"]
        >>> large = bytepair.Tokenizer.train(corpus, vocab_size=264)
        >>> large.with_vocab_size(260) == bytepair.Tokenizer.train(corpus, vocab_size=260)
        True
        """
        wanted = index(vocab_size, "vocab_size")
        if wanted < 0:
            raise VocabularyError(f"vocab_size={wanted} is negative")
        return self._from_engine(self._with_vocab_size(wanted))

    def fertility(self, sources: Mapping[str, Corpus]) -> list[SourceFigures]:
        """Measure how well texts of several sources are compressed: languages, say, or sites.

        Parameters
        ----------
        sources : mapping of str to path, list of paths, str, bytes, or iterable of str or bytes
            The texts of each source by what it is called. A file is one document.

        Returns
        -------
        list of SourceFigures
            In the order given, with `bytes_per_token` and `fertility`, the tokens for each word. A special token in a
            text is one token.

        Raises
        ------
        OSError
            A file cannot be read.

        Notes
        -----
        O(n) for n bytes of text. A document at a time is in memory.

        Examples
        --------
        >>> import bytepair
        >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
        >>> for source in gpt2.fertility({"en": "the bread and the honey", "uk": "добра порада"}):
        ...     print(source.label, source.n_words, source.n_tokens, f"{source.fertility:.2f}")
        en 5 5 1.00
        uk 2 12 6.00
        """
        return measure(lambda text: self.count(text, allowed_special="all"), sources)


class Options(NamedTuple):
    """How to learn: the merges in all, and what else `train` and `extend` are given."""

    max_merges: int
    tie: Tie
    min_frequency: int
    max_token_length: int | None
    num_threads: int | None = None
    progress: Progress | None = None

    def trainer(self, counts: Counts) -> _core.Trainer:
        """Return what learns from counts, which may still grow; what is wrong with the options is raised here."""
        return _core.Trainer(
            counts._counts,
            max_merges=self.max_merges,
            tie=self.tie,
            min_frequency=self.min_frequency,
            max_token_length=self.max_token_length,
            progress=self.progress,
        )


def options_for(counts: Counts, vocab_size: int, tie: Tie, min_frequency: int, max_token_length: int | None) -> Options:
    """Return the options that learn so many tokens in all: bytes, merges and the special tokens of the counts."""
    wanted, n_special = index(vocab_size, "vocab_size"), len(counts.special_tokens)
    if wanted < 256 + n_special:
        message = f"vocab_size={wanted} is too small: 256 bytes and {n_special} special tokens need"
        raise TrainingError(f"{message} at least {256 + n_special}")
    if wanted > 2**24:
        raise TrainingError(f"vocab_size={wanted} is too large: a vocabulary has at most 2**24 tokens")
    if max_token_length == 0:
        raise TrainingError("max_token_length is 0, but a token has a byte at least")
    return Options(wanted - 256 - n_special, tie, min_frequency, max_token_length)


def learn(
    corpus: Corpus | Counts,
    counts: Counts,
    options: Options,
    checkpoint: str | os.PathLike[str] | None = None,
    base: _core.Tokenizer | None = None,
) -> tuple[_core.Engine, dict[str, Any], Skipped]:
    """Count a corpus into `counts`, which `counts_for` gave, and learn merges after those of `base`.

    With a checkpoint, only what is not done yet: that of an interrupted training has the counts, and the first merges.
    """
    # All arguments are checked before the corpus is read.
    training = options.trainer(counts)
    if checkpoint is None:
        skipped = count_corpus(counts, corpus, options.num_threads, options.progress)
        return *training.train(take=counts is not corpus, base=base), skipped
    from bytepair import _checkpoint

    kept = _checkpoint.Checkpoint(
        checkpoint,
        {
            "pattern": counts.pattern,
            "special_tokens": counts.special_tokens,
            "unicode": _core.UNICODE_VERSION,
            "base": None if base is None else base.fingerprint,
            "tie": options.tie,
            "min_frequency": options.min_frequency,
            "max_token_length": options.max_token_length,
        },
    )
    if kept.is_counted:
        counts, skipped = kept.counts(corpus, counts.memory_limit)
        training = options.trainer(counts)
    else:
        known, skipped = _checkpoint.Known(corpus), Skipped()
        if counts is not corpus:
            skipped = count_corpus(counts, known.corpus(), options.num_threads, options.progress)
        kept.keep_counts(counts, known, skipped)
    save = (kept.keep_merges, _checkpoint.SECONDS)
    return *training.train(take=counts is not corpus, base=base, start=kept.merges(), save=save), skipped


def index(value: object, name: str) -> int:
    """Return an argument that must be a whole number."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}") from None
