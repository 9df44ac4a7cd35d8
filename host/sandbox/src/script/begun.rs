//! Pre-initialises the script engine with wizer: runs its setup and the prelude once, before compilation; every instance starts from that
//! memory snapshot. Doing it for each call would take several times as long as a short script.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use anyhow::{Context as _, bail, ensure};
use wasmparser::{DataKind, Operator, Parser, Payload};
use wasmtime::component::{Component, Instance, Lift, Linker, Val, WasmList};
use wasmtime::{OptLevel, Store};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use super::init;
use crate::features::Tasks;
use crate::pools;

/// The section in which the engine carries what it begins with: the address of its flag, four bytes, the lowest first, and the text that
/// it evaluates.
const SECTION: &str = "sandbar:begin";

/// The name of the module without anything in it that it evaluates as its script, since it takes one. The name of scripts stays free.
const NO_SCRIPT: &str = "sandbar:no-script";

/// What it begins with.
struct Beginning<'a> {
    /// The address of the byte that says whether it has evaluated a script: it refuses a second one.
    flag: u32,
    prelude: &'a str,
}

impl<'a> Beginning<'a> {
    fn of(engine: &'a [u8]) -> anyhow::Result<Self> {
        for part in Parser::new(0).parse_all(engine) {
            if let Payload::CustomSection(section) = part?
                && section.name() == SECTION
            {
                let (flag, prelude) = section.data().split_first_chunk().context("its section is too short")?;
                return Ok(Self { flag: u32::from_le_bytes(*flag), prelude: std::str::from_utf8(prelude)? });
            }
        }
        bail!("it has no section {SECTION:?}")
    }
}

/// Lets the engine begin, in a process or thread that may take seconds. Only for an engine of our own: its code runs without a limit.
pub(crate) fn begun(engine: &[u8]) -> anyhow::Result<Vec<u8>> {
    let Beginning { flag, prelude } = Beginning::of(engine)?;
    let wizer = Wizer::new();
    let (context, instrumented) = plain(wizer.instrument_component(engine))?;
    let (mut store, instance) = plain(start(&instrumented))?;
    let outcome = init(&mut store, &instance).and_then(|init| init.call(&mut store, (prelude, "", Some(NO_SCRIPT), false)));
    let (outcome,) = plain(outcome)?;
    outcome.map_err(anyhow::Error::msg).context("what scripts find cannot be evaluated")?;
    let mut state = State { store: &mut store, instance };
    let snapshot = pin!(wizer.snapshot_component(&context, &mut state));
    let Poll::Ready(snapshot) = snapshot.poll(&mut Context::from_waker(Waker::noop())) else {
        bail!("its memory cannot be read")
    };
    let mut begun = plain(snapshot)?;
    clear(&mut begun, flag)?;
    Ok(begun)
}

/// An instance that can call nothing. The clocks that it looks at when it is set up stand still, so that it is the same each time.
fn start(component: &[u8]) -> wasmtime::Result<(Store<()>, Instance)> {
    let mut config = pools::config(Tasks::of(component));
    config.cranelift_opt_level(OptLevel::None);
    let engine = wasmtime::Engine::new(&config)?;
    let component = Component::new(&engine, component)?;
    let mut linker = Linker::new(&engine);
    linker.allow_shadowing(true);
    linker.define_unknown_imports_as_traps(&component)?;
    let imports: Vec<String> = component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
    for import in imports {
        match import.split('@').next() {
            Some("wasi:random/insecure-seed") => {
                linker.instance(&import)?.func_wrap("insecure-seed", |_, (): ()| Ok(((0u64, 0u64),)))?;
            }
            Some("wasi:clocks/monotonic-clock") => linker.instance(&import)?.func_wrap("now", |_, (): ()| Ok((0u64,)))?,
            Some("wasi:clocks/wall-clock") => linker.instance(&import)?.func_new("now", |_, _, _, results| {
                let time = [("seconds".to_owned(), Val::U64(0)), ("nanoseconds".to_owned(), Val::U32(0))];
                results.iter_mut().for_each(|result| *result = Val::Record(time.to_vec()));
                Ok(())
            })?,
            _ => {}
        }
    }
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(1);
    let instance = linker.instantiate(&mut store, &component)?;
    Ok((store, instance))
}

/// What wizer asks an instance for. It has made the component export all of it.
struct State<'a> {
    store: &'a mut Store<()>,
    instance: Instance,
}

impl State<'_> {
    fn ask<R: Lift + 'static>(&mut self, interface: &str, function: &str) -> R {
        let mut answer = || -> Option<R> {
            let interface = self.instance.get_export_index(&mut *self.store, None, interface)?;
            let function = self.instance.get_export_index(&mut *self.store, Some(&interface), function)?;
            let function = self.instance.get_typed_func::<(), (R,)>(&mut *self.store, function).ok()?;
            function.call(&mut *self.store, ()).ok().map(|(answer,)| answer)
        };
        answer().expect("wizer asks for what it has added")
    }
}

impl ComponentInstanceState for State<'_> {
    async fn call_func_ret_list_u8(&mut self, interface: &str, function: &str, contents: impl FnOnce(&[u8]) + Send) {
        let bytes: WasmList<u8> = self.ask(interface, function);
        contents(bytes.as_le_slice(&*self.store));
    }

    async fn call_func_ret_s32(&mut self, interface: &str, function: &str) -> i32 {
        self.ask(interface, function)
    }

    async fn call_func_ret_s64(&mut self, interface: &str, function: &str) -> i64 {
        self.ask(interface, function)
    }

    async fn call_func_ret_f32(&mut self, interface: &str, function: &str) -> u32 {
        self.ask::<f32>(interface, function).to_bits()
    }

    async fn call_func_ret_f64(&mut self, interface: &str, function: &str) -> u64 {
        self.ask::<f64>(interface, function).to_bits()
    }
}

/// Takes the flag back: nothing that can be told from a script has been evaluated.
fn clear(component: &mut [u8], flag: u32) -> anyhow::Result<()> {
    let at = place_of(component, flag)?.context("no byte of its memory is its flag")?;
    ensure!(component[at] == 1, "the byte that should be its flag is {}", component[at]);
    component[at] = 0;
    Ok(())
}

/// Where in a component's bytes that of an address of its memory is.
fn place_of(component: &[u8], address: u32) -> anyhow::Result<Option<usize>> {
    for part in Parser::new(0).parse_all(component) {
        let Payload::DataSection(segments) = part? else { continue };
        for segment in segments {
            let segment = segment?;
            let DataKind::Active { offset_expr, .. } = segment.kind else { continue };
            let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else { continue };
            let within = usize::try_from(address.wrapping_sub(value.cast_unsigned()))?;
            if within < segment.data.len() {
                return Ok(Some(segment.range.end - segment.data.len() + within));
            }
        }
    }
    Ok(None)
}

fn plain<T>(outcome: wasmtime::Result<T>) -> anyhow::Result<T> {
    outcome.map_err(|error| anyhow::anyhow!("{error:#}"))
}
