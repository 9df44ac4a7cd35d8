//! What a component says: its manifest, the schemas in it, and its results.

use std::sync::LazyLock;

use sandbar_catalog::{Answered, Manifest, fuzzing};
use serde_json::{Map, Value};

use crate::{head_and_body, is_clean, is_clean_value};

/// A fault's words are a few hundred bytes, of five faults at most, each with its place and what there is instead.
const WORDS: usize = 16 * 1024;

/// A manifest that is accepted keeps MCP's rules, hides nothing, and asks for nothing that cannot be granted.
pub(super) fn manifest(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(manifest) = fuzzing::manifest(text) else { return };
    let others = [manifest.prompts.len(), manifest.resources.len(), manifest.templates.len()];
    assert!((1..=400).contains(&(manifest.tools.len() + others.iter().sum::<usize>())));
    let prompts = manifest.prompts.iter().map(|prompt| serde_json::to_value(prompt.object()));
    let resources = manifest.resources.iter().map(|resource| serde_json::to_value(resource.object()));
    let templates = manifest.templates.iter().map(|template| serde_json::to_value(template.object()));
    for object in prompts.chain(resources).chain(templates) {
        let object = object.unwrap();
        assert!(is_clean_value(&object), "{object}");
    }
    for tool in &manifest.tools {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        assert!((1..=128).contains(&tool.name().len()) && tool.name().bytes().all(fits), "{:?}", tool.name());
        assert!(is_clean_value(&Value::Object(tool.object().clone())), "{:?}", tool.object());
        assert_eq!(tool.object()["name"], tool.name());
        let _ = fuzzing::read(tool, &Value::Object(Map::new()));
    }
    for rule in manifest.rules.iter().chain(&manifest.cluster_rules) {
        assert_eq!(rule.validate(), Ok(()));
        assert!(rule.resources.iter().all(|resource| !resource.contains('/') || resource == "pods/log"), "{rule:?}");
    }
}

pub(super) fn manifest_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}"#,
        r##"{"tools":[{"name":"a.b-c_1","title":"T","description":"d\u202e","inputSchema":{"type":"object","properties":{"n":{"type":"integer","minimum":1},"x":{"$ref":"#/$defs/x"}},"required":["n"],"$defs":{"x":{"enum":["a",null]}}},"outputSchema":{"type":"object","additionalProperties":false},"annotations":{"readOnlyHint":true}}],"rules":[{"apiGroups":[""],"resources":["pods","pods/log"],"verbs":["get"]}],"clusterRules":[{"apiGroups":["*"],"resources":["*"],"resourceNames":["a"],"verbs":["list"]}],"settings":{"type":"object","properties":{"threshold":{"type":"integer"}}}}"##,
        r#"{"tools":[{"name":"t","inputSchema":{"type":"object"}},{"name":"u","inputSchema":{"type":"object","allOf":[{"if":{"properties":{"a":{"const":1}}},"then":{"required":["b"]}},{"not":{"required":["c"]}}]}}],"prompts":[]}"#,
        r#"{"tools":[],"prompts":[{"name":"p","title":"T\u202e","arguments":[{"name":"a","required":true}]}],"resources":[{"uri":"a://b/c","name":"r","size":7,"annotations":{"audience":["user"],"priority":0.5}}],"resourceTemplates":[{"uriTemplate":"a://b/x-{y}.md/{z}","name":"t","mimeType":"text/plain"}]}"#,
        r#"{"tools":[{"name":"t","inputSchema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"a":{"type":"array","items":{"type":"string","pattern":"^a+$","format":"date-time"},"uniqueItems":true}},"properties":{"a":{"$ref":"definitions.json#/a"}}}}]}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The first line is a schema, the rest are arguments. What is read is read to the end, and a refusal says little.
pub(super) fn arguments(bytes: &[u8]) {
    let (schema, arguments) = head_and_body(bytes);
    let (Ok(schema), Ok(arguments)) = (str::from_utf8(schema), serde_json::from_slice::<Value>(arguments)) else { return };
    let Some(rest) = schema.trim_start().strip_prefix('{') else { return };
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    let text = format!(r#"{{"tools":[{{"name":"t","inputSchema":{{"type":"object"{comma}{rest}}}]}}"#);
    let Ok(manifest) = fuzzing::manifest(&text) else { return };
    match fuzzing::read(&manifest.tools[0], &arguments) {
        Ok(read) => assert_eq!(fuzzing::read(&manifest.tools[0], &read), Ok(read.clone()), "what was read is read as it is"),
        Err(words) => assert!(!words.is_empty() && words.len() <= WORDS, "{} bytes", words.len()),
    }
}

pub(super) fn arguments_seeds() -> Vec<Vec<u8>> {
    [
        "{}\n{}",
        "{\"properties\":{\"limit\":{\"type\":\"integer\",\"minimum\":0},\"namespace\":{\"type\":\"string\",\"maxLength\":63}},\"required\":[\"namespace\"],\"additionalProperties\":false}\n{\"namespace\":\"a\",\"limit\":1.5}",
        "{\"$defs\":{\"n\":{\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/n\"},{\"type\":\"null\"}]}}}},\"$ref\":\"#/$defs/n\"}\n{\"next\":{\"next\":{\"next\":null}}}",
        "{\"propertyNames\":{\"pattern\":\"^[a-z]+$\"},\"patternProperties\":{\"^a\":{\"type\":\"array\",\"items\":{\"oneOf\":[{\"type\":\"number\"},{\"multipleOf\":2}]},\"uniqueItems\":true,\"contains\":{\"const\":1}}},\"unevaluatedProperties\":false}\n{\"ab\":[1,2,3.0,1e400],\"b\":{}}",
        "{\"allOf\":[{\"$ref\":\"#/$defs/a\"},{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"},{\"$ref\":\"#/$defs/b\"}]},\"b\":{\"minProperties\":1}}}\n{\"x\":[[[[]]]]}",
        "{\"anyOf\":[{\"$ref\":\"#/%64efault/0\"},{\"$ref\":\"#/$defs/a~1b\"},{\"$dynamicRef\":\"#n\"}],\"$defs\":{\"a/b\":false,\"c\":{\"$dynamicAnchor\":\"n\"}},\"default\":{\"0\":{}}}\n{\"x\":1}",
        "{\"dependentRequired\":{\"a\":[\"b\"]},\"additionalProperties\":{\"pattern\":\"(\\\\p{L}{20}|x){2}\"}}\n{\"a\":\"xx\",\"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\":\"y\"}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// What a component returns for a prompt or a resource becomes MCP's, hides nothing and is marked, or is a failure in words.
fn offers(text: &str) {
    for answered in [fuzzing::prompt(text), fuzzing::resource("a://b/c", text)] {
        let (object, items) = match &answered {
            Answered::Prompt(prompt) => (serde_json::to_value(prompt).unwrap(), prompt.messages.len()),
            Answered::Resource(resource) => (serde_json::to_value(resource).unwrap(), resource.contents.len()),
            Answered::Failure(words) => {
                assert!(!words.is_empty() && words.len() <= WORDS && is_clean(words), "{words:?}");
                continue;
            }
            Answered::NoResource(uri) => {
                assert_eq!(uri, "a://b/c");
                continue;
            }
            Answered::Tool(_) => panic!("no tool was asked for"),
        };
        assert!(is_clean_value(&object) && items > 1, "there is something behind the mark: {object}");
    }
}

/// Whatever a component returns becomes a result that MCP allows and that hides nothing, or a failure that says why not.
pub(super) fn result(bytes: &[u8]) {
    static TOOL: LazyLock<Manifest> = LazyLock::new(|| {
        let text = r#"{"tools":[{"name":"t","inputSchema":{"type":"object"},"outputSchema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}}]}"#;
        fuzzing::manifest(text).unwrap()
    });
    let Ok(text) = str::from_utf8(bytes) else { return };
    offers(text);
    let answer = fuzzing::answer(text, &TOOL.tools[0]);
    let marked = fuzzing::marked_answer(text, &TOOL.tools[0]);
    assert_eq!(marked.is_error, answer.is_error, "a mark breaks nothing: {marked:?}");
    assert!(
        marked.content.is_empty() || marked.content.first() != answer.content.first(),
        "what there is to read is marked: {marked:?}"
    );
    let first_key = |structured: Value| structured.as_object().and_then(|object| object.keys().next().cloned());
    assert!(marked.structured_value().is_none_or(|value| first_key(value).as_deref() == Some("_untrusted")), "{marked:?}");
    assert!(is_clean_value(&serde_json::to_value((&answer.content, &answer.meta)).unwrap()), "{answer:?}");
    let structured = answer.structured_value();
    assert!(structured.iter().all(is_clean_value), "{answer:?}");
    if answer.is_error {
        return;
    }
    let structured = structured.expect("it was promised");
    assert!(structured["n"].is_i64() || structured["n"].is_u64() || structured["n"].is_f64(), "{structured}");
    assert!(is_clean(&structured.to_string()), "{structured}");
}

pub(super) fn result_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"structuredContent":{"n":1}}"#,
        r#"{"structuredContent":{"n":1,"text":"\u001b[31mred\u202e \ud83d\ude00"},"content":[{"type":"text","text":"a\nb\tc"}],"_meta":{"a/b":{"c":[1.5e10,-0.0]}},"isError":false,"resultType":"complete"}"#,
        r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#,
        r#"{"description":"d\u202e","messages":[{"role":"user","content":{"type":"text","text":"\u001b[31mred"}},{"role":"assistant","content":{"type":"resource","resource":{"uri":"a:b","blob":"AAAA"}}}]}"#,
        r#"{"contents":[{"uri":"a://b/c","mimeType":"text/plain","text":"t\u200b"},{"uri":"a://b/d","blob":"AAAA"}],"_meta":{"a":1}}"#,
        r#"{"content":[{"type":"image","data":"AAAA","mimeType":"image/png"},{"type":"resource","resource":{"uri":"a:b","text":"t"}},{"type":"resource_link","uri":"a:b","name":"n"}],"structuredContent":{"n":18446744073709551615}}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
