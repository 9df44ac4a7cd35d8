//! A component with nothing around it: wasmtime with the pool that the host has, and none of what guards a call.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

/// As the host sets them in `sandbox/engine.rs`, which says why.
const SLOTS: u32 = 128;
const CORE_INSTANCES: u32 = 64;
const MEMORIES: u32 = 8;
const TABLES: u32 = 16;
const INSTANCE_METADATA: usize = 1024 * 1024;
const MEMORY: usize = 64 * 1024 * 1024;
const TABLE_ENTRIES: usize = 20_000;
const KEEP_RESIDENT: usize = 1024 * 1024;
const WASM_STACK: usize = 512 * 1024;
const FIBER_STACK: usize = 2 * 1024 * 1024;

/// The interface that every tool exports.
const TOOLS: &str = "sandbar:tool/tools@0.1.0";

/// What the function `call` takes and returns.
type Arguments<'a> = (&'a str, &'a str);
type Returned = (Result<String, String>,);

/// A compiled component.
pub(crate) struct Bare {
    engine: Engine,
    component: InstancePre<()>,
    call: ComponentExportIndex,
}

impl Bare {
    /// Compiles a component that imports nothing.
    pub(crate) fn new(component: &[u8]) -> wasmtime::Result<Self> {
        let engine = Engine::new(&config())?;
        let component = Component::new(&engine, component)?;
        let (_, tools) = component.get_export(None, TOOLS).expect("a tool component");
        let (kind, call) = component.get_export(Some(&tools), "call").expect("a tool component");
        assert!(matches!(kind, ComponentItem::ComponentFunc(_)), "a tool component");
        Ok(Self { component: Linker::new(&engine).instantiate_pre(&component)?, engine, call })
    }

    /// Runs a call in a fresh instance.
    pub(crate) async fn call(&self, tool: &str, arguments: &str) -> wasmtime::Result<String> {
        let mut store = Store::new(&self.engine, ());
        let instance = self.component.instantiate_async(&mut store).await?;
        let call = instance.get_typed_func::<Arguments<'_>, Returned>(&mut store, self.call)?;
        let (returned,) = call.call_async(&mut store, (tool, arguments)).await?;
        returned.map_err(wasmtime::Error::msg)
    }
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_stacks(SLOTS)
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_core_instances(SLOTS * CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .total_memories(SLOTS * MEMORIES)
        .max_tables_per_component(TABLES)
        .total_tables(SLOTS * TABLES)
        .max_component_instance_size(INSTANCE_METADATA)
        .max_core_instance_size(INSTANCE_METADATA)
        .max_memory_size(MEMORY)
        .table_elements(TABLE_ENTRIES)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(4096)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.max_wasm_stack(WASM_STACK);
    config.async_stack_size(FIBER_STACK);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
