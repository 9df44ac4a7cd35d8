//! What a check can cost, known before the first value is looked at.
//!
//! A schema of some hundred bytes can double the work with each of its levels. So the parts that can look at one and the same value are
//! counted when the schema is compiled, and one that has too many is refused. After that, a check takes a step for each of them and
//! each value (a text counts by its length), whatever the value is.
//!
//! A part that recurs, which can be met again inside of what it looks at, is held to one look at each value: its answer is kept
//! (`check.rs`). So it counts once, and what lies between two of them is finite: counting goes down level by level and ends.

use super::part::{Id, Part, Types};

/// How many parts may look at one value. An object with a discriminator and a hundred variants needs a hundred.
pub(super) const PARTS_A_VALUE: u64 = 256;

/// How deep JSON can be nested: no reader here takes more.
const DEEPEST: usize = 128;

/// How many parts can look at one value. Fails where they are too many, with the part that is to blame.
pub(super) fn looks(parts: &[Part]) -> Result<u64, (Id, String)> {
    let order = in_order(parts, |part| part.in_place().collect()).map_err(|id| {
        (id, "it refers to itself without going deeper into the value: nothing could be checked by that".to_owned())
    })?;
    let recurring = recurring(parts);
    if let Some(id) = (0..parts.len()).map(Id).find(|id| parts[id.0].array.unique && is_inside_itself(parts, *id)) {
        return Err((id, "`uniqueItems` compares whole items, and cannot stand where items hold such arrays again".to_owned()));
    }
    let stops = |id: Id| recurring[id.0];
    // How many looks a look of each part causes at a value so many levels below it.
    let mut above = vec![0_u64; parts.len()];
    let mut most = vec![0_u64; parts.len()];
    for level in 0..DEEPEST {
        let mut here = vec![0_u64; parts.len()];
        for &id in &order {
            let part = &parts[id.0];
            let below = part.in_place().filter(|&id| !stops(id)).fold(0_u64, |sum, id| sum.saturating_add(here[id.0]));
            let looks = if level == 0 {
                own_looks(part, parts)
            } else {
                let inside = |id: Id| if stops(id) { 0 } else { above[id.0] };
                let names = if level == 1 { names_looks(part) } else { 0 };
                inside_looks(part, inside).saturating_add(names).saturating_add(u64::from(part.array.unique))
            };
            here[id.0] = looks.saturating_add(below);
            most[id.0] = most[id.0].max(here[id.0]);
        }
        if here.iter().all(|&looks| looks == 0) {
            break;
        }
        above = here;
    }
    let roots = (0..parts.len()).map(Id).filter(|&id| id == Id(0) || stops(id));
    let total = roots.clone().fold(0_u64, |sum, id| sum.saturating_add(most[id.0]));
    if total <= PARTS_A_VALUE {
        return Ok(total);
    }
    // The innermost part that is too much by itself says more than the whole.
    let blame = order.iter().copied().find(|id| most[id.0] > PARTS_A_VALUE).unwrap_or(Id(0));
    let total = if total > 1_000_000 { "millions of".to_owned() } else { total.to_string() };
    let advice = "give it fewer alternatives, or fewer parts that look at the same value";
    Err((blame, format!("{total} parts of the schema can look at one value, and {PARTS_A_VALUE} may: {advice}")))
}

/// Notes what a check wants to know of parts beforehand.
pub(super) fn settle(mut parts: Vec<Part>) -> Vec<Part> {
    for (part, recurs) in recurring(&parts).into_iter().enumerate() {
        parts[part].recurs = recurs;
    }
    // Those that look at the same value come first.
    for id in in_order(&parts, |part| part.in_place().collect()).unwrap_or_default() {
        parts[id.0].admits = admitted(&parts, id);
    }
    parts
}

/// The types of which a value can fit.
fn admitted(parts: &[Part], id: Id) -> Types {
    let part = &parts[id.0];
    let own = part.choices.iter().fold(part.types, |types, choices| {
        let listed = choices.types();
        types.and(listed)
    });
    let all = part.all.iter().fold(own, |types, id| types.and(parts[id.0].admits));
    part.alternatives.iter().fold(all, |types, alternatives| {
        let any = alternatives.of.iter().fold(Types::NONE, |types, id| types.or(parts[id.0].admits));
        types.and(any)
    })
}

/// Looks at the value itself, beside those of other parts.
fn own_looks(part: &Part, parts: &[Part]) -> u64 {
    let compared = part.choices.iter().map(super::part::Choices::compared).sum::<u64>();
    // What others have looked at is asked of each of them once more.
    let evaluated = if part.object.unevaluated.is_some() { reach(parts, part) } else { 0 };
    // Sixteen comparisons take as long as a look.
    1 + compared / 16 + evaluated
}

/// How many parts look at the same value as this one.
fn reach(parts: &[Part], part: &Part) -> u64 {
    let mut seen = std::collections::BTreeSet::new();
    let mut left: Vec<Id> = part.in_place().collect();
    while let Some(id) = left.pop() {
        if seen.insert(id) {
            left.extend(parts[id.0].in_place());
        }
        if seen.len() as u64 > PARTS_A_VALUE {
            break;
        }
    }
    seen.len() as u64
}

/// Looks at the name of each thing inside: every pattern looks twice, and sixteen other names are looked up as quickly as once.
fn names_looks(part: &Part) -> u64 {
    let others = part.object.required_with.values().map(Vec::len).max().unwrap_or_default();
    2 * part.object.patterns.len() as u64 + others as u64 / 16
}

/// Looks at one value inside, at most: it is one item, or stands under one name.
fn inside_looks(part: &Part, looks: impl Fn(Id) -> u64) -> u64 {
    let most = |ids: &mut dyn Iterator<Item = Id>| ids.map(&looks).max().unwrap_or_default();
    let sum = |ids: &mut dyn Iterator<Item = Id>| ids.fold(0_u64, |sum, id| sum.saturating_add(looks(id)));
    let (array, object) = (&part.array, &part.object);
    let contains = array.contains.as_ref().map_or(0, |contains| looks(contains.item));
    let item = most(&mut array.first.iter().copied().chain(array.rest)).saturating_add(contains);
    let matching = sum(&mut object.patterns.iter().map(|(_, id)| *id));
    let named = most(&mut object.properties.values().copied()).saturating_add(matching);
    let other = most(&mut object.others.into_iter());
    let unevaluated = most(&mut object.unevaluated.into_iter());
    let names = most(&mut object.names.into_iter());
    item.max(named.max(other).max(unevaluated).saturating_add(names))
}

/// Of each part whether a way through the schema that comes back is cut at it: on every such way there is one of them.
fn recurring(parts: &[Part]) -> Vec<bool> {
    let mut recurring = vec![false; parts.len()];
    walk(parts, everything, |walked| {
        if let Walked::Circle { back_to } = walked {
            recurring[back_to.0] = true;
        }
    });
    recurring
}

/// Whether a part can be met again inside of what it looks at.
fn is_inside_itself(parts: &[Part], id: Id) -> bool {
    let mut seen = vec![false; parts.len()];
    let mut left = everything(&parts[id.0]);
    while let Some(next) = left.pop() {
        if !std::mem::replace(&mut seen[next.0], true) {
            left.extend(everything(&parts[next.0]));
        }
    }
    seen[id.0]
}

/// The parts that a part leads to.
fn everything(part: &Part) -> Vec<Id> {
    part.in_place().chain(part.inside()).collect()
}

/// The parts in an order in which each comes after those that it leads to; or one that leads to itself.
fn in_order(parts: &[Part], next: impl Fn(&Part) -> Vec<Id>) -> Result<Vec<Id>, Id> {
    let (mut order, mut circle) = (Vec::with_capacity(parts.len()), None);
    walk(parts, next, |walked| match walked {
        Walked::Done(id) => order.push(id),
        Walked::Circle { back_to } => circle = Some(back_to),
    });
    circle.map_or(Ok(order), Err)
}

/// Something that a walk comes upon.
enum Walked {
    /// A part, after all that it leads to.
    Done(Id),
    /// A part that leads to one on the path to it.
    Circle { back_to: Id },
}

/// Walks through all parts, depth first. Without recursion: a chain of references can be as long as the schema.
fn walk(parts: &[Part], next: impl Fn(&Part) -> Vec<Id>, mut visit: impl FnMut(Walked)) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        OnPath,
        Done,
    }
    let mut states = vec![State::New; parts.len()];
    for start in (0..parts.len()).map(Id) {
        if states[start.0] != State::New {
            continue;
        }
        let (mut path, mut left) = (vec![start], vec![next(&parts[start.0])]);
        states[start.0] = State::OnPath;
        while let (Some(&id), Some(todo)) = (path.last(), left.last_mut()) {
            match todo.pop() {
                Some(next_id) => match states[next_id.0] {
                    State::New => {
                        states[next_id.0] = State::OnPath;
                        path.push(next_id);
                        left.push(next(&parts[next_id.0]));
                    }
                    State::OnPath => visit(Walked::Circle { back_to: next_id }),
                    State::Done => {}
                },
                None => {
                    states[id.0] = State::Done;
                    visit(Walked::Done(id));
                    path.pop();
                    left.pop();
                }
            }
        }
    }
}
