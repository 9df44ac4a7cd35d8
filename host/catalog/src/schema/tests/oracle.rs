//! Any value fits here where it fits for the crate `jsonschema`: thousands of schemas and values, put together at random.

use super::*;

const NAMES: [&str; 4] = ["a", "b", "c", "kind"];
const TEXTS: [&str; 6] = ["", "a", "b", "ab", "a1", "ß"];
const PATTERNS: [&str; 5] = ["^a", "b$", "^[a-z]+$", "\\d", "^.{2,3}$"];

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2 => json!(random.below(5)),
        3 => json!(*random.one(&[0.0, 0.5, 1.0, 1.5, -2.0, 4.0])),
        4 => json!(random.one(&TEXTS)),
        5 => (0..random.below(4)).map(|_| value(random, depth - 1)).collect(),
        _ => Value::Object((0..random.below(4)).map(|_| ((*random.one(&NAMES)).to_owned(), value(random, depth - 1))).collect()),
    }
}

fn names(random: &mut Random) -> Value {
    let first = random.below(NAMES.len());
    json!(NAMES[first..(first + random.below(3)).min(NAMES.len())])
}

fn schemas(random: &mut Random, depth: usize) -> Value {
    (0..=random.below(3)).map(|_| schema(random, depth)).collect()
}

fn by_name(random: &mut Random, names: &[&str], depth: usize) -> Value {
    Value::Object((0..=random.below(3)).map(|_| ((*random.one(names)).to_owned(), schema(random, depth))).collect())
}

fn schema(random: &mut Random, depth: usize) -> Value {
    match random.below(12) {
        0 => return json!(true),
        1 if depth == 0 => return json!(false),
        2 => return json!({ "$ref": *random.one(&["#/$defs/a", "#/$defs/b"]) }),
        _ => {}
    }
    let mut object = serde_json::Map::new();
    for _ in 0..=random.below(3) {
        let deeper = depth.saturating_sub(1);
        let (keyword, held) = match random.below(if depth == 0 { 16 } else { 34 }) {
            0 | 1 => ("type", json!(random.one(&["null", "boolean", "integer", "number", "string", "array", "object"]))),
            2 => ("type", json!(["object", random.one(&["null", "integer", "array"])])),
            3 => ("enum", (0..=random.below(3)).map(|_| value(random, 1)).collect()),
            4 => ("const", value(random, 1)),
            5 => ("minimum", json!(random.below(4))),
            6 => ("exclusiveMaximum", json!(random.below(4))),
            7 => ("multipleOf", json!(*random.one(&[0.5, 1.0, 2.0]))),
            8 => ("minLength", json!(random.below(3))),
            9 => ("maxLength", json!(random.below(3))),
            10 => ("pattern", json!(random.one(&PATTERNS))),
            11 => ("minItems", json!(random.below(3))),
            12 => ("maxProperties", json!(random.below(3))),
            13 => ("uniqueItems", json!(true)),
            14 => ("required", names(random)),
            15 => ("dependentRequired", json!({ *random.one(&NAMES): names(random) })),
            16 | 17 => ("properties", by_name(random, &NAMES, deeper)),
            18 => ("patternProperties", by_name(random, &PATTERNS, deeper)),
            19 => ("additionalProperties", schema(random, deeper)),
            20 => ("additionalProperties", json!(false)),
            21 => ("propertyNames", schema(random, deeper)),
            22 => ("items", schema(random, deeper)),
            23 => ("prefixItems", schemas(random, deeper)),
            24 => ("contains", schema(random, deeper)),
            25 => ("allOf", schemas(random, deeper)),
            26 | 27 => ("anyOf", schemas(random, deeper)),
            28 => ("oneOf", schemas(random, deeper)),
            29 => ("not", schema(random, deeper)),
            30 => ("dependentSchemas", by_name(random, &NAMES, deeper)),
            31 => ("unevaluatedProperties", schema(random, 0)),
            _ => {
                object.insert("if".to_owned(), schema(random, deeper));
                object.insert("then".to_owned(), schema(random, deeper));
                ("else", schema(random, deeper))
            }
        };
        object.insert(keyword.to_owned(), held);
    }
    Value::Object(object)
}

#[test]
fn what_fits_is_what_fits_for_another() {
    let mut random = Random(0x5EED);
    let (mut fitting, mut unfit, mut faults) = (0, 0, Vec::new());
    for _ in 0..6_000 {
        let mut whole = schema(&mut random, 3);
        if let Value::Object(whole) = &mut whole {
            whole.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
            let mut defs = json!({ "a": schema(&mut random, 1), "b": schema(&mut random, 1) });
            // A part that leads to itself is another test's.
            if defs.to_string().contains("$ref") {
                defs = json!({ "a": { "type": "string" }, "b": { "properties": { "a": { "$ref": "#/$defs/b" } } } });
            }
            whole.insert("$defs".to_owned(), defs);
        }
        let (Ok(ours), Ok(theirs)) = (Schema::compile(&whole), jsonschema::validator_for(&whole)) else { continue };
        for _ in 0..8 {
            let value = value(&mut random, 3);
            let fits = ours.check(&value).is_ok();
            *if fits { &mut fitting } else { &mut unfit } += 1;
            if fits != theirs.is_valid(&value) {
                faults.push(format!(
                    "{whole}\n  {value}\n  ours {:?}, theirs {:?}",
                    ours.check(&value),
                    theirs.validate(&value).map_err(|e| e.to_string())
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{} differ:\n{}", faults.len(), faults[..faults.len().min(5)].join("\n"));
    assert!(fitting > 5_000 && unfit > 5_000, "{fitting} fit, {unfit} do not");
}
