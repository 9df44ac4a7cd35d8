//! One call: a fresh instance, its limits, and what became of it.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};

use super::component::Component;
use super::crash;
use super::engine::{Engine, Slot};
use super::error::CallError;
use super::memory::{Memory, Refused};
use super::meter::Meter;
use super::state::State;
use super::threads::{Gone, give_way, has_turn};
use crate::capability::{Host, Tools, may_log};
use crate::policy::{Budget, Limits, clean_line};

/// What to ask a component for.
enum Ask {
    Manifest,
    Call { tool: String, arguments: String },
}

/// What a component says: an answer, or a failure in its own words.
pub type Answer = Result<String, String>;

/// What a component has said. Its slot is taken until this is dropped, since what is made of the answer takes memory, too.
pub struct Returned {
    /// In its words.
    pub answer: Answer,
    _slot: Slot,
}

impl Component {
    /// The name that it was loaded under.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Asks the component what it serves.
    pub async fn manifest(&self, engine: &Engine, host: Host) -> Result<String, CallError> {
        self.run(engine, host, Ask::Manifest).await?.answer.map_err(|_| CallError::Host)
    }

    /// Runs one of its tools. Dropping the future stops the guest.
    pub async fn call(&self, engine: &Engine, host: Host, tool: &str, arguments: String) -> Result<Returned, CallError> {
        self.run(engine, host, Ask::Call { tool: tool.to_owned(), arguments }).await
    }

    async fn run(&self, engine: &Engine, host: Host, ask: Ask) -> Result<Returned, CallError> {
        let slot = engine.slot(&self.queue).await?;
        let (budget, meter) = (host.budget.clone(), Meter::default());
        let guest = meter.count(run_guest(self.clone(), slot, host, meter.clone(), ask));
        match tokio::time::timeout_at(budget.deadline().into(), self.habit.run(guest, engine.processors())).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Gone)) => {
                tracing::error!(component = %self.name, "the host failed in a call");
                Err(CallError::Host)
            }
            Err(_) => Err(CallError::Time(budget.limits().time)),
        }
    }
}

/// The slot is held until the instance is gone, also when the caller went first.
async fn run_guest(component: Component, slot: Slot, host: Host, meter: Meter, ask: Ask) -> Result<Returned, CallError> {
    let limits = host.budget.limits().clone();
    let mut store = store(&component, host, meter.clone());
    let outcome = in_store(&component, &mut store, ask).await;
    store.data().host.budget.note_computed(meter.spent());
    let outcome = outcome.map_err(|error| explain(&component, &store, &meter, &error));
    drop(store);
    match outcome? {
        Ok(answer) | Err(answer) if answer.len() as u64 > limits.result => Err(CallError::Result { limit: limits.result }),
        answer => Ok(Returned { answer, _slot: slot }),
    }
}

async fn in_store(component: &Component, store: &mut Store<State>, ask: Ask) -> wasmtime::Result<Answer> {
    let instance = component.pre.instantiate_async(&mut *store).await?;
    let tools: Tools = component.tools.load(&mut *store, &instance)?;
    match ask {
        Ask::Manifest => tools.call_manifest(store).await.map(Ok),
        Ask::Call { tool, arguments } => tools.call_call(store, &tool, &arguments).await,
    }
}

/// A store with every limit in place.
fn store(component: &Component, host: Host, meter: Meter) -> Store<State> {
    let budget = host.budget.clone();
    let limits = budget.limits();
    let mut store = Store::new(component.pre.engine(), State::new(host, Memory::new(limits.memory, limits.tables)));
    store.limiter(|state| &mut state.memory);
    store.set_max_component_handles(usize::try_from(limits.handles).unwrap_or(usize::MAX));
    store.set_hostcall_fuel(usize::try_from(limits.result.saturating_add(limits.passed)).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        // The deadline is checked here too: the runtime that keeps it may be late on a machine that is busy.
        budget.note_computed(meter.spent());
        let over = meter.is_over(budget.limits().cpu) || Instant::now() > budget.deadline();
        if over {
            return Ok(UpdateDeadline::Interrupt);
        }
        give_way(&meter);
        Ok(if has_turn(&meter) { UpdateDeadline::Continue(1) } else { UpdateDeadline::Yield(1) })
    });
    store
}

/// Tells the operator where a guest crashed. The names of its functions are its own words, so they are its part of the log.
fn log_crash(component: &Component, budget: &Budget, error: &wasmtime::Error) {
    let words = clean_line(crash::words(error), crash::WORDS_BYTES);
    if may_log(&component.name, budget, &words) {
        tracing::warn!(component = %component.name, "a tool crashed: {words}");
    }
}

/// Says which limit, or which fault, ended a guest.
fn explain(component: &Component, store: &Store<State>, meter: &Meter, error: &wasmtime::Error) -> CallError {
    let budget = &store.data().host.budget;
    let limits: &Limits = budget.limits();
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::Interrupt) {
        return if meter.is_over(limits.cpu) { CallError::Cpu(limits.cpu) } else { CallError::Time(limits.time) };
    }
    if trap == Some(&Trap::StackOverflow) {
        return CallError::Stack { limit: limits.stack };
    }
    match store.data().memory.refused() {
        Some(Refused::Memory { wanted, limit }) => return CallError::Memory { wanted, limit },
        Some(Refused::Table { wanted, limit }) => return CallError::Table { wanted, limit },
        None => {}
    }
    // Without its context, which holds names that the guest has given.
    let text = error.root_cause().to_string();
    // wasmtime has no types for these two; tests hold the wording.
    if text.contains("fuel allocated for hostcalls") {
        // The guest's frames are part of the error only while the guest runs; its result is read once it has returned.
        let in_guest = error.downcast_ref::<WasmBacktrace>().is_some_and(|trace| !trace.frames().is_empty());
        let limit = limits.result;
        return if in_guest {
            CallError::Passed { limit: limit.saturating_add(limits.passed) }
        } else {
            CallError::Result { limit }
        };
    }
    if text.contains("store handle limit exceeded") {
        return CallError::Handles { limit: limits.handles };
    }
    log_crash(component, budget, error);
    CallError::Trap(trap.map_or_else(|| error.root_cause().to_string(), Trap::to_string))
}
