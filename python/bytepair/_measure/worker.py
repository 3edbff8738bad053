"""One run of one library, in this process: ``python worker.py TASK``, a JSON object; the answer is another, on stdout.

It is run by its path, with the Python that has the library, and imports nothing of bytepair: the process of a peer
holds what its user's would. Nor does it import a library before its time, because imports are part of what is measured.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import itertools
import json
import os
import pickle
import statistics
import sys
import time
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

GREETING = "Hello, world!"
SENTENCE = "The 13 quick brown foxes aren't jumping over the lazy dog."

Task = dict[str, Any]
Figures = dict[str, float]
Calls = dict[str, Callable[[Any], Any]]

# The calls that take ids.
DECODING = {"decode", "text"}


# The libraries. Each gives its calls by name: "list", "array" and "count" take a text, the same with " batch" a list of
# all texts, "decode" and "text" take ids. A call that a library lacks is not there. Peers get the vocabulary in the
# file that they load fastest.


def load_bytepair(name: str, folder: str) -> Calls:
    import bytepair

    if Path(folder, f"{name}.builtin").exists():
        tokenizer = bytepair.Tokenizer.from_pretrained(name)
    else:
        tokenizer = bytepair.Tokenizer.load(Path(folder, f"{name}.json"))
    return {
        "list": tokenizer.encode,
        "array": tokenizer.encode_to_numpy,
        "count": tokenizer.count,
        "list batch": tokenizer.encode_batch,
        "array batch": tokenizer.encode_batch_to_numpy,
        "decode": tokenizer.decode_bytes,
        "text": tokenizer.decode,
    }


def load_tiktoken(name: str, folder: str) -> Calls:
    import tiktoken
    import tiktoken.load
    from tiktoken_ext import openai_public

    os.environ["TIKTOKEN_CACHE_DIR"] = ""
    ranks = tiktoken.load.load_tiktoken_bpe(f"{folder}/{name}.tiktoken")
    if name in openai_public.ENCODING_CONSTRUCTORS:
        openai_public.load_tiktoken_bpe = lambda *_, **__: ranks
        encoding = tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())
    else:
        splitting = json.loads(Path(folder, f"{name}.json").read_text())["pre_tokenizer"]
        first, *others = splitting.get("pretokenizers", [splitting])
        if len(others) > 1:
            raise LookupError("it splits by one regex only")
        pattern = first["pattern"]["Regex"] if first["type"] == "Split" else openai_public.r50k_pat_str
        encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return {
        "list": encoding.encode_ordinary,
        "array": functools.partial(encoding.encode_to_numpy, disallowed_special=()),
        "list batch": encoding.encode_ordinary_batch,
        "decode": encoding.decode_bytes,
        "text": encoding.decode,
    }


def load_tokenizers(name: str, folder: str) -> Calls:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(f"{folder}/{name}.json")
    return {
        "list": lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        "list batch": lambda texts: [each.ids for each in tokenizer.encode_batch_fast(texts, add_special_tokens=False)],
        "text": lambda ids: tokenizer.decode(ids, skip_special_tokens=False),
    }


def load_gigatoken(name: str, folder: str) -> Calls:
    import gigatoken

    try:
        tokenizer = gigatoken.Tokenizer.from_tiktoken(f"{folder}/{name}.tiktoken", special_tokens={})
    except ValueError:  # It knows three such files by name.
        tokenizer = gigatoken.Tokenizer(f"{folder}/{name}.json")
    return {
        "list": lambda text: tokenizer.encode(text).tolist(),
        "array": tokenizer.encode,
        "list batch": tokenizer.encode_batch_list,
        "array batch": tokenizer.encode_batch,
        "decode": tokenizer.decode,
        "text": lambda ids: tokenizer.decode(ids).decode(errors="replace"),
    }


def load_snaptokens(name: str, folder: str) -> Calls:
    import snaptokens

    tokenizer = snaptokens.Tokenizer.from_file(f"{folder}/{name}.json")
    return {
        "list": lambda text: tokenizer.encode(text).ids,
        "list batch": lambda texts: [each.ids for each in tokenizer.encode_batch(texts)],
        "array batch": lambda texts: of_buffers(*tokenizer.encode_batch_flat(texts)),
        "text": tokenizer.decode,
    }


def load_splintr(name: str, folder: str) -> Calls:
    import splintr

    tokenizer = splintr.from_json(f"{folder}/{name}.json")
    return {
        "list": tokenizer.encode_ordinary,
        "array": lambda text: of_buffers(tokenizer.encode_flat(text))[0],
        "list batch": tokenizer.encode_batch,
        "array batch": lambda texts: of_buffers(*tokenizer.encode_batch_flat(texts)),
        "decode": tokenizer.decode_bytes,
        "text": tokenizer.decode,
    }


def load_kitoken(name: str, folder: str) -> Calls:
    import kitoken

    tokenizer = kitoken.Kitoken.from_tiktoken_file(f"{folder}/{name}.tiktoken")
    return {
        "list": tokenizer.encode,
        "list batch": tokenizer.encode_all,
        "decode": tokenizer.decode,
        "text": lambda ids: tokenizer.decode(ids).decode(errors="replace"),
    }


def load_toktok(name: str, _folder: str) -> Calls:
    import toktok

    toktok.batch_count([""], name)
    return {
        "count": lambda text: toktok.batch_count([text], name)[0],
        "count batch": lambda texts: toktok.batch_count(texts, name),
    }


def of_buffers(ids: bytes, offsets: bytes = b"") -> tuple[Any, Any]:
    import numpy as np

    return np.frombuffer(ids, np.uint32), np.frombuffer(offsets, np.uint64)


# What is measured. Each kind of work takes a task and its texts, and returns figures, in seconds or bytes, and digests
# of what came of it, by which all libraries must agree.

Answer = tuple[Figures, dict[str, str]]


def load(task: Task) -> Calls:
    calls: Calls = globals()[f"load_{task['engine']}"](task["vocabulary"], task["folder"])
    if task["call"] not in calls:
        raise LookupError("it has no such call")
    return calls


def ask(call: str, calls: Calls, given: list[Any]) -> Any:  # noqa: ANN401
    """Give a call all texts, or all lists of ids: at once, or one by one, as its name says."""
    return calls[call](given) if call.endswith(" batch") else [calls[call](each) for each in given]


def seconds(call: str, calls: Calls, given: list[Any]) -> float:
    """Time a pass over all texts, or lists of ids, that keeps nothing."""
    function = calls[call]
    start = time.perf_counter()
    if call.endswith(" batch"):
        function(given)
    else:
        for each in given:
            function(each)
    return time.perf_counter() - start


def passes(task: Task, texts: list[str]) -> Answer:
    """Pass over all texts twice: the first time with nothing learned from them, and again."""
    call = task["call"]
    import_arrays(call)
    watched = forget_peak()
    before = memory("VmRSS") if watched else 0
    calls = load(task)
    given: list[Any] = texts if call not in DECODING else [calls["list"](text) for text in texts]
    figures = {"cold": seconds(call, calls, given), "warm": seconds(call, calls, given)}
    if watched:
        figures["above"] = memory("VmHWM") - before
    return figures, digests(call, ask(call, calls, given))


def pieces(task: Task, texts: list[str]) -> Answer:
    """Pass over the pieces of one document, and over the document."""
    figures, found = passes(task, texts)
    figures.pop("above", None)
    calls, joined = load(task), ["".join(texts)]
    seconds(task["call"], calls, joined)
    return figures | {"joined": seconds(task["call"], calls, joined)}, found


def first(task: Task, texts: list[str]) -> Answer:
    """Import, load the vocabulary and encode, in a process that has done nothing but read the texts."""
    start = time.perf_counter()
    calls = load(task)
    seconds(task["call"], calls, texts)
    return {"first": time.perf_counter() - start}, digests(task["call"], ask(task["call"], calls, texts))


def startup(task: Task, _texts: list[str]) -> Answer:
    """Import, and load a vocabulary."""
    start = time.perf_counter()
    importlib.import_module(task["engine"])
    imported = time.perf_counter()
    calls = load(task)
    figures = {"import": imported - start, "load": time.perf_counter() - imported}
    return figures, digests(task["call"], ask(task["call"], calls, [SENTENCE]))


def held(task: Task, texts: list[str]) -> Answer:
    """Find the most memory held while all texts are encoded, above texts and ids: for library, vocabulary and work."""
    import_arrays(task["call"])
    forget_peak()
    before = memory("VmRSS")
    result = ask(task["call"], load(task), texts)
    peak = memory("VmHWM")
    _, ids = flat(task["call"], result)
    return {"above": peak - before - len(ids or b"")}, digests(task["call"], result)


def short(task: Task, texts: list[str]) -> Answer:
    """Encode one short text again and again."""
    calls = load(task)
    begin = texts[0].encode()[:4000].decode(errors="ignore")
    given = {"13 chars": GREETING, "58 chars": SENTENCE, "4 kB": begin}
    figures = {name: per_call(calls[task["call"]], text) for name, text in given.items()}
    return figures, digests(task["call"], ask(task["call"], calls, list(given.values())))


def decode(task: Task, texts: list[str]) -> Answer:
    """Decode the same ids again and again, from the list or the array that `ids` says."""
    calls = load(task)
    ids: Any = list(itertools.islice(itertools.chain.from_iterable(map(calls["list"], texts)), task["n_ids"]))
    if task["ids"] == "array":
        ids = importlib.import_module("numpy").array(ids, "uint32")
    # The last id may end within a character, of which bytes and str show other things.
    found = {task["call"]: digest(plain(calls[task["call"]](ids)))}
    return {"call": per_call(calls[task["call"]], ids)}, found


def import_arrays(call: str) -> None:
    """Import what arrays of ids are made with: "first" measures that, and nothing else."""
    for module in ["numpy", "awkward"] if call.startswith("array") else []:
        if importlib.util.find_spec(module):
            importlib.import_module(module)


def per_call(call: Callable[[Any], Any], argument: object) -> float:
    """Return the seconds of a call, the median of some loops of 20 ms or more."""

    def loop(n_calls: int) -> float:
        start = time.perf_counter()
        for _ in itertools.repeat(None, n_calls):
            call(argument)
        return time.perf_counter() - start

    n_calls = 1
    while loop(n_calls) < 0.02:
        n_calls *= 2
    return statistics.median(loop(n_calls) for _ in range(7)) / n_calls


def digests(call: str, result: Any) -> dict[str, str]:  # noqa: ANN401
    """Return digests of decoded texts, or of how many ids each text has and, where they are known, of the ids."""
    if call in DECODING:
        return {"texts": digest(b"".join(map(plain, result)))}
    counts, ids = flat(call, result)
    found = {"counts": digest(array("Q", counts).tobytes())}
    return found if ids is None else found | {"ids": digest(ids)}


def plain(decoded: str | bytes) -> bytes:
    return decoded.encode() if isinstance(decoded, str) else decoded


def flat(call: str, result: Any) -> tuple[Any, bytes | None]:  # noqa: ANN401
    """Return how many ids each text has, and all ids in 32 bits, of what any call of any library returns."""
    if call.startswith("count"):
        return result, None
    if isinstance(result, tuple):  # All ids, and where each text's begin.
        ids, offsets = result
        return [int(after - before) for before, after in itertools.pairwise(offsets)], ids.tobytes()
    if hasattr(result, "layout"):  # An array of awkward.
        awkward = importlib.import_module("awkward")
        return awkward.num(result).tolist(), awkward.flatten(result).to_numpy().astype("uint32").tobytes()
    counts = [len(ids) for ids in result]
    if call.startswith("array"):
        return counts, b"".join(ids.tobytes() for ids in result)
    return counts, array("I", itertools.chain.from_iterable(result)).tobytes()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def memory(field: str) -> float:
    """Return a figure of this process in bytes: VmRSS is what it holds now, VmHWM the most it ever held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * float(next(line for line in lines if line.startswith(field)).split()[1])


def forget_peak() -> bool:
    """Let VmHWM begin anew: reading the texts is not what is measured. Only Linux can."""
    path = Path("/proc/self/clear_refs")
    if path.exists():
        path.write_text("5")
    return path.exists()


WORKS = {
    "passes": passes,
    "pieces": pieces,
    "first": first,
    "startup": startup,
    "held": held,
    "short": short,
    "decode": decode,
}


def main(works: Mapping[str, Callable[[Task, list[str]], Answer]]) -> None:
    """Do the task that the argument says, which names one of these works, and print the answer."""
    task = json.loads(sys.argv[1])
    n_threads = task["threads"]
    if n_threads:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-n_threads:])
        os.environ["RAYON_NUM_THREADS"] = str(n_threads)
        os.environ["TOKENIZERS_PARALLELISM"] = "false" if n_threads == 1 else "true"
    texts = pickle.loads(Path(task["texts"]).read_bytes())
    try:
        figures, found = works[task["work"]](task, texts)
    except BaseException as error:  # A panic of a library is no Exception.
        print(json.dumps({"error": " ".join(f"{type(error).__name__}: {error}".split())}))
        return
    print(json.dumps({"figures": figures, "digests": found}))


if __name__ == "__main__":
    main(WORKS)
