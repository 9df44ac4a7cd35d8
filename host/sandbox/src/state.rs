//! What a store holds for one call.

use std::sync::Arc;

use sandbar_policy::Budget;
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::memory::Memory;
use super::wasi::Wasi;

/// The data of one call's store.
pub struct StoreData<T> {
    /// What imported functions work on.
    data: T,
    /// What is left of its limits.
    pub(super) budget: Arc<Budget>,
    /// The memory of the instance.
    pub(super) memory: Memory,
    /// An empty WASI, for components whose toolchain imports it.
    wasi: Wasi,
}

impl<T> StoreData<T> {
    pub(super) fn new(component: Arc<str>, budget: Arc<Budget>, data: T) -> Self {
        let limits = budget.limits();
        let memory = Memory::new(limits.memory, limits.tables);
        let wasi = Wasi::new(component, budget.clone());
        Self { data, budget, memory, wasi }
    }

    /// What imported functions work on.
    pub fn data(&mut self) -> &mut T {
        &mut self.data
    }
}

impl<T: Send> WasiView for StoreData<T> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view()
    }
}
