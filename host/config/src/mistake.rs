//! Mistakes in a configuration: what is wrong, where, and what was probably meant.

use std::fmt;
use std::path::PathBuf;

use sandbar_text::{clean_line, nearest};
use serde_saphyr::{DefaultMessageFormatter, Location, MessageFormatter};

use super::places::Places;

/// Bytes of what is wrong: it quotes the file, whose keys and values can be of any length.
const WORDS_BYTES: usize = 4096;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not YAML, or a value is wrong.
    #[error("the configuration is not valid:{}", lines(.path, .mistakes))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All mistakes that were found.
        mistakes: Vec<Mistake>,
    },
}

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From 1; 0 for the file as a whole.
    pub line: u64,
    /// From 1; 0 for the file as a whole.
    pub column: u64,
    /// What is wrong, and what to do: one line, whatever it quotes.
    pub what: String,
}

impl Mistake {
    /// A parser's error in a text.
    pub(super) fn of(error: &serde_saphyr::Error, text: &str) -> Self {
        let mut mistake = Self::from(error);
        let is_of_another_shape = matches!(error.without_snippet(), serde_saphyr::Error::Unexpected { .. });
        if is_of_another_shape && Places::of(text).is_some_and(|places| places.is_list_or_entry("tools", mistake.place())) {
            // Whoever has just a file tends to write only that.
            mistake.what += "; for a component of `tools`, write `- component: FILE`";
        }
        mistake
    }

    fn place(&self) -> (u64, u64) {
        (self.line, self.column)
    }

    pub(super) fn at(location: Location, what: String) -> Self {
        Self { line: location.line(), column: location.column(), what: clean_line(what, WORDS_BYTES) }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "{line}:{}: {}", self.column, self.what),
        }
    }
}

/// One line each, in the form of compilers: editors and terminals know it.
fn lines(path: &std::path::Path, mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("\n{}:{mistake}", path.display())).collect()
}

impl From<&serde_saphyr::Error> for Mistake {
    fn from(error: &serde_saphyr::Error) -> Self {
        use serde_saphyr::Error;
        let error = error.without_snippet();
        let what = match error {
            Error::SerdeUnknownField { field, expected, .. } => format!("unknown key `{field}`; {}", meant(field, expected)),
            Error::SerdeUnknownVariant { variant, expected, .. } => {
                format!("`{variant}` is not known here; {}", meant(variant, expected))
            }
            Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
            Error::SerdeInvalidType { unexpected, expected, .. } | Error::SerdeInvalidValue { unexpected, expected, .. } => {
                format!("this is {unexpected}, and should be {expected}")
            }
            Error::Unexpected { expected, .. } => format!("this should be {}", in_words(expected)),
            Error::InvalidScalar { ty, .. } => format!("this should be {}", in_words(ty)),
            Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` is here twice"),
            _ => DefaultMessageFormatter.format_message(error).into_owned(),
        };
        Self::at(error.location().unwrap_or(Location::UNKNOWN), what)
    }
}

/// Plain words for the parser's names of its events.
fn in_words(expected: &str) -> &str {
    match expected {
        "sequence start" => "a list, as `[a, b]` or with a line `- a` for each entry",
        "mapping start" => "a mapping of keys to values",
        "boolean" => "true or false",
        "string scalar" => "one value",
        other => other,
    }
}

/// The known word that was probably meant, or all of them.
fn meant(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("the possible ones are {}", known.join(", ")),
    }
}
