"""The verb `convert`: what it writes reads back equal, what is lost is said, and refused unless asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer as HuggingFace

from bytepair import Tokenizer
from common import builtin, trained
from test_cli import bytepair


@pytest.fixture
def folder(tmp_path) -> Path:
    trained().save(tmp_path / "tokenizer.json")
    trained().save(tmp_path / "gpt2", format="gpt2")
    trained().save(tmp_path / "ranks.tiktoken")
    return tmp_path


def specials() -> list[str]:
    return [f"--special={text}={token_id}" for text, token_id in trained().special_tokens.items()]


def test_between_formats_that_hold_all(folder):
    bytepair("convert", folder / "gpt2", folder / "a.json")
    bytepair("convert", folder / "a.json", folder / "again", "--to", "gpt2")
    bytepair("convert", folder / "ranks.tiktoken", folder / "b.json", "--pattern", "gpt2", *specials())
    for path in ["a.json", "again", "b.json"]:
        assert Tokenizer.load(folder / path) == trained()
    names = [f"--special={text}" for text in trained().special_tokens]
    bytepair("convert", folder / "ranks.tiktoken", folder / "c.json", "--pattern", "gpt2", *names)
    assert Tokenizer.load(folder / "c.json") == trained()
    (folder / "gpt2" / "special_tokens_map.json").unlink()
    bytepair("convert", folder / "gpt2", folder / "d.json", *names)
    assert Tokenizer.load(folder / "d.json") == trained()


def test_built_in_to_hugging_face(tmp_path):
    shown = bytepair("convert", "cl100k_base", tmp_path / "tokenizer.json")
    assert "100,261 tokens, read back and found equal" in shown
    assert HuggingFace.from_file(str(tmp_path / "tokenizer.json")).encode("hello world").ids == [15339, 1917]
    bytepair("convert", "cl100k_base", tmp_path / "x.tiktoken", "--lossy")
    # The file is the published one, which is known with its pattern.
    assert Tokenizer.load(tmp_path / "x.tiktoken") == builtin("cl100k_base")


def test_what_is_lost_is_said_and_refused(folder):
    target = folder / "out.tiktoken"
    shown = bytepair("convert", folder / "tokenizer.json", target, code=1)
    assert "cannot hold the split pattern or the 2 special tokens; to write one without, pass --lossy" in shown
    assert not target.exists()
    figures = json.loads(bytepair("convert", "--json", "--lossy", folder / "tokenizer.json", target))
    assert figures == {
        "source": str(folder / "tokenizer.json"),
        "target": str(target),
        "format": "tiktoken",
        "vocab_size": trained().vocab_size,
        "fingerprint": trained().fingerprint,
        "verified": True,
        "lost": ["the split pattern", "the 2 special tokens"],
    }
    assert target.read_bytes() == (folder / "ranks.tiktoken").read_bytes()


def test_what_cannot_be_held_is_refused_by_name(folder):
    text = (folder / "tokenizer.json").read_text()
    data = json.loads(text)
    data["added_tokens"][0]["special"] = False
    (folder / "added.json").write_text(json.dumps(data))
    for to in ["tiktoken", "gpt2"]:
        shown = bytepair("convert", "--lossy", folder / "added.json", folder / "out", "--to", to, code=1)
        assert "<|endoftext|>" in shown
        assert not (folder / "out").exists()
    assert "has another" in bytepair("convert", "o200k_base", folder / "out", "--to", "gpt2", code=1)


# Arguments after the verb, in which @ is the folder; what the error says.
REFUSED = [
    (["@/none.json", "@/out.json"], "there is no file"),
    (["@/tokenizer.json", "@/out"], "cannot tell the format"),
    (["@/tokenizer.json", "@/none/out.json"], "none"),
    (["@/ranks.tiktoken", "@/out.json"], "a rank file does not say its split pattern"),
    (["@/ranks.tiktoken", "@/out.json", "--special=<x>"], "--special needs --pattern"),
    (["@/ranks.tiktoken", "@/out.json", "--pattern=gpt2", "--special=<x>=5000", "--special=<y>"], "or to none"),
    (["@/ranks.tiktoken", "@/out.json", "--pattern=gpt2", "--special=<x>", "--special=<x>"], "given twice"),
    (["@/ranks.tiktoken", "@/out.json", "--pattern=gpt3"], "is not a preset"),
    (["@/tokenizer.json", "@/out.json", "--pattern=gpt2"], "line 1"),
    (["@/gpt2", "@/out.json", "--special=<|pad|>=9"], "name them without =ID"),
    (["@/gpt2", "@/out.json", "--special=<none>"], "is not in vocab.json"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_arguments_write_nothing(arguments, message, folder):
    before = sorted(folder.rglob("*"))
    shown = bytepair("convert", *(argument.replace("@", str(folder)) for argument in arguments), code=1)
    assert message in shown
    assert sorted(folder.rglob("*")) == before
