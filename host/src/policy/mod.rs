//! What a component may do and how much of it: grants, limits, the budget of one call, who makes it, the secrets that a component
//! does not see, and the text that may reach a client.
//!
//! Plain data without I/O. Every other module may use it; of them it uses `processor`, whose meter is a part of a budget.

mod budget;
mod caller;
mod dns;
mod grant;
pub mod json;
pub(crate) mod known;
mod limits;
mod nearest;
mod rule;
pub mod secret;
pub(crate) mod steps;
mod text;

pub use budget::{Budget, Exhausted, Quota};
pub use caller::{Caller, Identity};
pub use dns::{LABEL_MAX, SUBDOMAIN_MAX, is_label, is_subdomain};
pub use grant::{Access, Denied, Grant, Namespaces, Place};
pub use limits::{LEAST_MEMORY, LEAST_STACK, LONGEST_TIME, Limits, MOST_MEMORY, MOST_PAGE, MOST_STACK, MOST_TABLES};
pub use nearest::nearest;
pub use rule::{POD_LOGS, PolicyRule, RuleError, Verb};
pub use secret::Secrets;
pub use text::{beginning, clean, clean_line, quotable};
