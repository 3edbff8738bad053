"""Build the wheel, install it in a fresh environment, and use it there: `make wheel-check`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIMIT_MB = 6


def run(*command: object) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, cwd="/").stdout


def main() -> None:
    """Build, install, use; print the sizes."""
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder) / "wheels"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, ROOT)
        (wheel,) = wheels.glob("bytepair-*.whl")
        packed = wheel.stat().st_size / 1e6
        unpacked = sum(entry.file_size for entry in zipfile.ZipFile(wheel).infolist()) / 1e6
        print(f"{wheel.name}: {packed:.2f} MB, {unpacked:.2f} MB installed")
        assert f"-cp3{sys.version_info.minor}-cp3{sys.version_info.minor}" in wheel.name
        assert packed <= LIMIT_MB

        fresh = Path(folder) / "venv"
        venv.create(fresh, with_pip=True)
        run(fresh / "bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install", wheel)
        assert run(fresh / "bin/bytepair", "--version").startswith("bytepair ")
        code = (
            "import bytepair; t = bytepair.Tokenizer.train(['low lower lowest'] * 9, 270);"
            "assert t.decode(t.encode('lowest é')) == 'lowest é'; print(t)"
        )
        print(run(fresh / "bin/python", "-c", code).strip())
        print(
            "encode 'hello world' with gpt2:",
            run("sh", "-c", f"echo -n hello world | {fresh}/bin/bytepair encode").strip(),
        )


if __name__ == "__main__":
    main()
