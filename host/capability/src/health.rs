//! `sandbar:kubernetes/health`: whether the API server answers.

use sandbar_kubernetes::{Code, Error as ReadError};
use sandbar_sandbox::{Interface, StoreData};
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::kubernetes::health;
use super::bindings::sandbar::kubernetes::types::Error;
use super::host::Host;

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface {
        name: "sandbar:kubernetes/health",
        link: |linker| health::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data),
    },
    is_open_to: |_| true,
};

impl health::Host for Host {
    async fn api_server(&mut self) -> Result<String, Error> {
        let state = self.reader()?.api_server().await?;
        let text = serde_json::to_string(&state).map_err(|error| ReadError::new(Code::Other, error.to_string()))?;
        Ok(text)
    }
}
