"""The command: what it prints, where it reads, how it fails."""

from __future__ import annotations

import base64
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from bytepair import Tokenizer
from bytepair.cli import _tour_model
from common import builtin, trained


def bytepair(*arguments: object, stdin: bytes = b"", code: int = 0, cwd=None) -> str:
    command = [sys.executable, "-m", "bytepair", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd)
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return (done.stdout if code == 0 else done.stderr).decode()


@pytest.fixture
def corpus(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"low lower lowest newest widest {name}\n" * 50)
    return tmp_path


def test_train_encode_decode_count(corpus):
    shown = bytepair("train", corpus / "*.txt", "-o", corpus / "tokenizer.json", "-v", 270)
    assert "270 tokens" in shown
    assert "stopped because the vocabulary has the size asked for" in shown
    tokenizer = Tokenizer.load(corpus / "tokenizer.json")
    ids = bytepair("encode", "-t", corpus / "tokenizer.json", stdin=b"lowest low")
    assert ids.split() == [str(token_id) for token_id in tokenizer.encode("lowest low")]
    assert bytepair("decode", "-t", corpus / "tokenizer.json", stdin=ids.encode()) == "lowest low"
    counted = json.loads(bytepair("count", "--json", "-t", corpus / "tokenizer.json", corpus / "a.txt"))
    assert counted["tokens"] == tokenizer.count((corpus / "a.txt").read_text())


def test_train_from_stdin_and_to_every_format(corpus):
    text = (corpus / "a.txt").read_bytes()
    for output in ("t.json", "t.tiktoken", "folder"):
        figures = json.loads(bytepair("train", "--json", "-o", corpus / output, "-v", 270, stdin=text))
        assert figures["vocab_size"] == 270
        assert figures["bytes"] == len(text)
    assert Tokenizer.load(corpus / "t.json") == Tokenizer.load(corpus / "folder")


def write_rows(path, field="text"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({field: f"low lower {number}"}) + "\n" for number in range(100)))


def train_on(*arguments, folder, stdin=b"", code=0):
    return bytepair("train", "-o", "t.json", "-v", 280, *arguments, stdin=stdin, code=code, cwd=folder)


def test_train_on_rows(tmp_path):
    write_rows(tmp_path / "rows.jsonl", "body")
    expected = Tokenizer.train([f"low lower {number}" for number in range(100)], 280)
    lines = (tmp_path / "rows.jsonl").read_bytes()
    for arguments, stdin in [(["rows.jsonl"], b""), (["*.jsonl"], b""), (["-", "--format", "jsonl"], lines)]:
        figures = json.loads(train_on("--json", "--text-field", "body", *arguments, folder=tmp_path, stdin=stdin))
        assert (figures["documents"], figures["skipped"]) == (100, 0)
        assert Tokenizer.load(tmp_path / "t.json") == expected
    shown = train_on("rows.jsonl", folder=tmp_path, code=1)
    assert shown.startswith('bytepair train: rows.jsonl: line 1, column 23: the row has no field "text", but body')
    assert len(shown.splitlines()) == 1
    train_on("--format", "text", "rows.jsonl", folder=tmp_path)
    assert Tokenizer.load(tmp_path / "t.json") != expected


def test_train_leaves_rows_out_where_it_is_told_to(tmp_path):
    write_rows(tmp_path / "rows.jsonl")
    with open(tmp_path / "rows.jsonl", "a") as file:
        file.write('{"text": 5}\n{"text"\n')
    shown = train_on("rows.jsonl", "--on-error", "skip", folder=tmp_path)
    assert "2 of 102 rows left out, such as rows.jsonl: line 101, column 10: invalid type" in shown
    assert json.loads(train_on("rows.jsonl", "--on-error", "skip", "--json", folder=tmp_path))["skipped"] == 2


def test_train_on_a_folder(tmp_path):
    write_rows(tmp_path / "in" / "deep" / "rows.jsonl")
    (tmp_path / "in" / "[a].txt").write_text("lowest")
    (tmp_path / "in" / ".hidden").write_bytes(bytes(1000))
    figures = json.loads(train_on("in", "--json", folder=tmp_path))
    assert (figures["documents"], figures["bytes"]) == (101, 100 * 10 + 190 + 6)
    (tmp_path / "empty").mkdir()
    assert "there is no file in the folder empty" in train_on("empty", folder=tmp_path, code=1)


def test_train_stops_when_nothing_is_left(corpus):
    shown = bytepair("train", "-o", corpus / "t.json", "-v", 5000, stdin=b"aab")
    assert "stopped because no pair is left" in shown


def test_special_tokens(corpus):
    text = b"a<|endoftext|>"
    assert bytepair("encode", stdin=text).split()[-1] != "50256"
    assert bytepair("encode", "-a", "all", stdin=text).split()[-1] == "50256"
    assert bytepair("encode", "-a", "<|endoftext|>", stdin=text).split()[-1] == "50256"


def test_json_is_one_line_for_each_file(corpus):
    lines = bytepair("encode", "--json", corpus / "a.txt", corpus / "b.txt").splitlines()
    assert [json.loads(line)["ids"] for line in lines] == [
        builtin("gpt2").encode((corpus / name).read_text()) for name in ("a.txt", "b.txt")
    ]
    assert json.loads(bytepair("decode", "--json", stdin=b"[31373, 995]"))["text"] == "hello world"


def test_count_sums_many_files(corpus):
    shown = bytepair("count", corpus / "a.txt", corpus / "b.txt").splitlines()
    assert shown[0].split() == ["tokens", "bytes", "bytes/token"]
    assert shown[-1].endswith("total")


def test_inspect(corpus):
    shown = bytepair("inspect", "gpt2")
    assert "50,257" in shown
    assert "<|endoftext|>" in shown
    token = bytepair("inspect", "gpt2", "--token", " world")
    assert token.startswith("id 995:")
    assert " =  world\nas a tree\n" in token
    assert bytepair("inspect", "gpt2", "--id", "995") == token
    figures = json.loads(bytepair("inspect", "o200k_base", "--json"))
    assert figures["vocab_size"] == 200_000
    assert json.loads(bytepair("inspect", "gpt2", "--json", "--id", "995"))["id"] == 995


def test_inspect_shows_a_derivation_as_a_tree():
    shown = bytepair("inspect", "gpt2", "--token", "world")
    tree = shown.partition("as a tree\n")[2].splitlines()
    assert tree[0] == "  world"
    # The leaves are the bytes, and each line but the root hangs on one before it.
    leaves = [line.lstrip("│├└ ") for line in tree]
    assert "".join(leaf for leaf in leaves if len(leaf) == 1) == "world"
    assert max(map(len, shown.splitlines())) <= 80


def test_inspect_on_files(corpus):
    (corpus / "empty.txt").touch()
    shown = bytepair("inspect", "gpt2", corpus / "a.txt", corpus / "empty.txt").splitlines()
    assert shown[0].split() == ["tokens", "words", "tokens/word", "bytes/token"]
    rows = json.loads(bytepair("inspect", "--json", "gpt2", corpus / "*.txt"))["files"]
    text = (corpus / "a.txt").read_text()
    n_tokens = builtin("gpt2").count(text)
    assert rows[0]["fertility"] == n_tokens / len(text.split())
    assert rows[0]["bytes_per_token"] == len(text) / n_tokens
    assert rows[-1]["file"] == "total"
    assert rows[-1]["tokens"] == sum(row["tokens"] for row in rows[:-1])


def test_inspect_names_unreachable_tokens(corpus):
    ranks = "".join(f"{base64.b64encode(bytes([byte])).decode()} {byte}\n" for byte in range(256))
    (corpus / "t.tiktoken").write_text(ranks + f"{base64.b64encode(b'abc').decode()} 256\n")
    Tokenizer.from_tiktoken(corpus / "t.tiktoken", pattern="gpt2").save(corpus / "t.json")
    shown = bytepair("inspect", corpus / "t.json")
    assert "unreachable tokens 1\n         256  abc\n" in shown
    assert json.loads(bytepair("inspect", corpus / "t.json", "--json"))["unreachable_tokens"] == ["abc"]
    assert "no merges lead to it" in bytepair("inspect", corpus / "t.json", "--token", "abc")
    assert not json.loads(bytepair("inspect", corpus / "t.json", "--json", "--id", 256))["reachable"]


def test_compare(corpus):
    files = corpus / "*.txt"
    same = shell("bytepair compare gpt2 r50k_base '*.txt'", corpus)
    assert same.endswith("all ids are equal\n")
    assert max(map(len, same.splitlines())) <= 80
    figures = json.loads(bytepair("compare", "--json", "gpt2", "gpt2", stdin=b"low"))
    assert figures["equal"]
    assert figures["files"] == [
        {"file": "-", "bytes": 3, "tokens": [1, 1], "first_mismatch": None, "first_token_mismatch": None}
    ]
    done = run_compare("cl100k_base", "o200k_base", stdin="日本 low\n 東京都の newest".encode())
    assert done.returncode == 1
    assert "first other id: -\n  line 1, byte 0, char 0" in done.stdout
    assert "first other token: -\n  line 1, byte 0, char 0" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = json.loads(run_compare("--json", "cl100k_base", "o200k_base", files).stdout)
    assert not found["equal"]
    for row in found["files"]:
        text, mismatch = Path(row["file"]).read_text(), row["first_mismatch"]
        a, b = (builtin(name).encode(text) for name in ("cl100k_base", "o200k_base"))
        assert row["tokens"] == [len(a), len(b)]
        assert mismatch["token"] == next(i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
        assert builtin("cl100k_base").decode_bytes(a[: mismatch["token"]]) == text.encode()[: mismatch["byte_offset"]]


def test_compare_with_peers(corpus):
    trained().save(corpus / "tokenizer.json")
    assert "equal" in bytepair(
        "compare", corpus / "tokenizer.json", f"tokenizers:{corpus / 'tokenizer.json'}", corpus / "a.txt"
    )


@pytest.mark.parametrize(
    "arguments", [["gpt2", "gpt3"], ["gpt2", "tokenizers:none.json"], ["gpt2", "gpt2", "no such"], ["gpt2"]]
)
def test_compare_has_a_code_for_wrong_arguments(arguments, tmp_path):
    assert "Traceback" not in bytepair("compare", *arguments, code=2, cwd=tmp_path)


def run_compare(*arguments, stdin=b""):
    command = [sys.executable, "-m", "bytepair", "compare", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["encode", "no such file"], 1, "there is no file no such file"),
        (["encode", "."], 1, "is a folder; pass a glob"),
        (["encode", "-t", "gpt3"], 1, "did you mean 'gpt2'"),
        (["encode", "-t", "missing.json"], 1, "there is no file missing.json"),
        (["inspect", "gpt2", "--token", "no such token"], 1, "is not a token; it encodes to no +  such +  token"),
        (["inspect", "gpt2", "--id", "99999"], 1, "out of range"),
        (["train", "-o", "x.json"], 1, "the corpus is empty"),
        (["train", "-o", "x.json", "-v", "3"], 1, "too small"),
        (["train", "-o", "x.bin"], 1, "x.bin must end in .json or .tiktoken, or have no suffix"),
        (["train", "-o", "no/such/x.json"], 1, "there is no such folder"),
        (["train", "-o", "folder", "-p", "o200k"], 1, "pattern"),
        (["train"], 2, "required: -o/--output"),
        (["encode", "--what"], 2, "unrecognized arguments"),
        (["dance"], 2, "invalid choice"),
        ([], 2, "required: VERB"),
    ],
)
def test_errors(arguments, code, message, tmp_path):
    assert message in bytepair(*arguments, code=code, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_decode_refuses_what_is_no_id():
    assert "'x' is not a token id" in bytepair("decode", stdin=b"1 2 x", code=1)
    assert "negative" in bytepair("decode", stdin=b"-5", code=1)


def test_a_closed_pipe_is_no_error(tmp_path):
    (tmp_path / "long.txt").write_text("word " * 200_000)
    command = f"{sys.executable} -m bytepair encode {tmp_path / 'long.txt'} | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True)
    assert done.stderr == b""


def test_tour():
    figures = json.loads(bytepair("tour", "--json", "-v", "4096"))
    assert figures["held_out"]["files_lost"] == []
    assert figures["saved_and_loaded_equal"]
    assert figures["vocabulary"]["size"] == 4096
    curve = list(figures["bytes_per_token"].values())
    assert curve == sorted(curve)
    assert curve[0] == 1
    model = figures["model"]
    assert model["logits_shape"] == [1, model["ids"], 4096]
    assert model["parameters"]["counted"] == model["parameters"]["formula"] > 4096 * 256 * 2
    assert model["flops"]["counted"] == model["flops"]["formula"]
    assert sum(model["flops"]["beside"].values()) == 4_513_336_524_800
    assert abs(model["loss"] - math.log(4096)) < 0.2, "of random weights"
    assert _tour_model.is_proved(model)
    model["flops"]["counted"]["ffn"] += 1
    assert not _tour_model.is_proved(model)
    shown = bytepair("tour", "-v", "1024")
    assert "every byte of every file came back" in shown
    assert "counted: each as its formula says, integer for integer" in shown
    assert max(map(len, shown.splitlines())) <= 80


def shell(command: str, folder, code: int = 0) -> str:
    command = command.replace("bytepair", f"{sys.executable} -m bytepair")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=folder)
    assert done.returncode == code, done.stderr
    assert code == 0 or len(done.stderr.splitlines()) == 1
    return done.stdout if code == 0 else done.stderr


def test_closed_and_full_streams_are_one_line(corpus):
    assert "stdin is closed" in shell("bytepair encode <&-", corpus, 1)
    assert "stdin is closed" in shell("bytepair train -o t.json <&-", corpus, 1)
    assert "stdout is closed" in shell("bytepair encode a.txt >&-", corpus, 1)
    assert "No space left" in shell("bytepair encode a.txt > /dev/full", corpus, 1)
    assert "50,257" in shell("bytepair inspect gpt2 <&-", corpus)


def test_a_defect_is_one_line(monkeypatch, capsys):
    from bytepair import cli

    monkeypatch.setattr(cli.count, "run", lambda _: [][0])
    assert cli.main(["count"]) == 1
    assert capsys.readouterr().err.startswith("bytepair count: IndexError: list index out of range (this is a defect")


def test_pipes_are_files(corpus):
    text = (corpus / "a.txt").read_text()
    counted = json.loads(shell("bytepair count --json <(cat a.txt)", corpus))
    assert counted["bytes"] == len(text)
    for source in ("< a.txt", "<(cat a.txt)", "- < a.txt"):
        figures = json.loads(shell(f"bytepair train --json -v 270 -o t.json {source}", corpus))
        assert figures["bytes"] == len(text)


def test_decode_reads_what_encode_prints(corpus):
    both = (corpus / "a.txt").read_text() + (corpus / "b.txt").read_text()
    assert shell("bytepair encode --json a.txt b.txt | bytepair decode", corpus) == both
    rows = shell("bytepair encode --json a.txt b.txt | bytepair decode --json", corpus).splitlines()
    assert "".join(json.loads(row)["text"] for row in rows) == both
    assert "is not a line such as" in bytepair("decode", stdin=b'{"tokens": 1}', code=1)


def test_bench(corpus):
    shown = bytepair("bench", corpus / "*.txt", "--runs", 1, "--against", "tiktoken,tokenizers")
    assert max(map(len, shown.splitlines())) <= 80
    n_bytes = sum((corpus / name).stat().st_size for name in ("a.txt", "b.txt"))
    assert shown.startswith(f"2 files, {n_bytes:,} bytes, ")
    for title in ("to lists, 1 thread ", "to arrays, 1 thread ", "counted, 1 thread ", "decoded, 1 thread "):
        assert f"\n{title}" in shown
    assert "Error" not in shown
    assert "other results" not in shown


@pytest.mark.parametrize("name", ["cl100k_base", "own.json"])
def test_bench_in_json(corpus, name):
    trained().save(corpus / "own.json")
    given = str(corpus / name) if name == "own.json" else name
    answer = json.loads(bytepair("bench", "--json", "--runs", 1, "-t", given, corpus / "a.txt"))
    assert answer["bytes"] / answer["tokens"] == answer["bytes_per_token"]
    for row in answer["measured"]:
        ours = row["contestants"]["bytepair"]["figures"]
        assert ours["cold"]["median"] > 0
        for peer in ("tiktoken", "tokenizers"):
            # A call that a library lacks is left out.
            assert "error" not in row["contestants"].get(peer, {}), row
    peers = {(row["what"], peer) for row in answer["measured"] for peer in row["contestants"]}
    assert {("to lists", "tiktoken"), ("to lists", "tokenizers"), ("decoded", "tiktoken")} <= peers
    assert ("counted", "tiktoken") not in peers


def test_bench_says_what_is_wrong(corpus):
    assert "is none of tiktoken, tokenizers" in bytepair("bench", "--against", "nothing", code=2)
    assert "it must be 1 or more, not '0'" in bytepair("bench", "--runs", 0, code=2)
    assert "there is no text to measure" in bytepair("bench", stdin=b"", code=1)
    assert "kitoken is not installed" in bytepair("bench", "--against", "kitoken", stdin=b"a", code=1)
