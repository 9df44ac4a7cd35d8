//! What the host functions of one call work with.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use sandbar_kubernetes::{Code, Error, Reader};
use sandbar_policy::Budget;

/// How far a call is, in the tool's own words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// What is done.
    pub done: f64,
    /// Out of how much, where that is known.
    pub total: Option<f64>,
    /// A short message for a person.
    pub message: Option<String>,
}

/// The state behind the host functions of one call.
pub struct Host {
    /// The component's name, for the log.
    pub component: Arc<str>,
    /// What is left of the call's limits.
    pub budget: Arc<Budget>,
    /// What the operator has set, as JSON text by key.
    pub settings: Arc<BTreeMap<String, String>>,
    /// Where progress goes. A watch channel holds one report: a flood of them costs nothing, and the newest wins.
    pub progress: watch::Sender<Progress>,
    /// Reads the cluster within the component's grant; none where the component is only asked for its manifest.
    pub reader: Option<Reader>,
}

impl Host {
    /// What reads the cluster, or why nothing does.
    pub(super) fn reader(&self) -> Result<&Reader, Error> {
        self.reader.as_ref().ok_or_else(|| {
            Error::new(Code::Denied, "a manifest is made without the cluster: read it in `call`, not in `manifest`")
        })
    }

    /// Charges the call for text that is about to be handed to the component.
    pub(super) fn hand_over(&self, text: String) -> Result<String, Error> {
        self.budget.take_handed(text.len() as u64)?;
        Ok(text)
    }
}
