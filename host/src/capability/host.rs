//! What the host functions of one call work with.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::kubernetes::{Code, Error, Reader};
use crate::policy::Budget;

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

/// What a call sees of the cluster.
#[derive(Clone)]
pub enum Cluster {
    /// Nothing: the component is only asked for its manifest.
    None,
    /// What the component's grant allows. `io` is the runtime of the API traffic: a guest's own runtime may be busy with other
    /// guests, and a connection that lives there would stall with it.
    Granted {
        /// Reads within the grant and the budget.
        reader: Reader,
        /// Where the requests run.
        io: Handle,
    },
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
    /// What the call sees of the cluster.
    pub cluster: Cluster,
}

impl Host {
    /// Runs a read on the runtime of the API traffic. Dropping the future, as happens when the call is stopped, aborts the read.
    pub(super) async fn read<T, F>(&self, ask: impl FnOnce(Reader) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let Cluster::Granted { reader, io } = &self.cluster else {
            return Err(Error::new(Code::Denied, "a manifest is made without the cluster: read it in `call`, not in `manifest`"));
        };
        match AbortOnDropHandle::new(io.spawn(ask(reader.clone()))).await {
            Ok(answer) => answer,
            Err(failure) => {
                tracing::error!(component = %self.component, %failure, "a host function failed");
                Err(Error::new(Code::Other, "the host failed while it read the cluster; its log says why"))
            }
        }
    }
}
