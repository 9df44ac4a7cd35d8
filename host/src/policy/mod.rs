//! What a component may do and how much of it: grants, limits, the budget of one call, the secrets that it does not see and
//! the text that may reach a client.
//!
//! Plain data without I/O. Every other module may use it; it uses none of them.

mod budget;
mod grant;
mod limits;
mod rule;
pub mod secret;
mod text;

pub use budget::{Budget, Exhausted, LogLine};
pub use grant::{Access, Denied, Grant, Namespaces, Place};
pub use limits::Limits;
pub use rule::{PolicyRule, RuleError, Verb};
pub use secret::Secrets;
pub use text::{clean, clean_line, quotable};
