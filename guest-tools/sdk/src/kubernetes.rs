//! What tools for any Kubernetes cluster read of its objects: amounts, times, conditions, events and owners, what is wrong with one, and why
//! no node takes a pod.
//!
//! Others wrote those objects. Whatever is missing in one, or is not what it should be, is left out here and fails nothing, and the
//! texts that go on to an answer are bounded. [`lenient`] does the same for the types of a tool.
//!
//! ```
//! use sandbar_tool::kubernetes::{conditions::{self, Conditions}, events, lenient, owners::{self, Owned}};
//! use sandbar_tool::{Error, Resource};
//!
//! const PODS: Resource = Resource::new("", "v1", "pods");
//!
//! #[derive(serde::Deserialize)]
//! struct Pod {
//!     #[serde(default, deserialize_with = "lenient::or_default")]
//!     metadata: Owned,
//!     #[serde(default, deserialize_with = "lenient::or_default")]
//!     status: Conditions,
//! }
//!
//! /// What is wrong with a pod, in a few lines.
//! fn explain(namespace: &str, name: &str) -> Result<String, Error> {
//!     let pod = PODS.get::<Pod>(namespace, name).read()?;
//!     let mut lines = Vec::new();
//!     for fault in conditions::bad(&pod.status.conditions) {
//!         let age = fault.since.map(|since| since.age()).unwrap_or_default();
//!         lines.push(format!("{} {} for {age}", fault.condition, fault.reason.unwrap_or_default()));
//!     }
//!     for event in events::grouped(events::about("Pod", namespace, name).up_to(500)?.items) {
//!         lines.push(format!("{} x{}: {}", event.reason, event.count, event.message));
//!     }
//!     let chain = owners::chain(namespace, &pod.metadata.owner_references, &owners::built_in);
//!     lines.extend(chain.top().map(|top| format!("it belongs to {top}")));
//!     Ok(lines.join("\n"))
//! }
//! # fn main() {
//! #     use serde_json::json;
//! #     let host = sandbar_tool::testing::Host::new()
//! #         .at(std::time::Duration::from_secs(1_795_341_600))
//! #         .objects(|request| Ok(match &*request.name {
//! #             "web-5d9-x" => json!({
//! #                 "metadata": { "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d9", "controller": true }] },
//! #                 "status": { "conditions": [{ "type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": "2026-11-22T09:57:00Z" }] },
//! #             }),
//! #             "web-5d9" => json!({ "metadata": { "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": true }] } }),
//! #             _ => json!({ "metadata": {} }),
//! #         }))
//! #         .lists(|_| Ok(sandbar_tool::testing::page([1, 2].map(|count| json!({ "reason": "BackOff", "message": "again", "count": count })))));
//! #     let said = host.run(|| explain("team-a", "web-5d9-x")).unwrap();
//! #     assert_eq!(said, "Ready=False ContainersNotReady for 3m\nBackOff x3: again\nit belongs to Deployment/web");
//! # }
//! ```

pub mod age;
pub mod conditions;
pub mod events;
pub mod lenient;
pub mod owners;
pub mod pods;
pub mod quantity;
pub mod scheduling;
pub mod selectors;
pub mod troubles;
pub mod view;
pub mod workload;
mod written;

pub use age::Time;
pub use conditions::{Condition, Fault};
pub use events::Event;
pub use owners::Owner;
pub use quantity::Quantity;
pub use troubles::Trouble;
pub use view::View;
