//! The share of secrets that are found in the output of programs, by class, and the share of harmless lines that are left alone.
//!
//! One sample a line: the secret is between `⟦` and `⟧`. `⏎` is a line break, `␛` an escape, `␍` a carriage return, and `·` is
//! left out, so that no scanner of repositories takes a sample for a real token. None of them is valid anywhere.

use std::collections::BTreeMap;

use super::mask;

/// A sample of the corpus.
struct Sample {
    class: String,
    text: String,
    /// The parts that must not be shown.
    secrets: Vec<String>,
}

fn samples(file: &str) -> Vec<Sample> {
    let mut class = String::new();
    let mut samples = Vec::new();
    let mut begins = true;
    for line in file.lines() {
        if line.is_empty() || begins {
            class = if begins { line.to_owned() } else { class };
            begins = line.is_empty();
            continue;
        }
        let line = line.replace('⏎', "\n").replace('␛', "\u{1b}").replace('␍', "\r").replace('·', "");
        let secrets = line.split('⟦').skip(1).filter_map(|rest| rest.split('⟧').next()).map(str::to_owned).collect();
        samples.push(Sample { class: class.clone(), text: line.replace(['⟦', '⟧'], ""), secrets });
    }
    samples
}

fn secrets() -> Vec<Sample> {
    samples(include_str!("corpus/secrets.txt"))
}

fn harmless() -> Vec<Sample> {
    samples(include_str!("corpus/harmless.txt"))
}

/// For each class, the number of samples that are right and of all; and the wrong ones.
fn score(samples: &[Sample], is_right: impl Fn(&Sample, &str) -> bool) -> (BTreeMap<&str, (usize, usize)>, Vec<String>) {
    let mut classes = BTreeMap::new();
    let mut wrong = Vec::new();
    for sample in samples {
        let shown = mask(&sample.text);
        let (right, all) = classes.entry(sample.class.as_str()).or_insert((0, 0));
        *all += 1;
        if is_right(sample, &shown) {
            *right += 1;
        } else {
            wrong.push(format!("{}: {:?} became {shown:?}", sample.class, sample.text));
        }
    }
    (classes, wrong)
}

#[test]
fn nearly_all_secrets_are_found() {
    let samples = secrets();
    let (classes, wrong) = score(&samples, |sample, shown| !sample.secrets.iter().any(|secret| shown.contains(secret.as_str())));
    for (class, (right, all)) in classes {
        assert!(right * 100 >= all * 90, "{class}: {right} of {all}\n{}", wrong.join("\n"));
    }
}

#[test]
fn nearly_all_harmless_lines_stay() {
    let samples = harmless();
    let (_, wrong) = score(&samples, |sample, shown| shown == sandbar_text::clean(&sample.text));
    assert!(wrong.len() * 100 <= samples.len(), "{}", wrong.join("\n"));
}
