//! What a schema is once it is compiled: parts that name each other by number, with every keyword as a check can use it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Number, Value};

use super::pattern::Pattern;
use super::value;

/// A part of a schema, by its place in the list of all parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(pub(super) usize);

/// One part: `true`, `false`, or an object of keywords. A value fits where it fits every keyword.
#[derive(Debug)]
pub(super) struct Part {
    /// `type`; all of them where there is none.
    pub(super) types: Types,
    /// The types of which a value can fit at all, with what the parts of `all` and the alternatives say.
    pub(super) admits: Types,
    /// `enum` and `const`.
    pub(super) choices: Vec<Choices>,
    pub(super) number: Numbers,
    pub(super) text: Texts,
    pub(super) array: Arrays,
    pub(super) object: Objects,
    /// `$ref` and `allOf`.
    pub(super) all: Vec<Id>,
    /// `anyOf` and `oneOf`.
    pub(super) alternatives: Vec<Alternatives>,
    pub(super) not: Option<Id>,
    pub(super) condition: Option<Condition>,
    /// It can look at a value and again at what is inside of it. Such a part looks at each value once.
    pub(super) recurs: bool,
}

/// `anyOf`, or `oneOf`.
#[derive(Debug)]
pub(super) struct Alternatives {
    pub(super) one: bool,
    pub(super) of: Vec<Id>,
}

/// `if`, `then` and `else`.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) test: Id,
    pub(super) then: Option<Id>,
    pub(super) otherwise: Option<Id>,
}

/// Bounds of a number.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) minimum: Option<Number>,
    pub(super) above: Option<Number>,
    pub(super) maximum: Option<Number>,
    pub(super) below: Option<Number>,
    pub(super) multiple_of: Option<Number>,
}

/// Bounds of a string, in characters, and its pattern.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) least: usize,
    pub(super) most: Option<usize>,
    pub(super) pattern: Option<Pattern>,
    /// It has a `format`, of which the empty string is none. A check asks for no format; a reader of arguments takes `""` for absent.
    pub(super) never_empty: bool,
}

/// Keywords of an array.
#[derive(Debug, Default)]
pub(super) struct Arrays {
    pub(super) first: Vec<Id>,
    pub(super) rest: Option<Id>,
    pub(super) least: usize,
    pub(super) most: Option<usize>,
    pub(super) unique: bool,
    pub(super) contains: Option<Contains>,
}

/// `contains`, and how many items have to fit.
#[derive(Debug)]
pub(super) struct Contains {
    pub(super) item: Id,
    pub(super) least: usize,
    pub(super) most: Option<usize>,
}

/// Keywords of an object.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) properties: BTreeMap<String, Id>,
    pub(super) patterns: Vec<(Pattern, Id)>,
    pub(super) others: Option<Id>,
    /// `unevaluatedProperties`: for those that no keyword has looked at, here or in a part that looks at the same value.
    pub(super) unevaluated: Option<Id>,
    pub(super) names: Option<Id>,
    /// There is a list of properties, be it empty: an object with others has more than was thought of.
    pub(super) lists: bool,
    pub(super) required: BTreeSet<String>,
    pub(super) least: usize,
    pub(super) most: Option<usize>,
    /// `dependentRequired`: with one name, these are required too.
    pub(super) required_with: BTreeMap<String, Vec<String>>,
    /// `dependentSchemas`: with one name, the whole has to fit this too.
    pub(super) fits_with: BTreeMap<String, Id>,
}

impl Objects {
    /// The parts that look at what stands under a name; none of them but one that refuses it, where the name is not known.
    pub(super) fn of<'p>(&'p self, name: &'p str) -> impl Iterator<Item = Id> + 'p {
        let named = self.properties.get(name).copied();
        let matching = self.patterns.iter().filter(|(pattern, _)| pattern.is_match(name)).map(|(_, id)| *id);
        let mut known = named.into_iter().chain(matching).peekable();
        let other = if known.peek().is_none() { self.others } else { None };
        known.chain(other)
    }

    /// Whether a keyword says something of a name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.properties.contains_key(name) || self.patterns.iter().any(|(pattern, _)| pattern.is_match(name))
    }
}

impl Part {
    /// The part that everything fits, or nothing.
    pub(super) fn of_everything(everything: bool) -> Self {
        let types = if everything { Types::ALL } else { Types::NONE };
        Self {
            types,
            admits: types,
            choices: Vec::new(),
            number: Numbers::default(),
            text: Texts::default(),
            array: Arrays::default(),
            object: Objects::default(),
            all: Vec::new(),
            alternatives: Vec::new(),
            not: None,
            condition: None,
            recurs: false,
        }
    }

    /// The parts that look at the same value.
    pub(super) fn in_place(&self) -> impl Iterator<Item = Id> + '_ {
        let alternatives = self.alternatives.iter().flat_map(|alternatives| &alternatives.of);
        let condition = self
            .condition
            .iter()
            .flat_map(|condition| [Some(condition.test), condition.then, condition.otherwise].into_iter().flatten());
        let with = self.object.fits_with.values();
        self.all.iter().chain(alternatives).chain(with).copied().chain(self.not).chain(condition)
    }

    /// The parts that look at what is inside of it.
    pub(super) fn inside(&self) -> impl Iterator<Item = Id> + '_ {
        let Arrays { first, rest, contains, .. } = &self.array;
        let Objects { properties, patterns, others, unevaluated, .. } = &self.object;
        let items = first.iter().copied().chain(*rest).chain(contains.as_ref().map(|contains| contains.item));
        let values = properties.values().copied().chain(patterns.iter().map(|(_, id)| *id)).chain(*others).chain(*unevaluated);
        items.chain(values)
    }

    /// Whether it refuses all names that it does not know.
    pub(super) fn is_closed(&self, parts: &[Self]) -> bool {
        self.object.others.is_some_and(|others| parts[others.0].types == Types::NONE)
    }
}

/// The values that there are, of `enum` or `const`.
#[derive(Debug)]
pub(super) struct Choices {
    /// As they are written, for messages.
    pub(super) written: Vec<Value>,
    texts: BTreeSet<String>,
    /// The texts without regard to case: the one that is written like this, where it is only one.
    folded: BTreeMap<String, Option<String>>,
    others: Vec<Value>,
}

impl Choices {
    pub(super) fn new(written: Vec<Value>) -> Self {
        let (mut texts, mut folded, mut others) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        for value in &written {
            match value {
                Value::String(text) => {
                    if texts.insert(text.clone()) {
                        folded.entry(text.to_lowercase()).and_modify(|one| *one = None).or_insert_with(|| Some(text.clone()));
                    }
                }
                other => others.push(other.clone()),
            }
        }
        Self { written, texts, folded, others }
    }

    pub(super) fn have(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.texts.contains(text),
            value => self.others.iter().any(|other| value::are_equal(other, value)),
        }
    }

    /// The text that is meant by another spelling of it, where only one can be.
    pub(super) fn meant_by(&self, text: &str) -> Option<&str> {
        self.folded.get(&text.trim().to_lowercase())?.as_deref()
    }

    /// How many of them a value has to be compared with, one by one.
    pub(super) fn compared(&self) -> u64 {
        self.others.len() as u64
    }

    /// The types that they have.
    pub(super) fn types(&self) -> Types {
        self.written.iter().fold(Types::NONE, |types, value| types.or(Types::of(value)))
    }
}

/// A set of JSON's types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NONE: Self = Self(0);
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(1 << 1);
    pub(super) const INTEGER: Self = Self(1 << 2);
    /// A number that is no integer.
    pub(super) const FRACTION: Self = Self(1 << 3);
    pub(super) const NUMBER: Self = Self(Self::INTEGER.0 | Self::FRACTION.0);
    pub(super) const STRING: Self = Self(1 << 4);
    pub(super) const ARRAY: Self = Self(1 << 5);
    pub(super) const OBJECT: Self = Self(1 << 6);
    pub(super) const ALL: Self = Self((1 << 7) - 1);

    /// The type that JSON Schema calls so.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => return None,
        })
    }

    /// The type of a value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if value::is_integer(number) => Self::INTEGER,
            Value::Number(_) => Self::FRACTION,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of the others are among them.
    pub(super) fn have(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `an integer or null`.
impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (Self::STRING, "a string"),
            (Self::NUMBER, "a number"),
            (Self::INTEGER, "an integer"),
            (Self::BOOLEAN, "a boolean"),
            (Self::ARRAY, "an array"),
            (Self::OBJECT, "an object"),
            (Self::NULL, "null"),
        ];
        let numbers = self.have(Self::NUMBER);
        let names: Vec<_> = all
            .iter()
            .filter(|(types, _)| self.have(*types) && !(numbers && *types == Self::INTEGER))
            .map(|(_, name)| *name)
            .collect();
        match names.split_last() {
            None => f.write_str("nothing"),
            Some((last, [])) => f.write_str(last),
            Some((last, before)) => write!(f, "{} or {last}", before.join(", ")),
        }
    }
}

/// The property whose value tells alternatives apart, and the values that each of them has for it, where there is one.
pub(super) fn choices_of<'p>(parts: &'p [Part], id: Id, name: &str) -> Option<&'p Choices> {
    let property = parts[id.0].object.properties.get(name)?;
    let mut at = *property;
    loop {
        let part = &parts[at.0];
        match (part.choices.first(), &part.all[..]) {
            (Some(choices), _) => return Some(choices),
            // What a reference leads to. No circle: a part that looks at its own value again is refused.
            (None, [next]) => at = *next,
            _ => return None,
        }
    }
}

/// Of some alternatives those that an object can be meant as: what tells them apart by its value fits, and if that leaves several, all
/// that is required is there, and nothing that is refused.
pub(super) fn plausible(parts: &[Part], alternatives: &[Id], object: &Map<String, Value>) -> Vec<Id> {
    let mut left: Vec<Id> = alternatives.iter().copied().map(|id| through_references(parts, id)).collect();
    left.retain(|id| parts[id.0].admits.have(Types::OBJECT));
    left.retain(|&id| {
        let part = &parts[id.0].object;
        // Whichever of the two is smaller.
        let tags_fit = |(name, value): (&String, &Value)| choices_of(parts, id, name).is_none_or(|choices| choices.have(value));
        if part.properties.len() < object.len() {
            part.properties.keys().filter_map(|name| object.get_key_value(name)).all(tags_fit)
        } else {
            object.iter().all(tags_fit)
        }
    });
    if left.len() > 1 {
        left.retain(|id| {
            let part = &parts[id.0];
            let is_there = part.object.required.iter().all(|name| object.contains_key(name));
            is_there && (!part.is_closed(parts) || object.keys().all(|name| part.object.knows(name)))
        });
    }
    left
}

/// The part itself, or what it leads to where it is but a reference.
fn through_references(parts: &[Part], mut id: Id) -> Id {
    loop {
        let Part { types, choices, object, all, alternatives, not, condition, .. } = &parts[id.0];
        let says_nothing =
            *types == Types::ALL && choices.is_empty() && alternatives.is_empty() && not.is_none() && condition.is_none();
        let Objects { properties, others, required, .. } = object;
        match all[..] {
            [next] if says_nothing && properties.is_empty() && others.is_none() && required.is_empty() => id = next,
            _ => return id,
        }
    }
}
