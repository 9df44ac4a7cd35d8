//! What authors of tools work with: a folder to begin from ([`Template`]), how that becomes a component ([`Project`]), and cases that a
//! tool has to pass ([`CaseFile`]).
//!
//! Nothing here runs a tool, or knows a cluster: the commands do.

mod bound;
mod case;
mod change;
mod described;
mod differs;
mod project;
mod recorded;
mod template;

pub use bound::{Bound, Used};
pub use case::{Case, CaseError, CaseFile, Expected, Outcome, Words};
pub use change::changes;
pub use described::{Described, NoComponent};
pub use project::{BuildError, Language, Project};
pub use recorded::{NotRecorded, RecordedKind, Recording, Within};
pub use template::{Name, Template, TemplateError};
