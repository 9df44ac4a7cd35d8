//! What tools for any Kubernetes cluster read of its objects: amounts, times, conditions, events and owners.
//!
//! Others wrote those objects. Whatever is missing in one, or is not what it should be, is left out here and fails nothing, and the
//! texts that go on to an answer are bounded. [`lenient`] does the same for the types of a tool.

pub mod age;
pub mod conditions;
pub mod events;
pub mod lenient;
pub mod owners;
pub mod quantity;
mod written;

pub use age::Time;
pub use conditions::{Condition, Fault};
pub use events::Event;
pub use owners::Owner;
pub use quantity::Quantity;
