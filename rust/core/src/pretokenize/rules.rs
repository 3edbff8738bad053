//! The presets, as data: which rules each splits by, and the regexes known to mean the same.

/// How one split pattern decides. Every preset the scanner runs is a value of this type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rules {
    pub(super) contractions: Contractions,
    pub(super) words: Words,
    pub(super) digits: Digits,
    pub(super) tail: Tail,
    pub(super) whitespace: Whitespace,
}

/// What becomes of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Contractions {
    /// A pretoken of its own, in lower case only.
    ApartLowercase,
    /// A pretoken of its own, in either case; `'ſ` (U+017F) counts, as it folds to `'s`.
    ApartAnyCase,
    /// The end of the word before it, in either case.
    Suffix,
}

/// What a word is, and which character before it belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Words {
    /// ` ?\p{L}+`: letters, after at most a space.
    AfterSpace,
    /// `[^\r\n\p{L}\p{N}]?\p{L}+`: letters, after at most one character that is no line end, letter or number.
    AfterAny,
    /// As [`AfterAny`](Self::AfterAny), but a word is capitals, then small letters, and marks are letters too.
    Cased,
}

/// How numbers are grouped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Digits {
    /// ` ?\p{N}+`: any number of digits, after at most a space.
    AfterSpace,
    /// `\p{N}{1,n}`: groups of at most n, counted from the start of the run.
    UpTo(u8),
}

/// What ends a run of punctuation, ` ?[^\s\p{L}\p{N}]+`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tail {
    /// Nothing but its last character.
    None,
    /// `[\r\n]*`.
    Newlines,
    /// `[\r\n/]*`.
    NewlinesAndSlashes,
}

/// Where a run of whitespace ends, once no other rule wants its start.
///
/// What is common to all: a run before some other character leaves its last character to that, if it has two or more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whitespace {
    /// Line ends are not special.
    Plain,
    /// Through its last line end, if it has one, wherever the run stands.
    NewlinesFirst,
    /// At the end of the text the run is one pretoken; elsewhere through its last line end, if it has one.
    EndFirst,
}

/// A named split pattern for the scanner.
pub(super) struct Preset {
    pub(super) name: &'static str,
    pub(super) rules: Rules,
    spellings: &'static [Spelling],
}

/// One regex for a family of presets that differ only in how they group digits.
struct Spelling {
    /// The regex of the family's eldest.
    regex: &'static str,
    /// The alternative in `regex` that matches numbers.
    digits: &'static str,
    /// Whether Hugging Face's engine, Oniguruma, understands `regex` the same way. There, `\p{N}{1,3}+` repeats the
    /// group, and `$` holds at the end of each line.
    hugging_face: bool,
}

impl Preset {
    /// The regex that this preset stands for, as published.
    pub(super) fn regex(&self) -> String {
        self.spellings.first().map(|spelling| self.spell(spelling)).unwrap_or_default()
    }

    /// The regex of this preset for Oniguruma.
    pub(super) fn hugging_face_regex(&self) -> Option<String> {
        self.spellings.iter().find(|spelling| spelling.hugging_face).map(|spelling| self.spell(spelling))
    }

    fn is_spelled(&self, regex: &str, dialect: Dialect) -> bool {
        self.spellings
            .iter()
            .filter(|spelling| dialect == Dialect::Tiktoken || spelling.hugging_face)
            .any(|spelling| self.spell(spelling) == regex)
    }

    fn spell(&self, spelling: &Spelling) -> String {
        match self.rules.digits {
            Digits::UpTo(1) => spelling.regex.replacen(spelling.digits, r"\p{N}", 1),
            Digits::UpTo(n) if n != 3 || !spelling.digits.contains("{1,3}") => {
                spelling.regex.replacen(spelling.digits, &format!(r"\p{{N}}{{1,{n}}}"), 1)
            }
            Digits::UpTo(_) | Digits::AfterSpace => spelling.regex.to_owned(),
        }
    }
}

/// Whose reading of a regex is meant, where engines differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    /// fancy-regex, as tiktoken uses it.
    Tiktoken,
    /// Oniguruma with Ruby's syntax, as Hugging Face's tokenizers use it.
    HuggingFace,
}

/// The preset with this name.
pub(super) fn by_name(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The first preset with this regex among its spellings.
pub(super) fn by_regex(regex: &str, dialect: Dialect) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.is_spelled(regex, dialect))
}

const fn spelling(regex: &'static str, digits: &'static str, hugging_face: bool) -> Spelling {
    Spelling { regex, digits, hugging_face }
}

// The first spelling of a family is what its presets print. Two spellings are one language if they differ only in
// possessive marks where giving back could not lead to a match, in `\s*[\r\n]` for `\s*[\r\n]+` (either ends after the
// last line end of the run), and in `\s` for `\s+` as the last resort (two or more never get there).

const GPT2: &[Spelling] = &[
    spelling(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", r" ?\p{N}+", true),
    spelling(
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
        r" ?\p{N}++",
        true, // A possessive run of whitespace is not followed by a line end, so `$` is the end of the text.
    ),
    spelling(r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", r" ?\p{N}+", true),
    spelling(r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", r" ?[\p{N}]+", true),
];

const CL100K: &[Spelling] = &[
    spelling(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
        r"\p{N}{1,3}+",
        false,
    ),
    spelling(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"\p{N}{1,3}",
        true,
    ),
];

const CL100K_NEWLINES_FIRST: &[Spelling] = &[
    spelling(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"\p{N}{1,3}",
        true,
    ),
    spelling(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
        r"\p{N}{1,3}",
        true,
    ),
    spelling(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s*[\r\n]|\s+(?!\S)|\s",
        r"\p{N}{1,3}+",
        false,
    ),
];

const O200K: &[Spelling] = &[spelling(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"\p{N}{1,3}",
    true,
)];

pub(super) const GPT2_RULES: Rules = Rules {
    contractions: Contractions::ApartLowercase,
    words: Words::AfterSpace,
    digits: Digits::AfterSpace,
    tail: Tail::None,
    whitespace: Whitespace::Plain,
};

const CL100K_RULES: Rules = Rules {
    contractions: Contractions::ApartAnyCase,
    words: Words::AfterAny,
    digits: Digits::UpTo(3),
    tail: Tail::Newlines,
    whitespace: Whitespace::EndFirst,
};

const CL100K_NEWLINES_FIRST_RULES: Rules = Rules { whitespace: Whitespace::NewlinesFirst, ..CL100K_RULES };

const O200K_RULES: Rules = Rules {
    contractions: Contractions::Suffix,
    words: Words::Cased,
    digits: Digits::UpTo(3),
    tail: Tail::NewlinesAndSlashes,
    whitespace: Whitespace::NewlinesFirst,
};

const fn preset(name: &'static str, spellings: &'static [Spelling], rules: Rules) -> Preset {
    Preset { name, rules, spellings }
}

const fn digits(name: &'static str, spellings: &'static [Spelling], rules: Rules, n: u8) -> Preset {
    Preset { name, rules: Rules { digits: Digits::UpTo(n), ..rules }, spellings }
}

/// Every preset the scanner runs. Where two are the same, the first is what their regex is known as.
pub(super) static PRESETS: &[Preset] = &[
    preset("gpt2", GPT2, GPT2_RULES),
    digits("gpt2_digits1", GPT2, GPT2_RULES, 1),
    digits("gpt2_digits2", GPT2, GPT2_RULES, 2),
    digits("gpt2_digits3", GPT2, GPT2_RULES, 3),
    preset("cl100k", CL100K, CL100K_RULES),
    digits("cl100k_digits1", CL100K, CL100K_RULES, 1),
    digits("cl100k_digits2", CL100K, CL100K_RULES, 2),
    preset("cl100k_newlines_first", CL100K_NEWLINES_FIRST, CL100K_NEWLINES_FIRST_RULES),
    preset("llama3", CL100K_NEWLINES_FIRST, CL100K_NEWLINES_FIRST_RULES),
    digits("qwen2", CL100K_NEWLINES_FIRST, CL100K_NEWLINES_FIRST_RULES, 1),
    digits("nanochat", CL100K_NEWLINES_FIRST, CL100K_NEWLINES_FIRST_RULES, 2),
    preset("o200k", O200K, O200K_RULES),
    digits("o200k_digits1", O200K, O200K_RULES, 1),
    digits("o200k_digits2", O200K, O200K_RULES, 2),
];

/// DeepSeek V3 splits three times over; the scanner does not know these rules, so the regexes run.
pub(super) const DEEPSEEK_V3: &str = "deepseek_v3";

/// The stages of [`DEEPSEEK_V3`].
pub(super) const DEEPSEEK_V3_STAGES: [&str; 3] = [
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
];

/// Whether `stages` are those of [`DEEPSEEK_V3`]; its published file has line ends where this file has escapes.
pub(super) fn is_deepseek_v3<S: AsRef<str>>(stages: &[S]) -> bool {
    stages.len() == DEEPSEEK_V3_STAGES.len()
        && stages.iter().zip(DEEPSEEK_V3_STAGES).all(|(stage, ours)| {
            stage.as_ref() == ours || stage.as_ref().replace('\r', r"\r").replace('\n', r"\n") == ours
        })
}
