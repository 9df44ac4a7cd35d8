//! Untrusted text on its way to a reader: clean, on one line, within a length; and names, each to be told from every other. Also words for messages: sizes, the word that was
//! probably meant. And JSON within bounds.
//!
//! Pure functions. Each looks at no more of a text than it may keep, in one pass.

mod clean;
mod identifier;
pub mod json;
mod nearest;
mod size;
pub mod steps;

pub use clean::{Cleaned, Seam, beginning, clean, clean_line, line_of};
pub use identifier::identifier;
pub use nearest::nearest;
pub use size::size;
