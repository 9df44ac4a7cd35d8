//! When two JSON values are the same, as JSON Schema has it: 1 is 1.0, and the order of keys does not count.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};

use serde_json::{Number, Value};

/// The largest power of two below which a double holds every integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// How far from a whole number a quotient may be that a multiple of a fraction has: 0.3 is a multiple of 0.1.
const QUOTIENT_ERROR: f64 = 1e-9;

/// Whether it has no fraction: 2.0 is an integer.
pub(super) fn is_integer(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// The same number written as an integer, where no digit is lost by that.
pub(super) fn as_integer(number: &Number) -> Option<Number> {
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT)?;
    // Within these bounds the conversion is exact.
    Some(Number::from(float as i64))
}

/// The number as a wide integer, where it is one that fits.
fn wide(number: &Number) -> Option<i128> {
    let integer = || number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    integer().or_else(|| as_integer(number)?.as_i64().map(i128::from))
}

/// The order of two numbers; none only of what is no number.
pub(super) fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    match (wide(one), wide(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// Whether a number is a multiple of another, which is above 0.
pub(super) fn is_multiple(number: &Number, of: &Number) -> bool {
    match (wide(number), wide(of)) {
        (Some(number), Some(of)) if of != 0 => number % of == 0,
        _ => {
            let quotient = number.as_f64().unwrap_or(f64::NAN) / of.as_f64().unwrap_or(f64::NAN);
            (quotient - quotient.round()).abs() <= QUOTIENT_ERROR * quotient.abs().max(1.0)
        }
    }
}

/// Whether two values are the same. It takes as long as the smaller one is large.
pub(super) fn are_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => compare(one, other) == Some(Ordering::Equal),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| are_equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(key, value): (&String, &Value)| other.get(key).is_some_and(|other| are_equal(value, other));
            one.len() == other.len() && one.iter().all(same)
        }
        (one, other) => one == other,
    }
}

/// Two items of an array that are the same, where there are any. Nobody can foresee the hashes, so it takes as long as the array is
/// large.
pub(super) fn twins(items: &[Value]) -> Option<(usize, usize)> {
    let state = RandomState::new();
    let mut seen: HashMap<u64, Vec<usize>> = HashMap::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let alike = seen.entry(hash(item, &state)).or_default();
        if let Some(&first) = alike.iter().find(|&&first| are_equal(&items[first], item)) {
            return Some((first, index));
        }
        alike.push(index);
    }
    None
}

/// A number for a value that equal values share.
fn hash(value: &Value, state: &RandomState) -> u64 {
    let mut hasher = state.build_hasher();
    match value {
        Value::Null => 0_u8.hash(&mut hasher),
        Value::Bool(value) => value.hash(&mut hasher),
        Value::String(text) => text.hash(&mut hasher),
        Value::Number(number) => match wide(number) {
            Some(integer) => integer.hash(&mut hasher),
            None => number.as_f64().unwrap_or_default().to_bits().hash(&mut hasher),
        },
        Value::Array(items) => items.iter().for_each(|item| hash(item, state).hash(&mut hasher)),
        Value::Object(object) => {
            // In any order.
            let entries = object.iter().map(|(key, value)| state.hash_one((key, hash(value, state))));
            entries.fold(0_u64, u64::wrapping_add).hash(&mut hasher);
        }
    }
    hasher.finish()
}
