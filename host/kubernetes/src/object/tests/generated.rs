//! Objects with names and values in odd places, and every path of them.

use super::*;

/// Generates objects with names and values in odd places.
struct Made(u64);

impl Made {
    /// A number below `most`, by xorshift.
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % most
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }

    fn key(&mut self) -> &'static str {
        const KEYS: &[&str] = &[
            "name",
            "value",
            "key",
            "values",
            "kind",
            "data",
            "stringData",
            "items",
            "env",
            "headers",
            "args",
            "password",
            "token",
            "secret",
            "secretValue",
            "Authorization",
            "metadata",
            "managedFields",
            "default",
            "a b",
            "é",
            "pass",
            "spec",
            "tokens",
            "ghp_aB3dE5gH7jK9mN1pQ2sT4vW6yZ8aB3dE5gH7",
            "pass\u{200b}word",
            "x\"y",
            "type",
            "ParameterKey",
            "ParameterValue",
            "DB_PASSWORD",
        ];
        self.one_of(KEYS)
    }

    fn value(&mut self, depth: usize) -> Value {
        const TEXTS: &[&str] = &[
            "s3same-street",
            "password",
            "DB_PASSWORD",
            "X-Api-Key",
            "Secret",
            "SecretList",
            "ConfigMap",
            "--password",
            "-v",
            "",
            "true",
            "registry-login",
            "password=s3same",
            "é",
            "a\nb: c",
            "https://u:s3same@h/",
            "ghp_aB3dE5gH7jK9mN1pQ2sT4vW6yZ8aB3dE5gH7",
            "é token: s3same1",
        ];
        match self.below(if depth == 0 { 6 } else { 14 }) {
            0 => json!(self.below(100_000_000)),
            1 => json!(self.below(2) == 0),
            2 => Value::Null,
            3..=5 => json!(self.one_of(TEXTS)),
            6..=10 => self.object(depth - 1),
            11 => json!(self.object(depth - 1).to_string()),
            _ => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
        }
    }

    fn object(&mut self, depth: usize) -> Value {
        (0..1 + self.below(5)).map(|_| (self.key().to_owned(), self.value(depth))).collect()
    }
}

/// A plain reference for what a path selects from a value.
fn projection(value: &Value, path: &[String]) -> Option<Value> {
    let Some((key, rest)) = path.split_first() else { return Some(value.clone()) };
    match value {
        Value::Object(object) => {
            let kept = object.get(key).and_then(|value| projection(value, rest)).map(|value| (key.clone(), value));
            Some(Value::Object(kept.into_iter().collect()))
        }
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(|item| projection(item, path)).collect())),
        _ => None,
    }
}

/// Every path of a value.
fn paths(value: &Value, path: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                path.push(key.clone());
                all.push(path.clone());
                paths(value, path, all);
                path.pop();
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, path, all)),
        _ => {}
    }
}

#[test]
fn what_is_asked_for_does_not_decide_what_is_masked() {
    let mut made = Made(0x5eed_0b1e);
    let (mut looked_at, mut masks) = (0, 0);
    for _ in 0..400 {
        let mut object = made.object(4);
        if let Some(metadata) = object.get_mut("metadata") {
            // The name has to be text.
            *metadata = json!({ "name": "x", "annotations": made.object(3), "managedFields": made.value(2) });
        }
        let object = object.to_string();
        for of in [Objects::Others, Objects::Secrets] {
            let whole: Value = serde_json::from_str(&shown(&object, of)).expect("JSON");
            assert!(whole.pointer("/metadata/managedFields").is_none());
            masks += whole.to_string().matches("[masked: ").count();
            let mut all = Vec::new();
            paths(&whole, &mut Vec::new(), &mut all);
            paths(&serde_json::from_str(&object).expect("JSON"), &mut Vec::new(), &mut all);
            for path in all.iter().filter(|path| !path.join(".").starts_with("metadata.managedFields")) {
                let field: String = path.iter().map(|key| format!("[{}]", Value::from(key.as_str()))).collect();
                let expected = projection(&whole, path).expect("an object has paths");
                assert_eq!(picked(&object, of, &[&field]), expected, "{field} of {object}");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 5_000 && masks > 1_000, "{looked_at} paths and {masks} masks");
}
