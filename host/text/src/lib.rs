//! Text that others wrote, on its way to a reader: clean, on one line, within a length. And what is said about numbers and words on the
//! way: sizes, the word that was meant, JSON within bounds.
//!
//! Plain functions without I/O. Each looks at no more of a text than it may keep, in one pass.

mod clean;
pub mod json;
mod nearest;
mod size;
pub mod steps;

pub use clean::{Cleaned, Seam, beginning, clean, clean_line, line_of};
pub use nearest::nearest;
pub use size::size;
