"""Files of documents for tests, in every format."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
from backports import zstd
from pyarrow import feather, ipc, parquet

from bytepair import Tokenizer
from common import SEED, mixed_text, stdlib_texts

# Ways to write rows

COMPRESS = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}


def write_lines(path: Path, rows: list[dict], compression: str = "") -> None:
    lines = "".join(json.dumps(row, ensure_ascii=index % 2 == 0) + "\n" for index, row in enumerate(rows))
    path.write_bytes(COMPRESS[compression](lines.encode()))


def write_parquet(path: Path, rows: list[dict]) -> None:
    parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=max(len(rows) // 3, 1))


def write_feather(path: Path, rows: list[dict]) -> None:
    feather.write_feather(pa.Table.from_pylist(rows), str(path), chunksize=max(len(rows) // 3, 1))


def write_stream(path: Path, rows: list[dict]) -> None:
    # As the library `datasets` writes its cache.
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as file, ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


WRITERS = {
    "rows.jsonl": write_lines,
    "rows.ndjson": write_lines,
    "rows.jsonl.gz": lambda path, rows: write_lines(path, rows, ".gz"),
    "rows.JSONL.ZST": lambda path, rows: write_lines(path, rows, ".zst"),
    "rows.parquet": write_parquet,
    "rows.feather": write_feather,
    "rows.arrow": write_stream,
}


def texts() -> list[str]:
    rng = random.Random(SEED)
    some = [mixed_text(rng) for _ in range(200)]
    return [*some, "", "\0", "\ufeff", "line\nline\r\n\u2028", stdlib_texts()[0], "中文字符" * 3_000]


def rows_of(documents: list[str]) -> list[dict]:
    return [{"id": index, "text": text, "meta": {"text": "other"}} for index, text in enumerate(documents)]


def train(corpus, **options) -> Tokenizer:
    return Tokenizer.train(corpus, 400, **options)


def same(tokenizer: Tokenizer, expected: Tokenizer) -> bool:
    return tokenizer == expected and tokenizer.training_report == expected.training_report


GOOD = b'{"text": "low low"}\n'
WORDS = " ".join(str(number) for number in random.Random(7).sample(range(10**6), 20_000))
MANY = "".join(json.dumps({"text": word}) + "\n" for word in WORDS.split()).encode()


class MineError(Exception):
    pass
