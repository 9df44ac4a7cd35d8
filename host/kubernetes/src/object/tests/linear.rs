//! How much work an object is.

use sandbar_text::steps::counted;

use super::*;

/// Builds JSON of a given size.
type Shape<'t> = Box<dyn Fn(usize) -> String + 't>;

#[test]
fn steps_are_linear_in_an_object() {
    const SHORT: usize = 200;
    const TIMES: usize = 4;
    const STEPS_A_BYTE: usize = 1_200;
    // The most words that are looked at; those of the longer object are longer.
    let command = |n: usize| format!("\"command\":[\"curl\"{}]", format!(",\"{}\"", "x".repeat(8 * n)).repeat(47));
    let nested = |n: usize, inner: &str| (0..n).fold(inner.to_owned(), |all, _| format!("{all},{inner}"));
    let shapes: Vec<(&str, Shape<'_>)> = vec![
        ("keys that repeat", Box::new(|n| format!("{{{},{}}}", command(n), nested(n, "\"args\":[\"x\"]")))),
        ("keys with invisible letters", Box::new(|n| format!("{{{},{}}}", command(n), nested(n, "\"a\\u200brgs\":[\"x\"]")))),
        (
            "keys in other letters",
            Box::new(|n| format!("{{{},{}}}", command(n), nested(n, "\"Arguments\":\"x y\",\"CMD\":\"x\""))),
        ),
        (
            "long words",
            Box::new(|n| format!("{{\"command\":[\"curl\",\"{0}\"],{1}}}", "\\n".repeat(n * 90), nested(n, "\"args\":[\"-u\"]"))),
        ),
        ("programs", Box::new(|n| format!("[{}]", nested(n, &format!("[{}]", nested(60, "\"mysql\"")))))),
        ("commands", Box::new(|n| format!("[{}]", nested(n, "{\"command\":[\"mysql\",\"-px\"],\"args\":[\"-py\"]}")))),
        (
            "commands on a line",
            Box::new(|n| format!("{{\"command\":\"{}\",{}}}", "mysql ".repeat(n * 9), nested(n, "\"args\":\"-p x\""))),
        ),
        (
            "commands in commands",
            Box::new(|n| {
                let one = |inner: &str| format!("{{\"command\":[\"mysql\",{inner}],\"args\":[{inner}]}}");
                format!("[{}]", nested(n, &(0..5).fold("1".to_owned(), |inner, _| one(&inner))))
            }),
        ),
        ("names and values", Box::new(|n| format!("{{{}}}", nested(n, "\"name\":\"DB_PASSWORD\",\"value\":\"x\"")))),
        (
            "names and values of owners",
            Box::new(|n| {
                let pairs: Vec<_> = (0..n).map(|n| format!("\"p{n}Name\":\"PASSWORD\",\"p{n}Value\":\"abc\"")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ),
    ];
    for (name, shape) in &shapes {
        for is_text in [false, true] {
            let [few, many] = [SHORT, TIMES * SHORT].map(|n| {
                let value = shape(n);
                let value = if is_text { Value::from(value).to_string() } else { value };
                let object = format!("{{\"metadata\":{{\"annotations\":{{\"a\":{value}}}}}}}");
                (counted(|| drop(shown(&object, Objects::Others))), object.len())
            });
            let (few_a_byte, many_a_byte) = (few.0 / few.1, many.0 / many.1);
            assert!(many_a_byte <= few_a_byte * 11 / 10 + 1, "{name}: {few:?} and {many:?} steps and bytes");
            assert!(many_a_byte <= STEPS_A_BYTE, "{name}: {few:?} and {many:?} steps and bytes");
        }
    }
}

#[test]
fn steps_are_linear_in_a_certificate() {
    for unit in ["0", "\x30\x30", "\x30\x02\x01\x00\x30", "A", "AB\n", "MIIEvgIBADAN", "\x30\x7f", "a\0", "x=1 ", "-----BEGIN "] {
        let steps = |length: usize| counted(|| _ = private_key::is_in(unit.repeat(length).as_bytes()));
        let (few, many) = (steps(10_000), steps(40_000));
        assert!(many <= few * 21 / 5 + 48 * 1024, "{unit:?}: {few} and {many} steps");
    }
}

#[test]
fn time_is_linear_in_the_pairs_of_an_object() {
    // It would take minutes if all pairs were walked for each value.
    let pair = json!({ "name": "PASSWORD", "value": "sesame" });
    let object = json!({ "env": vec![pair; 100_000] });
    assert_eq!(shown(&object.to_string(), Objects::Others).matches("[masked: password]").count(), 100_000);
    // Or if a long key were walked for each value under it, or all names of an object for each of its values.
    let pairs = vec![json!({ "name": "A", "value": "a b" }); 100_000];
    let long = json!({ "env".repeat(1 << 19): pairs, "-token".repeat(1 << 18): vec!["registry-login"; 100_000] }).to_string();
    assert_eq!(shown(&long, Objects::Others), long);
    let many: serde_json::Map<_, _> = (0..100_000)
        .map(|n| (format!("n{n}Name"), json!("x")))
        .chain((0..100_000).map(|n| (format!("n{n}Value"), json!("y"))))
        .collect();
    let many = Value::from(many).to_string();
    assert_eq!(shown(&many, Objects::Others), many);
    let secret =
        (0..100).fold(json!({ "kind": "Secret" }), |inner, _| json!({ "kind": "Secret", "a": "b".repeat(100), "data": inner }));
    assert!(!shown(&secret.to_string(), Objects::Others).contains("bbb\",\"data\":{\"a\":\"b"));
}
