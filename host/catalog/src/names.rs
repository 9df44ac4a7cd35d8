//! Resolves name conflicts: the component that already serves a name keeps it; otherwise the first in load order gets it.

use std::collections::{BTreeMap, BTreeSet};

/// The names that a component has a claim to.
#[derive(Default)]
pub(super) struct Claim<N> {
    /// Those that it declares, if it can be served.
    pub(super) new: Option<BTreeSet<N>>,
    /// Those that are served from the same place.
    pub(super) held: BTreeSet<N>,
    /// Whether what is served from there stays where the new one cannot be served.
    pub(super) stays: bool,
}

/// A name that a component cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken<N> {
    pub(super) name: N,
    /// Which claim it belongs to.
    pub(super) by: usize,
}

impl<N> Claim<N> {
    /// Those that it serves if its new ones are `taken`, or else.
    fn serves(&self, taken: Option<&Taken<N>>) -> Option<&BTreeSet<N>> {
        match &self.new {
            Some(new) if taken.is_none() => Some(new),
            _ => self.stays.then_some(&self.held),
        }
    }
}

/// For each claim, a name owned by another component that prevents the new version from being served. Iterates to a fixed point: a
/// component that falls back to its previous version may keep a name that another one was about to get.
pub(super) fn settle<N: Ord + Copy>(claims: &[Claim<N>]) -> Vec<Option<Taken<N>>> {
    let mut taken: Vec<Option<Taken<N>>> = vec![None; claims.len()];
    loop {
        let mut owners = BTreeMap::new();
        for (by, (claim, taken)) in claims.iter().zip(&taken).enumerate() {
            let held = claim.serves(taken.as_ref()).into_iter().flatten().filter(|name| claim.held.contains(*name));
            owners.extend(held.map(|name| (*name, by)));
        }
        let mut refused = Vec::new();
        for (at, claim) in claims.iter().enumerate().filter(|(at, _)| taken[*at].is_none()) {
            let Some(new) = &claim.new else { continue };
            match new.iter().find_map(|name| owners.get(name).filter(|by| **by != at).map(|by| Taken { name: *name, by: *by })) {
                Some(taken) => refused.push((at, taken)),
                None => owners.extend(new.iter().map(|name| (*name, at))),
            }
        }
        if refused.is_empty() {
            return taken;
        }
        refused.into_iter().for_each(|(at, name)| taken[at] = Some(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A claim to the words of a text, and to those that are served already.
    fn claim<'a>(new: Option<&'a str>, held: &'a str) -> Claim<&'a str> {
        Claim { new: new.map(|new| new.split(' ').collect()), held: held.split_whitespace().collect(), stays: !held.is_empty() }
    }

    /// Each name that is taken, and by whom.
    fn settled(claims: &[Claim<&str>]) -> Vec<Option<(String, usize)>> {
        settle(claims).into_iter().map(|taken| taken.map(|taken| (taken.name.to_owned(), taken.by))).collect()
    }

    fn by(name: &str, by: usize) -> Option<(String, usize)> {
        Some((name.to_owned(), by))
    }

    #[test]
    fn a_name_stays_with_whoever_serves_it() {
        assert_eq!(settled(&[claim(Some("a"), ""), claim(Some("b a"), "")]), [None, by("a", 0)], "the first has it");
        assert_eq!(settled(&[claim(Some("b"), "a"), claim(Some("b"), "b")]), [by("b", 1), None], "but for who has it already");
        assert_eq!(settled(&[claim(Some("b"), ""), claim(None, "b")]), [by("b", 1), None], "even if that cannot be replaced");
        let gone = Claim { stays: false, ..claim(None, "b") };
        assert_eq!(settled(&[claim(Some("b"), ""), gone]), [None, None]);
    }

    #[test]
    fn names_change_hands_when_they_are_given_up() {
        assert_eq!(settled(&[claim(Some("b"), "a"), claim(Some("c"), "b")]), [None, None]);
        assert_eq!(settled(&[claim(Some("b"), "a"), claim(Some("a"), "b")]), [None, None], "two can exchange them");
        // The second cannot have c, keeps b, and so the first cannot have that.
        let chain = [claim(Some("b"), "a"), claim(Some("c"), "b"), claim(Some("c"), "c")];
        assert_eq!(settled(&chain), [by("b", 1), by("c", 2), None]);
        let long: Vec<(String, String)> = (0..100).map(|n| (format!("t{}", n + 1), format!("t{n}"))).collect();
        let mut claims: Vec<_> = long.iter().map(|(new, held)| claim(Some(new), held)).collect();
        claims.push(claim(Some("t100"), "t100"));
        let outcome = settled(&claims);
        assert!(
            outcome[..100].iter().enumerate().all(|(at, taken)| *taken == by(&format!("t{}", at + 1), at + 1)),
            "{outcome:?}"
        );
        assert_eq!(outcome[100], None);
    }
}
