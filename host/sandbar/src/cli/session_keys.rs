//! The operator's keys of sessions, one a line: the first signs, each opens. They are read at start, and their file is followed, so that a
//! key is changed without a restart and without a session lost: the new one beside the old, then before it, then alone. No word of a key
//! leaves this file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use k8s_openapi::jiff::Timestamp;
use sandbar_catalog::FileStamps;
use sandbar_http::{Check, Followed, Readiness, SessionKey, SessionKeys};
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::environment;
use super::followed_files::FollowedFiles;
use super::reload::INTERVAL;

/// Bytes of a key: fewer can be guessed.
const LEAST_KEY: usize = 16;

/// Keys at once. A change needs two, and an id of somebody else is tried with each.
const MOST_KEYS: usize = 8;

/// Bytes of a file: more is some other file.
const MOST_FILE: u64 = 64 * 1024;

/// What some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What makes a key, for those who have none.
const MAKES_ONE: &str = "`openssl rand -hex 32` makes one";

/// Keys, and what follows them where they are in a file.
pub(super) struct Given {
    pub(super) keys: SessionKeys,
    pub(super) follower: Option<SessionKeyFollower>,
}

/// The operator's keys, from the file or from `SANDBAR_SESSION_KEY`; none where there is neither.
pub(super) fn given(file: Option<&Path>) -> anyhow::Result<Option<Given>> {
    let Some(file) = file else {
        let text = std::env::var_os(environment::SESSION_KEY).unwrap_or_default().into_encoded_bytes();
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        return Ok(Some(Given { keys: parse(&text, environment::SESSION_KEY)?, follower: None }));
    };
    // What is looked at before it is read can miss no change.
    let stamps = FileStamps::of([file]);
    let place = file.display().to_string();
    let reading = sandbar_files::in_time(file, sandbar_files::READ_TIME, |file| sandbar_files::read_any(file, MOST_FILE));
    let (text, stamp) = reading.with_context(|| format!("the session key {place} cannot be read"))?;
    // A pipe can be read only once.
    let follower = stamp.map(|_| SessionKeyFollower {
        file: file.to_owned(),
        since: Timestamp::now(),
        followed: FollowedFiles::read_at(stamps),
    });
    Ok(Some(Given { keys: parse(&text, &place)?, follower }))
}

/// The keys of a text, one a line; blank lines are none. `place` says in messages where it is.
fn parse(text: &[u8], place: &str) -> anyhow::Result<SessionKeys> {
    let mut found: Vec<(usize, &[u8])> = Vec::new();
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let key = line.trim_ascii();
        if key.is_empty() {
            continue;
        }
        // Everybody knows the first line of a PEM file, and what a comment says is told to everybody as well.
        if key.starts_with(b"-----") || key.starts_with(b"#") || key.starts_with(BYTE_ORDER_MARK) {
            bail!("line {number} of {place} is the beginning of something else, and no session key; {MAKES_ONE}");
        }
        if !std::str::from_utf8(key).is_ok_and(|key| !key.contains(char::is_control)) {
            bail!("the session key in line {number} of {place} is not text; {MAKES_ONE}");
        }
        if key.len() < LEAST_KEY {
            let bytes = key.len();
            bail!("the session key in line {number} of {place} has {bytes} bytes; it needs {LEAST_KEY} or more: {MAKES_ONE}");
        }
        if let Some((first, _)) = found.iter().find(|(_, other)| *other == key) {
            bail!("line {number} of {place} has the session key of line {first} again: one line for each key");
        }
        if found.len() == MOST_KEYS {
            bail!(
                "{place} has more than {MOST_KEYS} session keys: leave the one that signs, and those whose sessions still go on"
            );
        }
        found.push((number, key));
    }
    let mut keys = found.into_iter().map(|(_, key)| SessionKey::from_secret(key));
    let Some(first) = keys.next() else {
        bail!("there is no session key in {place}: it needs a line of {LEAST_KEY} bytes or more, and {MAKES_ONE}");
    };
    Ok(SessionKeys::new(first, keys.collect()))
}

/// Keeps the keys up to date.
pub(super) struct SessionKeyFollower {
    file: PathBuf,
    /// When those in use were read.
    since: Timestamp,
    followed: FollowedFiles,
}

impl SessionKeyFollower {
    /// Goes on for ever.
    pub(super) async fn follow(mut self, keys: watch::Sender<SessionKeys>, readiness: Readiness) {
        loop {
            readiness.follows(Followed::SessionKeys, self.checks(keys.borrow().count()));
            tokio::time::sleep(INTERVAL).await;
            block_in_place(|| self.react(&keys));
        }
    }

    /// Puts in use what has changed.
    fn react(&mut self, keys: &watch::Sender<SessionKeys>) {
        let refused = "session keys not replaced, those of before stay in use";
        let Self { file, followed, .. } = self;
        if let Some(read) = followed.react(FileStamps::of([&**file]), refused, || read_again(file)) {
            tracing::info!(keys = read.count(), "the session keys were read anew; the first signs");
            keys.send_replace(read);
            self.since = Timestamp::now();
        }
    }

    /// How the keys are, for those who ask.
    fn checks(&self, count: usize) -> Vec<Check> {
        let in_use = format!("session keys in {}: {count}, in use since {:.0}", self.file.display(), self.since);
        std::iter::once(Ok(in_use)).chain(self.followed.problem().map(Err)).collect()
    }
}

fn read_again(file: &Path) -> anyhow::Result<SessionKeys> {
    let place = file.display().to_string();
    let text = sandbar_files::in_time(file, sandbar_files::READ_TIME, |file| sandbar_files::read(file, MOST_FILE));
    parse(&text.with_context(|| format!("the session key {place} cannot be read"))?, &place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 3] = ["0123456789abcdef", "a passphrase of several words", "schlüsselschlüssel"];

    #[test]
    fn each_line_is_a_key() {
        for (text, count) in [
            (KEYS[0].to_owned(), 1),
            (format!("\n  {}\r\n\n", KEYS[1]), 1),
            (KEYS.join("\n"), 3),
            (format!("{}\n\n{}\n", KEYS[0], KEYS[2]), 2),
        ] {
            assert_eq!(parse(text.as_bytes(), "keys").expect(&text).count(), count, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line_and_never_shown() {
        let many: String = (0..=MOST_KEYS).map(|number| format!("key number {number} of too many\n")).collect();
        for (text, said) in [
            (String::new(), "no session key in keys"),
            (" \n\r\n".to_owned(), "no session key in keys"),
            ("open sesame".to_owned(), "line 1 of keys has 11 bytes; it needs 16 or more"),
            (format!("{}\n\nopen sesame\n", KEYS[0]), "line 3 of keys has 11 bytes"),
            (format!("{}\nopen\rsesameopensesame\n", KEYS[0]), "line 2 of keys is not text"),
            (format!("{}\n{}\n {}\n", KEYS[1], KEYS[0], KEYS[1]), "line 3 of keys has the session key of line 1 again"),
            (many, "more than 8 session keys"),
            (
                "-----BEGIN PRIVATE KEY-----\nopensesameopensesame\n".to_owned(),
                "line 1 of keys is the beginning of something else",
            ),
            (format!("{}\n# the key of before\n", KEYS[0]), "line 2 of keys is the beginning"),
            (format!("\u{feff}{}\n", KEYS[0]), "line 1 of keys is the beginning"),
        ] {
            let words = parse(text.as_bytes(), "keys").err().expect("refused").to_string();
            assert!(words.contains(said), "{words}");
            assert!(!["sesame", "passphrase", "0123"].iter().any(|secret| words.contains(secret)), "{words}");
        }
        assert!(parse(b"\xff\xfe0123456789abcdef", "keys").err().expect("refused").to_string().contains("is not text"));
    }

    #[test]
    fn a_file_that_changes_is_read_anew_once_it_has_settled_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        // In the place of what is there, so that another file system clock is never waited for.
        let write = |text: String| {
            std::fs::write(folder.path().join("next"), text).expect("written");
            std::fs::rename(folder.path().join("next"), &file).expect("renamed");
        };
        write(KEYS[0].to_owned());
        let Given { keys, follower } = given(Some(&file)).expect("a key").expect("one");
        let (keys, mut follower) = (watch::Sender::new(keys), follower.expect("it is a file"));
        let mut look = || {
            follower.react(&keys);
            (keys.borrow().count(), follower.checks(0).len())
        };
        assert_eq!(look(), (1, 1));
        write(KEYS.join("\n"));
        assert_eq!((look(), look()), ((1, 1), (3, 1)), "it may still be written at the first look");
        write("short".to_owned());
        assert_eq!((look(), look()), ((3, 1), (3, 2)));
        std::fs::remove_file(&file).expect("removed");
        assert_eq!((look(), look()), ((3, 2), (3, 2)));
        write(format!("{}\n{}", KEYS[1], KEYS[0]));
        assert_eq!((look(), look()), ((3, 2), (2, 1)));
    }
}
