//! What a component may do and how much of it: grants, limits, the budget of one call, and who makes it.
//!
//! Plain data without I/O.

mod budget;
mod caller;
mod callers;
mod dns;
mod grant;
mod limits;
mod names;
mod rights;
mod rule;
mod selection;

pub use budget::{Budget, Exhausted, Quota};
pub use caller::{Caller, Identity, Proof, ToldUser, User, UserError};
pub use callers::{EVERY_TOOL, ToolAccess, ToolRule, ToolsOf};
pub use dns::{LABEL_MAX, SUBDOMAIN_MAX, is_label, is_subdomain};
pub use grant::{Access, Denied, Grant, Namespaces, Place};
pub use limits::{LEAST_MEMORY, LEAST_STACK, LONGEST_TIME, Limits, MOST_MEMORY, MOST_PAGE, MOST_STACK, MOST_TABLES};
pub use names::{
    ANONYMOUS, API_VERSION, AUTHENTICATED, CREDENTIAL_ID, OF_KUBEADM, OF_KUBERNETES, ONLY_CLUSTER, SERVERS, UNAUTHENTICATED,
};
pub use rights::{MOST_RIGHTS, Rights, TooManyRights, check_rights};
pub use rule::{POD_LOGS, PolicyRule, RuleError, Verb};
pub use sandbar_processor::Account;
pub use selection::Selection;
