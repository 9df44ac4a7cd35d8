//! How much a call may write to the server's log.

use std::fmt::Display;

use sandbar_policy::{Budget, Quota};
use sandbar_text::clean_line;

/// What a call says, as a clean line of at most `most` bytes for the server's log. None once the call has filled its quota: then
/// nothing of what it says is read. Logs a warning for the first line that is dropped.
pub fn log_line(component: &str, budget: &Budget, said: impl Display, most: usize) -> Option<String> {
    if budget.has_filled_log() {
        return None;
    }
    let line = clean_line(said, most);
    match budget.take_log(line.len() as u64) {
        Quota::Within => return Some(line),
        Quota::FirstBeyond => {
            let most = budget.limits().logged;
            tracing::warn!(
                component,
                "a tool logs more than {most} bytes (limit `logged`): the rest of what it logs in this call is dropped"
            );
        }
        Quota::Beyond => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fmt;

    use sandbar_policy::Limits;

    use super::*;

    /// What counts how often it is read.
    struct Read<'r>(&'r Cell<u32>);

    impl Display for Read<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("a word")
        }
    }

    #[test]
    fn what_is_said_once_the_log_is_full_is_not_even_read() {
        let budget = Budget::new(Limits { logged: 100, ..Limits::default() });
        let read = Cell::new(0);
        let lines: Vec<_> = (0..1000).map(|_| log_line("test", &budget, Read(&read), 80)).collect();
        assert_eq!(lines[..2], [Some("a word".to_owned()), None]);
        assert!(lines[2..].iter().all(Option::is_none));
        assert_eq!(read.get(), 2, "one that fits, and one that does not");
    }
}
