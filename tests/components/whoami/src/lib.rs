//! Says who calls, which it is told only where the operator grants it.

use sandbar_tool::{Component, Error, Tool, Tools, caller};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Arguments {}

#[derive(Serialize, JsonSchema)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    groups: Vec<String>,
}

fn whoami(Arguments {}: Arguments) -> Result<Answer, Error> {
    let user = caller::user();
    Ok(Answer { name: user.as_ref().map(|user| user.name.clone()), groups: user.map(|user| user.groups).unwrap_or_default() })
}

fn component() -> Component<impl Tools> {
    Component::new().tool(Tool::new("whoami", "Says who calls.", whoami))
}

sandbar_tool::export!(component);
