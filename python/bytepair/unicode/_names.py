"""What a character is called, and what is seen when it is printed."""

from __future__ import annotations

import unicodedata

# Control characters have no name of their own; these are the aliases that the standard lists for them.
_CONTROLS = dict(
    zip(
        [*range(0x20), *range(0x7F, 0xA0)],
        """NULL, START OF HEADING, START OF TEXT, END OF TEXT, END OF TRANSMISSION, ENQUIRY, ACKNOWLEDGE, ALERT,
        BACKSPACE, CHARACTER TABULATION, LINE FEED, LINE TABULATION, FORM FEED, CARRIAGE RETURN, SHIFT OUT, SHIFT IN,
        DATA LINK ESCAPE, DEVICE CONTROL ONE, DEVICE CONTROL TWO, DEVICE CONTROL THREE, DEVICE CONTROL FOUR,
        NEGATIVE ACKNOWLEDGE, SYNCHRONOUS IDLE, END OF TRANSMISSION BLOCK, CANCEL, END OF MEDIUM, SUBSTITUTE, ESCAPE,
        INFORMATION SEPARATOR FOUR, INFORMATION SEPARATOR THREE, INFORMATION SEPARATOR TWO, INFORMATION SEPARATOR ONE,
        DELETE, PADDING CHARACTER, HIGH OCTET PRESET, BREAK PERMITTED HERE, NO BREAK HERE, INDEX, NEXT LINE,
        START OF SELECTED AREA, END OF SELECTED AREA, CHARACTER TABULATION SET,
        CHARACTER TABULATION WITH JUSTIFICATION, LINE TABULATION SET, PARTIAL LINE FORWARD, PARTIAL LINE BACKWARD,
        REVERSE LINE FEED, SINGLE SHIFT TWO, SINGLE SHIFT THREE, DEVICE CONTROL STRING, PRIVATE USE ONE,
        PRIVATE USE TWO, SET TRANSMIT STATE, CANCEL CHARACTER, MESSAGE WAITING, START OF GUARDED AREA,
        END OF GUARDED AREA, START OF STRING, SINGLE GRAPHIC CHARACTER INTRODUCER, SINGLE CHARACTER INTRODUCER,
        CONTROL SEQUENCE INTRODUCER, STRING TERMINATOR, OPERATING SYSTEM COMMAND, PRIVACY MESSAGE,
        APPLICATION PROGRAM COMMAND""".replace("\n       ", "").split(", "),
        strict=True,
    )
)

# What a terminal does on these, where it prints nothing.
_ACTIONS = {
    "\a": "rings the bell",
    "\b": "moves back one column",
    "\t": "moves to the next tab stop",
    "\n": "begins a new line",
    "\v": "moves one line down",
    "\f": "moves one line down, or begins a page",
    "\r": "moves to the start of the line",
    "\x1b": "begins a command to the terminal",
    "\x84": "moves one line down",
    "\x85": "begins a new line",
    "\x8d": "moves one line up",
    "\x90": "begins a command to the terminal",
    "\x9b": "begins a command to the terminal",
    "\x9d": "begins a command to the terminal",
    "\xad": "nothing, or a hyphen where the line ends",
    "\u2028": "nothing, or a new line",
    "\u2029": "nothing, or a new line",
}

_BY_CATEGORY = {
    "Cc": "nothing: it is invisible, not absent",
    "Cf": "nothing, but may change how others look",
    "Cn": "a box or nothing: no character yet",
    "Co": "what the font has for private use",
    "Cs": "an error: half a UTF-16 pair",
    "Mc": "joined to the character before",
    "Me": "around the character before",
    "Mn": "on the character before",
    "Zs": "a blank",
}


def name_of(char: str) -> str:
    """Return the name of a character, the alias of a control character, or the standard's label, in angle brackets."""
    code_point = ord(char)
    name = unicodedata.name(char, None) or _CONTROLS.get(code_point)
    if name is not None:
        return name
    category = unicodedata.category(char)
    if category == "Cn" and (code_point & 0xFFFE == 0xFFFE or 0xFDD0 <= code_point <= 0xFDEF):
        return f"<noncharacter-{code_point:04X}>"
    kinds = {"Cs": "surrogate", "Co": "private-use"}
    return f"<{kinds.get(category, 'reserved')}-{code_point:04X}>"


def printed(char: str) -> str:
    """Return what is seen when a character is printed, in a few words; the character where it is seen itself."""
    return _ACTIONS.get(char) or _BY_CATEGORY.get(unicodedata.category(char)) or char
