//! What happens while a login takes its time.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use super::*;
use crate::proxy::Proxy;
use crate::target::{Interactive, Plugin, ServerAddress, Trust, User};
use crate::watched::Watched;

const TIME: Duration = Duration::from_secs(30);

/// A login by a plugin that prints what is written into a pipe.
struct Slow {
    login: Login,
    pipe: PathBuf,
    _folder: tempfile::TempDir,
}

impl Slow {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (pipe, program) = (folder.path().join("pipe"), folder.path().join("plugin"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from(0o600), 0).expect("a pipe");
        std::fs::write(&program, format!("#!/bin/sh\nexec cat {}\n", pipe.display())).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a program");
        let plugin = Plugin {
            command: program.display().to_string(),
            arguments: Vec::new(),
            environment: Vec::new(),
            api_version: "client.authentication.k8s.io/v1".to_owned(),
            install_hint: None,
            interactive: Interactive::Never,
            wants_cluster: false,
        };
        let target = Target {
            called: "it".to_owned(),
            server: ServerAddress::parse("http://127.0.0.1:1").expect("an address"),
            trust: Trust::Anything,
            server_name: None,
            proxy: Proxy::Direct,
            user: User { method: Method::Plugin(Arc::new(plugin)), ..User::nobody() },
            watched: Watched::default(),
            cluster_info: Value::Null,
            takes_gzip: false,
        };
        let origin = Arc::new(Origin::Fixed(Box::new(target.clone())));
        let login = Login::open(origin, target).await.expect("a login");
        Self { login, pipe, _folder: folder }
    }

    /// Begins a login that is needed, and waits until its plugin runs.
    async fn begin(&self) -> (tokio::task::JoinHandle<Result<Arc<ClusterSession>, NoSession>>, File) {
        let (login, pipe) = (self.login.clone(), self.pipe.clone());
        let waiting = tokio::spawn(async move { login.session(TIME).await });
        let opened = tokio::task::spawn_blocking(move || File::options().write(true).open(pipe));
        (waiting, opened.await.expect("no panic").expect("the plugin reads"))
    }
}

fn print(mut pipe: File, token: &str) {
    let credential =
        json!({ "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": { "token": token } });
    pipe.write_all(credential.to_string().as_bytes()).expect("written");
}

#[tokio::test]
async fn connections_that_are_given_up_during_a_login_stay_so() {
    for give_up in
        [|login: &Login, _: &ClusterSession| login.reconnect(), |login: &Login, session: &ClusterSession| login.discard(session)]
    {
        let slow = Slow::open().await;
        let (waiting, pipe) = slow.begin().await;
        print(pipe, "first");
        let first = waiting.await.expect("no panic").expect("a session");
        assert!(slow.login.refused(&first));

        let (waiting, pipe) = slow.begin().await;
        give_up(&slow.login, &first);
        print(pipe, "second");
        let second = waiting.await.expect("no panic").expect("a session");
        assert_eq!(second.bearer(), Some("second"));
        assert!(!Arc::ptr_eq(&first.connections, &second.connections));
    }
}

#[tokio::test]
async fn a_login_that_still_runs_is_told_apart_from_one_that_has_failed() {
    let slow = Slow::open().await;
    let (waiting, pipe) = slow.begin().await;
    let under_way = slow.login.session(Duration::ZERO).await.map(drop);
    assert!(matches!(&under_way, Err(NoSession::UnderWay(error)) if error.message.contains("still runs")), "{under_way:?}");
    drop(pipe);
    let failed = waiting.await.expect("no panic").map(drop);
    assert!(matches!(&failed, Err(NoSession::Failed(error)) if error.message.contains("no ExecCredential")), "{failed:?}");
}
