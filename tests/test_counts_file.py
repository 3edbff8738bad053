"""The file of counts: the same bytes however they were made, and none that is damaged is believed."""

from __future__ import annotations

import copy
import pickle
import random
import resource
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytepair import Counts, FormatError, TrainingError
from common import stdlib_texts
from counted import END, count, saved


def test_the_same_counts_are_the_same_bytes_however_they_were_made(tmp_path):
    documents = [text for text in stdlib_texts() if text][:40]
    whole = count(documents, shard="all")
    other = count(random.Random(1).sample(documents, len(documents)), shard="all", num_threads=2)
    assert saved(whole, tmp_path / "whole") == saved(other, tmp_path / "other")
    assert whole == other
    loaded = Counts.load(tmp_path / "whole")
    assert loaded == whole == pickle.loads(pickle.dumps(whole)) == copy.copy(whole)
    assert pickle.loads(pickle.dumps(Counts(memory_limit=12_345))).memory_limit == 12_345
    assert saved(loaded, tmp_path / "again") == saved(whole, tmp_path / "whole")
    assert (loaded.pattern, loaded.special_tokens, loaded.shards) == ("gpt2", (END,), ("all",))


def small_file(tmp_path: Path) -> bytes:
    counts = Counts(r"\w+|\W+", ["<a>", "<b>"])
    counts.update(["low lower low", "newest, lowest"], shard="part")
    path = tmp_path / "text"
    path.write_text("wide wider")
    counts.update([path])
    return saved(counts, tmp_path / "small.bpc")


def test_every_damaged_byte_is_noticed(tmp_path):
    data = small_file(tmp_path)
    sound = Counts.load(tmp_path / "small.bpc")
    path = tmp_path / "damaged.bpc"
    for place in range(len(data)):
        for value in {data[place] ^ 1, data[place] ^ 0x80, 0, 255, data[place] + 1 & 255} - {data[place]}:
            path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
            with pytest.raises(FormatError, match="byte") as caught:
                Counts.load(path)
            assert caught.value.path == str(path)
            assert caught.value.location.startswith("byte ")
            assert str(caught.value).startswith(f"{path}: byte ")
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(FormatError, match="cut off"):
            Counts.load(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(FormatError, match="something follows"):
        Counts.load(path)
    path.write_bytes(data)
    assert Counts.load(path) == sound


def blocks(data: bytes) -> list[bytes]:
    """The payloads of a file."""
    payloads, at = [], 9
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        payloads.append(data[at + 4 : at + 4 + size])
        at += size + 8
    return payloads


def joined(payloads: list[bytes]) -> bytes:
    """A file of such payloads, whose checksums are right."""
    parts = [b"bpcounts\x01"]
    for payload in payloads:
        checksum = zlib.crc32(len(payload).to_bytes(8, "little") + payload)
        parts += [len(payload).to_bytes(4, "little"), payload, checksum.to_bytes(4, "little")]
    return b"".join(parts)


@given(data=st.data())
def test_nothing_that_a_sound_looking_file_says_is_believed(data, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "lies"
    folder.mkdir(exist_ok=True)
    payloads = blocks(small_file(folder))
    assert joined(payloads) == (folder / "small.bpc").read_bytes()
    changed = [bytearray(payload) for payload in payloads]
    for _ in range(data.draw(st.integers(1, 3))):
        payload = data.draw(st.sampled_from(changed))
        at = data.draw(st.integers(0, len(payload) - 1)) if payload else 0
        with_bytes = data.draw(st.binary(max_size=3) | st.sampled_from([b"\xff" * 9 + b"\x01", b"\xff\xff\xff\x7f"]))
        payload[at : at + data.draw(st.integers(0, 3))] = with_bytes
    path = folder / "changed.bpc"
    path.write_bytes(joined(list(map(bytes, changed))))
    try:
        counts = Counts.load(path)
    except FormatError as error:
        assert error.location.startswith("byte ")  # noqa: PT017
        return
    # A number that nothing contradicts, such as that of the documents, or another word.
    assert saved(counts, folder / "again.bpc") == path.read_bytes()


def test_a_length_that_lies_takes_no_memory(tmp_path):
    path = tmp_path / "x.bpc"
    path.write_bytes(b"bpcounts\x01" + b"\xff\xff\xff\xff" + b"x" * 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FormatError, match="cut off"):
        Counts.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_000


def test_what_is_no_counts_file_is_refused(tmp_path):
    path = tmp_path / "x.bpc"
    for data, named in [
        (b"no counts here", "no counts file"),
        (b"", "cut off"),
        (b"bpcounts\x02" + b"x" * 99, "version 2"),
    ]:
        path.write_bytes(data)
        with pytest.raises(FormatError, match=named):
            Counts.load(path)
        with pytest.raises(FormatError, match=named):
            Counts.merge_files([path], tmp_path / "all.bpc")
    with pytest.raises(FileNotFoundError):
        Counts.load(tmp_path / "missing.bpc")
    with pytest.raises(FileNotFoundError):
        Counts.merge_files([tmp_path / "missing.bpc"], tmp_path / "all.bpc")
    with pytest.raises(TrainingError, match="no files"):
        Counts.merge_files([], tmp_path / "all.bpc")
    assert [path.name for path in tmp_path.iterdir()] == ["x.bpc"]
