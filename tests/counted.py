"""Counts for tests: corpora that have much in common, and what to ask of counts."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from bytepair import Counts

END = "<|endoftext|>"

# Few symbols, so that the parts have much in common; runs, so that pretokens are long; some symbols of several bytes.
runs = st.tuples(st.sampled_from("ab é\n"), st.integers(1, 9)).map(lambda run: run[0] * run[1])
documents = st.one_of(
    st.text(alphabet="ab", max_size=40),
    st.text(alphabet="aé b", max_size=40),
    st.lists(runs, max_size=12).map("".join),
    st.lists(st.sampled_from(["a ", "bb", END, "<|endof"]), max_size=9).map("".join),
)
corpora = st.lists(documents, max_size=9)


def count(corpus, *, pattern="gpt2", special_tokens=(END,), memory_limit=None, **options) -> Counts:
    counts = Counts(pattern, special_tokens, memory_limit=memory_limit)
    counts.update(corpus, **options)
    return counts


def entries(counts: Counts) -> dict[bytes, int]:
    return dict(counts.most_common())


def saved(counts: Counts, path: Path) -> bytes:
    counts.save(path)
    return path.read_bytes()


def as_bytes(counts: Counts) -> bytes:
    """What `save` writes, without a file."""
    return counts._counts.to_bytes()
