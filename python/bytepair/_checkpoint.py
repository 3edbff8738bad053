"""A training that may be interrupted, kept in a folder: the counts of its corpus, once, and its merges, repeatedly.

The files are `counts`, as `Counts.save` writes it; `training.json`, the arguments and what the corpus is known by,
written when the counts are complete; and `merges`. Each is replaced as a whole, so a kill at any moment leaves what was
there or what was to come.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bytepair import _corpus, _files
from bytepair.counts import Counts
from bytepair.errors import FormatError, TrainingError
from bytepair.sources import Files, Skipped

if TYPE_CHECKING:
    from bytepair._types import Corpus

# The merges are written this often, when an exception ends the work, and at the end.
SECONDS = 5.0

_COUNTS, _TRAINING, _MERGES = _NAMES = ("counts", "training.json", "merges")
_FORMAT = "bytepair checkpoint 1"
_HEAD = b"bytepair merges 1\n"


class Checkpoint:
    """The folder of one training.

    Parameters
    ----------
    folder : path
        Made where it is not there; then the folder that it lies in must be.
    arguments : mapping
        All that decides the merges beside the corpus and their number, as JSON has it.

    Raises
    ------
    TrainingError
        The folder holds something else, or a training with other arguments; the message names the first that differs.
    FormatError
        A file in it is damaged.
    OSError
        It cannot be read or made.
    """

    def __init__(self, folder: str | os.PathLike[str], arguments: Mapping[str, Any]) -> None:
        self._folder = Path(folder)
        self._arguments: dict[str, Any] = json.loads(json.dumps(arguments))
        self._folder.mkdir(exist_ok=True)
        for path in self._folder.iterdir():
            if path.name.startswith(tuple(f".{name}." for name in _NAMES)) and path.suffix == ".part":
                # What a kill left half written.
                path.unlink()
            elif path.name not in _NAMES:
                raise TrainingError(f"{folder} holds {path.name}, so it is no checkpoint; name a new or empty folder")
        self._saved = self._read()
        self._merges: bytes | None = None

    def _read(self) -> dict[str, Any] | None:
        path = self._folder / _TRAINING
        try:
            data = _files.read(path)
        except FileNotFoundError:
            return None
        try:
            saved = json.loads(data)
            if saved["format"] != _FORMAT or not isinstance(saved["corpus"], dict) or len(saved["skipped"]) != 2:
                raise ValueError
            arguments = dict(saved["arguments"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise FormatError(f"not what a {_FORMAT} is; remove the folder to train anew").within(path) from None
        for name in sorted(self._arguments.keys() | arguments.keys()):
            then, now = (side.get(name, "nothing") for side in (arguments, self._arguments))
            if then != now:
                message = f"{self._folder} keeps a training with {name}={then!r:.200}, and this one has {now!r:.200}"
                raise TrainingError(f"{message}; pass what it had, or name another folder")
        return dict(saved)

    @property
    def is_counted(self) -> bool:
        """Whether the counts are here."""
        return self._saved is not None

    def counts(self, corpus: Corpus | Counts, memory_limit: int) -> tuple[Counts, Skipped]:
        """Return the counts that are here, in so many bytes of memory at most, and what was left out of them.

        Raises
        ------
        TrainingError
            The corpus is not the one that was counted; the message names the first difference that is found.
        """
        counts = Counts.load(self._folder / _COUNTS, memory_limit=memory_limit)
        known = Known(corpus)
        for _ in known.documents() or ():
            # They are read to the end, since only then is it known what they were.
            pass
        difference = "the counts are others"
        if isinstance(corpus, Counts):
            if counts == corpus:
                return counts, Skipped()
        elif self._saved is not None:
            found = known.difference(self._saved["corpus"])
            if found is None:
                n_rows, reasons = self._saved["skipped"]
                return counts, Skipped(n_rows, tuple(reasons))
            difference = found
        raise TrainingError(f"{self._folder} keeps a training with another corpus: {difference}; name another folder")

    def keep_counts(self, counts: Counts, known: Known, skipped: Skipped) -> None:
        """Keep the counts of a corpus, and what was left out."""
        path = self._folder / _COUNTS
        with _within(path):
            counts.save(path)
        saved = {"format": _FORMAT, "arguments": self._arguments, "corpus": known.as_json(), "skipped": skipped}
        self._write(_TRAINING, json.dumps(saved).encode() + b"\n")

    def merges(self) -> bytes | None:
        """Return the merges that are here, for `Trainer.train`.

        Raises
        ------
        FormatError
            The file is damaged.
        """
        path = self._folder / _MERGES
        try:
            data = _files.read(path)
        except FileNotFoundError:
            return None
        head, body = data[: len(_HEAD) + 32], data[len(_HEAD) + 32 :]
        if head != _HEAD + hashlib.sha256(body).digest() or len(body) % 8:
            raise FormatError("damaged; remove this file, and merging starts anew from the counts").within(path)
        self._merges = body
        return body

    def keep_merges(self, merges: bytes) -> None:
        """Keep merges, unless those that are here begin with them: then a larger vocabulary was learned before."""
        if self._merges is None or not self._merges.startswith(merges):
            self._write(_MERGES, _HEAD + hashlib.sha256(merges).digest() + merges)
            self._merges = merges

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        with _within(path):
            _files.write({path: data})


@contextlib.contextmanager
def _within(path: Path) -> Iterator[None]:
    """Say of a failure to write which file of the checkpoint it concerns, and that the old one is still there."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}; the checkpoint is as it was before"
        raise OSError(error.errno, reason, os.fspath(path)) from error


class Known:
    """What a corpus is known by: files by name, size and time of change; documents by a digest of all of them.

    Raises
    ------
    TrainingError
        A file is a pipe or a device: what it gives is not known before it is read, nor again after.
    """

    def __init__(self, corpus: Corpus | Counts) -> None:
        self._files: list[list[Any]] | None = None
        self._read_as: list[str | None] = []
        self._digest = hashlib.blake2b(digest_size=32)
        self._n_documents = 0
        self._corpus: Any = corpus
        if isinstance(corpus, Counts):
            return
        self._corpus = files = _corpus.parts_of(corpus)
        if isinstance(files, Files):
            self._files = sorted(_file(path) for path in files.paths)
            self._read_as = [files.format, files.text_field, files.on_error]

    def corpus(self) -> Corpus:
        """Return the corpus, to be counted: what is taken from it is noted."""
        documents = self.documents()
        corpus: Corpus = self._corpus if documents is None else documents
        return corpus

    def documents(self) -> Iterator[Any] | None:
        """Return the documents, each noted when it is taken; None of files and counts, which are known already."""
        if isinstance(self._corpus, Counts) or self._files is not None:
            return None
        return self._noted(self._corpus)

    def _noted(self, documents: Iterable[Any]) -> Iterator[Any]:
        for document in documents:
            for text in _corpus.texts_of(document):
                data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
                # Anything else is refused where it is counted.
                if isinstance(data, bytes | bytearray | memoryview):
                    data = bytes(data)
                    self._digest.update(len(data).to_bytes(8, "little") + data)
                self._n_documents += 1
            yield document

    def as_json(self) -> dict[str, Any]:
        """Return all of it, as JSON has it."""
        if isinstance(self._corpus, Counts):
            return {"kind": "counts"}
        if self._files is not None:
            return {"kind": "files", "files": self._files, "read_as": self._read_as}
        return {"kind": "documents", "n_documents": self._n_documents, "digest": self._digest.hexdigest()}

    def difference(self, saved: Mapping[str, Any]) -> str | None:
        """Return what sets this corpus apart from another that was saved; None where it is the same."""
        now = json.loads(json.dumps(self.as_json()))
        if now == saved:
            return None
        if now["kind"] != saved.get("kind"):
            return f"it was of {saved.get('kind')}, and this one is of {now['kind']}"
        if now["kind"] == "documents":
            return f"its {saved.get('n_documents')} documents were not these {now['n_documents']}"
        if now["read_as"] != saved.get("read_as"):
            return f"format, text field and what to do with bad rows were {saved.get('read_as')}"
        then_by_path, now_by_path = ({path: rest for path, *rest in side["files"]} for side in (saved, now))
        for path in sorted(then_by_path.keys() | now_by_path.keys()):
            if path not in now_by_path:
                return f"{path} was in it"
            if path not in then_by_path:
                return f"{path} was not in it"
            if then_by_path[path] != now_by_path[path]:
                return f"{path} has changed since"
        return "a file was in it another number of times"


def _file(path: str) -> list[Any]:
    """Return what a file is known by."""
    status = os.stat(path)  # noqa: PTH116
    # A folder has an error of its own, where it is counted.
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        reason = "is no regular file, and what a pipe gives cannot be compared when a training goes on"
        raise TrainingError(f"{path} {reason}; write it to a file first, or train without a checkpoint")
    return [os.path.abspath(path), status.st_size, status.st_mtime_ns]  # noqa: PTH100
