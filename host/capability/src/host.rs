//! The state that the host functions of one call work on.

use std::collections::BTreeMap;
use std::sync::Arc;

use sandbar_kubernetes::{Code, Error, Reader};
use sandbar_policy::{Budget, ToldUser};
use tokio::sync::watch;

/// A call's progress, as the tool reports it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The amount that is done.
    pub done: f64,
    /// The total, if it is known.
    pub total: Option<f64>,
    /// A short message for a person.
    pub message: Option<String>,
}

/// The state of the host functions in one call.
pub struct Host {
    /// The component's name, for the log.
    pub component: Arc<str>,
    /// The call's budget.
    pub budget: Arc<Budget>,
    /// The operator's settings, as JSON text by key.
    pub settings: Arc<BTreeMap<String, String>>,
    /// Who calls, if the component is granted to be told and somebody was authenticated.
    pub caller: Option<ToldUser>,
    /// Receives progress reports. A watch channel holds only the newest, so a flood of them costs nothing.
    pub progress: watch::Sender<Progress>,
    /// Reads the cluster within the component's grant; none while the component is asked for its manifest.
    pub reader: Option<Reader>,
}

impl Host {
    /// The reader, or why there is none.
    pub(super) fn reader(&self) -> Result<&Reader, Error> {
        self.reader.as_ref().ok_or_else(|| {
            Error::new(Code::Denied, "a manifest is made without the cluster: read it in `call`, not in `manifest`")
        })
    }

    /// Charges the call for text that is handed to the component.
    pub(super) fn hand_over(&self, text: String) -> Result<String, Error> {
        self.budget.take_handed(text.len() as u64)?;
        Ok(text)
    }
}
