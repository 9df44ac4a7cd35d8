//! What an API server answers to the reads that came later: tables, lists of metadata alone, several reads at once, and all that is served.

use std::collections::BTreeSet;

use http::StatusCode;
use sandbar_kubernetes::{ObjectKey, Page, Query, Scope, ServedKind, TablePage};
use sandbar_policy::Limits;
use serde_json::Value;

use super::answers::{Unambiguous, answering, check_words, keep, parsed, pods, told};
use crate::api::{Api, NAMESPACE};
use crate::{head_and_body, is_clean};

/// Objects on a page.
const PAGE: usize = 3;

fn every_pod(fields: Option<Vec<String>>) -> Query {
    Query {
        of: pods(),
        within: Scope::EveryNamespace,
        label_selector: None,
        field_selector: None,
        fields,
        limit: Some(PAGE as u32),
        continue_: None,
    }
}

/// The first line is a chunk's size and a field path, the rest a table. A row has the cells that the table has, by the names of its columns.
pub(super) fn table(bytes: &[u8]) {
    let (head, body) = head_and_body(bytes);
    let (chunk, path) = told(head);
    let query = every_pod((!path.is_empty()).then(|| vec![path.clone()]));
    let read = |chunk| {
        let api = answering(chunk, "/api/v1/namespaces/team-a/pods", StatusCode::OK, body);
        api.read(Limits::default(), async |reader| reader.list_table(&query).await)
    };
    let found = read(chunk);
    match (&found, &read(body.len())) {
        (Err(error), Err(_)) => check_words(error),
        (Ok(found), Ok(again)) => {
            assert_eq!(found, again, "it depends on the chunks");
            check_table(found, body, path.is_empty());
        }
        (found, again) => panic!("it depends on the chunks: {found:?} and {again:?}"),
    }
}

fn check_table(table: &TablePage, body: &[u8], by_name_alone: bool) {
    let TablePage { columns, page } = table;
    let names: BTreeSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names.len(), columns.len(), "two columns have one name: {columns:?}");
    assert!(columns.len() <= 100 && names.iter().all(|name| is_clean(name) && name.len() <= 256), "{columns:?}");
    assert!(page.warnings.iter().all(|warning| is_clean(warning)), "{:?}", page.warnings);
    let Some(rows) = parsed(&page.items, body) else { return };
    let rows = rows.as_array().expect("one JSON array");
    assert!(rows.len() <= PAGE, "{rows:?}");
    for row in rows {
        assert!(row.as_object().expect("a row").keys().all(|key| ["metadata", "cells"].contains(&key.as_str())), "{row}");
        let cells = row["cells"].as_object().expect("cells by name");
        assert!(cells.keys().all(|name| names.contains(name.as_str())), "{columns:?}: {row}");
        assert!(row["metadata"].get("managedFields").is_none(), "{row}");
        if let (true, Value::Object(metadata)) = (by_name_alone, &row["metadata"]) {
            assert!(metadata.keys().all(|key| ["namespace", "name"].contains(&key.as_str())), "{row}");
        }
    }
    // Where no row was left out and nothing masked, each cell is the one that stands there.
    let Ok(Unambiguous(whole)) = serde_json::from_slice(body) else { return };
    let written = whole["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    if written.len() != rows.len() || page.items.contains("[masked: ") {
        return;
    }
    for (row, written) in rows.iter().zip(written) {
        let cells = columns.iter().zip(written["cells"].as_array().into_iter().flatten());
        let cells: serde_json::Map<_, _> = cells.map(|(column, cell)| (column.name.clone(), cell.clone())).collect();
        assert!(row["cells"] == Value::Object(cells) || row["cells"] == Value::Object(Default::default()), "{row} of {written}");
    }
}

pub(super) fn table_seeds() -> Vec<Vec<u8>> {
    [
        "3 \n{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"continue\":\"t\",\"remainingItemCount\":7},\"columnDefinitions\":[{\"name\":\"Name\",\"type\":\"string\",\"priority\":0},{\"name\":\"Ready\",\"priority\":1},{\"name\":\"Ready\"}],\"rows\":[{\"cells\":[\"web\",\"1/1\",3],\"object\":{\"kind\":\"PartialObjectMetadata\",\"metadata\":{\"name\":\"web\",\"namespace\":\"team-a\",\"uid\":\"1\",\"managedFields\":[]}}}]}",
        "61 metadata.labels\n{\"kind\":\"Table\",\"columnDefinitions\":[{\"name\":\"Password\"},{\"name\":\"a\\u202eb\\n\"}],\"rows\":[{\"cells\":[\"hX9kQ2vLm4Zt\",null,[1],{\"a\":2}],\"object\":{\"metadata\":{\"name\":\"a\",\"namespace\":\"team-a\",\"labels\":{\"app\":\"a\"}}}},{\"cells\":[],\"object\":{\"metadata\":{\"name\":\"b\"}}}]}",
        "7 \n{\"kind\":\"Table\",\"columnDefinitions\":[],\"rows\":[{\"cells\":[1],\"object\":{\"metadata\":{}}},{\"cells\":[1],\"object\":{\"metadata\":{}}},{\"cells\":[1],\"object\":{\"metadata\":{}}},{\"cells\":[1],\"object\":{\"metadata\":{}}}]}",
        "1 \n{\"rows\":[{\"object\":{\"metadata\":{\"name\":\"a\"}},\"cells\":[true]}],\"columnDefinitions\":[{\"name\":\"late\"}],\"kind\":\"Table\"}",
        "9 spec\n{\"kind\":\"PodList\",\"items\":[{\"metadata\":{\"name\":\"a\"}}],\"metadata\":{}}",
        "5 \n{\"kind\":\"Table\",\"columnDefinitions\":[{\"name\":\"ghp_aB3dE5gH7jK9mN1pQ2sT4vW6yZ8aB3dE5gH7\"}],\"rows\":[{\"cells\":[\"x\"],\"object\":{\"metadata\":{\"name\":\"a\"}}}]}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The first line is a chunk's size and a path under `metadata`, the rest a list. Nothing but metadata comes of it, whatever was sent, and
/// that is what a plain reading of the JSON keeps.
pub(super) fn metadata(bytes: &[u8]) {
    let (head, body) = head_and_body(bytes);
    let (chunk, path) = told(head);
    let path = if path.is_empty() { "metadata".to_owned() } else { format!("metadata.{path}") };
    let query = every_pod(Some(vec![path.clone()]));
    let api = answering(chunk, "/api/v1/namespaces/team-a/pods", StatusCode::OK, body);
    let page = match api.read(Limits::default(), async |reader| reader.list_objects(&query).await) {
        Ok(page) => page,
        Err(error) => return check_words(&error),
    };
    let Some(items) = parsed(&page.items, body) else { return };
    let items = items.as_array().expect("one JSON array");
    for item in items {
        assert!(item.as_object().expect("an object").keys().all(|key| key == "metadata"), "{item}");
        assert!(item["metadata"].get("managedFields").is_none(), "{item}");
    }
    let Ok(Unambiguous(whole)) = serde_json::from_slice(body) else { return };
    let keys: Vec<&str> = path.split('.').collect();
    let is_plain = keys.iter().all(|key| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let written = whole["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !is_plain || written.len() != items.len() || page.items.contains("[masked: ") {
        return;
    }
    for (item, written) in items.iter().zip(written) {
        let mut written = written.clone();
        if let Some(Value::Object(metadata)) = written.get_mut("metadata") {
            metadata.shift_remove("managedFields");
        }
        assert_eq!(*item, keep(&written, &keys).expect("an object"), "{written}");
    }
}

pub(super) fn metadata_seeds() -> Vec<Vec<u8>> {
    [
        "5 \n{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"t\"},\"items\":[{\"kind\":\"PartialObjectMetadata\",\"metadata\":{\"name\":\"a\",\"namespace\":\"team-a\",\"labels\":{\"app\":\"a\"},\"managedFields\":[{}]}}]}",
        "61 labels.app\n{\"kind\":\"PodList\",\"items\":[{\"metadata\":{\"name\":\"a\",\"labels\":{\"app\":\"a\"}},\"spec\":{\"nodeName\":\"n\"}},{\"metadata\":{\"name\":\"b\",\"labels\":[{\"app\":1},{\"app\":{}}]}}],\"metadata\":{}}",
        "1 ownerReferences.name\n{\"items\":[{\"metadata\":{\"ownerReferences\":[{\"name\":\"x\"},{}],\"name\":\"a\"}},{\"metadata\":null},{}],\"metadata\":{\"remainingItemCount\":1}}",
        "9 annotations\n{\"items\":[{\"spec\":{\"metadata\":{\"annotations\":{\"password\":\"hX9kQ2vLm4Zt\"}}},\"metadata\":{\"annotations\":{\"password\":\"hX9kQ2vLm4Zt\"}}}]}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The first line is a chunk's size, and each other line the answer to one of several reads. Each has what it would have had alone.
pub(super) fn many(bytes: &[u8]) {
    /// Reads at once.
    const MOST: usize = 12;
    let (head, body) = head_and_body(bytes);
    let (chunk, _) = told(head);
    let answers: Vec<Vec<u8>> = body.split(|&byte| byte == b'\n').take(MOST).map(<[u8]>::to_vec).collect();
    let count = answers.len();
    let api = Api::new(chunk, move |path| {
        let number = path.strip_prefix("/api/v1/namespaces/team-a/pods").and_then(|rest| {
            let of_object = rest.strip_prefix("/web-");
            of_object
                .or_else(|| rest.split_once("labelSelector=n%3D").map(|(_, number)| number.split('&').next().unwrap_or_default()))
        });
        number
            .and_then(|number| number.parse::<usize>().ok())
            .and_then(|number| answers.get(number))
            .map(|answer| (StatusCode::OK, answer.clone()))
    });
    let within = Scope::Namespace(NAMESPACE.to_owned());
    let object = |number| ObjectKey { of: pods(), within: within.clone(), name: format!("web-{number}"), fields: None };
    let list = |number| Query { label_selector: Some(format!("n={number}")), within: within.clone(), ..every_pod(None) };
    let (objects, queries): (Vec<_>, Vec<_>) = (0..count).map(|number| (object(number), list(number))).unzip();
    api.read(Limits::default(), async |reader| {
        let (objects_read, lists_read) = (reader.get_many(&objects).await.unwrap(), reader.list_many(&queries).await.unwrap());
        assert_eq!((objects_read.len(), lists_read.len()), (count, count));
        for (key, together) in objects.iter().zip(objects_read) {
            let alone = reader.get_object(&key.of, &key.within, &key.name, key.fields.as_deref()).await;
            together.as_ref().err().into_iter().for_each(check_words);
            assert_eq!(together, alone, "{key:?}");
        }
        for (query, together) in queries.iter().zip(lists_read) {
            let alone: Result<Page, _> = reader.list_objects(query).await;
            together.as_ref().err().into_iter().for_each(check_words);
            assert_eq!(together, alone, "{query:?}");
        }
    });
}

pub(super) fn many_seeds() -> Vec<Vec<u8>> {
    [
        "3\n{\"metadata\":{\"name\":\"web-0\"}}\n{\"items\":[{\"metadata\":{\"name\":\"a\"}}],\"metadata\":{\"continue\":\"t\"}}\n[]\n\n{\"metadata\":{\"name\":\"web-4\"},\"spec\":{\"env\":[{\"name\":\"DB_PASSWORD\",\"value\":\"hX9kQ2vLm4Zt\"}]}}",
        "900\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{\"items\":[]}",
        "1\n{\"items\":[{},{},{},{}]}\nnull\n{\"a\":",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The first line answers `/apis`, the rest every other discovery document. What a component hears of is what it may ask for, once, and in
/// words that can be shown.
pub(super) fn kinds(bytes: &[u8]) {
    /// Bytes of a name.
    const NAME: usize = 253;
    let (groups, resources) = head_and_body(bytes);
    let (groups, resources) = (groups.to_vec(), resources.to_vec());
    let api = Api::new(61, move |path| match path {
        "/apis" => Some((StatusCode::OK, groups.clone())),
        path if path == "/api/v1" || path.starts_with("/apis/") => Some((StatusCode::OK, resources.clone())),
        _ => None,
    });
    let served = match api.read(Limits::default(), async |reader| reader.served_kinds().await) {
        Ok(served) => served,
        Err(error) => return check_words(&error),
    };
    assert!(served.warnings.iter().all(|warning| is_clean(warning) && !warning.is_empty()), "{:?}", served.warnings);
    let name = |kind: &ServedKind| (kind.resource.group.clone(), kind.resource.plural.clone());
    assert!(served.kinds.is_sorted_by(|one, other| name(one) < name(other)), "in order, and each once: {:?}", served.kinds);
    for kind in &served.kinds {
        let verbs: Vec<&str> = kind.resource.verbs.names().collect();
        assert!(!verbs.is_empty() && verbs.iter().all(|verb| ["get", "list"].contains(verb)), "{kind:?}");
        assert!(kind.resource.namespaced && !kind.resource.plural.contains('/'), "what no rule allows: {kind:?}");
        let is_segment = |text: &str| {
            !text.is_empty()
                && text.len() <= NAME
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        };
        let is_group = kind.resource.group.is_empty() || is_segment(&kind.resource.group);
        assert!(is_group && is_segment(&kind.resource.plural) && is_segment(&kind.resource.version), "{kind:?}");
        let words = std::iter::once(&kind.kind).chain(&kind.short_names);
        assert!(words.into_iter().all(|word| word.len() <= NAME && is_clean(word) && !word.contains('\n')), "{kind:?}");
        assert!(kind.short_names.len() <= 32, "{kind:?}");
    }
}

pub(super) fn kinds_seeds() -> Vec<Vec<u8>> {
    [
        "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"coder.com\",\"versions\":[{\"groupVersion\":\"coder.com/v1\",\"version\":\"v1\"},{\"version\":\"v2\"}],\"preferredVersion\":{\"version\":\"v2\"}}]}\n{\"resources\":[{\"name\":\"things\",\"kind\":\"Thing\",\"shortNames\":[\"th\",\"t\"],\"namespaced\":true,\"verbs\":[\"get\",\"list\",\"create\"]},{\"name\":\"things/status\",\"kind\":\"Thing\",\"namespaced\":true,\"verbs\":[\"get\"]},{\"name\":\"nodes\",\"namespaced\":false,\"verbs\":[\"list\"]}]}",
        "{\"groups\":[]}\n{\"resources\":[{\"name\":\"pods\",\"kind\":\"Pod\\u202e\",\"shortNames\":[\"\\n\",7,null],\"namespaced\":true,\"verbs\":[\"list\"]},{\"name\":\"pods\",\"namespaced\":true,\"verbs\":[\"get\"]},{\"name\":\"secrets\",\"kind\":\"Secret\",\"namespaced\":true,\"verbs\":[\"get\"]}]}",
        "{\"groups\":[{\"name\":\"b\",\"versions\":[{\"version\":\"v1\"}]},{\"name\":\"a\",\"versions\":[{\"version\":\"v1\"}]},{\"name\":\"a\",\"versions\":[{\"version\":\"v1\"}]}]}\n{\"resources\":[{\"name\":\"x\",\"singularName\":\"\",\"namespaced\":true,\"kind\":\"X\",\"verbs\":[\"get\"],\"categories\":[\"all\"]}]}",
        "{\"groups\":[{\"name\":\"../x\",\"versions\":[{\"version\":\"..\"}]}]}\n{\"resources\":[{\"name\":\"..\",\"namespaced\":true,\"verbs\":[\"get\"]}]}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
