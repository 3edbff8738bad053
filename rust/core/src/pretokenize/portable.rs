//! Tells whether a split regex means the same to Oniguruma, the engine of Hugging Face's tokenizers, as it does here.
//!
//! Oniguruma reads Ruby's syntax: `$` holds at every line end, `\h` is a hexadecimal digit, `{1,3}+` repeats a repetition,
//! `(?m)` is about dots. So only constructs known to be the same are let through.

use regex_syntax::ast::{self, Ast, ClassSet, ClassSetItem, ClassUnicodeKind, LiteralKind, RepetitionKind, Visitor};
use regex_syntax::ast::{RepetitionRange, Span, SpecialLiteralKind};

use super::syntax::Parsed;
use crate::error::{Error, Result};

/// The general categories and scripts that go by the same name in both engines.
const PROPERTIES: &[&str] = &[
    "L",
    "Lu",
    "Ll",
    "Lt",
    "Lm",
    "Lo",
    "M",
    "Mn",
    "Mc",
    "Me",
    "N",
    "Nd",
    "Nl",
    "No",
    "P",
    "Pc",
    "Pd",
    "Ps",
    "Pe",
    "Pi",
    "Pf",
    "Po",
    "S",
    "Sm",
    "Sc",
    "Sk",
    "So",
    "Z",
    "Zs",
    "Zl",
    "Zp",
    "Arabic",
    "Armenian",
    "Bengali",
    "Cyrillic",
    "Devanagari",
    "Georgian",
    "Greek",
    "Han",
    "Hangul",
    "Hebrew",
    "Hiragana",
    "Katakana",
    "Khmer",
    "Latin",
    "Tamil",
    "Telugu",
    "Thai",
];

/// Fails at the first construct of `regex` that is not known to mean the same in Oniguruma.
pub(super) fn check(regex: &str) -> Result<()> {
    let parsed = Parsed::written(regex)?;
    parsed.visit_regexes(|alternative| {
        ast::visit(alternative, Portable { parsed: &parsed })?;
        // There, an empty match cuts the text; here, it does nothing.
        refuse_empty(&parsed, alternative, "an alternative that can match nothing")
    })
}

fn refuse_empty(parsed: &Parsed, ast: &Ast, what: &str) -> Result<()> {
    match parsed.translate(ast)?.properties().minimum_len() {
        Some(0) => refuse(ast.span(), what),
        _ => Ok(()),
    }
}

fn refuse(span: &Span, what: &str) -> Result<()> {
    let advice = "is not known to mean the same in Hugging Face's regex engine";
    Err(Error::pattern(span.start.offset, format!("{what} {advice}; rewrite the pattern without it")))
}

struct Portable<'p> {
    parsed: &'p Parsed,
}

impl Visitor for Portable<'_> {
    type Output = ();
    type Err = Error;

    fn finish(self) -> Result<()> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<()> {
        match ast {
            Ast::Empty(_) | Ast::Alternation(_) | Ast::Concat(_) | Ast::ClassPerl(_) | Ast::ClassBracketed(_) => {
                check_sets(ast)
            }
            Ast::Literal(literal) => check_literal(literal, &['[', ']', '{', '}']),
            Ast::ClassUnicode(class) => check_property(class),
            Ast::Repetition(repetition) => {
                if let RepetitionKind::Range(range) = &repetition.op.kind
                    && (!repetition.greedy || matches!(range, RepetitionRange::Bounded(0, 0)))
                {
                    return refuse(&repetition.op.span, "a lazy or empty count");
                }
                if matches!(&*repetition.ast, Ast::Repetition(_)) {
                    return refuse(&repetition.op.span, "a repetition of a repetition");
                }
                refuse_empty(self.parsed, &repetition.ast, "a repetition of what can match nothing")
            }
            Ast::Group(group) => match &group.kind {
                ast::GroupKind::CaptureIndex(_) => Ok(()),
                ast::GroupKind::NonCapturing(flags) if flags.items.is_empty() => Ok(()),
                _ => refuse(&group.span, "a group with a name or flags"),
            },
            Ast::Dot(span) => refuse(span, "a dot"),
            Ast::Flags(flags) => refuse(&flags.span, "a flag"),
            Ast::Assertion(assertion) => refuse(&assertion.span, "an assertion"),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<()> {
        match item {
            ClassSetItem::Empty(span) => refuse(span, "an empty set"),
            ClassSetItem::Literal(literal) => check_literal(literal, &['[', ']']),
            ClassSetItem::Range(range) => {
                check_literal(&range.start, &['[', ']', '-'])?;
                check_literal(&range.end, &['[', ']', '-'])
            }
            ClassSetItem::Unicode(class) => check_property(class),
            ClassSetItem::Ascii(class) => refuse(&class.span, "a POSIX class"),
            ClassSetItem::Bracketed(set) => refuse(&set.span, "a set inside a set"),
            ClassSetItem::Perl(class) => check_perl(class),
            ClassSetItem::Union(_) => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ast::ClassSetBinaryOp) -> Result<()> {
        refuse(&op.span, "an operation on sets")
    }
}

/// Checks what can be seen of a class from outside: `\w` is one of its own, and a bare `-` belongs at the edge of a set.
fn check_sets(ast: &Ast) -> Result<()> {
    match ast {
        Ast::ClassPerl(class) => check_perl(class),
        Ast::ClassBracketed(class) => {
            let ClassSet::Item(ClassSetItem::Union(union)) = &class.kind else { return Ok(()) };
            let inner = union.items.get(1..union.items.len().saturating_sub(1)).unwrap_or_default();
            let is_dash = |item: &&ClassSetItem| matches!(item, ClassSetItem::Literal(literal) if literal.c == '-' && literal.kind == LiteralKind::Verbatim);
            inner.iter().find(is_dash).map_or(Ok(()), |dash| refuse(dash.span(), "a bare - inside a set"))
        }
        _ => Ok(()),
    }
}

fn check_perl(class: &ast::ClassPerl) -> Result<()> {
    match class.kind {
        ast::ClassPerlKind::Space | ast::ClassPerlKind::Digit => Ok(()),
        ast::ClassPerlKind::Word => refuse(&class.span, r"\w"),
    }
}

fn check_property(class: &ast::ClassUnicode) -> Result<()> {
    match &class.kind {
        ClassUnicodeKind::Named(name) if PROPERTIES.contains(&name.as_str()) => Ok(()),
        _ => refuse(&class.span, "this property"),
    }
}

/// Checks a literal character, which must not be one of `special` without a backslash.
fn check_literal(literal: &ast::Literal, special: &[char]) -> Result<()> {
    match &literal.kind {
        LiteralKind::Verbatim if !special.contains(&literal.c) => Ok(()),
        // GNU's anchors, in some of Oniguruma's syntaxes.
        LiteralKind::Superfluous if matches!(literal.c, '`' | '\'') => refuse(&literal.span, "this escape"),
        LiteralKind::Meta | LiteralKind::Superfluous => Ok(()),
        LiteralKind::Special(
            SpecialLiteralKind::Tab | SpecialLiteralKind::LineFeed | SpecialLiteralKind::CarriageReturn,
        ) => Ok(()),
        LiteralKind::Verbatim => refuse(&literal.span, "this character without a backslash"),
        _ => refuse(&literal.span, "this escape"),
    }
}
