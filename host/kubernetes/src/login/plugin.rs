//! Running a credential plugin, as client-go does.
//!
//! Its arguments, environment and output are secrets: none of them is part of any message. Its standard error goes only to the
//! operator's log, a few short lines of it, with the values from the kubeconfig masked.

use std::cell::LazyCell;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::FusedFuture as _;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use sandbar_secrets::quotable;
use sandbar_text::clean;
use sandbar_text::size;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::credential::{self, Credentials};
use super::handed::Handed;
use crate::fault::Fault;
use crate::target::{Interactive, Plugin, Secret};

/// How long a plugin may run: somebody may have to find the browser, a password and a telephone.
pub(crate) const LOGIN_TIME: Duration = Duration::from_secs(180);

/// How long a plugin may take to exit after SIGTERM.
const END_TIME: Duration = Duration::from_secs(2);

/// How long the rest of its standard error may take to arrive after it has exited.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Bytes of its output. A token with many groups has some 30 KiB, a certificate with its chain 10.
const PRINTED_MAX: usize = 1 << 20;

/// Lines of its standard error that are logged, for each run.
const LINES_MAX: usize = 20;

/// Bytes of each logged line.
const LINE_MAX: usize = 300;

/// Bytes that are read of a line.
const HEARD_MAX: u64 = 16 * 1024;

/// Whether this process has a terminal with somebody at it.
pub(super) fn is_at_terminal() -> bool {
    io::stdin().is_terminal()
}

/// The messages of a plugin's last run, which are not logged again.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<VecDeque<String>>);

/// Runs a plugin. An error continues a sentence that begins with "the credential plugin x".
pub(super) async fn run(plugin: &Plugin, cluster_info: &Value, said: &Said) -> Result<Credentials, Fault> {
    let mut command = command(plugin, cluster_info, is_at_terminal())?;
    let child = command.spawn().map_err(|error| Fault::new(unstartable(&error)))?;
    let mut running = Running::new(child, plugin.interactive == Interactive::Never || !is_at_terminal());
    let outcome = tokio::time::timeout(LOGIN_TIME, attend(&mut running, plugin, said)).await;
    let Ok(outcome) = outcome else {
        running.end().await;
        return Err(Fault::new(format!(
            "has not ended within {} s and was stopped: it may have waited for somebody to log in; log in at a terminal, `kubectl version` with the same kubeconfig runs the same program",
            LOGIN_TIME.as_secs()
        )));
    };
    if outcome.is_err() {
        running.end().await;
    }
    let (status, printed) = outcome?;
    if !status.success() {
        return Err(Fault::new(format!(
            "{}; what it says stands in the log of this server. Perhaps a login has run out: `kubectl version` with the same kubeconfig runs the same program and shows its words",
            ended(status)
        )));
    }
    credential::read(&printed, &plugin.api_version)
}

/// Reads a plugin's output until it exits.
async fn attend(running: &mut Running, plugin: &Plugin, said: &Said) -> Result<(ExitStatus, Vec<u8>), Fault> {
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let heard = async {
        if let Some(stderr) = stderr {
            listen(stderr, plugin, said).await;
        }
    };
    let ended = running.ended().map(Ok);
    let printed = async {
        let done = async { tokio::try_join!(read_all(stdout), ended) };
        let (mut heard, mut done) = (std::pin::pin!(heard.fuse()), std::pin::pin!(done.fuse()));
        let outcome = loop {
            tokio::select! {
                outcome = &mut done => break outcome,
                () = &mut heard, if !heard.is_terminated() => {}
            }
        };
        // A process that it has started, a browser for example, may keep the pipe open.
        if !heard.is_terminated() {
            let _ = tokio::time::timeout(LAST_WORDS, heard).await;
        }
        outcome
    };
    let (printed, ()) = printed.await?;
    Ok((running.status().await?, printed))
}

async fn read_all(stdout: Option<ChildStdout>) -> Result<Vec<u8>, Fault> {
    let mut printed = Vec::new();
    if let Some(stdout) = stdout {
        let most = PRINTED_MAX as u64 + 1;
        stdout.take(most).read_to_end(&mut printed).await.map_err(|_| Fault::new("breaks off while it prints"))?;
    }
    if printed.len() > PRINTED_MAX {
        return Err(Fault::new(format!("prints over {}", size(PRINTED_MAX as u64))));
    }
    Ok(printed)
}

/// Logs a plugin's standard error.
async fn listen(stderr: impl AsyncRead + Unpin, plugin: &Plugin, said: &Said) {
    let program = name(plugin);
    let handed = LazyCell::new(|| Handed::to(plugin));
    let mut lines = BufReader::new(stderr);
    let (mut heard, mut line, mut is_rest) = (VecDeque::new(), Vec::new(), false);
    loop {
        line.clear();
        let read = (&mut lines).take(HEARD_MAX).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(bytes) if bytes > 0) {
            break;
        }
        // The rest of a longer line is dropped.
        let is_all = line.ends_with(b"\n") || (line.len() as u64) < HEARD_MAX;
        if std::mem::replace(&mut is_rest, !is_all) || heard.len() == LINES_MAX {
            continue;
        }
        let words = without_secrets(&String::from_utf8_lossy(&line), is_all, &handed);
        if words.is_empty() {
            continue;
        }
        let is_new = !said.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&words);
        if is_new {
            tracing::warn!(%program, "the credential plugin says: {words}");
        }
        heard.push_back(words);
    }
    *said.0.lock().unwrap_or_else(PoisonError::into_inner) = heard;
}

/// A line for the log: cleaned, with the values from the kubeconfig and other secrets masked, and only then cut.
fn without_secrets(line: &str, is_all: bool, handed: &Handed) -> String {
    quotable(handed.masked_in(&clean(line), is_all).trim(), LINE_MAX)
}

/// A running plugin. Dropping it kills it, with all processes that it has started.
///
/// It is not reaped before those are signalled, too: until then its id, which is that of its group, cannot be reused, even if the
/// plugin itself has exited.
struct Running {
    child: Child,
    id: Option<Pid>,
    /// Whether it has a process group of its own. A plugin that uses the terminal has none: it could not read from there.
    leads_group: bool,
}

impl Running {
    fn new(child: Child, leads_group: bool) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, id, leads_group }
    }

    /// Waits until it has exited by itself, and does not reap it.
    async fn ended(&self) {
        // Before the first check, so that no exit is missed.
        let Ok(mut some_child_ended) = signal(SignalKind::child()) else { return };
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while let Some(id) = self.id
            && matches!(waitid(WaitId::Pid(id), how), Ok(None) | Err(Errno::INTR))
        {
            some_child_ended.recv().await;
        }
    }

    /// Reaps it. Processes that it leaves behind, a browser for example, continue.
    async fn status(&mut self) -> Result<ExitStatus, Fault> {
        self.id = None;
        self.child.wait().await.map_err(|_| Fault::new("is gone, and nothing says how it ended"))
    }

    /// Ends it by SIGTERM, and by SIGKILL after [`END_TIME`] at most. What it has started gets no longer than it takes itself.
    async fn end(&mut self) {
        self.signal(Signal::TERM);
        let _ = tokio::time::timeout(END_TIME, self.ended()).await;
        self.signal(Signal::KILL);
        // It ends for certain, and its status does not matter.
        let _ = self.status().await;
    }

    fn signal(&self, signal: Signal) {
        let Some(id) = self.id else { return };
        let _ = if self.leads_group { kill_process_group(id, signal) } else { kill_process(id, signal) };
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn command(plugin: &Plugin, cluster_info: &Value, at_terminal: bool) -> Result<Command, Fault> {
    let interactive = match plugin.interactive {
        Interactive::Never => false,
        Interactive::IfAvailable => at_terminal,
        Interactive::Always if at_terminal => true,
        Interactive::Always => {
            return Err(Fault::new(
                "has to talk to somebody at a terminal (`interactiveMode: Always`), and this server has none: start it in a terminal, or log in some other way, with a token for example",
            ));
        }
    };
    let program = find(&plugin.command, std::env::var_os("PATH").as_deref()).ok_or_else(|| Fault::new(not_found(plugin)))?;
    let mut spec = json!({ "interactive": interactive });
    if plugin.wants_cluster {
        spec["cluster"] = cluster_info.clone();
    }
    let info = json!({ "kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec });
    let mut command = Command::new(program);
    command
        .arg0(&plugin.command)
        .args(plugin.arguments.iter().map(Secret::expose))
        // A secret of this server that no plugin needs.
        .env_remove("SANDBAR_SESSION_KEY")
        .envs(plugin.environment.iter().map(|(name, value)| (name, value.expose())))
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    if interactive {
        // Its messages are for whoever is at the terminal.
        command.stdin(Stdio::inherit()).stderr(if io::stderr().is_terminal() { Stdio::inherit() } else { Stdio::piped() });
    } else {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
    }
    if plugin.interactive == Interactive::Never || !at_terminal {
        command.process_group(0);
    }
    Ok(command)
}

/// The path of a command, from the PATH of this process as in client-go: relative directories do not count.
fn find(command: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    if command.contains('/') {
        let program = PathBuf::from(command);
        return program.is_file().then_some(program);
    }
    let folders = std::env::split_paths(path?).filter(|folder| folder.is_absolute());
    let found: Vec<PathBuf> = folders.map(|folder| folder.join(command)).filter(|program| program.is_file()).collect();
    found.iter().find(|program| is_executable(program)).or(found.first()).cloned()
}

fn is_executable(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    program.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

fn not_found(plugin: &Plugin) -> String {
    let place = if plugin.command.contains('/') { "there is no such program" } else { "no folder of this server's PATH has it" };
    let hint = plugin.install_hint.as_deref().map(|hint| quotable(hint, LINE_MAX)).filter(|hint| !hint.trim().is_empty());
    let hint = hint.unwrap_or_else(|| {
        "install it, or start the server with the PATH of a terminal in which `kubectl version` works".to_owned()
    });
    format!("is not there: {place}. {}", hint.trim())
}

fn unstartable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "cannot be started: this server's user may not execute it",
        io::ErrorKind::NotFound => "cannot be started: its interpreter is not there",
        io::ErrorKind::ExecutableFileBusy => "cannot be started: somebody writes to it; try again",
        _ => "cannot be started: it is no program for this machine",
    }
    .to_owned()
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("has ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "has ended in an unknown way".to_owned(),
    }
}

/// A plugin's name in messages.
pub(super) fn name(plugin: &Plugin) -> String {
    sandbar_text::clean_line(&plugin.command, LINE_MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    /// A plugin with a script.
    fn plugin(folder: &Path, script: &str) -> Plugin {
        let path = folder.join("plugin");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Plugin {
            command: path.display().to_string(),
            arguments: vec![Secret::new("get-token"), Secret::new("--client-secret=ARGUMENT-SECRET")],
            environment: vec![("LOGIN_SECRET".to_owned(), Secret::new("VARIABLE-SECRET"))],
            api_version: V1.to_owned(),
            install_hint: None,
            interactive: Interactive::Never,
            wants_cluster: false,
        }
    }

    async fn outcome(plugin: &Plugin) -> Result<Credentials, String> {
        let ran = run(plugin, &json!({ "server": "https://api.example" }), &Said::default()).await;
        ran.map_err(|fault| fault.to_string())
    }

    fn printing(json: &str) -> String {
        format!("cat <<'END'\n{json}\nEND")
    }

    #[tokio::test]
    async fn a_plugin_is_run_as_client_go_runs_it() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "[ \"$1 $2\" = 'get-token --client-secret=ARGUMENT-SECRET' ] && [ \"$LOGIN_SECRET\" = VARIABLE-SECRET ] && ! read -r x || exit 9
             [ \"$KUBERNETES_EXEC_INFO\" = '{{\"kind\":\"ExecCredential\",\"apiVersion\":\"{V1}\",\"spec\":{{\"interactive\":false,\"cluster\":{{\"server\":\"https://api.example\"}}}}}}' ] || exit 8
             {}",
            printing(&format!(r#"{{"kind":"ExecCredential","apiVersion":"{V1}","status":{{"token":"t0ken"}}}}"#))
        );
        let plugin = Plugin { wants_cluster: true, ..plugin(folder.path(), &script) };
        assert_eq!(outcome(&plugin).await, Ok(Credentials::bearer(&Secret::new("t0ken"))));
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_without_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let answer = |status: &str| printing(&format!(r#"{{"kind":"ExecCredential","apiVersion":"{V1}","status":{status}}}"#));
        for (script, part) in [
            ("echo \"$@ $LOGIN_SECRET\" >&2; exit 1".to_owned(), "exit status 1"),
            ("echo STDOUT-SECRET; exit 3".to_owned(), "exit status 3"),
            ("kill -9 $$".to_owned(), "signal 9"),
            ("echo STDOUT-SECRET".to_owned(), "no ExecCredential"),
            (String::new(), "no ExecCredential"),
            (printing(r#"{"token": "STDOUT-SECRET", "#), "no ExecCredential"),
            (printing(r#"{"kind":"ExecCredential","apiVersion":"v0","status":{"token":"STDOUT-SECRET"}}"#), "another version"),
            (answer(r#"{"token":{"STDOUT-SECRET":1}}"#), "`token`"),
            (answer(r#"{"token":"STDOUT-SECRET","expirationTimestamp":{"seconds":1}}"#), "`expirationTimestamp`"),
            (answer(r#"{"token":"STDOUT-SECRET\nX"}"#), "line breaks"),
            (answer(r#"{"clientCertificateData":"STDOUT-SECRET"}"#), "clientKeyData"),
            (answer(r#"{"clientCertificateData":"STDOUT-SECRET","clientKeyData":"STDOUT-SECRET"}"#), "PEM"),
            ("yes STDOUT-SECRET".to_owned(), "over 1 MiB"),
            ("yes STDOUT-SECRET | head -c 2000000".to_owned(), "over 1 MiB"),
        ] {
            let words = outcome(&plugin(folder.path(), &script)).await.expect_err(&script);
            assert!(words.contains(part) && !words.contains("SECRET"), "{script}: {words}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_run_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let working = plugin(folder.path(), "");
        let with = |command: &str| Plugin { command: command.to_owned(), ..working.clone() };
        for (plugin, part) in [
            (with("no-such-program-anywhere"), "PATH"),
            (with("/no/such/program"), "no such program"),
            (
                Plugin { install_hint: Some("Install it\u{1b}[31m\nwith brew".into()), ..with("no-such-program") },
                "Install it with brew",
            ),
            (Plugin { install_hint: Some("x".repeat(10_000)), ..with("no-such-program") }, "…"),
            (Plugin { interactive: Interactive::Always, ..working.clone() }, "terminal"),
        ] {
            // Whether there is a terminal depends on who runs the tests.
            if plugin.interactive == Interactive::Always && is_at_terminal() {
                continue;
            }
            let words = outcome(&plugin).await.expect_err("nothing runs");
            assert!(words.contains(part) && words.len() < 500, "{words}");
        }
        std::fs::set_permissions(&working.command, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(outcome(&working).await.expect_err("not executable").contains("may not execute"));
        std::fs::write(&working.command, "#!/no/such/interpreter\n").unwrap();
        std::fs::set_permissions(&working.command, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(outcome(&working).await.expect_err("no interpreter").contains("interpreter"));
    }

    #[tokio::test]
    async fn what_a_plugin_leaves_behind_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "sleep 600 >/dev/null & echo $! >{}\n{}",
            folder.path().join("left").display(),
            printing(&format!(r#"{{"kind":"ExecCredential","apiVersion":"{V1}","status":{{"token":"t0ken"}}}}"#))
        );
        assert_eq!(outcome(&plugin(folder.path(), &script)).await, Ok(Credentials::bearer(&Secret::new("t0ken"))));
        let left: i32 = std::fs::read_to_string(folder.path().join("left")).unwrap().trim().parse().unwrap();
        let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(left).unwrap(), rustix::process::Signal::KILL);
    }

    /// Waits until a plugin has written the id of a process that it has started to `pids`.
    async fn pid_in(folder: &Path) -> i32 {
        let pids = folder.join("pids");
        until("it has written the id", || pids.exists()).await;
        std::fs::read_to_string(&pids).unwrap().trim().parse().unwrap()
    }

    /// Waits until a process is gone, or a zombie that nobody has waited for yet.
    async fn until_gone(pid: i32) {
        let stat = format!("/proc/{pid}/stat");
        until("it is gone", || !std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "))).await;
    }

    /// Waits for something that happens within moments, or never.
    async fn until(what: &str, mut happened: impl FnMut() -> bool) {
        let started = std::time::Instant::now();
        while !happened() {
            assert!(started.elapsed() < Duration::from_secs(60), "{what}");
            tokio::task::yield_now().await;
        }
    }

    /// A line that starts a process and writes its id to `pids` at once.
    fn starting(process: &str, folder: &Path) -> String {
        format!("{process} & echo $! >{0}.new; mv {0}.new {0}", folder.join("pids").display())
    }

    #[tokio::test]
    async fn one_that_is_given_up_is_ended_with_all_that_it_started() {
        for after in ["wait", "exit 0", "exec sleep 600"] {
            let folder = tempfile::tempdir().unwrap();
            let plugin = plugin(folder.path(), &format!("{}\n{after}", starting("sleep 600", folder.path())));
            let waiting = tokio::spawn(async move { outcome(&plugin).await });
            let pid = pid_in(folder.path()).await;
            waiting.abort();
            let _ = waiting.await;
            until_gone(pid).await;
        }
    }

    #[tokio::test]
    async fn one_that_obeys_takes_along_what_does_not() {
        let stubborn = "(trap '' TERM; while :; do sleep 1; done)";
        for (what, after) in [
            ("it ends at the first word", "exec yes"),
            ("it ends by itself", "trap 'exit 0' TERM; yes"),
            ("it does not end at a word", "trap '' TERM; yes; while :; do sleep 1; done"),
            ("it has ended", "yes | head -c 2000000"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            // It is ended because it prints more than it may.
            let plugin = plugin(folder.path(), &format!("{}\n{after}", starting(stubborn, folder.path())));
            let words = outcome(&plugin).await.expect_err(what);
            assert!(words.contains("over 1 MiB"), "{what}: {words}");
            until_gone(pid_in(folder.path()).await).await;
        }
    }

    #[tokio::test]
    async fn what_keeps_the_output_of_one_that_has_ended_is_ended_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let leader = folder.path().join("leader");
        let script = format!("echo $$ >{}\n{}", leader.display(), starting("sleep 600", folder.path()));
        let plugin = plugin(folder.path(), &script);
        let waiting = tokio::spawn(async move { outcome(&plugin).await });
        let pid = pid_in(folder.path()).await;
        until_gone(std::fs::read_to_string(leader).unwrap().trim().parse().unwrap()).await;
        tokio::time::pause();
        let words = waiting.await.unwrap().expect_err("nothing says that the output is whole");
        assert!(words.contains("within 180 s"), "{words}");
        until_gone(pid).await;
    }

    #[test]
    fn words_for_the_log_hold_no_secret_that_the_kubeconfig_hands_over() {
        let folder = tempfile::tempdir().unwrap();
        let plugin = plugin(folder.path(), "");
        for line in [
            "failed with --client-secret=ARGUMENT-SECRET",
            "secret ARGUMENT-SECRET is wrong",
            "env VARIABLE-SECRET",
            "password=hunter22x",
        ] {
            let words = without_secrets(line, true, &Handed::to(&plugin));
            assert!(!words.contains("SECRET") && !words.contains("hunter22x"), "{words}");
        }
        assert_eq!(
            without_secrets("\u{1b}[31mlog in\u{1b}[0m at https://login.example \r\n", true, &Handed::to(&plugin)),
            "log in at https://login.example"
        );
        assert!(without_secrets(&"x ".repeat(10_000), false, &Handed::to(&plugin)).len() < 400);
    }

    #[test]
    fn a_command_is_found_as_client_go_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, program) = (folder.path().join("a"), folder.path().join("b"));
        for (path, mode) in [(&plain, 0o644), (&program, 0o755)] {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("x"), "").unwrap();
            std::fs::set_permissions(path.join("x"), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths([Path::new("."), Path::new(""), &plain, &program]).unwrap();
        assert_eq!(find("x", Some(&path)), Some(program.join("x")), "the first that may be executed");
        assert_eq!(find("x", Some(plain.as_os_str())), Some(plain.join("x")), "to be told that it may not be");
        assert_eq!((find("x", None), find("y", Some(&path))), (None, None));
        assert_eq!(find(program.join("x").to_str().unwrap(), None), Some(program.join("x")));
    }
}
