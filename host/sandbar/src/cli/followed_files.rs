//! Files that are read anew when they are others, such as a certificate or keys: when that is, and what could not be used. Whoever renews
//! them may replace a folder as the kubelet does, or write one file after the other, so what changes from look to look is left alone. What
//! cannot be used leaves in use what there was.

use sandbar_catalog::FileStamps;

use super::words;

/// Which files are in use, and why others are not.
pub(super) struct FollowedFiles {
    /// What they looked like before those in use were read.
    in_use: FileStamps,
    /// What they looked like at the last look.
    seen: FileStamps,
    /// Why those that are there now are not in use.
    problem: Option<String>,
}

impl FollowedFiles {
    /// Those that looked like this before they were read are in use.
    pub(super) fn read_at(stamps: FileStamps) -> Self {
        Self { in_use: stamps.clone(), seen: stamps, problem: None }
    }

    /// Reads what has changed, once two looks in a row have seen the same. What cannot be used is read again with each look, since a disk may
    /// answer by then; it is logged once, behind the words `refused`.
    pub(super) fn react<T>(&mut self, look: FileStamps, refused: &str, read: impl FnOnce() -> anyhow::Result<T>) -> Option<T> {
        let has_settled = self.seen == look;
        self.seen = look;
        if !has_settled || (self.seen == self.in_use && self.problem.is_none()) {
            return None;
        }
        match read() {
            Ok(read) => {
                self.in_use.clone_from(&self.seen);
                self.problem = None;
                Some(read)
            }
            Err(error) => {
                let problem = format!("{refused}: {}", words(&error));
                if self.problem.as_ref() != Some(&problem) {
                    tracing::error!("{problem}");
                }
                self.problem = Some(problem);
                None
            }
        }
    }

    /// Why the files that are there now are not in use, if they are not.
    pub(super) fn problem(&self) -> Option<String> {
        self.problem.clone()
    }
}
