"""The texts that are measured: corpora, this Python's sources where there are none, and texts made to be slow."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import hostile

MB = 10**6
END = "<|endoftext|>"
STANDARD_LIBRARY = "stdlib"
ALL = "all"  # all corpora together
HOSTILE = "hostile: "  # begins the names of texts that are made, not read


def named(corpus: str) -> list[str]:
    """Return the names of the corpora that one name stands for: "hostile: *" for all that are made to be slow."""
    return [HOSTILE + family for family in hostile.FAMILIES] if corpus == HOSTILE + "*" else [corpus]


def texts_of(corpus: str, folder: Path | None, megabytes: float, cut: str | int) -> list[str]:
    """Return the first megabytes of a corpus: its documents, or what `cut` makes of them.

    A name such as "all, 4 MB" asks for no more than that.
    """
    n_bytes = int(min(megabytes, size_of(corpus)) * MB)
    if corpus.startswith(HOSTILE):
        return [hostile.text_of(corpus.removeprefix(HOSTILE), n_bytes)]
    corpus = corpus.partition(", ")[0]
    documents = standard_library(n_bytes) if folder is None else corpus_texts(folder, corpus, n_bytes)
    if cut == "documents":
        return documents
    if cut == "one":
        return ["\n".join(documents)]
    if cut == "lines":
        return [line + "\n" for document in documents for line in document.split("\n")]
    return [piece for document in documents for piece in pieces(document, int(cut))]


def size_of(corpus: str) -> float:
    """Return how many megabytes the name of a corpus asks for at most."""
    return float("inf" if corpus.startswith(HOSTILE) else corpus.partition(", ")[2].removesuffix(" MB") or "inf")


def corpus_texts(folder: Path, corpus: str, n_bytes: int) -> list[str]:
    """Return the first documents of a corpus; those of "all" are of one corpus after the other, of each its part."""
    if corpus != ALL:
        return read(folder / f"{corpus}.txt", n_bytes)
    sizes = {path: path.stat().st_size for path in sorted(folder.glob("*.txt"))}
    part = min(1, n_bytes / max(1, sum(sizes.values())))
    return [document for path, size in sizes.items() for document in read(path, int(size * part))]


def read(path: Path, n_bytes: int) -> list[str]:
    with path.open("rb") as file:
        return [text for text in file.read(n_bytes).decode(errors="ignore").split(END) if text]


def pieces(text: str, n_bytes: int) -> Iterator[str]:
    """Cut a text every so many bytes, or up to three before, where a character begins."""
    data, start = text.encode(), 0
    while start < len(data):
        end = min(start + n_bytes, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end].decode()
        start = end


def standard_library(n_bytes: int) -> list[str]:
    documents: list[str] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if n_bytes > 0 and "site-packages" not in path.parts:
            documents.append(path.read_text(encoding="utf-8", errors="replace"))
            n_bytes -= len(documents[-1].encode())
    return documents
