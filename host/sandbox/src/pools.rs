//! Pools of instances: one for each size of stack, and for components that name tasks or not. Each has a wasmtime engine of its
//! own, since both are settings of an engine. Mostly there is one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use sandbar_policy::MOST_TABLES;
use wasmtime::{Cache, CacheConfig, Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::features::{self, Tasks};
use super::slots::Slots;

/// Bytes of a slot's memory that stay resident between two calls: what a Rust guest touches, so that the next call faults no
/// pages. Each pool keeps as many for each of its memories, [`MEMORIES`] for a slot, at most. The sum of [`Slots`] is without them: it
/// takes each running call to fill its whole limit, and components to touch as much in several memories.
const KEEP_RESIDENT: usize = 1024 * 1024;

/// Core instances, memories and tables of one component: a Rust component has three, one and two of them, a composed one a
/// multiple, an interpreter with its libraries some dozens of instances around one memory. Every slot has room for as many, so
/// that a component of many parts cannot take the room of others.
///
/// Likewise each slot has one component instance, whatever it is composed of, and one stack, since `features` lets nothing start
/// a task that would need another.
pub(super) const CORE_INSTANCES: u32 = 64;
pub(super) const MEMORIES: u32 = 8;
pub(super) const TABLES: u32 = 16;

/// Bytes of one component's instance metadata; the largest known component (a Python interpreter) needs a quarter of it.
const INSTANCE_METADATA: usize = 1024 * 1024;

/// Bytes of a stack beyond the guest's part, for the host functions that it calls: reads are polled on it, from the connection to
/// the masking of an object. A thread of the runtime has not much more.
const HOST_STACK: usize = 1536 * 1024;

/// The pools made so far.
pub(super) struct Pools {
    slots: Slots,
    memory: u64,
    stack: u64,
    /// Where compiled components are loaded from. Without it the engines compile.
    cache: Option<Cache>,
    engines: Mutex<BTreeMap<(u64, Tasks), wasmtime::Engine>>,
}

impl Pools {
    /// Makes the pool for the default stack, in bytes. `memory` is the most that an instance may have, `cache` the folder of
    /// compiled components.
    pub(super) fn new(slots: Slots, memory: u64, stack: u64, cache: Option<&Path>) -> anyhow::Result<Self> {
        let cache = cache.map(open_cache).transpose()?;
        let pools = Self { slots, memory, stack, cache, engines: Mutex::default() };
        pools.engine(stack, Tasks::Unnamed)?;
        Ok(pools)
    }

    /// The engine for components with `stack` bytes of stack. Made for the first of them, and kept: it only reserves address
    /// space.
    pub(super) fn engine(&self, stack: u64, tasks: Tasks) -> anyhow::Result<wasmtime::Engine> {
        if let Some(engine) = self.engines().get(&(stack, tasks)) {
            return Ok(engine.clone());
        }
        // Not under the lock, which the epoch thread needs. If two are made at once, the first is used.
        let engine = self.pooled_or_plain(usize::try_from(stack).unwrap_or(usize::MAX), tasks)?;
        Ok(self.engines().entry((stack, tasks)).or_insert(engine).clone())
    }

    /// The engine for the default stack: compiled code is the same for all sizes.
    pub(super) fn any(&self, tasks: Tasks) -> anyhow::Result<wasmtime::Engine> {
        self.engine(self.stack, tasks)
    }

    /// An engine that loads what is compiled, however much of a pool it would take.
    pub(super) fn unpooled(&self, tasks: Tasks) -> wasmtime::Result<wasmtime::Engine> {
        wasmtime::Engine::new(&self.config(tasks))
    }

    /// Increments the epoch of all engines.
    pub(super) fn advance(&self) {
        self.engines().values().for_each(wasmtime::Engine::increment_epoch);
    }

    fn engines(&self) -> MutexGuard<'_, BTreeMap<(u64, Tasks), wasmtime::Engine>> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pool makes a fresh instance three times cheaper, but reserves 4 GiB of address space for each memory. Where that is not
    /// available (a small virtual address space, a ulimit), instances are allocated on demand.
    fn pooled_or_plain(&self, stack: usize, tasks: Tasks) -> anyhow::Result<wasmtime::Engine> {
        let mut config = self.config(tasks);
        config.max_wasm_stack(stack);
        config.async_stack_size(stack.saturating_add(HOST_STACK));
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool()));
        match wasmtime::Engine::new(&config) {
            Ok(engine) => Ok(engine),
            Err(error) => {
                tracing::warn!("no pool of instances: {error:#}; each call makes its own, which takes some 20 us more");
                config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
                wasmtime::Engine::new(&config).map_err(|error| anyhow::anyhow!("wasmtime cannot be started: {error:#}"))
            }
        }
    }

    fn config(&self, tasks: Tasks) -> Config {
        let mut config = config(tasks);
        // A safeguard: what is not in the cache is compiled by another process.
        config.enable_compiler(self.cache.is_none());
        config.cache(self.cache.clone());
        config
    }

    fn pool(&self) -> PoolingAllocationConfig {
        let slots = u32::try_from(self.slots.count()).unwrap_or(u32::MAX);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(slots)
            .total_stacks(slots)
            .max_core_instances_per_component(CORE_INSTANCES)
            .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
            .max_memories_per_component(MEMORIES)
            .total_memories(slots.saturating_mul(MEMORIES))
            .max_tables_per_component(TABLES)
            .total_tables(slots.saturating_mul(TABLES))
            .max_component_instance_size(INSTANCE_METADATA)
            .max_core_instance_size(INSTANCE_METADATA)
            .max_memory_size(usize::try_from(self.memory).unwrap_or(usize::MAX))
            .table_elements(MOST_TABLES as usize)
            // The pool counts any further one of a module as if it were another module's.
            .max_memories_per_module(1)
            .max_tables_per_module(1)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(4096)
            .async_stack_keep_resident(0)
            .pagemap_scan(Enabled::Auto);
        pool
    }
}

/// The settings that running and compiling engines share.
pub(super) fn config(tasks: Tasks) -> Config {
    let mut config = Config::new();
    features::choose(&mut config, tasks);
    config.epoch_interruption(true);
    config
}

/// Wasmtime's cache in a folder.
pub(super) fn open_cache(folder: &Path) -> anyhow::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config)
        .map_err(|error| anyhow::anyhow!("{error:#}"))
        .with_context(|| format!("the folder of compiled components {} cannot be used", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sandbar_policy::{Budget, Limits};
    use tokio::sync::watch;

    use super::super::run::Ask;
    use super::*;
    use crate::{Artifact, Binary, CallError, Component, Engine, EngineOptions, Interface, LoadError};

    /// The end of a chain of components.
    const NO_DEEPER: &str = r#"(core module $n (func (export "f"))) (core instance $n (instantiate $n)) (alias core export $n "f" (core func $down))"#;

    /// A component whose call reports its progress and then does `then`, which may call the core function `$down` of `deeper`.
    /// `beside` are further parts of it.
    fn component(beside: &str, deeper: &str, then: &str) -> Vec<u8> {
        let text = format!(
            r#"(component
                (import "sandbar:tool/context@0.1.0" (instance $context
                    (export "progress" (func (param "done" f64) (param "total" (option f64)) (param "message" (option string))))))
                {beside} {deeper}
                (core module $memory (memory (export "memory") 1))
                (core instance $m (instantiate $memory))
                (alias core export $m "memory" (core memory $mem))
                (alias export $context "progress" (func $progress))
                (core func $report (canon lower (func $progress) (memory $mem)))
                (core module $guest
                    (import "m" "memory" (memory 1))
                    (import "host" "report" (func $report (param f64 i32 f64 i32 i32 i32)))
                    (import "host" "down" (func $down))
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
                    (func (export "manifest") (result i32) unreachable)
                    (func (export "call") (param i32 i32 i32 i32) (result i32)
                        (call $report (f64.const 1) (i32.const 0) (f64.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
                        {then}
                        (i32.const 0)))
                (core instance $g (instantiate $guest
                    (with "m" (instance $m))
                    (with "host" (instance (export "report" (func $report)) (export "down" (func $down))))))
                (alias core export $g "realloc" (core func $realloc))
                (func $manifest (result string) (canon lift (core func $g "manifest") (memory $mem)))
                (func $call (param "name" string) (param "arguments" string) (result (result string (error string)))
                    (canon lift (core func $g "call") (memory $mem) (realloc $realloc)))
                (instance $tools (export "manifest" (func $manifest)) (export "call" (func $call)))
                (export "sandbar:tool/tools@0.1.0" (instance $tools)))"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn engine() -> Engine {
        let Limits { memory, stack, .. } = Limits::default();
        let options = EngineOptions { slots: Slots::for_memory(0, memory), memory, stack, compiler: None };
        assert_eq!(options.slots.count(), 2);
        Engine::new(&options).expect("an engine")
    }

    /// Changes when the call reports its progress.
    type Reports = watch::Sender<()>;

    fn load(engine: &Engine, bytes: &[u8]) -> Result<Component<Reports>, LoadError> {
        let artifact = Artifact::load_bundled(engine, "t", &Binary::new(bytes.to_owned()), Limits::default().stack)?
            .expect("it is compiled here");
        let context = Interface::<Reports> {
            name: "sandbar:tool/context",
            link: |linker| {
                linker.instance("sandbar:tool/context@0.1.0")?.func_wrap(
                    "progress",
                    |mut store, _: (f64, Option<f64>, Option<String>)| {
                        store.data_mut().data().send_replace(());
                        Ok(())
                    },
                )
            },
        };
        artifact.link(&[&context], engine.queue(None, None))
    }

    /// Runs one call to its end.
    async fn call(component: Component<Reports>, engine: &Engine, reports: Reports) -> Result<(), CallError> {
        let (called, budget) = (component.clone(), Arc::new(Budget::new(Limits::default())));
        let in_call = budget.clone();
        let ask = Ask::Tool { name: "t".to_owned(), arguments: String::new() };
        component.run(engine, &[], &budget, async move { called.ask(in_call, reports, ask).await.map(drop) }).await
    }

    /// A part with `count` instances of a core module that contains `module`.
    fn instances(count: u32, module: &str) -> String {
        let instances: String = (0..count).map(|n| format!("(core instance $x{n} (instantiate $x))")).collect();
        format!("(core module $x {module}) {instances}")
    }

    /// The most that a component can have, in each pool: less the three instances and the memory that the call needs.
    fn greedy() -> [(&'static str, String); 6] {
        [
            ("core instances", instances(CORE_INSTANCES - 3, "")),
            ("memories", instances(MEMORIES - 1, "(memory 1)")),
            ("tables", instances(TABLES, "(table 1000 funcref)")),
            ("memory", instances(1, "(memory 1000)")),
            ("entries of tables", instances(1, "(table 19000 funcref)")),
            (
                "component instances",
                format!("(component $c) {}", (0..500).map(|n| format!("(instance $c{n} (instantiate $c))")).collect::<String>()),
            ),
        ]
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn calls_that_have_all_that_they_can_leave_room_for_as_many_as_there_are_slots() {
        for (what, parts) in greedy() {
            let engine = Arc::new(engine());
            let forever = component(&parts, NO_DEEPER, "(loop $forever (br $forever))");
            let mut calls = tokio::task::JoinSet::new();
            for _ in 0..2 {
                // Loaded anew, so that they are not calls of one component.
                let greedy = load(&engine, &forever).unwrap_or_else(|error| panic!("{what}: {error}"));
                let ((reports, mut progress), engine) = (watch::channel(()), engine.clone());
                let running = calls.spawn(async move { call(greedy, &engine, reports).await });
                // It reports once it is instantiated and runs; if that fails, the sender is dropped.
                progress.changed().await.unwrap_or_else(|_| panic!("{what}: the other has taken what it needs"));
                assert!(!running.is_finished(), "{what}");
            }
            calls.shutdown().await;
            let plain = load(&engine, &component("", NO_DEEPER, "")).expect("a plain one");
            call(plain, &engine, watch::channel(()).0).await.unwrap_or_else(|error| panic!("after {what}: {error}"));
        }
    }

    /// In a composed component each part may call the next, all on the stack of one call.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_call_has_one_stack_through_however_many_components_it_goes() {
        let depth = 12;
        let mut parts = String::from(
            r#"(component $c0
                (core module $m (func (export "f") (loop $forever (br $forever))))
                (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))
            (instance $i0 (instantiate $c0))"#,
        );
        for n in 1..depth {
            let below = n - 1;
            parts += &format!(
                r#"(component $c{n} (import "f" (func $f)) (core func $l (canon lower (func $f)))
                    (core module $m (import "h" "f" (func $f)) (func (export "f") (call $f)))
                    (core instance $i (instantiate $m (with "h" (instance (export "f" (func $l))))))
                    (func (export "f") (canon lift (core func $i "f"))))
                (instance $i{n} (instantiate $c{n} (with "f" (func $i{below} "f"))))"#
            );
        }
        let last = depth - 1;
        let deeper = format!(r#"(alias export $i{last} "f" (func $deep)) (core func $down (canon lower (func $deep)))"#);
        let engine = Arc::new(engine());
        let bytes = component(&parts, &deeper, "(call $down)");
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let deep = load(&engine, &bytes).expect("a composed component");
            let ((reports, mut progress), engine) = (watch::channel(()), engine.clone());
            calls.spawn(async move { call(deep, &engine, reports).await });
            progress.changed().await.expect("the other has taken the stacks");
        }
        calls.shutdown().await;
    }

    #[test]
    fn whoever_has_more_than_its_share_is_not_loaded() {
        let engine = engine();
        for (what, parts) in [
            ("core instances", instances(CORE_INSTANCES - 2, "")),
            ("memories", instances(MEMORIES, "(memory 1)")),
            ("tables", instances(TABLES + 1, "(table 1 funcref)")),
            ("tables of a module", instances(1, "(table 1 funcref) (table 1 funcref)")),
            ("memories of a module", instances(1, "(memory 1) (memory 1)")),
            ("pages", instances(1, "(memory 65536)")),
            ("entries", instances(1, "(table 20001 funcref)")),
        ] {
            assert!(matches!(load(&engine, &component(&parts, NO_DEEPER, "")), Err(LoadError::Malformed(_))), "{what}");
        }
    }
}
