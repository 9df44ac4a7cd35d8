//! The result of a call, as MCP has it.

use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::catalog::Answer;
use crate::policy::clean_line;

/// Bytes of what is wrong with content that is not MCP's.
const ERROR_BYTES: usize = 1024;

/// A result that is MCP's. Its structured content is text until it is needed as a value: parsing and writing 1 MB takes milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Completed {
    /// Stands in results of the modern era.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    content: Vec<ContentBlock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<Box<RawValue>>,
    is_error: bool,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<MetaObject>,
}

impl Completed {
    /// The result as a client of this era reads it.
    pub(super) fn of_era(self, modern: bool) -> Self {
        Self { result_type: modern.then_some("complete"), ..self }
    }

    /// The same as rmcp has it, which sees to the era itself.
    pub(super) fn into_rmcp(self) -> CallToolResult {
        let make = if self.is_error { CallToolResult::error } else { CallToolResult::success };
        let mut result = make(self.content);
        // It is JSON already.
        result.structured_content = self.structured_content.and_then(|text| serde_json::from_str(text.get()).ok());
        result.meta = self.meta;
        result
    }

    fn try_from(answer: Answer) -> serde_json::Result<Self> {
        Ok(Self {
            result_type: None,
            content: answer.content.into_iter().map(serde_json::from_value).collect::<serde_json::Result<_>>()?,
            structured_content: answer.structured,
            is_error: answer.is_error,
            meta: answer.meta.map(|meta| serde_json::from_value(Value::Object(meta))).transpose()?,
        })
    }
}

impl From<Answer> for Completed {
    /// Content that is not MCP's is a fault of the tool, and said in words for the model.
    fn from(answer: Answer) -> Self {
        Self::try_from(answer).unwrap_or_else(|error| {
            let error = clean_line(error, ERROR_BYTES);
            let words = format!("the tool answered with content that is not MCP's ({error}); this is a fault of the tool");
            let content = vec![ContentBlock::text(words)];
            Self { result_type: None, content, structured_content: None, is_error: true, meta: None }
        })
    }
}
