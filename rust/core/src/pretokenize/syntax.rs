//! Reads a split regex into what an automaton can run: `\s+(?!\S)` and possessive marks are rewritten, where that is exact.

use regex_syntax::ast::{self, Ast, RepetitionKind, Visitor};
use regex_syntax::hir::translate::TranslatorBuilder;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

use crate::error::{Error, Result};

/// The one look-ahead in common use, and a group of the same length that parses in its place.
const LOOK_AHEAD: &str = r"(?!\S)";
const PLACEHOLDER: &str = r"(?:\z)";

/// The most look-aheads, and the most possessive marks: each takes another pass over the pattern.
const MAX_REWRITES: usize = 64;

/// A part of a pattern to be tried where those before it do not match.
pub(super) struct Part {
    pub(super) regex: Hir,
    /// Whether the match is the regex's less its last character.
    pub(super) gives_back: bool,
}

/// A pattern taken apart, in the order in which its alternatives are tried.
pub(super) struct Parsed {
    pattern: String,
    alternatives: Vec<Alternative>,
    /// Whether some alternative is not the plain regex it is written as.
    rewritten: bool,
}

enum Alternative {
    Regex(Ast),
    /// `\s+(?!\S)`, as its `\s+`.
    SpacesNotBeforeText(Ast),
}

impl Parsed {
    /// Reads a pattern and makes its possessive repetitions greedy.
    pub(super) fn new(pattern: &str) -> Result<Self> {
        let mut parsed = Self::written(pattern)?;
        parsed.resolve_possessive()?;
        if parsed.rewritten {
            parsed.refuse_top_level_flags()?;
        }
        Ok(parsed)
    }

    /// Reads a pattern, and leaves possessive repetitions as the parser sees them: repetitions of repetitions.
    pub(super) fn written(pattern: &str) -> Result<Self> {
        let (pattern, look_aheads, ast) = parse(pattern)?;
        ast::visit(&ast, Supported)?;
        let mut alternatives = Vec::new();
        flatten(&ast, &look_aheads, &mut alternatives);

        let mut found = alternatives.iter().filter_map(|alternative| match alternative {
            // The look-ahead starts where the spaces end.
            Alternative::SpacesNotBeforeText(spaces) => Some(spaces.span().end.offset),
            Alternative::Regex(_) => None,
        });
        if let Some(&stray) = look_aheads.iter().find(|&&at| found.next() != Some(at)) {
            return Err(Error::pattern(stray, look_ahead_message()));
        }
        Ok(Self { pattern, alternatives, rewritten: !look_aheads.is_empty() })
    }

    /// Walks the alternatives that stay plain regexes.
    pub(super) fn visit_regexes(&self, mut visit: impl FnMut(&Ast) -> Result<()>) -> Result<()> {
        self.alternatives.iter().try_for_each(|alternative| match alternative {
            Alternative::Regex(ast) => visit(ast),
            Alternative::SpacesNotBeforeText(_) => Ok(()),
        })
    }

    /// The pattern as parts without look-around.
    pub(super) fn parts(&self) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        for alternative in &self.alternatives {
            match alternative {
                Alternative::Regex(ast) => plain.push(ast.clone()),
                Alternative::SpacesNotBeforeText(spaces) => {
                    self.push_plain(&mut plain, &mut parts)?;
                    let spaces = self.translate(spaces)?;
                    // Greedy spaces back off until no text follows: never at the end of the text, else once. A single
                    // space with text after it does not match at all, hence the second `\s`.
                    let to_end = Hir::concat(vec![spaces.clone(), Hir::look(Look::End)]);
                    let before_text = Hir::concat(vec![spaces.clone(), spaces]);
                    parts.push(Part { regex: to_end, gives_back: false });
                    parts.push(Part { regex: before_text, gives_back: true });
                }
            }
        }
        self.push_plain(&mut plain, &mut parts)?;
        Ok(parts)
    }

    /// Moves the alternatives in `plain` to one part.
    fn push_plain(&self, plain: &mut Vec<Ast>, parts: &mut Vec<Part>) -> Result<()> {
        let Some(first) = plain.first() else { return Ok(()) };
        let asts = ast::Alternation { span: *first.span(), asts: std::mem::take(plain) };
        parts.push(Part { regex: self.translate(&Ast::alternation(asts))?, gives_back: false });
        Ok(())
    }

    /// Turns possessive repetitions into greedy ones, or fails where that is not known to be the same.
    fn resolve_possessive(&mut self) -> Result<()> {
        let mut n_possessive = 0;
        for index in 0..self.alternatives.len() {
            let Some(Alternative::Regex(ast)) = self.alternatives.get(index) else { continue };
            let mut items = match ast {
                Ast::Concat(concat) => concat.asts.clone(),
                other => vec![other.clone()],
            };
            let span = *ast.span();
            let mut changed = false;
            // From the right, so that what follows is plain already.
            for at in (0..items.len()).rev() {
                let Some(greedy) = items.get(at).and_then(greedy_of) else { continue };
                n_possessive += 1;
                if n_possessive > MAX_REWRITES {
                    return Err(Error::pattern(greedy.span().end.offset, too_many_message("possessive marks")));
                }
                let follow = ast::Concat { span, asts: items.get(at + 1..).unwrap_or_default().to_vec() };
                if !self.gives_back_in_vain(&greedy, &Ast::concat(follow))? {
                    return Err(Error::pattern(greedy.span().end.offset, possessive_message()));
                }
                if let Some(item) = items.get_mut(at) {
                    *item = greedy;
                    changed = true;
                }
            }
            if changed && let Some(alternative) = self.alternatives.get_mut(index) {
                *alternative = Alternative::Regex(Ast::concat(ast::Concat { span, asts: items }));
                self.rewritten = true;
            }
        }
        self.visit_regexes(|ast| ast::visit(ast, NoPossessive))
    }

    /// Whether a greedy repetition before `follow` never succeeds by giving something back, hence is possessive as it is.
    fn gives_back_in_vain(&self, greedy: &Ast, follow: &Ast) -> Result<bool> {
        let follow = self.translate(follow)?;
        if always_matches(&follow) {
            return Ok(true);
        }
        let Ast::Repetition(repetition) = greedy else { return Ok(false) };
        let (Some(mut repeated), Some(first)) = (char_class(&self.translate(&repetition.ast)?), first_chars(&follow))
        else {
            return Ok(false);
        };
        // What is given back is a repeated character, and no match of `follow` begins with one.
        repeated.intersect(&first);
        Ok(repeated.ranges().is_empty())
    }

    /// Flags for the rest of a group would be lost when its alternatives are compiled apart.
    fn refuse_top_level_flags(&self) -> Result<()> {
        self.visit_regexes(|ast| match flags_of_rest(ast) {
            Some(flags) => Err(Error::pattern(
                flags.span().start.offset,
                "flags for the rest of a pattern cannot stand beside look-ahead or possessive marks; \
                 give them to a group, as in (?i:...)",
            )),
            None => Ok(()),
        })
    }

    pub(super) fn translate(&self, ast: &Ast) -> Result<Hir> {
        TranslatorBuilder::new()
            .utf8(true)
            .build()
            .translate(&self.pattern, ast)
            .map_err(|error| Error::pattern(error.span().start.offset, format!("unusable pattern: {}", error.kind())))
    }
}

/// Parses `pattern` with each [`LOOK_AHEAD`] replaced, and says where they were. Positions stay as they are.
fn parse(pattern: &str) -> Result<(String, Vec<usize>, Ast)> {
    let mut pattern = pattern.to_owned();
    let mut look_aheads = Vec::new();
    loop {
        // The parser finds them for us: it knows what is inside a set or escaped.
        let error = match ast::parse::Parser::new().parse(&pattern) {
            Ok(ast) => return Ok((pattern, look_aheads, ast)),
            Err(error) => error,
        };
        let at = error.span().start.offset;
        match error.kind() {
            ast::ErrorKind::UnsupportedLookAround => {
                if !pattern.get(at..).is_some_and(|rest| rest.starts_with(LOOK_AHEAD)) {
                    return Err(Error::pattern(at, look_ahead_message()));
                }
                if look_aheads.len() == MAX_REWRITES {
                    return Err(Error::pattern(at, too_many_message("look-aheads")));
                }
                pattern.replace_range(at..at + LOOK_AHEAD.len(), PLACEHOLDER);
                look_aheads.push(at);
            }
            ast::ErrorKind::UnsupportedBackreference => {
                return Err(Error::pattern(
                    at,
                    "back-references cannot be matched in linear time; write out the alternatives",
                ));
            }
            kind => return Err(Error::pattern(at, format!("malformed pattern: {kind}"))),
        }
    }
}

/// Puts the alternatives of `ast` on a list, through groups that do nothing but hold them.
fn flatten(ast: &Ast, look_aheads: &[usize], alternatives: &mut Vec<Alternative>) {
    match ast {
        Ast::Alternation(alternation) => {
            alternation.asts.iter().for_each(|ast| flatten(ast, look_aheads, alternatives));
        }
        Ast::Group(group) if is_transparent(group) && !look_aheads.contains(&group.span.start.offset) => {
            flatten(&group.ast, look_aheads, alternatives);
        }
        ast => alternatives.push(match spaces_not_before_text(ast, look_aheads) {
            Some(spaces) => Alternative::SpacesNotBeforeText(spaces),
            None => Alternative::Regex(ast.clone()),
        }),
    }
}

/// Whether a group could be left out. One with flags sets them for what is in it, wherever they stand.
fn is_transparent(group: &ast::Group) -> bool {
    let holds = match &group.kind {
        ast::GroupKind::CaptureIndex(_) => true,
        ast::GroupKind::CaptureName { .. } => false,
        ast::GroupKind::NonCapturing(flags) => flags.items.is_empty(),
    };
    let alternatives = match &*group.ast {
        Ast::Alternation(alternation) => alternation.asts.as_slice(),
        other => std::slice::from_ref(other),
    };
    holds && alternatives.iter().all(|ast| flags_of_rest(ast).is_none())
}

/// The flags that an alternative sets for the rest of the group that it is in.
fn flags_of_rest(alternative: &Ast) -> Option<&Ast> {
    let items = match alternative {
        Ast::Concat(concat) => concat.asts.as_slice(),
        other => std::slice::from_ref(other),
    };
    items.iter().find(|item| matches!(item, Ast::Flags(_)))
}

/// The `\s+` of an alternative that was written `\s+(?!\S)`.
fn spaces_not_before_text(ast: &Ast, look_aheads: &[usize]) -> Option<Ast> {
    let Ast::Concat(concat) = ast else { return None };
    let [spaces @ Ast::Repetition(repetition), Ast::Group(group)] = concat.asts.as_slice() else { return None };
    let Ast::ClassPerl(class) = &*repetition.ast else { return None };
    let is_spaces = repetition.greedy
        && repetition.op.kind == RepetitionKind::OneOrMore
        && class.kind == ast::ClassPerlKind::Space
        && !class.negated;
    (is_spaces && look_aheads.contains(&group.span.start.offset)).then(|| spaces.clone())
}

/// The greedy repetition inside a possessive one. The parser takes the mark for a second repetition.
fn greedy_of(ast: &Ast) -> Option<Ast> {
    let Ast::Repetition(outer) = ast else { return None };
    let Ast::Repetition(inner) = &*outer.ast else { return None };
    let is_possessive = outer.greedy && inner.greedy && outer.op.kind == RepetitionKind::OneOrMore;
    (is_possessive && !matches!(&*inner.ast, Ast::Repetition(_))).then(|| (*outer.ast).clone())
}

/// Whether `hir` matches the empty string wherever it is tried.
fn always_matches(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
        HirKind::Repetition(repetition) => repetition.min == 0 || always_matches(&repetition.sub),
        HirKind::Capture(capture) => always_matches(&capture.sub),
        HirKind::Concat(hirs) => hirs.iter().all(always_matches),
        HirKind::Alternation(hirs) => hirs.iter().any(always_matches),
    }
}

/// The characters a match of `hir` can begin with, if it cannot be empty before some other character.
fn first_chars(hir: &Hir) -> Option<ClassUnicode> {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Class(_) => char_class(hir).or_else(|| literal_first(hir)),
        HirKind::Look(Look::End) => Some(ClassUnicode::empty()),
        HirKind::Look(_) | HirKind::Empty => None,
        HirKind::Repetition(repetition) if repetition.min > 0 => first_chars(&repetition.sub),
        HirKind::Repetition(_) => None,
        HirKind::Capture(capture) => first_chars(&capture.sub),
        HirKind::Concat(hirs) => {
            let mut all = ClassUnicode::empty();
            for hir in hirs {
                if let Some(class) = first_chars(hir) {
                    all.union(&class);
                    return Some(all);
                }
                // Something optional: what it can begin with counts, and so does what comes after.
                let HirKind::Repetition(repetition) = hir.kind() else { return None };
                all.union(&first_chars(&repetition.sub)?);
            }
            None
        }
        HirKind::Alternation(hirs) => hirs.iter().try_fold(ClassUnicode::empty(), |mut all, hir| {
            all.union(&first_chars(hir)?);
            Some(all)
        }),
    }
}

/// The characters that `hir` matches, if it matches one character.
fn char_class(hir: &Hir) -> Option<ClassUnicode> {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class.clone()),
        HirKind::Class(Class::Bytes(class)) => class.to_unicode_class(),
        HirKind::Literal(literal) if std::str::from_utf8(&literal.0).ok()?.chars().count() == 1 => literal_first(hir),
        HirKind::Capture(capture) => char_class(&capture.sub),
        _ => None,
    }
}

fn literal_first(hir: &Hir) -> Option<ClassUnicode> {
    let HirKind::Literal(literal) = hir.kind() else { return None };
    let first = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
    Some(ClassUnicode::new([ClassUnicodeRange::new(first, first)]))
}

fn look_ahead_message() -> &'static str {
    r"look-around cannot be matched in linear time, but for one form: an alternative that reads \s+(?!\S)"
}

fn too_many_message(what: &str) -> String {
    format!("a pattern of more than {MAX_REWRITES} {what}; split it into stages")
}

fn possessive_message() -> &'static str {
    "this possessive mark may change what matches, which cannot be matched in linear time; \
     remove the mark, or let it repeat one set of characters that cannot begin what follows"
}

/// Refuses what the parser takes and the automaton cannot run, or what would change how the rest reads.
struct Supported;

impl Visitor for Supported {
    type Output = ();
    type Err = Error;

    fn finish(self) -> Result<()> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<()> {
        let flags = match ast {
            Ast::Assertion(assertion) => {
                return match assertion.kind {
                    ast::AssertionKind::StartLine
                    | ast::AssertionKind::EndLine
                    | ast::AssertionKind::StartText
                    | ast::AssertionKind::EndText => Ok(()),
                    _ => Err(Error::pattern(
                        assertion.span.start.offset,
                        "word boundaries are not supported; write the characters on either side as sets",
                    )),
                };
            }
            Ast::Flags(flags) => Some(&flags.flags),
            Ast::Group(group) => group.flags(),
            _ => None,
        };
        let unusable = [ast::Flag::IgnoreWhitespace, ast::Flag::SwapGreed];
        match flags.filter(|flags| unusable.iter().any(|&flag| flags.flag_state(flag).is_some())) {
            Some(flags) => Err(Error::pattern(
                flags.span.start.offset,
                "the flags x and U are not supported; write the pattern without them",
            )),
            None => Ok(()),
        }
    }
}

/// Refuses a repetition of a repetition: what is left of them stands where a possessive mark cannot be resolved.
struct NoPossessive;

impl Visitor for NoPossessive {
    type Output = ();
    type Err = Error;

    fn finish(self) -> Result<()> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<()> {
        match ast {
            Ast::Repetition(outer) if matches!(&*outer.ast, Ast::Repetition(_)) => {
                Err(Error::pattern(outer.op.span.start.offset, possessive_message()))
            }
            _ => Ok(()),
        }
    }
}
