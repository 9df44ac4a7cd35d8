//! Suggestions for misspelt words.

/// The least similarity of a suggestion, by Jaro-Winkler: `lisen` and `listen` have 0.97, `namespace` and `listen` 0.48.
const ALIKE: f64 = 0.8;

/// Bytes of a word, and words to compare it with: a comparison takes the product of the lengths.
const WORD_BYTES: usize = 100;
const WORDS: usize = 500;

/// The word that was probably meant, in any case, if one is similar enough.
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
