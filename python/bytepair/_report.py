"""What a training run found."""

from __future__ import annotations

from typing import NamedTuple


class TrainingReport(NamedTuple):
    """What a training run found.

    Attributes
    ----------
    stop_reason : str
        Why it stopped: the vocabulary was full, or which pairs were left.
    n_documents, n_bytes, n_pretokens, n_distinct_pretokens : int
        The corpus, special tokens not counted.
    n_tokens : tuple of int
        ``n_tokens[k]`` is how many tokens the corpus has after ``k`` merges; ``n_tokens[0] == n_bytes``.
    """

    stop_reason: str
    n_documents: int
    n_bytes: int
    n_pretokens: int
    n_distinct_pretokens: int
    n_tokens: tuple[int, ...]

    def bytes_per_token(self, n_merges: int) -> float:
        """Return the compression of the corpus after `n_merges` merges.

        Parameters
        ----------
        n_merges : int

        Returns
        -------
        float
            Bytes of the corpus for each of its tokens.

        Raises
        ------
        IndexError
            `n_merges` is negative, or more than were learned.

        Examples
        --------
        >>> import bytepair
        >>> report = bytepair.Tokenizer.train(["aaaa"], vocab_size=259).training_report
        >>> [report.bytes_per_token(k) for k in range(len(report.n_tokens))]
        [1.0, 2.0, 4.0]
        """
        if not 0 <= n_merges < len(self.n_tokens):
            raise IndexError(f"n_merges={n_merges} is not in 0..{len(self.n_tokens) - 1}, the merges that were learned")
        return self.n_bytes / self.n_tokens[n_merges]
