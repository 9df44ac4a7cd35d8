//! What is wrong with a configuration, in our words.

use std::fmt;
use std::io;

/// What is wrong with something that somebody wrote, in our words: never a parser's, never with a value that may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// Why a file cannot be read.
    pub(super) fn of_file(error: &io::Error) -> Self {
        Self(match error.kind() {
            // Those that hold another error are of `files`.
            _ if error.get_ref().is_some() => error.to_string(),
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::PermissionDenied => "this server's user may not read it".to_owned(),
            // The standard library's words for a kind say nothing of the file.
            kind => format!("it cannot be read ({kind})"),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_told_in_our_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        let fault = |path: &Path| Fault::of_file(&sandbar_files::read(path, 9).unwrap_err()).to_string();
        assert_eq!(fault(&path), "it has more than 9 bytes");
        assert_eq!(fault(&folder.path().join("none")), "there is no such file");
        assert_eq!(fault(folder.path()), "it is a folder, not a file");
        assert_eq!(fault(Path::new("/dev/zero")), "it is a device, not a file");
        assert_eq!(fault(&path.join("below")), "it cannot be read (not a directory)");
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(Fault::of_file(&denied).to_string(), "this server's user may not read it");
    }
}
