"""The verb `generate`: a model and its tokenizer in one folder or file, text out."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bytepair import Tokenizer
from bytepair.transformer import Transformer, generate
from test_cli import bytepair

GOLDEN = Path(__file__).parent / "data" / "models" / "llama-gqa-tied"


@pytest.fixture
def model(tmp_path):
    """A folder with a model of 257 ids, and a tokenizer of all bytes and a special token."""
    folder = tmp_path / "model"
    shutil.copytree(GOLDEN, folder, ignore=shutil.ignore_patterns("*.npz"))
    Tokenizer.train(["none"], vocab_size=257, special_tokens=["<|end|>"]).save(folder / "tokenizer.json")
    return folder


def continued(folder: Path, prompt: str, n: int, **options: object) -> tuple[list[int], str]:
    tokenizer, model = Tokenizer.load(folder), Transformer.load(folder)
    stop_ids = tokenizer.special_tokens.values()
    ids = list(generate(model, tokenizer.encode(prompt), max_new_tokens=n, stop_ids=stop_ids, **options))
    return ids, tokenizer.decode(ids)


def test_text_is_what_the_model_continues(model):
    _, text = continued(model, "to be", 30, temperature=0)
    shown = bytepair("generate", "--model", model, "--prompt", "to be", "--temperature", 0, "--max-new-tokens", 30)
    assert shown == text + "\n"
    options = ("--prompt", "to be", "--max-new-tokens", 30, "--temperature", 2, "--top-k", 50, "--top-p", 0.9)
    options += ("--min-p", 0.01, "--seed", 7)
    sampled = {"temperature": 2, "top_k": 50, "top_p": 0.9, "min_p": 0.01, "rng": np.random.default_rng(7)}
    ids, text = continued(model, "to be", 30, **sampled)
    for path in (model, model / "model.safetensors"):
        answer = json.loads(bytepair("generate", "--json", "--model", path, *options))
        rates = answer.pop("tokens_per_second")
        stopped = "length" if len(ids) == 30 else "special token"
        assert answer == {"prompt": "to be", "text": text, "ids": ids, "prompt_tokens": 5, "stopped": stopped}
        assert rates["prefill"] > 0 < rates["decode"]


def test_a_special_token_ends_the_text(model):
    tokenizer = Tokenizer.load(model)
    (end,) = tokenizer.special_tokens.values()
    # Some draws of so many come upon it: the model knows nothing.
    for seed in range(60):
        options = ("--seed", seed, "--temperature", 3, "--max-new-tokens", 100)
        ids, _ = continued(model, "a", 100, temperature=3, rng=np.random.default_rng(seed))
        if len(ids) < 100:
            break
    answer = json.loads(bytepair("generate", "--json", "--model", model, "--prompt", "a", *options))
    assert (answer["ids"], answer["stopped"]) == (ids, "special token")
    assert end not in ids
    options = ("--model", model, "--prompt", "a<|end|>b", "--json", "--max-new-tokens", 1)
    assert json.loads(bytepair("generate", *options))["prompt_tokens"] == 9
    assert json.loads(bytepair("generate", "-a", "all", *options))["prompt_tokens"] == 3


def test_speed_goes_to_stderr(model):
    command = [sys.executable, "-m", "bytepair", "generate", "--model", model, "--prompt", "to be", "--seed", "1"]
    done = subprocess.run([*command, "--max-new-tokens", "5"], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("5 tokens of prompt, ")
    assert done.stderr.count("/s") == 2


def test_ctrl_c_ends_the_line(model):
    config = json.loads((model / "config.json").read_text()) | {"max_position_embeddings": 10**6}
    (model / "config.json").write_text(json.dumps(config))
    (model / "tokenizer.json").unlink()
    # Without a special token there is no end but the limit.
    Tokenizer.train(["none"], vocab_size=257).save(model / "tokenizer.json")
    command = [
        sys.executable,
        "-m",
        "bytepair",
        "generate",
        "--model",
        str(model),
        "--prompt",
        "a",
        "--temperature",
        "2",
    ]
    with subprocess.Popen(
        [*command, "--max-new-tokens", "300000", "--seed", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        first = process.stdout.read(40)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(first) == 40
    assert rest.endswith(b"\n")
    assert errors == b"bytepair: interrupted\n"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--max-new-tokens", "200"], 1, "1 ids and 200 new ones are more than the context of 128 has room for"),
        (["--max-new-tokens", "0"], 2, "it must be 1 or more"),
        (["--temperature", "-1"], 2, "it must be 0 or more, not '-1'"),
        (["--temperature", "nan"], 2, "it must be 0 or more"),
        (["--top-p", "1.5"], 2, "it must be above 0, and at most 1, not '1.5'"),
        (["--top-p", "0"], 2, "it must be above 0, and at most 1, not '0'"),
        (["--min-p", "1.5"], 2, "it must be from 0 to 1"),
        (["--seed", "-1"], 2, "it must be a whole number, 0 or more, not '-1'"),
        (["--prompt", ""], 1, "the prompt has no tokens"),
        (["--model", "absent"], 1, "absent"),
    ],
)
def test_what_is_refused(options, code, message, model):
    shown = bytepair("generate", "--model", model, "--prompt", "a", *options, code=code)
    assert message in shown


def test_a_model_without_its_tokenizer(model):
    (model / "tokenizer.json").unlink()
    shown = bytepair("generate", "--model", model, "--prompt", "a", code=1)
    assert "the folder holds none of tokenizer.json" in shown
    Tokenizer.from_pretrained("gpt2").save(model / "tokenizer.json")
    shown = bytepair("generate", "--model", model, "--prompt", "hello", code=1)
    assert "row 0, position 0: the id 31373 is not in 0 ... 256" in shown
