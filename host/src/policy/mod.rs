//! What a component may do and how much of it: grants, limits, the budget of one call, who makes it, and the text that may reach a
//! client.
//!
//! Plain data without I/O. Every other module may use it; it uses none of them.

mod budget;
mod caller;
mod dns;
mod grant;
mod limits;
mod rule;
mod text;

pub use budget::{Aside, Budget, Exhausted};
pub use caller::Caller;
pub use dns::{LABEL_MAX, SUBDOMAIN_MAX, is_label, is_subdomain};
pub use grant::{Access, Denied, Grant, Namespaces, Place};
pub use limits::{LEAST_MEMORY, LONGEST_TIME, Limits, MOST_MEMORY, MOST_PAGE};
pub use rule::{PolicyRule, RuleError, Verb};
pub use text::{clean, clean_line};
