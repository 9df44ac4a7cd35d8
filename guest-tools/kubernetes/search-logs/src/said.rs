//! What has to be known of logs beside their lines: those that cannot be read, and what was not searched.

use sandbar_tool::Error;
use sandbar_tool::kubernetes::lenient::shortened;
use sandbar_tool::logs::{Excerpt, Source};

use crate::mask::masked;
use crate::which::Log;

/// Logs that are named of those of which the same is said.
const NAMED: usize = 3;

/// Different things that are said.
const SAID_MAX: usize = 6;

/// Bytes of the words of a server.
const WORDS_MAX: usize = 300;

/// The same words about some logs.
struct Words {
    key: String,
    text: String,
    labels: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Said {
    words: Vec<Words>,
    /// Logs of which older lines did not fit.
    truncated: usize,
    /// Logs that have older lines.
    older: usize,
}

impl Said {
    pub(crate) fn of(&mut self, log: &Log, label: &str, excerpt: &Excerpt) {
        self.truncated += usize::from(excerpt.truncated);
        self.older += usize::from(!excerpt.truncated && excerpt.older == Some(true));
        for warning in &excerpt.warnings {
            self.add(log, label, warning);
        }
    }

    pub(crate) fn unread(&mut self, log: &Log, label: &str, error: &Error) {
        self.add(log, label, &format!("cannot be read: {error}"));
    }

    fn add(&mut self, log: &Log, label: &str, text: &str) {
        // What is said of each pod is the same but for its name.
        let text = shortened(text.replace(&log.pod, "…"), WORDS_MAX);
        let key = masked(&text.replace(&log.container, "…"));
        let label = if label.is_empty() { log.container.clone() } else { label.to_owned() };
        match self.words.iter_mut().find(|words| words.key == key) {
            Some(words) => words.labels.push(label),
            None => self.words.push(Words { key, text, labels: vec![label] }),
        }
    }

    /// All of it, and what to do where no line was found.
    pub(crate) fn words(self, asked: &Source, lines: usize) -> Vec<String> {
        let mut said = Vec::new();
        let more = self.words.len().saturating_sub(SAID_MAX);
        for Words { text, labels, .. } in self.words.into_iter().take(SAID_MAX) {
            let logs = if labels.len() > NAMED { format!("{} logs", labels.len()) } else { labels.join(", ") };
            said.push(format!("{logs}: {text}"));
        }
        if more > 0 {
            said.push(format!("{more} more such warnings"));
        }
        if self.truncated > 0 {
            said.push(format!("of {} logs only the newest lines fit into one call", self.truncated));
        }
        let searched = asked.tail_lines.unwrap_or_default();
        if self.older > 0 {
            said.push(format!("of {} logs only the newest {searched} lines were read; tailLines reads more", self.older));
        }
        if lines == 0 {
            said.push(match (&asked.matching, asked.since_seconds) {
                (Some(pattern), _) if !pattern.starts_with("(?i") => "no line matches; (?i) before it is for any case".to_owned(),
                (Some(_), _) => "no line matches".to_owned(),
                (None, Some(seconds)) => format!("there is no line of the last {seconds} s"),
                (None, None) => "there is no line".to_owned(),
            });
        }
        said
    }
}
