"""What the cases of every engine can use: run in the process of a case, where `FILES` is a folder of prepared files."""

import contextlib
import copy
import itertools
import json
import os
import resource
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace  # noqa: F401 - for the engines

BYTES = {byte: bytes([byte]) for byte in range(256)}


def raises(call, *kinds):
    """Whether `call` ends in one of these ordinary exceptions."""
    try:
        call()
    except NameError:
        raise  # The library has no such call.
    except Exception as error:
        return not kinds or isinstance(error, kinds)
    return False


def seconds(call):
    """How long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def linear(call, small, large, most=6):
    """Whether a call takes no more than `most` times as long for a text four times as long, of the processor's time."""

    def best(text):
        times = []
        for _ in range(3):
            started = time.process_time()
            call(text)
            times.append(time.process_time() - started)
        return min(times)

    return best(large) < most * best(small) + 0.05


def longest_stall(call):
    """The longest time that another Python thread had to wait while `call` ran, in seconds."""
    done, stalls = threading.Event(), [0.0]

    def tick():
        before = time.perf_counter()
        while not done.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            stalls[0] = max(stalls[0], now - before)
            before = now

    ticker = threading.Thread(target=tick)
    ticker.start()
    time.sleep(0.05)
    stalls[0] = 0.0
    result = call()  # noqa: F841 - to free it is not the call's
    done.set()
    ticker.join()
    return stalls[0]


def seconds_to_stop(call, after=0.2):
    """How long after Ctrl-C, which comes after so many seconds, the call raises KeyboardInterrupt; None if it ends."""
    sent = [0.0]

    def send():
        time.sleep(after)
        sent[0] = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        call()
        ended = None
    except KeyboardInterrupt:
        ended = time.perf_counter()
    # Sent after the call: it was over too soon to be stopped.
    try:
        sender.join()
        time.sleep(0.01)
    except KeyboardInterrupt:
        pass
    return None if ended is None else ended - sent[0]


def fork_ends_well(work, limit=8):
    """Whether a forked process that runs `work` ends in time, and well."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if work() is not False else 1
        finally:
            os._exit(status)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def in_threads(work, n=8):
    """The results of `work(i)` in n threads that start at once."""
    from concurrent.futures import ThreadPoolExecutor

    barrier = threading.Barrier(n)

    def run(index):
        barrier.wait()
        return work(index)

    with ThreadPoolExecutor(n) as threads:
        return list(threads.map(run, range(n)))


def in_a_small_stack(work, kib=128):
    """The result of `work()` in a thread with a stack of so many KiB."""
    threading.stack_size(max(kib * 1024, 32768))
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    threading.stack_size(0)
    thread.join()
    return results[0]


def data_bytes():
    """The memory that counts for the limit of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    return pages * resource.getpagesize()


def with_memory(mib, call):
    """The result of `call()` where no more than `mib` MiB above what is used now can be had."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes() + int(mib * 2**20), before[1]))
    try:
        return call()
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def survives_little_memory(call, limits_mib):
    """Whether `call` succeeds or raises MemoryError under each of these limits, and succeeds without."""
    for mib in limits_mib:
        with contextlib.suppress(MemoryError):
            with_memory(mib, call)
    call()
    return True


def peak_bytes(call):
    """How far the peak of resident memory rises while `call` runs."""

    def status(key):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS:")
    result = call()
    return status("VmHWM:") - before, result


def small_json(*edits):
    """A tokenizer.json of 258 tokens that every reader takes, some fields set: pairs of path and value."""
    tree = json.loads(Path(FILES, "small.json").read_text())  # noqa: F821
    for path, value in edits:
        *above, last = path
        node = tree
        for key in above:
            node = node[key]
        if value is ...:
            del node[last]
        else:
            node[last] = copy.deepcopy(value)
    return json.dumps(tree)


def added(text, token_id, **options):
    """An entry of `added_tokens`."""
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    return {"id": token_id, "content": text, **flags, "special": True, **options}


def ranks(*lines, skip=()):
    """A rank file of the 256 bytes and some more lines."""
    import base64

    own = [f"{base64.b64encode(bytes([byte])).decode()} {byte}" for byte in range(256) if byte not in skip]
    return ("\n".join([*own, *lines]) + "\n").encode()


def file(name, data):
    """Write a file and return its path."""
    Path(name).write_bytes(data.encode() if isinstance(data, str) else data)
    return Path(name)


def allocated():
    """How many bytes the process holds by `malloc`, to the byte; Python's own small objects are not among them."""
    import ctypes

    class Info(ctypes.Structure):
        # arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost
        _fields_ = [(name, ctypes.c_size_t) for name in ("a", "b", "c", "d", "mapped", "f", "g", "used", "i", "j")]

    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Info
    info = libc.mallinfo2()
    return info.used + info.mapped


def leaves_nothing(work, rounds=100):
    """Whether `malloc` holds no more after some rounds of work than before them; what leaks grows every time."""
    import gc

    held = []
    for _ in range(6):
        for _ in range(rounds):
            work()
        gc.collect()
        held.append(allocated())
    return any(after <= before for before, after in itertools.pairwise(held[1:]))
