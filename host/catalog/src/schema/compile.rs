//! From JSON to parts: every keyword is read once, every reference is followed once, and what a check could not do is refused here, with
//! the keyword, its place, and what to write instead.
//!
//! A keyword that JSON Schema does not have says nothing, as the standard wants it: schemas carry notes of their tools. What the standard
//! has and this does not is refused, since to leave it out would let pass what it forbids.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Number, Value};

use super::part::{Alternatives, Choices, Condition, Contains, Id, Part, Types};
use super::{Patterns, Quote, quoted};

/// Parts of one schema. Those of all bundled tools have 130 together.
const PARTS: usize = 10_000;

/// Bytes of a place, a value or a reference in a message.
const QUOTE_BYTES: usize = 100;

/// Keywords of the standard that are not checked here, and what to write.
const REFUSED: [(&str, &str); 3] =
    [("$dynamicRef", "use `$ref`"), ("$recursiveRef", "use `$ref`"), ("unevaluatedItems", "use `items` behind `prefixItems`")];

/// Formats of which the empty string is none.
const NEVER_EMPTY: [&str; 14] = [
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "iri",
    "uuid",
    "url",
];

/// Compiles a schema: its parts, of which the first is the whole, and how many of them can look at one value.
pub(super) fn compile(root: &Value, patterns: &mut Patterns) -> Result<(Vec<Part>, u64), String> {
    let draft = root.get("$schema").and_then(Value::as_str).unwrap_or_default();
    let mut compiler = Compiler {
        root,
        own_address: None,
        lone_references: ["draft-04", "draft-06", "draft-07"].iter().any(|old| draft.contains(old)),
        anchors: HashMap::new(),
        ids: HashMap::new(),
        found: Vec::new(),
        patterns,
    };
    compiler.note_addresses();
    compiler.id(root, None, Step::Root)?;
    let mut parts = Vec::new();
    // The list grows while it is worked through: no recursion, however long a chain of references is.
    while let Some(&Found { schema, .. }) = compiler.found.get(parts.len()) {
        let id = Id(parts.len());
        let part = compiler.part(id, schema);
        parts.push(part.map_err(|fault| at(&compiler.found, id, &fault))?);
    }
    let looks = super::cost::looks(&parts).map_err(|(id, fault)| at(&compiler.found, id, &fault))?;
    Ok((super::cost::settle(parts), looks))
}

struct Compiler<'s, 'p> {
    root: &'s Value,
    /// `$id` of the whole.
    own_address: Option<&'s str>,
    /// Until draft 7, nothing counts beside a `$ref`.
    lone_references: bool,
    anchors: HashMap<&'s str, &'s Value>,
    /// The parts that are found already, by where their JSON is in memory: it stays where it is.
    ids: HashMap<*const Value, Id>,
    found: Vec<Found<'s>>,
    patterns: &'p mut Patterns,
}

/// A part that is to be compiled, and where it was found.
struct Found<'s> {
    schema: &'s Value,
    inside: Option<Id>,
    step: Step<'s>,
}

/// The way from a part to one inside of it.
#[derive(Clone, Copy)]
enum Step<'s> {
    Root,
    Keyword(&'s str),
    Named(&'s str, &'s str),
    At(&'s str, usize),
    Reference(&'s str),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Keyword(keyword) => f.write_str(keyword),
            Self::Named(keyword, name) => write!(f, "{keyword}.{name}"),
            Self::At(keyword, index) => write!(f, "{keyword}.{index}"),
            Self::Reference(reference) => f.write_str(reference),
        }
    }
}

/// What is wrong, after the place of the part.
fn at(found: &[Found<'_>], id: Id, fault: &str) -> String {
    match place(found, id).as_str() {
        "" => fault.to_owned(),
        place => format!("`{place}`: {fault}"),
    }
}

/// Where a part is: `properties.a.items`. Behind a reference, it begins with that.
fn place(found: &[Found<'_>], mut id: Id) -> String {
    let mut steps = Vec::new();
    loop {
        let Found { inside, step, .. } = &found[id.0];
        match (step, inside) {
            (Step::Reference(_), _) | (_, None) => {
                steps.push(step);
                break;
            }
            (_, Some(outer)) => {
                steps.push(step);
                id = *outer;
            }
        }
    }
    let mut place = String::new();
    for step in steps.iter().rev().filter(|step| !matches!(step, Step::Root)) {
        let separator = if place.is_empty() { "" } else { "." };
        // A text takes all that is written to it.
        let _ = write!(place, "{separator}{}", sandbar_text::beginning(step, QUOTE_BYTES).0);
        if place.len() > 2 * QUOTE_BYTES {
            place.push('…');
            break;
        }
    }
    sandbar_text::clean_line(&place, place.len())
}

impl<'s> Compiler<'s, '_> {
    /// Finds the names that parts have for references, and the address of the whole.
    fn note_addresses(&mut self) {
        let draft_4 = self.root.get("$schema").and_then(Value::as_str).is_some_and(|draft| draft.contains("draft-04"));
        let key = if draft_4 { "id" } else { "$id" };
        let mut left = vec![self.root];
        while let Some(value) = left.pop() {
            match value {
                Value::Array(items) => left.extend(items),
                Value::Object(object) => {
                    left.extend(object.values());
                    if let Some(Value::String(name)) = object.get("$anchor") {
                        self.anchors.insert(name, value);
                    }
                    match object.get(key) {
                        // Until 2019, this was an anchor.
                        Some(Value::String(address)) if address.starts_with('#') => {
                            self.anchors.insert(&address[1..], value);
                        }
                        Some(Value::String(address)) if std::ptr::eq(value, self.root) => {
                            self.own_address = Some(address.trim_end_matches('#'));
                        }
                        // It may be the name of a property, or part of a value; a reference would find out.
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// The number of a part, which is compiled in its turn.
    fn id(&mut self, schema: &'s Value, inside: Option<Id>, step: Step<'s>) -> Result<Id, String> {
        if let Some(&id) = self.ids.get(&std::ptr::from_ref(schema)) {
            return Ok(id);
        }
        let id = Id(self.found.len());
        if id.0 == PARTS {
            return Err(format!("it has more than {PARTS} parts"));
        }
        self.found.push(Found { schema, inside, step });
        self.ids.insert(schema, id);
        Ok(id)
    }

    fn part(&mut self, id: Id, schema: &'s Value) -> Result<Part, String> {
        let keywords = match schema {
            Value::Bool(everything) => return Ok(Part::of_everything(*everything)),
            Value::Object(keywords) => keywords,
            other => return Err(format!("{} is no schema: that is an object, true or false", quoted(other, QUOTE_BYTES))),
        };
        let mut part = Part::of_everything(true);
        let alone = self.lone_references && keywords.contains_key("$ref");
        for (keyword, value) in keywords.iter().filter(|(keyword, _)| !alone || *keyword == "$ref") {
            let mut scope = Scope { compiler: self, id, keyword, value, keywords };
            scope.read(&mut part).map_err(|fault| match fault {
                Fault::Shape(expected) => format!("`{keyword}` is {}, and has to be {expected}", quoted(value, QUOTE_BYTES)),
                Fault::Words(words) => words,
            })?;
        }
        Ok(part)
    }

    /// The part that a reference leads to.
    fn referred(&self, reference: &'s str) -> Result<&'s Value, String> {
        let said = || quoted(&Quote(reference), QUOTE_BYTES);
        let (base, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        if !base.is_empty() && Some(base) != self.own_address {
            let advice = "it has to begin with `#`, or with the schema's own `$id`";
            return Err(format!("the reference {} leads out of the schema: {advice}", said()));
        }
        let fragment: Cow<'s, str> =
            percent_decode_str(fragment).decode_utf8().map_err(|_| format!("the reference {} leads to no schema", said()))?;
        if fragment.is_empty() {
            return Ok(self.root);
        }
        let found = if fragment.starts_with('/') { self.root.pointer(&fragment) } else { self.anchors.get(&*fragment).copied() };
        found
            .filter(|found| matches!(found, Value::Object(_) | Value::Bool(_)))
            .ok_or_else(|| format!("the reference {} leads to no schema", said()))
    }
}

/// What is wrong with a keyword's value.
enum Fault {
    /// It has to be this.
    Shape(&'static str),
    Words(String),
}

impl From<String> for Fault {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

/// An integer of 0 or more.
fn count(value: &Value) -> Option<usize> {
    let count = value.as_f64().filter(|count| count.fract() == 0.0 && *count >= 0.0)?;
    // `as` goes to the nearest value: what is larger than memory bounds nothing.
    Some(count as usize)
}

/// One keyword of one part.
struct Scope<'a, 's, 'p> {
    compiler: &'a mut Compiler<'s, 'p>,
    id: Id,
    keyword: &'s str,
    value: &'s Value,
    keywords: &'s Map<String, Value>,
}

impl<'s> Scope<'_, 's, '_> {
    fn read(&mut self, part: &mut Part) -> Result<(), Fault> {
        match self.keyword {
            "type" => part.types = part.types.and(self.types()?),
            "enum" => part.choices.push(Choices::new(self.array("an array of values")?.clone())),
            "const" => part.choices.push(Choices::new(vec![self.value.clone()])),

            "minimum" if self.is_exclusive("exclusiveMinimum") => part.number.above = Some(self.number()?),
            "minimum" => part.number.minimum = Some(self.number()?),
            "maximum" if self.is_exclusive("exclusiveMaximum") => part.number.below = Some(self.number()?),
            "maximum" => part.number.maximum = Some(self.number()?),
            // In draft 4, they say how the bound beside them is meant.
            "exclusiveMinimum" | "exclusiveMaximum" if self.value.is_boolean() => {}
            "exclusiveMinimum" => part.number.above = Some(self.number()?),
            "exclusiveMaximum" => part.number.below = Some(self.number()?),
            "multipleOf" => {
                let number = Some(self.number()?).filter(|number| number.as_f64().is_some_and(|number| number > 0.0));
                part.number.multiple_of = Some(number.ok_or(Fault::Shape("a number above 0"))?);
            }

            "minLength" => part.text.least = self.count()?,
            "maxLength" => part.text.most = Some(self.count()?),
            "pattern" => part.text.pattern = Some(self.compiler.patterns.compile(self.text()?)?),
            "format" => part.text.never_empty = self.value.as_str().is_some_and(|format| NEVER_EMPTY.contains(&format)),

            "prefixItems" => part.array.first = self.each()?,
            // An array of schemas, until 2019.
            "items" if self.value.is_array() => {
                part.array.first = self.each()?;
                if let Some(rest) = self.keywords.get("additionalItems") {
                    part.array.rest = Some(self.compiler.id(rest, Some(self.id), Step::Keyword("additionalItems"))?);
                }
            }
            "items" => part.array.rest = Some(self.one()?),
            "minItems" => part.array.least = self.count()?,
            "maxItems" => part.array.most = Some(self.count()?),
            "uniqueItems" => part.array.unique = self.boolean()?,
            "contains" => {
                let item = self.one()?;
                // Of the wrong shape, they are refused in their turn.
                let count = |key| self.keywords.get(key).and_then(count);
                part.array.contains =
                    Some(Contains { item, least: count("minContains").unwrap_or(1), most: count("maxContains") });
            }
            "minContains" | "maxContains" => drop(self.count()?),

            "properties" => {
                part.object.properties = self.named()?;
                part.object.lists = true;
            }
            "patternProperties" => {
                for (pattern, id) in self.named()? {
                    part.object.patterns.push((self.compiler.patterns.compile(&pattern)?, id));
                }
            }
            "additionalProperties" => part.object.others = Some(self.one()?),
            "unevaluatedProperties" => part.object.unevaluated = Some(self.one()?),
            "propertyNames" => part.object.names = Some(self.one()?),
            "required" if self.value.is_boolean() => {
                return Err(Fault::Words("`required` of draft 3 is not known: list the names beside `properties`".to_owned()));
            }
            "required" => part.object.required = self.names(self.value)?.into_iter().collect(),
            "minProperties" => part.object.least = self.count()?,
            "maxProperties" => part.object.most = Some(self.count()?),
            "dependentRequired" => {
                for (name, names) in self.object()? {
                    part.object.required_with.insert(name.clone(), self.names(names)?);
                }
            }
            "dependentSchemas" => part.object.fits_with.append(&mut self.named()?),
            "dependencies" => {
                for (name, value) in self.object()? {
                    if value.is_array() {
                        part.object.required_with.insert(name.clone(), self.names(value)?);
                    } else {
                        let id = self.compiler.id(value, Some(self.id), Step::Named("dependencies", name))?;
                        part.object.fits_with.insert(name.clone(), id);
                    }
                }
            }

            "$ref" => {
                let reference = self.text()?;
                let schema = self.compiler.referred(reference)?;
                part.all.push(self.compiler.id(schema, Some(self.id), Step::Reference(reference))?);
            }
            "$id" | "id" if self.id != Id(0) && self.value.as_str().is_some_and(|address| !address.starts_with('#')) => {
                let (keyword, address) = (self.keyword, quoted(self.value, QUOTE_BYTES));
                // Until draft 4, `id` was that keyword; it is a note elsewhere.
                if keyword == "$id" {
                    let advice = "only the whole may have one; use `$defs` and `#/$defs/NAME`";
                    return Err(Fault::Words(format!("a part of it has the address {address}: {advice}")));
                }
            }
            "allOf" => part.all.append(&mut self.each()?),
            "anyOf" => part.alternatives.push(Alternatives { one: false, of: self.each()? }),
            "oneOf" => part.alternatives.push(Alternatives { one: true, of: self.each()? }),
            "not" => part.not = Some(self.one()?),
            "if" => {
                let mut branch = |key: &'static str| {
                    let schema = self.keywords.get(key);
                    schema.map(|schema| self.compiler.id(schema, Some(self.id), Step::Keyword(key))).transpose()
                };
                let (then, otherwise) = (branch("then")?, branch("else")?);
                part.condition = Some(Condition { test: self.one()?, then, otherwise });
            }
            keyword => {
                if let Some((_, advice)) = REFUSED.iter().find(|(refused, _)| *refused == keyword) {
                    return Err(Fault::Words(format!("`{keyword}` is not checked by this server: {advice}")));
                }
            }
        }
        Ok(())
    }

    /// Whether draft 4's keyword makes the bound beside it exclusive.
    fn is_exclusive(&self, keyword: &str) -> bool {
        self.keywords.get(keyword) == Some(&Value::Bool(true))
    }

    fn types(&self) -> Result<Types, Fault> {
        let shape = Fault::Shape("a type (null, boolean, integer, number, string, array or object), or an array of them");
        let named = |value: &Value| value.as_str().and_then(Types::named);
        let types = match self.value {
            Value::Array(types) => types.iter().try_fold(Types::NONE, |types, value| Some(types.or(named(value)?))),
            value => named(value),
        };
        types.ok_or(shape)
    }

    fn number(&self) -> Result<Number, Fault> {
        self.value.as_number().cloned().ok_or(Fault::Shape("a number"))
    }

    fn count(&self) -> Result<usize, Fault> {
        count(self.value).ok_or(Fault::Shape("an integer of 0 or more"))
    }

    fn boolean(&self) -> Result<bool, Fault> {
        self.value.as_bool().ok_or(Fault::Shape("true or false"))
    }

    fn text(&self) -> Result<&'s str, Fault> {
        self.value.as_str().ok_or(Fault::Shape("a string"))
    }

    fn array(&self, expected: &'static str) -> Result<&'s Vec<Value>, Fault> {
        self.value.as_array().ok_or(Fault::Shape(expected))
    }

    fn object(&self) -> Result<&'s Map<String, Value>, Fault> {
        self.value.as_object().ok_or(Fault::Shape("an object"))
    }

    fn names(&self, value: &Value) -> Result<Vec<String>, Fault> {
        let names = value.as_array().and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
        names.ok_or(Fault::Shape("an array of names"))
    }

    /// The part that the keyword holds.
    fn one(&mut self) -> Result<Id, Fault> {
        Ok(self.compiler.id(self.value, Some(self.id), Step::Keyword(self.keyword))?)
    }

    /// The parts of which it holds an array.
    fn each(&mut self) -> Result<Vec<Id>, Fault> {
        let schemas = self.array("an array of schemas")?;
        let ids = schemas
            .iter()
            .enumerate()
            .map(|(at, schema)| Ok(self.compiler.id(schema, Some(self.id), Step::At(self.keyword, at))?));
        ids.collect()
    }

    /// The parts that it holds by name.
    fn named(&mut self) -> Result<BTreeMap<String, Id>, Fault> {
        let schemas = self.value.as_object().ok_or(Fault::Shape("an object of schemas"))?;
        let ids = schemas
            .iter()
            .map(|(name, schema)| Ok((name.clone(), self.compiler.id(schema, Some(self.id), Step::Named(self.keyword, name))?)));
        ids.collect()
    }
}
