//! The newest text that fits: whole lines, in memory of twice the cap, however much goes through.

/// Keeps the newest whole lines of what is pushed.
#[derive(Debug)]
pub(super) struct Newest {
    cap: usize,
    /// Up to twice the cap between two trims, so that each byte is moved once at most.
    text: String,
    /// What was dropped so far, in bytes.
    dropped_bytes: u64,
    /// Lines that were dropped as a whole.
    dropped_lines: u64,
    /// The oldest line that is left has lost its beginning: it alone is over the cap.
    headless: bool,
}

/// What was kept, and what not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) text: String,
    pub(super) dropped_bytes: u64,
    /// Lines that were dropped as a whole.
    pub(super) dropped_lines: u64,
    /// The first line of the text has lost its beginning.
    pub(super) headless: bool,
}

impl Newest {
    /// `cap`: bytes of text at most.
    pub(super) fn new(cap: usize) -> Self {
        Self { cap, text: String::new(), dropped_bytes: 0, dropped_lines: 0, headless: false }
    }

    /// Adds lines. Only the last push may lack the newline at its end.
    pub(super) fn push(&mut self, lines: &str) {
        self.text.push_str(lines);
        if self.text.len() >= self.cap.saturating_mul(2) {
            self.trim();
        }
    }

    /// Adds a line that lost bytes of its beginning before it came here.
    pub(super) fn push_headless(&mut self, line: &str, lost: u64) {
        // What is above it cannot stay: the line alone fills the cap, or did before it was cleaned.
        self.dropped_bytes += self.text.len() as u64 + lost;
        self.dropped_lines += lines_in(&self.text);
        self.text.clear();
        self.text.push_str(line);
        self.headless = true;
        self.trim();
    }

    /// Cuts to the cap: at the first line that fits, or inside the newest one if it alone does not.
    fn trim(&mut self) {
        let Some(excess) = self.text.len().checked_sub(self.cap).filter(|&excess| excess > 0) else { return };
        // A line that ends right before the cut is dropped whole, hence the byte before.
        let bytes = self.text.as_bytes();
        let whole = memchr::memchr(b'\n', &bytes[excess - 1..]).map(|found| excess + found).filter(|&cut| cut < bytes.len());
        let cut = match whole {
            Some(cut) => {
                self.headless = false;
                self.dropped_lines += lines_in(&self.text[..cut]);
                cut
            }
            None => {
                let cut = (excess..).find(|&at| self.text.is_char_boundary(at)).unwrap_or(self.text.len());
                self.dropped_lines += lines_in(&self.text[..cut]);
                self.headless = true;
                cut
            }
        };
        self.dropped_bytes += cut as u64;
        self.text.drain(..cut);
    }

    /// What was kept.
    pub(super) fn finish(mut self) -> Kept {
        self.trim();
        // A line without its beginning stays only where it is the newest. It may have got room for more by ending at a character.
        if let Some(end) = memchr::memchr(b'\n', self.text.as_bytes()).filter(|end| self.headless && end + 1 < self.text.len()) {
            self.text.drain(..=end);
            self.dropped_bytes += end as u64 + 1;
            self.dropped_lines += 1;
            self.headless = false;
        }
        Kept { text: self.text, dropped_bytes: self.dropped_bytes, dropped_lines: self.dropped_lines, headless: self.headless }
    }
}

/// Lines that end in this text.
fn lines_in(text: &str) -> u64 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(cap: usize, lines: &[&str]) -> (String, u64, u64, bool) {
        let mut newest = Newest::new(cap);
        lines.iter().for_each(|line| newest.push(line));
        let Kept { text, dropped_bytes, dropped_lines, headless } = newest.finish();
        (text, dropped_bytes, dropped_lines, headless)
    }

    #[test]
    fn the_cap_counts_to_the_byte() {
        assert_eq!(kept(8, &["one\n", "two\n"]), ("one\ntwo\n".into(), 0, 0, false));
        assert_eq!(kept(7, &["one\n", "two\n"]), ("two\n".into(), 4, 1, false));
        assert_eq!(kept(4, &["one\n", "two\n"]), ("two\n".into(), 4, 1, false));
        assert_eq!(kept(3, &["one\n", "two\n"]), ("wo\n".into(), 5, 1, true));
        assert_eq!(kept(3, &["one\n", "two"]), ("two".into(), 4, 1, false));
        assert_eq!(kept(3, &["one\n", "two\n", "x\n"]), ("x\n".into(), 8, 2, false));
        assert_eq!(kept(3, &[]), (String::new(), 0, 0, false));
    }

    #[test]
    fn a_line_over_the_cap_keeps_its_newest_bytes() {
        assert_eq!(kept(4, &["a\n", "0123456789"]), ("6789".into(), 8, 1, true));
        // Cut at a character: three bytes of four fit no `é` and a half.
        assert_eq!(kept(3, &["éé"]), ("é".into(), 2, 0, true));
    }

    #[test]
    fn the_result_is_the_same_however_the_lines_come() {
        let lines: Vec<String> = (0..40).map(|n| format!("{}\n", "x".repeat(n * 7 % 11))).collect();
        let all = lines.concat();
        for cap in 1..60 {
            let piecewise = kept(cap, &lines.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(piecewise, kept(cap, &[&all]), "cap {cap}");
            assert!(piecewise.0.len() <= cap && all.ends_with(&piecewise.0));
            assert_eq!(piecewise.0.len() as u64 + piecewise.1, all.len() as u64);
        }
    }

    #[test]
    fn a_cut_line_does_not_stay_above_a_whole_one() {
        // The cut is at a character, so a byte of room is left.
        assert_eq!(kept(5, &["日日日日\n", "x"]), ("x".into(), 13, 1, false));
        assert_eq!(kept(5, &["日日日日\n", "x"]), kept(5, &["日日日日\nx"]));
    }

    #[test]
    fn memory_is_that_of_the_cap() {
        let mut newest = Newest::new(1000);
        for _ in 0..10_000 {
            newest.push("a line of some thirty-odd bytes\n");
            assert!(newest.text.capacity() < 5_000);
        }
    }
}
