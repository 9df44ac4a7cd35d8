//! How often each of some words is there, for a hint: `Pod (12), ReplicaSet (3)`.

use std::fmt;

/// Words that a hint lists.
const LISTED: usize = 10;

/// Words and how often each is there, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(Vec<(String, usize)>);

/// Counts words. Empty ones do not count.
pub fn tally(words: impl IntoIterator<Item = String>) -> Tally {
    of(&mut words.into_iter())
}

/// Not generic, so that a component has it once.
fn of(words: &mut dyn Iterator<Item = String>) -> Tally {
    let mut counted = std::collections::BTreeMap::new();
    words.filter(|word| !word.is_empty()).for_each(|word| *counted.entry(word).or_default() += 1);
    let mut counted: Vec<(String, usize)> = counted.into_iter().collect();
    counted.sort_by(|(_, one), (_, other)| other.cmp(one));
    Tally(counted)
}

impl Tally {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words, the most frequent first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(word, _)| word.as_str())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted: Vec<String> = self.0.iter().map(|(word, count)| format!("{word} ({count})")).collect();
        f.write_str(&few(&counted))
    }
}

/// The first of some words, and how many more there are: `a, b and 3 more`.
pub fn few(words: &[String]) -> String {
    let (listed, more) = words.split_at(words.len().min(LISTED));
    let listed = listed.join(", ");
    if more.is_empty() { listed } else { format!("{listed} and {} more", more.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_come_first_and_a_long_list_is_cut() {
        let words = |words: &[&str]| tally(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(words(&["b", "a", "c", "b", "", "a", "b"]).to_string(), "b (3), a (2), c (1)");
        assert_eq!(tally((0..12).map(|n| format!("n{n:02}"))).to_string().matches('(').count(), 10);
        assert!(tally((0..12).map(|n| format!("n{n:02}"))).to_string().ends_with(" and 2 more"));
        assert!(words(&["", ""]).is_empty());
    }
}
