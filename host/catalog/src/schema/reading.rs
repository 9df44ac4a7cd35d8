//! Arguments as they were meant.
//!
//! Frameworks fill in every optional argument (`""`, `0`, `null`), models write numbers as texts, clients add arguments of their own. What
//! can be read in one way only is read so, by the schema of the argument:
//!
//! - What stands for "absent" in place of an optional argument is absent, where the schema has no use for it: `null`; an empty string,
//!   array or object, and 0; the texts `null`, `none`, `nil` and `undefined`.
//! - A value of another type becomes one of the right type where nothing is lost by that: `"2"` and `2.0` are 2, `"True"` is true, 5 is
//!   `"5"`, `"{\"a\":1}"` is an object, `[]` an empty one, and what stands alone is an array of one.
//! - A text that only differs in case or in surrounding white space from one that fits is that one.
//!
//! A value that fits stays as it is, and whether the result fits is for the check to say: nothing is refused here. The time is linear in
//! the arguments: each value is looked at once, by the parts that can look at it.

use std::collections::BTreeSet;

use sandbar_text::json::JsonLimit;
use serde_json::{Map, Number, Value};

use super::check::fits;
use super::part::{self, Id, Part, Types};
use super::value;

/// Values that all texts together may stand for that hold JSON: the bound of a message.
const TEXT_VALUES: usize = 50_000;

/// How many texts may be inside of each other.
const TEXTS_NESTED: usize = 2;

/// What separates the entries of a list in a text: one that holds any may stand for several.
const SEPARATORS: [char; 6] = [',', ';', '|', ' ', '\n', '\t'];

/// Rewrites arguments as they were meant, and drops those that are ignored where the tool has none of that name.
pub(super) fn read(parts: &[Part], arguments: &mut Value, is_ignored: impl Fn(&str) -> bool) {
    if let Value::Object(arguments) = arguments {
        arguments.retain(|name, _| !is_ignored(name) || has(parts, name));
    }
    let mut reading = Reading { parts, limit: JsonLimit::new(TEXT_VALUES), texts: 0, is_alone: false };
    reading.value(&[Id(0)], arguments);
}

/// Takes out each null that stands for a property which may be absent, where the schema has no use for it: some languages write one for
/// what is not there.
pub(super) fn without_nulls(parts: &[Part], value: &mut Value) {
    let reading = Reading { parts, limit: JsonLimit::new(0), texts: 0, is_alone: false };
    reading.without_nulls(&[Id(0)], value);
}

/// Whether a tool has an argument of that name, or takes any: because it says so, or because it lists none.
fn has(parts: &[Part], name: &str) -> bool {
    let all = everywhere(parts, &[Id(0)]);
    let takes_any = |part: &&Part| part.object.others.is_some() && !part.is_closed(parts);
    all.iter().any(|part| part.object.knows(name) || takes_any(part))
        || !all.iter().any(|part| part.object.lists || part.is_closed(parts))
}

/// The parts that look at the same value as these, in alternatives or not.
fn everywhere<'s>(parts: &'s [Part], ids: &[Id]) -> Vec<&'s Part> {
    let (mut seen, mut left) = (BTreeSet::new(), ids.to_vec());
    while let Some(id) = left.pop() {
        if seen.insert(id) {
            let part = &parts[id.0];
            left.extend(part.all.iter().chain(part.alternatives.iter().flat_map(|alternatives| &alternatives.of)));
        }
    }
    seen.into_iter().map(|id| &parts[id.0]).collect()
}

/// Whether an object may be without this property, which is one that is known.
fn may_be_absent(parts: &[&Part], name: &String) -> bool {
    parts.iter().any(|part| part.object.knows(name)) && !parts.iter().any(|part| part.object.required.contains(name))
}

/// The parts that look at an item of an array.
fn of_item(parts: &[&Part], index: usize) -> Vec<Id> {
    let ids: BTreeSet<Id> =
        parts.iter().filter_map(|part| part.array.first.get(index).or(part.array.rest.as_ref()).copied()).collect();
    ids.into_iter().collect()
}

struct Reading<'s> {
    parts: &'s [Part],
    limit: JsonLimit,
    /// How many texts the value is inside of.
    texts: usize,
    /// Whether the value is tried as the only item of an array, which is tried once.
    is_alone: bool,
}

impl<'s> Reading<'s> {
    /// Reads one value, at which all these parts look.
    fn value(&mut self, ids: &[Id], value: &mut Value) {
        let admitted = ids.iter().fold(Types::ALL, |types, id| types.and(self.parts[id.0].admits));
        match value {
            Value::Object(object) => self.object(ids, object),
            Value::Array(items) if items.is_empty() && !admitted.have(Types::ARRAY) && admitted.have(Types::OBJECT) => {
                // PHP has one notation for both.
                *value = Value::Object(Map::new());
            }
            Value::Array(items) => self.array(ids, items),
            _ => self.scalar(ids, admitted, value),
        }
    }

    fn object(&mut self, ids: &[Id], object: &mut Map<String, Value>) {
        let parts = self.applicable(ids, Some(object));
        if parts
            .iter()
            .all(|part| part.object.properties.is_empty() && part.object.patterns.is_empty() && part.object.others.is_none())
        {
            return;
        }
        object.retain(|name, value| {
            let ids: BTreeSet<Id> = parts.iter().flat_map(|part| part.object.of(name)).collect();
            let ids: Vec<Id> = ids.into_iter().collect();
            let was_absent = stands_for_absent(value);
            self.value(&ids, value);
            let is_absent = (was_absent || stands_for_absent(value)) && may_be_absent(&parts, name);
            !(is_absent && self.is_useless(&ids, value))
        });
    }

    fn array(&mut self, ids: &[Id], items: &mut [Value]) {
        let parts = self.applicable(ids, None);
        for (index, item) in items.iter_mut().enumerate() {
            let ids = of_item(&parts, index);
            if !ids.is_empty() {
                self.value(&ids, item);
            }
        }
    }

    fn without_nulls(&self, ids: &[Id], value: &mut Value) {
        match value {
            Value::Object(object) => {
                let parts = self.applicable(ids, Some(object));
                object.retain(|name, value| {
                    let ids: BTreeSet<Id> = parts.iter().flat_map(|part| part.object.of(name)).collect();
                    let ids: Vec<Id> = ids.into_iter().collect();
                    self.without_nulls(&ids, value);
                    !(value.is_null() && may_be_absent(&parts, name) && !fits(self.parts, &ids, value))
                });
            }
            Value::Array(items) => {
                let parts = self.applicable(ids, None);
                for (index, item) in items.iter_mut().enumerate() {
                    self.without_nulls(&of_item(&parts, index), item);
                }
            }
            _ => {}
        }
    }

    /// The parts that say what is inside of a value: of alternatives the one that is meant, where only one can be.
    fn applicable(&self, ids: &[Id], object: Option<&Map<String, Value>>) -> Vec<&'s Part> {
        let (mut seen, mut left) = (BTreeSet::new(), ids.to_vec());
        while let Some(id) = left.pop() {
            if !seen.insert(id) {
                continue;
            }
            let part = &self.parts[id.0];
            left.extend(&part.all);
            for alternatives in &part.alternatives {
                let meant = match object {
                    Some(object) => part::plausible(self.parts, &alternatives.of, object),
                    None => {
                        let arrays = |id: &Id| self.parts[id.0].admits.have(Types::ARRAY);
                        alternatives.of.iter().copied().filter(arrays).collect()
                    }
                };
                if let [one] = meant[..] {
                    left.push(one);
                }
            }
        }
        let parts = self.parts;
        seen.into_iter().map(|id| &parts[id.0]).collect()
    }

    /// Whether the schema has no use for what stands for "absent".
    fn is_useless(&self, ids: &[Id], value: &Value) -> bool {
        let empty_text = value.as_str().is_some_and(str::is_empty);
        !fits(self.parts, ids, value) || (empty_text && everywhere(self.parts, ids).iter().any(|part| part.text.never_empty))
    }

    fn scalar(&mut self, ids: &[Id], admitted: Types, value: &mut Value) {
        if fits(self.parts, ids, value) {
            // It fits as 2.0, too, but many a reader of integers wants the digits alone.
            if let Value::Number(number) = value
                && !admitted.have(Types::FRACTION)
                && let Some(integer) = value::as_integer(number)
            {
                *value = Value::Number(integer);
            }
            return;
        }
        let mut read = self.readings(ids, admitted, value);
        if let Some(fitting) = read.iter().position(|read| fits(self.parts, ids, read)) {
            *value = read.swap_remove(fitting);
            return;
        }
        // Of the right type at least: what is wrong with it then is its value, which may stand for "absent".
        if !admitted.have(Types::of(value))
            && let Some(typed) = read.iter().position(|read| admitted.have(Types::of(read)))
        {
            *value = read.swap_remove(typed);
            return;
        }
        if let Some(read) = self.json_in(ids, admitted, value).or_else(|| self.array_of(ids, admitted, value)) {
            *value = read;
        }
    }

    /// The array of which a value is the only item.
    fn array_of(&mut self, ids: &[Id], admitted: Types, value: &Value) -> Option<Value> {
        let is_one = match value {
            Value::Null => false,
            Value::String(text) => !text.trim().is_empty() && !text.contains(SEPARATORS),
            _ => true,
        };
        if !is_one || self.is_alone || !admitted.have(Types::ARRAY) {
            return None;
        }
        let mut array = Value::Array(vec![value.clone()]);
        self.is_alone = true;
        self.value(ids, &mut array);
        self.is_alone = false;
        fits(self.parts, ids, &array).then_some(array)
    }

    /// What a scalar can be read as, the likeliest first.
    fn readings(&self, ids: &[Id], admitted: Types, value: &Value) -> Vec<Value> {
        let mut readings = Vec::new();
        match value {
            Value::String(text) => {
                let trimmed = text.trim();
                readings.extend(number_in(trimmed).map(Value::Number));
                match trimmed.to_ascii_lowercase().as_str() {
                    "true" => readings.push(Value::Bool(true)),
                    "false" => readings.push(Value::Bool(false)),
                    _ => {}
                }
                let choices = everywhere(self.parts, ids).into_iter().flat_map(|part| &part.choices);
                let meant: BTreeSet<&str> = choices.filter_map(|choices| choices.meant_by(trimmed)).collect();
                readings.extend(Some(meant).filter(|meant| meant.len() == 1).into_iter().flatten().map(Value::from));
                if trimmed.len() < text.len() {
                    readings.push(Value::from(trimmed));
                }
            }
            Value::Number(number) => {
                // Of a number with a fraction it is not known how it was written: 1.10 has become 1.1.
                let digits = || (!number.is_f64()).then(|| Value::from(number.to_string()));
                readings.extend(Some(()).filter(|()| admitted.have(Types::STRING)).and_then(|()| digits()));
                match number.as_u64() {
                    Some(0) => readings.push(Value::Bool(false)),
                    Some(1) => readings.push(Value::Bool(true)),
                    _ => {}
                }
            }
            Value::Bool(value) => readings.push(Value::from(value.to_string())),
            _ => {}
        }
        readings
    }

    /// The array or object that a text holds as JSON, as some clients encode what is nested.
    fn json_in(&mut self, ids: &[Id], admitted: Types, value: &Value) -> Option<Value> {
        let text = value.as_str()?.trim();
        let is_wanted =
            (text.starts_with('{') && admitted.have(Types::OBJECT)) || (text.starts_with('[') && admitted.have(Types::ARRAY));
        if !is_wanted || self.texts == TEXTS_NESTED {
            return None;
        }
        let mut inside = self.limit.parse(text.as_bytes()).ok()?;
        self.texts += 1;
        self.value(ids, &mut inside);
        self.texts -= 1;
        Some(inside)
    }
}

/// Whether a value can stand in the place of one that is not given.
fn stands_for_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => {
            let text = text.trim();
            text.is_empty() || ["null", "none", "nil", "undefined"].iter().any(|word| text.eq_ignore_ascii_case(word))
        }
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}

/// The number that a text is, where it is written as JSON writes them and no digit is lost.
fn number_in(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    // 007 may be more than a number, and so may what has words around it.
    let is_number = unsigned.starts_with(|first: char| first.is_ascii_digit())
        && (!unsigned.starts_with('0') || unsigned.len() == 1 || unsigned[1..].starts_with(['.', 'e', 'E']));
    if !is_number {
        return None;
    }
    let number: Number = text.strip_prefix('+').unwrap_or(text).parse().ok()?;
    // A double has 17 digits; an integer that it cannot hold would become another one.
    let is_whole = unsigned.bytes().all(|byte| byte.is_ascii_digit());
    match (number.is_f64(), value::as_integer(&number)) {
        (true, _) if is_whole => None,
        (true, Some(integer)) => Some(integer),
        _ => Some(number),
    }
}
