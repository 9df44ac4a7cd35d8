//! An empty WASI 0.2: no files, no environment, no arguments, no sockets. Components from componentize-py, jco or wasm32-wasip2
//! import it as a block, whether they use it or not. What they print goes to the server's log.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sandbar_policy::Budget;
use sandbar_text::clean_line;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::logging::may_log;

/// Bytes of one printed line that are kept.
const LINE_BYTES: usize = 8 * 1024;

/// Random bytes per request. They are made before the guest allocates memory for them, so wasmtime's default of 64 MiB would be
/// memory and time that no limit counts.
const RANDOM_BYTES: u64 = 64 * 1024;

/// The WASI packages that a component may import: those of a command without the network.
const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Whether an import such as `wasi:io/streams@0.2.6` belongs to the empty WASI.
pub(super) fn is_offered(import: &str) -> bool {
    let Some((package, version)) = import.strip_prefix("wasi:").and_then(|rest| rest.split_once('@')) else { return false };
    let package = package.split('/').next().unwrap_or_default();
    PACKAGES.contains(&package) && version.starts_with("0.2.")
}

/// Adds the functions to a linker.
pub(super) fn add_to_linker<T: WasiView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

/// The WASI of one call. Made on first use; bundled components never use it.
pub(super) struct Wasi {
    component: Arc<str>,
    budget: Arc<Budget>,
    context: Option<(WasiCtx, ResourceTable)>,
}

impl Wasi {
    pub(super) fn new(component: Arc<str>, budget: Arc<Budget>) -> Self {
        Self { component, budget, context: None }
    }

    pub(super) fn view(&mut self) -> WasiCtxView<'_> {
        let printed = |stream| Printed::new(&self.component, &self.budget, stream);
        let (ctx, table) = self.context.get_or_insert_with(|| {
            let context = WasiCtxBuilder::new()
                .stdout(printed("stdout"))
                .stderr(printed("stderr"))
                .allow_tcp(false)
                .allow_udp(false)
                .max_random_size(RANDOM_BYTES)
                .build();
            let mut table = ResourceTable::new();
            // Above the limit on handles, which has an error of its own: this table also counts what a method borrows.
            table.set_max_capacity(usize::try_from(self.budget.limits().handles).unwrap_or(usize::MAX).saturating_mul(3));
            (context, table)
        });
        WasiCtxView { ctx, table }
    }
}

/// A stream whose lines go to the server's log.
#[derive(Clone)]
struct Printed {
    component: Arc<str>,
    budget: Arc<Budget>,
    stream: &'static str,
    line: Vec<u8>,
}

impl Printed {
    fn new(component: &Arc<str>, budget: &Arc<Budget>, stream: &'static str) -> Self {
        Self { component: component.clone(), budget: budget.clone(), stream, line: Vec::new() }
    }

    fn end_line(&mut self) {
        if !self.line.is_empty() {
            let line = clean_line(String::from_utf8_lossy(&self.line), LINE_BYTES);
            if may_log(&self.component, &self.budget, &line) {
                tracing::info!(target: "sandbar::component", component = %self.component, stream = self.stream, "{line}");
            }
            self.line.clear();
        }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Printed {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                // The rest of an endless line is dropped; its beginning says enough.
                _ if self.line.len() < LINE_BYTES => self.line.push(byte),
                _ => {}
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_line();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_packages_of_an_offline_command_are_offered() {
        assert!(is_offered("wasi:io/streams@0.2.6"));
        assert!(is_offered("wasi:cli/environment@0.2.0"));
        assert!(!is_offered("wasi:http/outgoing-handler@0.2.6"));
        assert!(!is_offered("wasi:keyvalue/store@0.2.0-draft"));
        assert!(!is_offered("wasi:io/streams@0.3.0"));
        assert!(!is_offered("evil:io/streams@0.2.6"));
    }
}
