"""Vocabularies by size: each row is what training at that size and counting plainly gives."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bytepair import Tokenizer, TrainingError
from bytepair.cli import main, tradeoff
from bytepair.unicode import tradeoff_picture, vocabulary_tradeoff
from common import stdlib_texts
from test_cli import bytepair

SIZES = [258, 400, 1000, 2000]
SPECIALS = ["<|endoftext|>", "<|pad|>"]


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", [r"[0-9]{3}", r"[a-z]+"]])
def test_rows_are_those_of_training_at_each_size(pattern):
    texts = [f"{text[:20_000]}<|pad|>" for text in stdlib_texts()[:20]]
    held_out = [f"{text[:20_000]}<|endoftext|> abc" for text in stdlib_texts()[20:30]]
    rows = vocabulary_tradeoff(
        texts, reversed(SIZES), held_out=held_out, d_model=7, pattern=pattern, special_tokens=SPECIALS
    )
    assert [row.vocab_size for row in rows] == SIZES
    for row in rows:
        tokenizer = Tokenizer.train(texts, row.vocab_size, pattern=pattern, special_tokens=SPECIALS)
        parts = [part for text in held_out for part in text.split("<|endoftext|>")]
        ids = [token_id for part in parts for token_id in tokenizer.encode(part)]
        assert row.n_bytes == sum(len(part.encode()) for part in parts)
        assert (row.n_tokens, row.n_used) == (len(ids), len(set(ids)))
        assert row.embedding_parameters == 7 * row.vocab_size
        assert row.tokens_per_byte == len(ids) / row.n_bytes
        assert row.bytes_per_token == row.n_bytes / len(ids)
        assert row.share_used == len(set(ids)) / row.vocab_size
        report = tokenizer.training_report
        assert row.training_bytes_per_token == report.bytes_per_token(len(report.n_tokens) - 1)


def test_without_held_out_text_both_compressions_are_one():
    for row in vocabulary_tradeoff(stdlib_texts()[:20], SIZES[1:]):
        assert row.bytes_per_token == pytest.approx(row.training_bytes_per_token, rel=1e-12)


def test_every_form_of_a_corpus(tmp_path):
    text = stdlib_texts()[0][:50_000]
    (tmp_path / "a.txt").write_text(text)
    rows = vocabulary_tradeoff([text], [300, 600])
    for form in (tmp_path / "a.txt", [tmp_path / "a.txt"], text, text.encode(), [bytearray(text.encode())]):
        assert vocabulary_tradeoff(form, [300, 600]) == rows
        assert vocabulary_tradeoff([text], [300, 600], held_out=form) == rows


def test_sizes_go_as_far_as_there_are_pairs():
    texts = stdlib_texts()[:20]
    rows = vocabulary_tradeoff(texts)
    sizes = [row.vocab_size for row in rows]
    assert sizes[:3] == [512, 1024, 2048]
    assert sizes[-1] == Tokenizer.train(texts, 32768).vocab_size < 32768


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sizes": [200]}, TrainingError, "no room for the 256 bytes and 1 special tokens: it needs 257 at least"),
        ({"sizes": []}, TrainingError, "there is no size"),
        ({"sizes": [270, 300]}, TrainingError, "no vocabulary of 300 tokens: training stopped at 264 because no pair"),
        ({"held_out": [""], "sizes": [260]}, TrainingError, "there is no text to measure on"),
        ({"held_out": ["a", 7], "sizes": [260]}, TypeError, "item 1 of the text to measure is a int"),
        ({"held_out": iter(["a"]), "sizes": [260]}, TypeError, "can be read only once; pass a list"),
        ({"held_out": "tests", "sizes": [260]}, TrainingError, "names an existing file or folder"),
        ({"d_model": 0}, ValueError, "d_model is 0"),
    ],
)
def test_what_cannot_be_measured(arguments, error, message, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent.parent)
    with pytest.raises(error, match=message):
        vocabulary_tradeoff(["low lower lowest low"], **arguments)


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures(kind, start):
    rows = vocabulary_tradeoff(["low lower lowest low"], [257, 260])
    assert tradeoff_picture(rows, kind).startswith(start)


def test_pictures_that_cannot_be_drawn(monkeypatch):
    rows = vocabulary_tradeoff(["low lower lowest low"], [257, 260])
    with pytest.raises(ValueError, match=r"a picture can be one of .*png.*, not 'txt'"):
        tradeoff_picture(rows, "txt")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'bytepair\[plot\]'"):
        tradeoff_picture(rows, "png")


def test_the_command(tmp_path):
    train, held_out = tmp_path / "train.txt", tmp_path / "held.txt"
    train.write_text("".join(stdlib_texts()[:10]))
    held_out.write_text("".join(stdlib_texts()[10:20]))
    given = (train, "--held-out", held_out, "--sizes", "512,1024")
    shown = bytepair("tradeoff", *given, "--plot", tmp_path / "t.png")
    assert max(map(len, shown.splitlines())) <= 80
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    rows = vocabulary_tradeoff(train, [512, 1024], held_out=held_out)
    assert f"measured on {rows[0].n_bytes:,} bytes of text held out" in shown
    for row, line in zip(rows, shown.splitlines()[3:], strict=False):
        cells = [f"{row.vocab_size:,}", f"{row.bytes_per_token:.3f}", f"{row.tokens_per_byte:.3f}"]
        assert line.split() == [*cells, f"{row.embedding_parameters:,}", f"{row.share_used:.1%}"]
    answer = json.loads(bytepair("tradeoff", *given, "--json"))
    assert answer == {"d_model": 768, "rows": [row.as_dict() for row in rows]}
    of_stdin = json.loads(bytepair("tradeoff", "--json", "--sizes", 512, "-", stdin=train.read_bytes()))
    assert of_stdin["rows"] == [row.as_dict() for row in vocabulary_tradeoff(train, [512])]


def test_the_command_says_what_is_wrong(tmp_path):
    assert "it must be 1 or more, not 'x'" in bytepair("tradeoff", "--sizes", "512,x", code=2)
    message = bytepair("tradeoff", "--sizes", "512", "--plot", tmp_path / "t.png", stdin=b"ab " * 500, code=1)
    assert "training stopped at" in message
    assert not list(tmp_path.iterdir())


def test_a_plot_that_cannot_be_is_refused_before_the_work(tmp_path, monkeypatch, capsys):
    def measure(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(tradeoff, "vocabulary_tradeoff", measure)
    text = tmp_path / "a.txt"
    text.write_text("ab " * 500)
    (tmp_path / "folder.png").mkdir()
    for name, message in [
        ("t.txt", "a picture can be one of"),
        ("t", "a picture can be one of"),
        ("none/t.png", "there is no folder"),
        ("folder.png", "folder.png"),
    ]:
        assert main(["tradeoff", "--sizes", "258", "--plot", str(tmp_path / name), str(text)]) == 1
        assert message in capsys.readouterr().err
    monkeypatch.setattr("os.access", lambda *_: False)
    assert main(["tradeoff", "--sizes", "258", "--plot", str(tmp_path / "t.png"), str(text)]) == 1
    assert "cannot be written to" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(tradeoff, "vocabulary_tradeoff", measure)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["tradeoff", "--sizes", "258", "--plot", str(tmp_path / "t.png"), str(text)]) == 1
    assert "pip install 'bytepair[plot]'" in capsys.readouterr().err


def test_figures_are_printed_though_drawing_fails(tmp_path, monkeypatch, capsys):
    def draw(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tradeoff, "tradeoff_picture", draw)
    text = tmp_path / "a.txt"
    text.write_text("ab " * 500)
    assert main(["tradeoff", "--sizes", "258", "--plot", str(tmp_path / "t.png"), str(text)]) == 1
    shown = capsys.readouterr()
    assert "one training run, measured on 1,500 bytes" in shown.out
    assert "No space left on device" in shown.err
