//! Problems with the files of a snapshot, for its operator, and bounded: a bundle can have a million broken files.

use std::fmt::Display;

/// Notes that are kept; others are counted.
const KEPT: usize = 100;

/// Bytes of one note: a path and a parser's message.
const LENGTH: usize = 512;

/// Problems, each with its file.
#[derive(Default)]
pub(super) struct Notes {
    kept: Vec<String>,
    more: usize,
    foreign: Option<(String, usize)>,
}

impl Notes {
    /// Counts the file at `path` as one of another kind: bundles have many, and they are not missed.
    pub(super) fn foreign(&mut self, path: &str) {
        self.foreign.get_or_insert_with(|| (path.to_owned(), 0)).1 += 1;
    }

    /// Adds a problem with the file or folder at `path`.
    pub(super) fn add(&mut self, path: &str, what: impl Display) {
        if self.kept.len() >= KEPT {
            self.more += 1;
            return;
        }
        // Names of files and messages of parsers are untrusted text.
        self.kept.push(sandbar_secrets::quotable(format_args!("{path}: {what}"), LENGTH));
    }

    /// All notes, the last of which may be a count.
    pub(super) fn finish(mut self) -> Vec<String> {
        if let Some((path, count)) = self.foreign.take() {
            let more = if count > 1 { format!("; nor do {} other files", count - 1) } else { String::new() };
            self.add(&path, format_args!("it holds no Kubernetes objects{more}"));
        }
        if self.more > 0 {
            self.kept.push(format!("{} more files could not be read, or only in part", self.more));
        }
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_clean_short_and_few() {
        let mut notes = Notes::default();
        notes.add("a\u{1b}[31m\n.json", "x".repeat(10_000));
        for n in 0..1_000_000 {
            notes.add("b.json", n);
        }
        let notes = notes.finish();
        assert_eq!(notes.len(), KEPT + 1);
        assert!(notes[0].starts_with('a') && !notes[0].contains(['\u{1b}', '\n']), "{}", notes[0]);
        assert!(notes[0].len() <= LENGTH + "…".len() && notes[0].ends_with('…'));
        assert_eq!(notes[KEPT], "999901 more files could not be read, or only in part");
    }

    #[test]
    fn files_of_another_kind_are_one_note() {
        let mut notes = Notes::default();
        notes.foreign("a.json");
        notes.foreign("b.json");
        notes.foreign("c.json");
        assert_eq!(notes.finish(), ["a.json: it holds no Kubernetes objects; nor do 2 other files"]);
    }
}
