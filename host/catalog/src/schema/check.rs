//! Whether a value fits a schema, and what does not.
//!
//! One walk through the value. Each part that looks at a value takes a step, and `cost.rs` has bounded how many do: so a check takes
//! time that is linear in the value. Alternatives are tried without words; only where none fits, the one that was most likely meant is
//! gone through once more for what is wrong with it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use sandbar_text::{clean_line, nearest};
use serde_json::{Map, Value};

use super::part::{self, Alternatives, Arrays, Id, Numbers, Objects, Part, Texts, Types};
use super::{Quote, quoted, value};

/// How many faults a message lists; a model mends a few at a time.
const FAULTS: usize = 5;

/// Bytes of a value or a name in a message: they can be large.
const QUOTE_BYTES: usize = 100;

/// Bytes of the place that a fault is in: keys can be as long as a value.
const PLACE_BYTES: usize = 200;

/// Names or values that a message lists.
const LISTED: usize = 20;

/// How many parts may be at work inside of each other: a value that is nested 128 deep, in a schema with four references and
/// alternatives for each level. More would take the thread's stack.
const NESTED: usize = 512;

/// Bytes of text that take as long as a step.
#[cfg(test)]
const STEP_BYTES: usize = 16;

/// Whether a value fits; else the first faults, with the place of each.
pub(super) fn check(parts: &[Part], value: &Value) -> Result<(), String> {
    let mut check = Check::new(parts, FAULTS);
    if check.part(Id(0), value, &Location::Root) {
        return Ok(());
    }
    Err(check.faults.join("; "))
}

/// Whether a value fits some parts, without a word.
pub(super) fn fits(parts: &[Part], ids: &[Id], value: &Value) -> bool {
    let mut check = Check::new(parts, 0);
    ids.iter().all(|id| check.part(*id, value, &Location::Root))
}

/// How many steps a check takes.
#[cfg(test)]
pub(super) fn steps(parts: &[Part], value: &Value) -> usize {
    let mut check = Check::new(parts, FAULTS);
    check.part(Id(0), value, &Location::Root);
    check.steps
}

/// Notes that a keyword does not fit, and goes on only where more faults are to be told.
macro_rules! keep {
    ($check:ident, $all:ident, $fits:expr) => {
        if !$fits {
            $all = false;
            if $check.is_enough() {
                return false;
            }
        }
    };
}

/// A check at work.
struct Check<'s> {
    parts: &'s [Part],
    /// What parts that recur have said of values, by where these are in memory.
    known: HashMap<(Id, *const Value), bool>,
    faults: Vec<String>,
    /// How many faults are to be told: none while alternatives are tried.
    wanted: usize,
    nested: usize,
    #[cfg(test)]
    steps: usize,
}

/// A place in a value.
enum Location<'p> {
    Root,
    Key(&'p Location<'p>, &'p str),
    Item(&'p Location<'p>, usize),
}

/// `spec.containers.0`.
impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (above, separator) = match self {
            Self::Root => return Ok(()),
            Self::Key(above, _) | Self::Item(above, _) => (above, if matches!(above, Self::Root) { "" } else { "." }),
        };
        write!(f, "{above}{separator}")?;
        match self {
            Self::Root => Ok(()),
            Self::Key(_, key) => f.write_str(key),
            Self::Item(_, index) => write!(f, "{index}"),
        }
    }
}

impl<'s> Check<'s> {
    fn new(parts: &'s [Part], wanted: usize) -> Self {
        Self {
            parts,
            known: HashMap::new(),
            faults: Vec::new(),
            wanted,
            nested: 0,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// Whether a value fits a part.
    fn part(&mut self, id: Id, value: &Value, place: &Location<'_>) -> bool {
        let parts = self.parts;
        let part = &parts[id.0];
        let key = (id, std::ptr::from_ref(value));
        if part.recurs
            && let Some(&fits) = self.known.get(&key)
            && (fits || self.is_enough())
        {
            return fits;
        }
        self.step(value);
        if self.nested == NESTED {
            return self.fault(place, || "is nested too deep for its schema".to_owned());
        }
        self.nested += 1;
        let fits = self.look(part, value, place);
        self.nested -= 1;
        if part.recurs {
            self.known.insert(key, fits);
        }
        fits
    }

    #[cfg(test)]
    fn step(&mut self, value: &Value) {
        let text = match value {
            Value::String(text) => text.len(),
            Value::Object(object) => object.keys().map(String::len).sum(),
            _ => 0,
        };
        self.steps += 1 + text / STEP_BYTES;
    }

    #[cfg(not(test))]
    fn step(&mut self, _: &Value) {}

    fn look(&mut self, part: &Part, value: &Value, place: &Location<'_>) -> bool {
        if !part.types.have(Types::of(value)) {
            return self.fault(place, || match part.types {
                Types::NONE => "has no place in the schema".to_owned(),
                types => format!("is {}, and has to be {types}", quoted(value, QUOTE_BYTES)),
            });
        }
        let mut fits = true;
        for choices in &part.choices {
            keep!(self, fits, choices.have(value) || self.fault(place, || not_among(value, &choices.written)));
        }
        match value {
            Value::Number(number) => keep!(self, fits, self.number(&part.number, number, place)),
            Value::String(text) => keep!(self, fits, self.text(&part.text, text, place)),
            Value::Array(items) => keep!(self, fits, self.array(&part.array, items, place)),
            Value::Object(object) => keep!(self, fits, self.object(part, value, object, place)),
            Value::Null | Value::Bool(_) => {}
        }
        for id in &part.all {
            keep!(self, fits, self.part(*id, value, place));
        }
        for alternatives in &part.alternatives {
            keep!(self, fits, self.alternatives(alternatives, value, place));
        }
        if let Some(not) = part.not {
            keep!(
                self,
                fits,
                !self.quietly(|check| check.part(not, value, place))
                    || self.fault(place, || "fits what it must not, by `not`".to_owned())
            );
        }
        if let Some(condition) = &part.condition {
            let branch =
                if self.quietly(|check| check.part(condition.test, value, place)) { condition.then } else { condition.otherwise };
            keep!(self, fits, branch.is_none_or(|branch| self.part(branch, value, place)));
        }
        fits
    }

    fn number(&mut self, bounds: &Numbers, number: &serde_json::Number, place: &Location<'_>) -> bool {
        use std::cmp::Ordering::{Greater, Less};
        let Numbers { minimum, above, maximum, below, multiple_of } = bounds;
        let order = |bound: &serde_json::Number| value::compare(number, bound);
        let mut broken = Vec::new();
        broken.extend(minimum.iter().filter(|bound| order(bound) == Some(Less)).map(|bound| format!("{bound} or more")));
        broken.extend(above.iter().filter(|bound| order(bound) != Some(Greater)).map(|bound| format!("more than {bound}")));
        broken.extend(maximum.iter().filter(|bound| order(bound) == Some(Greater)).map(|bound| format!("{bound} or less")));
        broken.extend(below.iter().filter(|bound| order(bound) != Some(Less)).map(|bound| format!("less than {bound}")));
        broken.extend(multiple_of.iter().filter(|of| !value::is_multiple(number, of)).map(|of| format!("a multiple of {of}")));
        broken.is_empty() || self.fault(place, || format!("is {number}, and has to be {}", broken.join(" and ")))
    }

    fn text(&mut self, bounds: &Texts, text: &str, place: &Location<'_>) -> bool {
        let Texts { least, most, pattern, never_empty: _ } = bounds;
        let length = if *least > 0 || most.is_some() { text.chars().count() } else { 0 };
        let said = || quoted(&Quote(text), QUOTE_BYTES);
        if length < *least {
            return self.fault(place, || format!("is {}, and needs {least} characters or more", said()));
        }
        if let Some(most) = most.filter(|most| length > *most) {
            return self.fault(place, || format!("is {}, with {length} characters; {most} is the most", said()));
        }
        match pattern {
            Some(pattern) if !pattern.is_match(text) => {
                self.fault(place, || format!("is {}, and has to match {}", said(), quoted(&pattern.written, QUOTE_BYTES)))
            }
            _ => true,
        }
    }

    fn array(&mut self, rules: &Arrays, items: &[Value], place: &Location<'_>) -> bool {
        let Arrays { first, rest, least, most, unique, contains } = rules;
        let mut fits = true;
        if items.len() < *least {
            fits = self.fault(place, || format!("has {} items, and needs {least} or more", items.len()));
        }
        if let Some(most) = most.filter(|most| items.len() > *most) {
            fits = self.fault(place, || format!("has {} items; {most} is the most", items.len()));
        }
        if *unique && let Some((one, other)) = value::twins(items) {
            fits = self.fault(place, || format!("has the same item twice, at {one} and {other}"));
        }
        for (index, item) in items.iter().enumerate() {
            if !fits && self.is_enough() {
                return false;
            }
            if let Some(id) = first.get(index).or(rest.as_ref()) {
                fits &= self.part(*id, item, &Location::Item(place, index));
            }
        }
        if let Some(contains) = contains {
            let found = self.quietly(|check| items.iter().filter(|item| check.part(contains.item, item, place)).count());
            if found < contains.least || contains.most.is_some_and(|most| found > most) {
                let most = contains.most.map(|most| format!(", at most {most}")).unwrap_or_default();
                let words = || format!("has {found} items that fit `contains`; at least {}{most} have to", contains.least);
                fits = self.fault(place, words);
            }
        }
        fits
    }

    fn object(&mut self, part: &Part, value: &Value, object: &Map<String, Value>, place: &Location<'_>) -> bool {
        let Objects { names, required, least, most, required_with, fits_with, unevaluated, .. } = &part.object;
        let mut fits = true;
        for name in required {
            keep!(self, fits, object.contains_key(name) || self.missing(name, "", place));
        }
        if object.len() < *least || most.is_some_and(|most| object.len() > most) {
            let most = most.map(|most| format!(", and {most} at most")).unwrap_or_default();
            keep!(self, fits, self.fault(place, || format!("has {} properties; {least} are needed{most}", object.len())));
        }
        for (key, item) in object {
            let inside = Location::Key(place, key);
            if let Some(names) = names {
                keep!(
                    self,
                    fits,
                    self.name(*names, key)
                        || self.fault(place, || format!(
                            "has the name {}, which does not fit `propertyNames`",
                            quoted(&Quote(key), QUOTE_BYTES)
                        ))
                );
            }
            if !part.object.knows(key) && part.is_closed(self.parts) {
                keep!(self, fits, self.unknown(key, part, place));
                continue;
            }
            for id in part.object.of(key) {
                keep!(self, fits, self.part(id, item, &inside));
            }
            for name in required_with.get(key).into_iter().flatten() {
                keep!(
                    self,
                    fits,
                    object.contains_key(name)
                        || self.missing(name, &format!(" beside `{}`", clean_line(key, QUOTE_BYTES)), place)
                );
            }
            if let Some(id) = fits_with.get(key) {
                keep!(self, fits, self.part(*id, value, place));
            }
        }
        if let Some(unevaluated) = unevaluated {
            let evaluated = self.quietly(|check| check.evaluated(part, value, object));
            for (key, item) in object.iter().filter(|(key, _)| !evaluated.contains(key.as_str())) {
                if self.parts[unevaluated.0].types == Types::NONE {
                    keep!(self, fits, self.unknown(key, part, place));
                } else {
                    keep!(self, fits, self.part(*unevaluated, item, &Location::Key(place, key)));
                }
            }
        }
        fits
    }

    /// Whether a name fits. What is known of values is not of this one, which is gone after it.
    fn name(&mut self, names: Id, key: &str) -> bool {
        let known = std::mem::take(&mut self.known);
        let name = Value::from(key);
        let fits = self.quietly(|check| check.part(names, &name, &Location::Root));
        self.known = known;
        fits
    }

    /// The names that a keyword has looked at, in this part and in those that look at the same object and that it fits.
    fn evaluated<'v>(&mut self, part: &Part, value: &Value, object: &'v Map<String, Value>) -> BTreeSet<&'v str> {
        let mut evaluated = BTreeSet::new();
        let (mut seen, mut left) = (BTreeSet::new(), vec![(part, false)]);
        while let Some((part, whole)) = left.pop() {
            let Objects { others, unevaluated, fits_with, .. } = &part.object;
            let all = others.is_some() || (whole && unevaluated.is_some());
            evaluated.extend(object.keys().filter(|key| all || part.object.knows(key)).map(String::as_str));
            let mut certain: Vec<Id> = part.all.clone();
            let mut tried: Vec<Id> = part.alternatives.iter().flat_map(|alternatives| alternatives.of.clone()).collect();
            tried.extend(fits_with.iter().filter(|(name, _)| object.contains_key(*name)).map(|(_, id)| *id));
            if let Some(condition) = &part.condition {
                let fits = self.part(condition.test, value, &Location::Root);
                tried.extend(if fits { condition.then } else { condition.otherwise });
                certain.extend(Some(condition.test).filter(|_| fits));
            }
            tried.retain(|id| self.part(*id, value, &Location::Root));
            for id in certain.into_iter().chain(tried) {
                if seen.insert(id) {
                    left.push((&self.parts[id.0], true));
                }
            }
        }
        evaluated
    }

    fn alternatives(&mut self, alternatives: &Alternatives, value: &Value, place: &Location<'_>) -> bool {
        let Alternatives { one, of } = alternatives;
        let enough = if *one { 2 } else { 1 };
        let fitting = self.quietly(|check| of.iter().filter(|id| check.part(**id, value, place)).take(enough).count());
        match fitting {
            1 => true,
            0 => self.is_enough_or(|check| check.none_fits(of, value, place)),
            _ => {
                self.fault(place, || format!("is {}, and fits more than one alternative of `oneOf`", quoted(value, QUOTE_BYTES)))
            }
        }
    }

    /// Says what is wrong where no alternative fits: what the one lacks that was meant, where that can be told.
    fn none_fits(&mut self, alternatives: &[Id], value: &Value, place: &Location<'_>) -> bool {
        let types = alternatives.iter().fold(Types::NONE, |types, id| types.or(self.parts[id.0].admits));
        if !types.have(Types::of(value)) {
            return self.fault(place, || format!("is {}, and has to be {types}", quoted(value, QUOTE_BYTES)));
        }
        let mut meant: Vec<Id> = match value {
            Value::Object(object) => part::plausible(self.parts, alternatives, object),
            _ => alternatives.iter().copied().filter(|id| self.parts[id.0].admits.have(Types::of(value))).collect(),
        };
        if let (Some(id), 0 | 1) = (meant.pop(), meant.len()) {
            let told = self.faults.len();
            self.part(id, value, place);
            if self.faults.len() > told {
                return false;
            }
        }
        if let Value::Object(object) = value
            && let Some((name, value, written)) = wrong_tag(self.parts, alternatives, object)
        {
            return self.fault(&Location::Key(place, name), || not_among(value, &written));
        }
        let choices: Vec<Value> = alternatives
            .iter()
            .filter(|id| self.parts[id.0].admits.have(Types::of(value)))
            .flat_map(|id| self.parts[id.0].choices.iter().flat_map(|choices| choices.written.clone()))
            .collect();
        if !choices.is_empty() {
            return self.fault(place, || not_among(value, &choices));
        }
        self.fault(place, || {
            format!("is {}, and fits none of the {} alternatives", quoted(value, QUOTE_BYTES), alternatives.len())
        })
    }

    /// Notes that a property is missing.
    fn missing(&mut self, name: &str, beside: &str, place: &Location<'_>) -> bool {
        self.fault(&Location::Key(place, name), || format!("is missing{beside}"))
    }

    /// Notes that a property is not known, with the one that was probably meant.
    fn unknown(&mut self, key: &str, part: &Part, place: &Location<'_>) -> bool {
        self.fault(&Location::Key(place, key), || {
            // Only once it is to be told: there can be thousands.
            let known: Vec<&str> = part.object.properties.keys().map(String::as_str).collect();
            match nearest(cut(key), &known) {
                Some(nearest) => format!("is not known; did you mean `{nearest}`?"),
                None if known.is_empty() => "is not known: there are no properties here".to_owned(),
                None => format!("is not known; the possible ones are {}", listed(known.iter())),
            }
        })
    }

    /// Notes a fault, if it is to be told. What it returns is what the value is then: unfit.
    fn fault(&mut self, place: &Location<'_>, words: impl FnOnce() -> String) -> bool {
        if !self.is_enough() {
            let place = clean_line(place, PLACE_BYTES);
            let words = words();
            self.faults.push(if place.is_empty() { format!("it {words}") } else { format!("`{place}` {words}") });
        }
        false
    }

    /// Whether no more faults are to be told.
    fn is_enough(&self) -> bool {
        self.faults.len() >= self.wanted
    }

    fn is_enough_or(&mut self, tell: impl FnOnce(&mut Self) -> bool) -> bool {
        if self.is_enough() { false } else { tell(self) }
    }

    /// Does something without telling faults.
    fn quietly<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let wanted = std::mem::take(&mut self.wanted);
        let done = work(self);
        self.wanted = wanted;
        done
    }
}

/// The property that tells all alternatives apart, where an object has a value there that none of them has.
fn wrong_tag<'v>(
    parts: &[Part],
    alternatives: &[Id],
    object: &'v Map<String, Value>,
) -> Option<(&'v str, &'v Value, Vec<Value>)> {
    object.iter().take(LISTED).find_map(|(name, value)| {
        let choices: Option<Vec<_>> = alternatives.iter().map(|id| part::choices_of(parts, *id, name)).collect();
        let choices = choices.filter(|choices| choices.iter().all(|choices| !choices.have(value)))?;
        Some((name.as_str(), value, choices.iter().flat_map(|choices| choices.written.clone()).collect()))
    })
}

fn not_among(value: &Value, choices: &[Value]) -> String {
    let said = quoted(value, QUOTE_BYTES);
    match choices {
        [] => format!("is {said}, and nothing fits here"),
        [one] => format!("is {said}, and has to be {}", quoted(one, QUOTE_BYTES)),
        several => format!("is {said}, and has to be one of {}", listed(several.iter())),
    }
}

/// The first of some names or values.
fn listed<T: fmt::Display>(all: impl ExactSizeIterator<Item = T>) -> String {
    let more = if all.len() > LISTED { " …" } else { "" };
    let shown: Vec<String> = all.take(LISTED).map(|one| clean_line(one, QUOTE_BYTES)).collect();
    shown.join(", ") + more
}

fn cut(key: &str) -> &str {
    &key[..key.floor_char_boundary(QUOTE_BYTES)]
}
