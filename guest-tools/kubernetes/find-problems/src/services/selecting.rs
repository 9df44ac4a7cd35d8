//! Which of many selectors fit some labels, without trying each.

use std::collections::BTreeMap;

use sandbar_tool::kubernetes::{View, selectors};
use serde_json::Value;

/// Pairs that are compared for each selector and for each object that is looked up: with what people write it is a few. So it is linear
/// in what there is, whatever labels somebody chooses.
const COMPARED_EACH: usize = 200;

/// Selectors of one namespace, with what belongs to each. All are added before anything is looked up.
pub(super) struct Selecting<T> {
    added: Vec<One<T>>,
    /// Each under one of the pairs that it wants, by key and value.
    places: BTreeMap<String, BTreeMap<String, Vec<One<T>>>>,
    /// Pairs that may still be compared.
    compared: usize,
    /// Those that were given up, since too many were alike.
    pub(super) given_up: usize,
}

struct One<T> {
    selector: Value,
    pairs: usize,
    of: T,
}

impl<T> Default for Selecting<T> {
    fn default() -> Self {
        Self { added: Vec::new(), places: BTreeMap::new(), compared: 0, given_up: 0 }
    }
}

impl<T> Selecting<T> {
    pub(super) fn add(&mut self, selector: View<'_>, of: T) {
        self.compared = self.compared.saturating_add(COMPARED_EACH);
        self.added.push(One { selector: selector.json().clone(), pairs: selector.own_members().count(), of });
    }

    /// Asks of each that fits these labels whether it is kept.
    pub(super) fn retain(&mut self, labels: View<'_>, mut is_kept: impl FnMut(&mut T) -> bool) {
        self.place();
        self.compared = self.compared.saturating_add(COMPARED_EACH);
        for (key, value) in labels.own_members() {
            let Some(here) = self.places.get_mut(key).and_then(|values| values.get_mut(&value.words())) else { continue };
            let pairs: usize = here.iter().map(|one| one.pairs).sum();
            let Some(left) = self.compared.checked_sub(pairs) else { return self.give_up() };
            self.compared = left;
            here.retain_mut(|one| !selectors::selects(View::of(&one.selector), labels) || is_kept(&mut one.of));
        }
    }

    /// Those that are left.
    pub(super) fn left(mut self) -> impl Iterator<Item = (Value, T)> {
        self.place();
        self.places.into_values().flat_map(BTreeMap::into_values).flatten().map(|one| (one.selector, one.of))
    }

    /// Puts each where the fewest others are.
    fn place(&mut self) {
        if self.added.is_empty() {
            return;
        }
        let mut shared: BTreeMap<(String, String), usize> = BTreeMap::new();
        let pairs = |one: &One<T>| -> Vec<(String, String)> {
            View::of(&one.selector).own_members().map(|(key, value)| (key.to_owned(), value.words())).collect()
        };
        self.added.iter().flat_map(pairs).for_each(|pair| *shared.entry(pair).or_default() += 1);
        for one in std::mem::take(&mut self.added) {
            if let Some((key, value)) = pairs(&one).into_iter().min_by_key(|pair| shared.get(pair).copied()) {
                self.places.entry(key).or_default().entry(value).or_default().push(one);
            }
        }
    }

    fn give_up(&mut self) {
        self.given_up = self.places.values().flat_map(BTreeMap::values).map(Vec::len).sum();
        self.places.clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is left of these selectors once these labels were seen, and how many were given up.
    fn left(selectors: &[Value], seen: &[Value]) -> (Vec<usize>, usize) {
        let mut selecting = Selecting::default();
        selectors.iter().enumerate().for_each(|(at, selector)| selecting.add(View::of(selector), at));
        seen.iter().for_each(|labels| selecting.retain(View::of(labels), |_| false));
        let given_up = selecting.given_up;
        let mut left: Vec<usize> = selecting.left().map(|(_, at)| at).collect();
        left.sort_unstable();
        (left, given_up)
    }

    #[test]
    fn those_are_left_that_fit_nothing() {
        let selectors = [
            json!({ "app": "web" }),
            json!({ "app": "web", "tier": "front" }),
            json!({ "app": "db" }),
            json!({ "tier": "" }),
            json!({ "app": "web", "tier": "back" }),
        ];
        let seen = [json!({ "app": "web", "tier": "front", "x": "y" }), json!({ "app": "cache" }), Value::Null];
        assert_eq!(left(&selectors, &seen), (vec![2, 3, 4], 0));
    }

    #[test]
    fn what_people_write_is_never_given_up() {
        let labels = |app: usize| json!({ "app.kubernetes.io/part-of": "shop", "tier": "web", "app": format!("app-{app}") });
        let selectors: Vec<Value> = (0..2_000).map(labels).collect();
        let seen: Vec<Value> = (500..2_500).map(labels).collect();
        assert_eq!(left(&selectors, &seen), ((0..500).collect(), 0));
        let same: Vec<Value> = (0..5_000).map(|_| labels(7)).collect();
        assert_eq!(left(&same, &[labels(7)]), (Vec::new(), 0));
    }

    #[test]
    fn those_that_are_all_alike_are_given_up() {
        let labels = |last: &str| -> Value {
            (0..30).map(|key| (format!("k{key}"), json!("v"))).chain([("z".to_owned(), json!(last))]).collect()
        };
        let selectors: Vec<Value> = (0..300).map(|_| labels("no")).collect();
        let seen: Vec<Value> = (0..300).map(|_| labels("yes")).collect();
        // Under the first label, which all pods have.
        let (left, given_up) = left(&selectors, &seen);
        assert_eq!((left.len(), given_up), (0, 300));
    }
}
