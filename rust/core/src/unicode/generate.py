"""Write class_table.rs: the character class of every code point, as a two-stage table.

    pip install unicodedata2==16.0.0 && python rust/core/src/unicode/generate.py

The general category comes from `unicodedata2`, whose release number is its Unicode version. White_Space is spelled
out below: `str.isspace` is a different set (it has U+001C..U+001F), and Unicode promises that the property only ever
changes with a new version of the standard, which would change this file anyway.
"""

from pathlib import Path

import unicodedata2

VERSION = "16.0.0"
COMMAND = f"pip install unicodedata2=={VERSION} && python rust/core/src/unicode/generate.py"
PAGE = 256
ROW = 64

# PropList.txt, White_Space: 25 code points.
WHITE_SPACE = {
    *range(0x0009, 0x000E), 0x0020, 0x0085, 0x00A0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F,
    0x3000,
}  # fmt: skip

# One letter for each class, so that a row of the table reads as text.
NAMES = {
    "C": "Newline",
    "S": "Space",
    "W": "Whitespace",
    "U": "Upper",
    "L": "Lower",
    "X": "OtherLetter",
    "M": "Mark",
    "N": "Number",
    "O": "Other",
}


def class_of(code_point: int) -> str:
    """Return the letter of a code point's class."""
    if code_point in (0x0A, 0x0D):
        return "C"
    if code_point == 0x20:
        return "S"
    if code_point in WHITE_SPACE:
        return "W"
    category = unicodedata2.category(chr(code_point))
    if category in ("Lu", "Lt"):
        return "U"
    if category == "Ll":
        return "L"
    return {"L": "X", "M": "M", "N": "N"}.get(category[0], "O")


def main() -> None:
    """Write the table next to this script."""
    assert unicodedata2.unidata_version == VERSION, unicodedata2.unidata_version
    assert len(WHITE_SPACE) == 25
    pages: dict[str, int] = {}
    index = []
    for start in range(0, 0x110000, PAGE):
        page = "".join(map(class_of, range(start, start + PAGE)))
        index.append(pages.setdefault(page, len(pages)))
    assert len(pages) <= 256, "a page number must fit a byte"

    lines = [
        f"//! The class of every code point of Unicode {VERSION}. Generated; do not edit. To make it again:",
        f"//! `{COMMAND}`",
        "",
        "use super::Class;",
        "",
        "/// The version of the Unicode character database behind every class.",
        f'pub const UNICODE_VERSION: &str = "{VERSION}";',
        "",
        *(f"const {letter}: Class = Class::{name};" for letter, name in NAMES.items()),
        "",
        "/// Which of [`PAGES`] describes the code points that share all but their low 8 bits.",
        "#[rustfmt::skip]",
        f"pub(super) static INDEX: [u8; {len(index)}] = [",
        *("    " + ",".join(map(str, index[i : i + ROW])) + "," for i in range(0, len(index), ROW)),
        "];",
        "",
        "/// The distinct pages of 256 classes.",
        "#[rustfmt::skip]",
        f"pub(super) static PAGES: [[Class; {PAGE}]; {len(pages)}] = [",
    ]
    for page in pages:
        rows = [",".join(page[i : i + ROW]) for i in range(0, PAGE, ROW)]
        lines += [f"    [{rows[0]},", *(f"     {row}," for row in rows[1:-1]), f"     {rows[-1]}],"]
    lines += ["];", ""]
    Path(__file__).with_name("class_table.rs").write_text("\n".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
