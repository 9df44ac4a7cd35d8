//! An empty WASI 0.2: no files, no environment, no arguments, no sockets. Components from componentize-py, jco or wasm32-wasip2
//! import it as a block, whether they use it or not. What they print goes to the server's log.

use std::sync::Arc;

use bytes::Bytes;
use sandbar_policy::Budget;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, async_trait};

use super::logging::log_line;

/// Bytes of one printed line that are kept.
const LINE_BYTES: usize = 8 * 1024;

/// Bytes that are printed at once. Each may be the end of a line, and some hundred lines are a millisecond's work.
const WRITE_BYTES: usize = 512;

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

/// A stream whose lines go to the server's log. All that is done for them is done inside the host functions that write, so that it
/// is the call's processor time and ends with its limits.
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

    /// Adds bytes to the line that is being written. The rest of an endless line is dropped; its beginning says enough.
    fn add(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES - self.line.len();
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return;
        }
        if let Some(line) = log_line(&self.component, &self.budget, String::from_utf8_lossy(&line), LINE_BYTES) {
            tracing::info!(target: "sandbar::component", component = %self.component, stream = self.stream, "{line}");
        }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// That of WASI 0.3, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

#[async_trait]
impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > WRITE_BYTES {
            return Err(StreamError::trap("more bytes were written than the stream had room for"));
        }
        if self.budget.has_filled_log() {
            self.line = Vec::new();
            return Ok(());
        }
        let mut lines = bytes.split(|&byte| byte == b'\n');
        // What follows the last line break is the beginning of a line.
        let last = lines.next_back().unwrap_or_default();
        for line in lines {
            self.add(line);
            self.end_line();
        }
        self.add(last);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }

    /// Functions that block write in several steps, and ask for room before each.
    async fn write_ready(&mut self) -> StreamResult<usize> {
        self.budget.meter().yield_if_due().await;
        self.check_write()
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl Drop for Printed {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;
    use std::time::Duration;

    use sandbar_policy::Limits;
    use sandbar_processor::{CpuEstimate, Meter, Processors, TestClock};

    use super::*;

    /// What is logged while `printing`, which is no part of any runtime: nothing but itself can have written it.
    fn logged(printing: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Log(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Log {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().expect("no panic").write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (log, lines) = (Log::default(), tracing_subscriber::fmt().with_ansi(false).without_time());
        let writer = log.clone();
        tracing::subscriber::with_default(lines.with_writer(move || writer.clone()).finish(), printing);
        let bytes = log.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text")
    }

    /// The standard output of a call that may log so many bytes.
    fn stdout(meter: &Meter, logged: u64) -> Box<dyn OutputStream> {
        let limits = Limits { logged, ..Limits::default() };
        Printed::new(&"test".into(), &Arc::new(Budget::with_meter(meter.clone(), limits)), "stdout").p2_stream()
    }

    fn write(stream: &mut dyn OutputStream, text: &str) {
        stream.write(Bytes::copy_from_slice(text.as_bytes())).expect("room");
    }

    #[test]
    fn a_line_is_in_the_log_when_the_write_that_ends_it_returns() {
        let mut stream = stdout(&Meter::default(), 1 << 20);
        assert_eq!(logged(|| write(&mut *stream, "\none\ntw")).matches("stdout").count(), 1);
        assert!(logged(|| write(&mut *stream, "o\nthree")).contains("two component=test stream=\"stdout\""));
        assert!(logged(|| drop(stream)).contains("three"), "the last line needs no line break");
    }

    #[test]
    fn the_rest_of_an_endless_line_is_dropped() {
        let mut stream = stdout(&Meter::default(), 1 << 20);
        let piece = "x".repeat(WRITE_BYTES);
        let nothing = logged(|| (0..100).for_each(|_| write(&mut *stream, &piece)));
        assert_eq!(nothing, "");
        let line = logged(|| write(&mut *stream, "y\n"));
        assert_eq!((line.matches('x').count(), line.matches('y').count()), (LINE_BYTES, 0));
    }

    #[test]
    fn once_the_log_is_full_nothing_is_kept() {
        let budget = Arc::new(Budget::new(Limits { logged: 100, ..Limits::default() }));
        let mut stream = Printed::new(&"test".into(), &budget, "stdout");
        let said = logged(|| write(&mut stream, "one\ntwo\nthree\nthe beginning of a line"));
        assert!(
            said.contains("component: one component=test") && said.contains("limit `logged`") && !said.contains("two"),
            "{said}"
        );
        let silence = logged(|| {
            write(&mut stream, "more");
            assert!(stream.line.is_empty(), "{:?}", stream.line);
            drop(stream);
        });
        assert_eq!(silence, "");
    }

    #[test]
    fn what_is_written_at_once_is_bounded() {
        let mut stream = stdout(&Meter::default(), 1 << 20);
        assert_eq!(stream.check_write().expect("room"), WRITE_BYTES);
        write(&mut *stream, &"x".repeat(WRITE_BYTES));
        let trap = stream.write(vec![b'x'; WRITE_BYTES + 1].into()).expect_err("more than there was room for");
        assert!(matches!(trap, StreamError::Trap(_)), "{trap}");
    }

    #[tokio::test]
    async fn a_call_that_prints_much_moves_to_a_thread_of_its_own_between_two_steps() {
        let hand = TestClock::default();
        let meter = hand.meter();
        let mut stream = stdout(&meter, 1 << 20);
        let call = async move {
            let many = vec![b'\n'; 8 * WRITE_BYTES];
            hand.advance(Duration::from_millis(10));
            stream.blocking_write_and_flush(many.into()).await.expect("room");
            std::thread::current().name().map(str::to_owned)
        };
        let ended_on = Processors::of(1).run(&meter, &CpuEstimate::default(), call).await.expect("no panic");
        assert_eq!(ended_on.as_deref(), Some("sandbar-call"));
    }

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
