"""`bytepair account`: what it prints, draws and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bytepair import accounting
from bytepair.accounting.report import Report
from bytepair.transformer import Config

MODELS = Path(__file__).parent / "data" / "models"
SIZES = ("small", "medium", "large", "xl")


def account(*arguments: object, code: int = 0, environment: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", "bytepair", "account", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def test_what_the_notes_ask():
    shown = account("gpt2-xl-notes")
    for figure in (
        # Parameters, bytes; FLOPs by component, then with the pairs that the mask allows, then of the last logits.
        ("2,127,057,600", "8.508 GB = 7.924 GiB", "4.254 GB"),
        ("754,974,720,000", "161,061,273,600", "251,658,240,000", "3,019,898,880,000", "164,682,137,600"),
        ("4,513,336,524,800", "4,352,432,537,600", "4,348,815,209,600"),
        # The cache; training: memory, batch, time; lengths at which attention overtakes.
        ("614,400 bytes a token", "629.146 MB = 600.000 MiB"),
        ("largest batch: 2 in 80 GB · 2 in 80 GiB", "6,583.6 days", "6,224 hours"),
        ("13,324", "26,647"),
        # What the notes say, and what they leave out.
        ("2,004,177,600  noted", "122,880,000", "8,016,710,400", "1,924,479,385,600  noted", "503,316,480,000"),
    ):
        for part in figure:
            assert part in shown
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines == [line.rstrip() for line in lines]


def test_models_beside_each_other():
    shown = account("gpt2-xl-notes", "--seq-len", 16_384, "--compare", *SIZES)
    # Of the two names of XL, the one that was compared.
    table = shown.partition("1,024 tokens, shares in %")[2].splitlines()
    assert [line.split()[0] for line in table[1:5]] == list(SIZES)
    assert table[5].startswith("16,384 tokens, shares in %")
    assert "149,522,795,724,800" in shown
    assert "more than its context of 1,024" in shown
    for words in ("From small to xl, at 1,024 tokens: 12.91 times", "head 22.61 to 3.65", "ffn 49.75 to 66.91"):
        assert words in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80


def test_the_smallest_comes_first_and_notes_are_of_one_model():
    shown = account("tinystories", "--compare", "small-8/3", "gpt2-small", "smollm2-135m")
    table = shown.partition("256 tokens, shares in %")[2].splitlines()
    assert [line.split()[0] for line in table[1:5]] == ["tinystories", "gpt2-small", "smollm2-135m", "small-8/3"]
    assert "noted" not in shown


def test_for_a_program():
    found = json.loads(account("gpt2-xl-notes", "--json", "--compare", "small"))
    assert found == json.loads(json.dumps(Report("gpt2-xl-notes", *xl(), {"small": Config.preset("small")}).as_dict()))
    assert found["parameters"]["total"] == 2_127_057_600
    assert found["forward_flops"]["full"]["total"] == 4_513_336_524_800
    assert found["forward_flops"]["exact"]["total"] == 4_352_432_537_600
    assert found["scaling"]["crossover"]["gpt2-xl-notes"] == {"full": 13_324, "exact": 26_647}
    assert found["max_batch"] == {"80 GB": 2, "80 GiB": 2}
    assert [note["ours"] for note in found["notes"] if note["what"] == "Parameters"] == [2_127_057_600]
    assert "roofline" not in found


def xl() -> tuple[Config, int]:
    return Config.preset("gpt2-xl-notes"), 1024


@pytest.mark.parametrize("name", ["llama-mha", "llama-gqa-tied", "gpt2", "qwen2"])
def test_a_config_of_hugging_face(name: str):
    golden = json.loads((MODELS / name / "flops.json").read_text())
    found = json.loads(account(MODELS / name / "config.json", "--json", "--seq-len", golden["seq_len"]))
    assert found["parameters"]["total"] == golden["parameters"]
    assert golden["batch"] * found["forward_flops"]["full"]["total"] == golden["matmul_flops"]


def test_files_are_called_by_their_folders(tmp_path):
    paths = [MODELS / name / "config.json" for name in ("gpt2", "qwen2")]
    found = json.loads(account(paths[0], "--compare", paths[1], "--json"))
    assert found["name"] == "gpt2/config.json"
    assert set(found["scaling"]["crossover"]) == {"gpt2/config.json", "qwen2/config.json"}
    other = tmp_path / "gpt2" / "config.json"
    other.parent.mkdir()
    other.write_text(paths[1].read_text())
    found = json.loads(account(paths[0], "--compare", other, "--json"))
    assert set(found["scaling"]["crossover"]) == {str(paths[0]), str(other)}


def test_a_picture(tmp_path):
    path = tmp_path / "shares.png"
    path.write_text("an older one")
    account("xl", "--compare", *SIZES, "--plot", path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [*tmp_path.iterdir()] == [path], "nothing is left beside it"


def test_a_picture_shows_what_the_tables_say():
    found = accounting.scaling({name: Config.preset(name) for name in SIZES}, [1024, 16_384])
    text = accounting.picture(found, "svg").decode()
    # Letters are drawn as shapes, but what they say stands beside them.
    for shown in ("small", "350 GFLOP", "4.51 TFLOP", "22.6", "66.9", "32.3", "at 13,324 tokens,", "16,384"):
        assert f"<!-- {shown}" in text
    one = accounting.scaling({"xl": Config.preset("xl")}, [1024])
    assert accounting.picture(one, "pdf").startswith(b"%PDF")


def test_a_picture_without_matplotlib(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError(name='matplotlib')\n")
    command = "import sys; sys.path.insert(0, sys.argv.pop(1)); from bytepair.cli import main; sys.exit(main())"
    arguments = [tmp_path, "account", "xl", "--plot", tmp_path / "x.png"]
    done = subprocess.run([sys.executable, "-c", command, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'bytepair[plot]'" in done.stderr
    assert not (tmp_path / "x.png").exists()


def test_the_roofline():
    shown = account("tinystories", "--roofline", "--seq-len", 64)
    assert "read 64 tokens" in shown
    assert "make a token after 64" in shown
    assert "of bound" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["gpt5"], 1, "there is no preset 'gpt5'; there are gpt2-xl-notes"),
        (["xl", "--compare", "gpt5"], 1, "there is no preset 'gpt5'"),
        (["nowhere/config.json"], 1, "No such file or directory: 'nowhere/config.json'"),
        (["xl", "--plot", "shares.xyz"], 1, "a picture can be one of"),
        (["xl", "--plot", "nowhere/shares.png"], 1, "nowhere"),
        (["xl", "--seq-len", "0"], 2, "it must be 1 or more, not '0'"),
        (["xl", "--seq-len", "many"], 2, "it must be 1 or more, not 'many'"),
        (["xl", "--seq-len", 2**31], 2, "the most is 2147483647"),
        ([], 2, "NAME|PATH"),
    ],
)
def test_what_is_refused(arguments: list[object], code: int, message: str):
    assert message in account(*arguments, code=code)


def test_a_config_that_is_not_modelled(tmp_path):
    path = tmp_path / "config.json"
    said = json.loads((MODELS / "llama-mha" / "config.json").read_text())
    path.write_text(json.dumps(said | {"model_type": "mamba"}))
    shown = account(path, code=1)
    assert "$.model_type: 'mamba'" in shown
    assert str(path) in shown
    path.write_text("{")
    assert "not valid JSON" in account(path, code=1)
