"""Runs one case in this process and prints what came of it as JSON: `python child.py < case.json`."""

from __future__ import annotations

import ast
import json
import os
import resource
import sys

MIB = 2**20


def main() -> None:
    """Read a case, limit memory, run it, print the outcome."""
    case = json.load(sys.stdin)
    # A stack that overflows, or an abort, leaves no file behind.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(case["folder"])
    names: dict[str, object] = {"__name__": "__main__", "MIB": MIB, "FILES": case["files"]}
    exec(compile(case["helpers"], "helpers.py", "exec"), names)
    exec(compile(case["setup"], case["engine"], "exec"), names)
    # After the imports: the limit is for what the case does.
    resource.setrlimit(resource.RLIMIT_DATA, (case["memory"] * MIB,) * 2)
    answer = outcome(case["code"], names)
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
    # What a thread or a file still does shall not change the answer.
    os._exit(0)


def outcome(code: str, names: dict[str, object]) -> dict[str, object]:
    """Run the statements of a case; the value of the last, where it is an expression, is the answer."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    try:
        exec(compile(tree, "case", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), "case", "eval"), names)
    except NameError as error:
        # The library has no such call.
        return {"missing": error.name}
    except BaseException as error:
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        kind = type(error)
        return {
            "raised": kind.__name__,
            "module": kind.__module__,
            "ordinary": isinstance(error, Exception) or kind is KeyboardInterrupt,
            "message": f"{error}{notes}"[:2000],
        }
    return {"value": value if isinstance(value, bool) else repr(value)[:200]}


if __name__ == "__main__":
    main()
