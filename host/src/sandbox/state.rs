//! What a store holds for one call.

use wasmtime_wasi::{WasiCtxView, WasiView};

use super::memory::Memory;
use super::wasi::Wasi;
use crate::capability::Host;

/// The data of one call's store.
pub(super) struct State {
    /// What the host functions work with.
    pub(super) host: Host,
    /// What the instance has of memory.
    pub(super) memory: Memory,
    /// An empty WASI, for components whose toolchain imports it.
    wasi: Wasi,
}

impl State {
    pub(super) fn new(host: Host, memory: Memory) -> Self {
        let wasi = Wasi::new(host.component.clone(), host.budget.clone());
        Self { host, memory, wasi }
    }

    /// Where the linker finds the host functions' state.
    pub(super) fn host(&mut self) -> &mut Host {
        &mut self.host
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view()
    }
}
