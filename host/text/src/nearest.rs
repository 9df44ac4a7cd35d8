//! The right word for a wrong one.

/// How alike two words have to be before one is offered for the other: `lisen` and `listen` are at 0.97, `namespace` and `listen`
/// at 0.48 of Jaro and Winkler's measure.
const ALIKE: f64 = 0.8;

/// Bytes of a word, and words that it is compared with: comparing takes the product of their lengths.
const WORD_BYTES: usize = 100;
const WORDS: usize = 500;

/// The word that was probably meant, whatever its case, where one is like it.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let short = |word: &str| word[..word.floor_char_boundary(WORD_BYTES)].to_lowercase();
    let word = short(word);
    let likeness = |known: &str| strsim::jaro_winkler(&word, &short(known));
    let alike = known.iter().take(WORDS).map(|known| (*known, likeness(known)));
    let (best, likeness) = alike.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    (likeness >= ALIKE).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_a_strange_one_is_not() {
        let keys = ["listen", "cluster", "namespaces", "limits", "hosts", "origins", "tools"];
        for (word, meant) in [
            ("lisen", "listen"),
            ("namespace", "namespaces"),
            ("nameSpaces", "namespaces"),
            ("Limits", "limits"),
            ("host", "hosts"),
            ("tool", "tools"),
            ("cluser", "cluster"),
        ] {
            assert_eq!(nearest(word, &keys), Some(meant), "{word}");
        }
        for word in ["rules", "x", "", "replicas"] {
            assert_eq!(nearest(word, &keys), None, "{word}");
        }
        assert_eq!(nearest("apiGroup", &["apiGroups", "resources", "resourceNames", "verbs"]), Some("apiGroups"));
        assert_eq!(nearest("cluster_rules", &["rules", "clusterRules", "settings"]), Some("clusterRules"));
    }
}
