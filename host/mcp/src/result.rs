//! What came of a call, in MCP's form: a result, or an error.

use rmcp::model::{CacheScope, ContentBlock, ErrorCode, ErrorData, JsonRpcError, MetaObject, RequestId, ResultType};
use sandbar_catalog::{Answer, Answered};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::message::Response;
use super::version::{Era, Version};

/// How long a client may keep what it has read: the same may be something else at the next moment, or for another caller.
const READ_TTL_MS: u64 = 0;

/// MCP's result of a tool. The structured content stays text: parsing and writing 1 MB takes milliseconds, which rmcp's own type cannot
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

/// The response for a client of this version.
pub(super) fn response(id: &RequestId, answered: Answered, version: Version) -> Response {
    let is_modern = version.era() == Era::Modern;
    let result_type = is_modern.then_some(ResultType::COMPLETE);
    // What has been read as MCP's always serialises.
    let result = match answered {
        Answered::Tool(answer) => of_tool(answer, version),
        Answered::Prompt(mut prompt) => {
            prompt.result_type = result_type;
            serde_json::to_string(&prompt).unwrap_or_default()
        }
        Answered::Resource(mut resource) => {
            resource.result_type = result_type;
            (resource.ttl_ms, resource.cache_scope) =
                if is_modern { (Some(READ_TTL_MS), Some(CacheScope::Private)) } else { (None, None) };
            serde_json::to_string(&resource).unwrap_or_default()
        }
        Answered::NoResource(uri) => {
            return error(id, no_resource("there is no such resource".to_owned(), uri, version));
        }
        Answered::Failure(words) => return error(id, ErrorData::internal_error(words, None)),
    };
    Response::result(id, &result)
}

/// The error for a resource that there is not, with its URI. In the older era it has a code of its own.
pub(super) fn no_resource(words: String, uri: String, version: Version) -> ErrorData {
    let code = match version.era() {
        Era::Legacy => ErrorCode::RESOURCE_NOT_FOUND,
        Era::Modern => ErrorCode::INVALID_PARAMS,
    };
    ErrorData::new(code, words, Some(json!({ "uri": uri })))
}

/// A response with an error.
pub(super) fn error(id: &RequestId, error: ErrorData) -> Response {
    Response::error(&JsonRpcError::new(Some(id.clone()), error))
}

/// The result of a tool, as JSON.
fn of_tool(answer: Answer, version: Version) -> String {
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
    use serde_json::Value;

    use super::*;

    fn answer(structured: &str, content: Value) -> Answer {
        Answer {
            structured: Some(RawValue::from_string(structured.to_owned()).expect("JSON")),
            content: serde_json::from_value(content).expect("content"),
            ..Answer::default()
        }
    }

    fn result(answer: Answer, version: Version) -> Value {
        serde_json::from_str(&of_tool(answer, version)).expect("JSON")
    }

    #[test]
    fn a_result_says_that_it_is_complete_where_that_has_to_be_said() {
        let of = |version| result(answer("{\"n\":1.50}", json!([])), version);
        assert_eq!(of(Version::V2025_11_25), json!({ "content": [], "structuredContent": { "n": 1.5 }, "isError": false }));
        assert_eq!(of(Version::V2026_07_28)["resultType"], "complete");
    }

    #[test]
    fn a_resource_that_there_is_not_is_an_error_with_its_uri() {
        for (version, code) in [(Version::V2025_11_25, -32002), (Version::V2026_07_28, -32602)] {
            let response = response(&RequestId::Number(7), Answered::NoResource("test://a".to_owned()), version);
            let message: Value = serde_json::from_str(&response.text).expect("JSON");
            assert_eq!((&message["error"]["code"], &message["error"]["data"]), (&json!(code), &json!({ "uri": "test://a" })));
        }
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
