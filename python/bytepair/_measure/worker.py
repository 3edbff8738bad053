"""One run of one library, in this process: ``python worker.py TASK``, a JSON object; the answer is another, on stdout.

It is run by its path, with the Python that has the library, and imports nothing of bytepair: the process of a peer holds
what its user's would. Nor does it import anything before its time, because imports are part of what is measured.
"""

from __future__ import annotations

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
from collections.abc import Callable
from pathlib import Path
from typing import Any

GREETING = "Hello, world!"
SENTENCE = "The 13 quick brown foxes aren't jumping over the lazy dog."

Task = dict[str, Any]
Figures = dict[str, float]
Calls = dict[str, Callable[[Any], Any]]


# The libraries. Each gives its calls by name: "list", "array" and "count" take a text, the same with " batch" a list of
# all texts, "decode" and "text" take ids. A call that a library lacks is not there. Peers get the vocabulary in the file
# that they load fastest.


def load_bytepair(name: str, folder: str) -> Calls:
    import bytepair

    path = Path(folder, f"{name}.json")
    builtin = not Path(folder, f"{name}.foreign").exists()
    tokenizer = bytepair.Tokenizer.from_pretrained(name) if builtin else bytepair.Tokenizer.load(path)
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
    openai_public.load_tiktoken_bpe = lambda *_, **__: ranks
    if name in openai_public.ENCODING_CONSTRUCTORS:
        encoding = tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())
    else:
        pattern = Path(folder, f"{name}.pattern").read_text()
        encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return {
        "list": encoding.encode_ordinary,
        "array": encoding.encode_to_numpy,
        "list batch": encoding.encode_ordinary_batch,
        "decode": encoding.decode_bytes,
        "text": encoding.decode,
    }


def load_tokenizers(name: str, folder: str) -> Calls:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(f"{folder}/{name}.json")
    return {
        "list": lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        "list batch": lambda texts: [
            each.ids for each in tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ],
        "text": lambda ids: tokenizer.decode(ids, skip_special_tokens=False),
    }


def load_gigatoken(name: str, folder: str) -> Calls:
    import gigatoken

    try:
        tokenizer = gigatoken.Tokenizer.from_tiktoken(f"{folder}/{name}.tiktoken")
    except ValueError:  # It knows three such files by name.
        tokenizer = gigatoken.Tokenizer(f"{folder}/{name}.json")
    return {
        "list": lambda text: tokenizer.encode(text).tolist(),
        "array": tokenizer.encode,
        "list batch": tokenizer.encode_batch_list,
        "array batch": tokenizer.encode_batch,
        "decode": tokenizer.decode,
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
    return {"list": tokenizer.encode, "list batch": tokenizer.encode_all, "decode": tokenizer.decode}


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


# What is measured. Each kind of work takes a task and its texts, and returns figures in seconds or bytes, and digests of
# what came of it, by which all libraries must agree.

Answer = tuple[Figures, dict[str, str]]


def load(task: Task) -> Calls:
    return dict(globals()[f"load_{task['engine']}"](task["vocabulary"], task["folder"]))


def call_of(task: Task, calls: Calls) -> Callable[[list[str]], Any]:
    """Return what asks for all texts at once, or one by one, as the name of the call says."""
    if task["call"] not in calls:
        raise LookupError(f"{task['engine']} has no such call")
    call = calls[task["call"]]
    if task["call"].endswith(" batch"):
        return call

    def each(texts: list[str]) -> None:
        for text in texts:
            call(text)

    return each


def encode(task: Task, texts: list[str]) -> Answer:
    """Pass over all texts twice: the first time with nothing learned from them, and again. Nothing is kept."""
    import_arrays(task["call"])
    calls = load(task)
    call = call_of(task, calls)
    figures = {}
    for name in ["cold", "warm"]:
        start = time.perf_counter()
        call(texts)
        figures[name] = time.perf_counter() - start
    return figures, digests_of(task["call"], calls, texts)


def first(task: Task, texts: list[str]) -> Answer:
    """Import, load the vocabulary and encode, in a process that has done nothing but read the texts."""
    start = time.perf_counter()
    calls = load(task)
    call_of(task, calls)(texts)
    return {"first": time.perf_counter() - start}, digests_of(task["call"], calls, texts)


def startup(task: Task, _texts: list[str]) -> Answer:
    """Import, and load a vocabulary."""
    start = time.perf_counter()
    importlib.import_module(task["engine"])
    imported = time.perf_counter()
    calls = load(task)
    figures = {"import": imported - start, "load": time.perf_counter() - imported}
    return figures, digests_of(task["call"], calls, [SENTENCE])


def memory(task: Task, texts: list[str]) -> Answer:
    """Find the most memory held while all texts are encoded, above the texts and their ids: library and vocabulary too."""
    import_arrays(task["call"])
    forget_peak()
    before = memory_of("VmRSS")
    calls = load(task)
    call = calls[task["call"]]
    result = call(texts) if task["call"].endswith(" batch") else [call(text) for text in texts]
    peak = memory_of("VmHWM")
    counts, ids = flat(task["call"], result)
    return {"above": peak - before - len(ids or b"")}, digests(counts, ids)


def short(task: Task, texts: list[str]) -> Answer:
    """Encode one short text again and again."""
    calls = load(task)
    call = calls[task["call"]]
    given = {"13 chars": GREETING, "58 chars": SENTENCE, "4 kB": cut(texts[0], 4000)}
    return {name: per_call(call, text) for name, text in given.items()}, digests_of(task["call"], calls, [*given.values()])


def decode(task: Task, texts: list[str]) -> Answer:
    """Decode the same ids again and again, from the list or the array that `ids` says."""
    calls = load(task)
    if task["call"] not in calls:
        raise LookupError(f"{task['engine']} has no such call")
    ids: Any = list(itertools.islice(itertools.chain.from_iterable(map(calls["list"], texts)), task["n_ids"]))
    if task["ids"] == "array":
        ids = importlib.import_module("numpy").array(ids, "uint32")
    decoded = calls[task["call"]](ids)
    data = decoded.encode() if isinstance(decoded, str) else decoded
    return {"decode": per_call(calls[task["call"]], ids)}, {task["call"]: digest(data)}


def import_arrays(call: str) -> None:
    """Import what arrays of ids are made with: "first" measures that, and nothing else."""
    for module in ["numpy", "awkward"] if call.startswith("array") else []:
        if importlib.util.find_spec(module):
            importlib.import_module(module)


def per_call(call: Callable[[Any], Any], argument: object) -> float:
    """Return the seconds of a call, the median of some loops of 20 ms or more."""
    n_calls, seconds = 1, 0.0
    while seconds < 0.02:
        n_calls *= 2
        seconds = loop(call, argument, n_calls)
    return statistics.median(loop(call, argument, n_calls) for _ in range(7)) / n_calls


def loop(call: Callable[[Any], Any], argument: object, n_calls: int) -> float:
    start = time.perf_counter()
    for _ in itertools.repeat(None, n_calls):
        call(argument)
    return time.perf_counter() - start


def cut(text: str, n_bytes: int) -> str:
    """Return the beginning of a text, of this many bytes or up to three fewer."""
    return text[:n_bytes].encode()[:n_bytes].decode(errors="ignore")


def digests_of(call: str, calls: Calls, texts: list[str]) -> dict[str, str]:
    result = calls[call](texts) if call.endswith(" batch") else list(map(calls[call], texts))
    return digests(*flat(call, result))


def digests(counts: Any, ids: bytes | None) -> dict[str, str]:
    """Return digests of how many ids each text has and, where they are known, of the ids."""
    found = {"counts": digest(array("Q", counts).tobytes())}
    return found if ids is None else found | {"ids": digest(ids)}


def flat(call: str, result: Any) -> tuple[Any, bytes | None]:
    """Return how many ids each text has, and all ids in 32 bits, of what any call of any library returns."""
    if call.startswith("count"):
        return result, None
    if isinstance(result, tuple):  # All ids, and where each text's begin.
        return [int(after - before) for before, after in itertools.pairwise(result[1])], result[0].tobytes()
    if hasattr(result, "layout"):  # An array of awkward
        awkward = importlib.import_module("awkward")
        return awkward.num(result).tolist(), awkward.flatten(result).to_numpy().astype("uint32").tobytes()
    counts = [len(ids) for ids in result]
    if call.startswith("array"):
        return counts, b"".join(ids.astype("uint32").tobytes() for ids in result)
    return counts, array("I", itertools.chain.from_iterable(result)).tobytes()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def memory_of(field: str) -> float:
    """Return a figure of this process in bytes: VmRSS is what it holds now, VmHWM the most it ever held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * float(next(line for line in lines if line.startswith(field)).split()[1])


def forget_peak() -> None:
    """Let VmHWM begin anew: reading the texts is not what is measured."""
    Path("/proc/self/clear_refs").write_text("5")


WORK = {"encode": encode, "first": first, "startup": startup, "memory": memory, "short": short, "decode": decode}


def main(work: dict[str, Callable[[Task, list[str]], Answer]]) -> None:
    """Do the task that the arguments say, with the works of these names, and print the answer."""
    task = json.loads(sys.argv[1])
    if task.get("threads"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-task["threads"] :])
        os.environ["RAYON_NUM_THREADS"] = str(task["threads"])
        os.environ["TOKENIZERS_PARALLELISM"] = "false" if task["threads"] == 1 else "true"
    texts = pickle.loads(Path(task["texts"]).read_bytes())
    try:
        figures, found = work[task["work"]](task, texts)
    except BaseException as error:  # A panic of a library is no Exception.
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        return
    print(json.dumps({"figures": figures, "digests": found}))


if __name__ == "__main__":
    main(WORK)
