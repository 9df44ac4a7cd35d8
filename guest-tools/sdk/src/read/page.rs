//! What a list is read as.

use schemars::JsonSchema;
use serde::Serialize;

/// One page of a list, and the answer of a tool that lists.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
// What most models never read is left out of the schema: an answer is mostly read without it.
pub struct Page<T> {
    /// What is on the page. It may be less than asked for, even nothing, while there is more.
    #[schemars(description = "")]
    pub items: Vec<T>,
    /// There is more: ask again with this as the cursor, and for the rest as before.
    #[schemars(description = "")]
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub continue_: Option<String>,
    /// How many follow, where that is known.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u32>,
    /// What a reader of the page must know, such as a namespace that is missing from it.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was searched, and what is near, where nothing was found.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, item: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(item).collect(),
            continue_: self.continue_,
            remaining: self.remaining,
            warnings: self.warnings,
            hint: self.hint,
        }
    }

    /// Whether there is nothing, and no more to come.
    pub fn is_all_of_nothing(&self) -> bool {
        self.items.is_empty() && self.continue_.is_none()
    }
}
