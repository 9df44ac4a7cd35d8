//! Where a configuration comes from, and reading it again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sandbar_files::READ_TIME;

use crate::fault::Fault;
use crate::in_cluster;
use crate::kubeconfig::{Kubeconfig, Unusable};
use crate::proxy::Variables;
use crate::target::Target;

/// The source of a configuration, for reading it again.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A context of a kubeconfig. It stays the one from the start: whoever switches contexts at a terminal does not mean this
    /// server.
    Kubeconfig { paths: Vec<PathBuf>, context: String, variables: Variables, last: Mutex<Kubeconfig> },
    /// The pod that this process runs in.
    Pod,
    /// A command line, which stays as it is.
    Fixed(Box<Target>),
}

impl Origin {
    /// Reads the configuration, or gives up if its files do not respond.
    pub(crate) async fn read_in_time(self: &Arc<Self>) -> Result<Target, Fault> {
        let origin = self.clone();
        let reading = sandbar_files::wait_in_time(self.path(), READ_TIME, move |_| Ok(origin.read()));
        reading.await.map_err(|error| Fault::of_file(&error))?
    }

    /// A path on its disk.
    fn path(&self) -> &Path {
        match self {
            Origin::Pod => Path::new(in_cluster::AUTHORITY),
            Origin::Fixed(_) => Path::new(""),
            Origin::Kubeconfig { paths, .. } => paths.first().map_or(Path::new(""), PathBuf::as_path),
        }
    }

    /// Reads the configuration. Blocks.
    fn read(&self) -> Result<Target, Fault> {
        match self {
            Origin::Pod => in_cluster::target(),
            Origin::Fixed(target) => Ok(target.as_ref().clone()),
            Origin::Kubeconfig { paths, context, variables, last } => {
                // Not held while files are read: an unresponsive one would block every later login.
                let last = || last.lock().unwrap_or_else(PoisonError::into_inner);
                let before = last().clone();
                let of_file = |unusable: Unusable| {
                    Fault::new(format!("the kubeconfig {} cannot be used: {}", unusable.path.display(), unusable.fault))
                };
                let kubeconfig = Kubeconfig::read(paths, Some(&before)).map_err(of_file)?;
                let target = kubeconfig.target(context, variables).map_err(of_file)?;
                *last() = kubeconfig;
                Ok(target)
            }
        }
    }
}
