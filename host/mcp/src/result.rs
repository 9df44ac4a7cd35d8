//! The result of a call, in MCP's form.

use rmcp::model::{ContentBlock, MetaObject, ResultType};
use sandbar_catalog::Answer;
use serde::Serialize;
use serde_json::value::RawValue;

use super::version::{Era, Version};

/// MCP's result. The structured content stays text: parsing and writing 1 MB takes milliseconds, which rmcp's own type cannot
/// avoid.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult {
    /// Set in results of the modern era.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<ResultType>,
    content: Vec<ContentBlock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<Box<RawValue>>,
    is_error: bool,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<MetaObject>,
}

/// The result of a call, as JSON for a client of this version.
pub(super) fn of(answer: Answer, version: Version) -> String {
    let Answer { content, structured, is_error, meta } = answer;
    let result_type = (version.era() == Era::Modern).then_some(ResultType::COMPLETE);
    let mut result = CallResult { result_type, content, structured_content: structured, is_error, meta };
    if version.era() == Era::Legacy {
        result.keep_objects_only();
    }
    // What has been read as MCP's always serialises.
    serde_json::to_string(&result).unwrap_or_default()
}

impl CallResult {
    /// Until 2026 structured content was an object. Anything else goes to an older client as text, unless it is in the content
    /// already.
    fn keep_objects_only(&mut self) {
        let Some(other) = self.structured_content.take_if(|structured| !structured.get().starts_with('{')) else { return };
        let is_there = self.content.iter().filter_map(ContentBlock::as_text).any(|block| block.text == other.get());
        if !is_there {
            self.content.insert(0, ContentBlock::text(other.get()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(structured: &str, content: Value) -> Answer {
        Answer {
            structured: Some(RawValue::from_string(structured.to_owned()).expect("JSON")),
            content: serde_json::from_value(content).expect("content"),
            ..Answer::default()
        }
    }

    fn result(answer: Answer, version: Version) -> Value {
        serde_json::from_str(&of(answer, version)).expect("JSON")
    }

    #[test]
    fn a_result_says_that_it_is_complete_where_that_has_to_be_said() {
        let of = |version| result(answer("{\"n\":1.50}", json!([])), version);
        assert_eq!(of(Version::V2025_11_25), json!({ "content": [], "structuredContent": { "n": 1.5 }, "isError": false }));
        assert_eq!(of(Version::V2026_07_28)["resultType"], "complete");
    }

    #[test]
    fn an_older_client_reads_as_text_what_it_cannot_read_as_an_object() {
        let block = json!({ "type": "text", "text": "[1,2]" });
        for (content, expected) in [(json!([]), json!([block])), (json!([block]), json!([block]))] {
            let legacy = result(answer("[1,2]", content.clone()), Version::V2025_06_18);
            assert_eq!(legacy, json!({ "content": expected, "isError": false }));
            assert_eq!(result(answer("[1,2]", content), Version::V2026_07_28)["structuredContent"], json!([1, 2]));
        }
    }
}
