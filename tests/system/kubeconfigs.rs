//! Kubeconfigs of every kind: whatever the real kubectl connects with, Sandbar connects with.
//!
//! Each row is a file and what becomes of it. Both programs are run with it against the same servers, and have to agree; where Sandbar
//! takes more than kubectl, the row says so.

mod address;
mod entries;
mod text;
mod trust;
mod user;
mod world;

use std::process::Stdio;

use futures::StreamExt as _;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::in_time;
use sandbar_tests::sandbar::Run;

use self::world::World;

/// Rows that run at once.
const AT_ONCE: usize = 2;

/// What becomes of a kubeconfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Both connect.
    Connects,
    /// Neither does, and Sandbar's words hold this text.
    Refused(&'static str),
    /// kubectl does not, and Sandbar does: what is meant is clear.
    Lenient,
}
use Outcome::{Connects, Lenient, Refused};

/// What it is, its text, and what becomes of it.
type Row = (&'static str, Vec<u8>, Outcome);

/// A kubeconfig with these lines for its cluster and its user.
fn config(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context:\n    cluster: c\n    user: u\nclusters:\n- name: c\n  cluster:\n    {}\nusers:\n- name: u\n  user:\n    {}\n",
        cluster.replace('\n', "\n    "),
        user.replace('\n', "\n    ")
    )
}

const SERVER: &str = "server: https://<SIGNED>\ncertificate-authority-data: <CA>";
const TOKEN: &str = "token: good-token";

/// One with these lines for its cluster.
fn cluster(lines: &str) -> Vec<u8> {
    config(lines, TOKEN).into_bytes()
}

/// One with these lines for its user.
fn user(lines: &str) -> Vec<u8> {
    config(SERVER, lines).into_bytes()
}

/// Whether kubectl gets an answer, and its words.
async fn kubectl(kubeconfig: &str) -> (bool, String) {
    let mut command = tokio::process::Command::new(ControlPlane::programs().join("kubectl"));
    command.args(["get", "--raw", "/version", "--request-timeout=20s"]).stdin(Stdio::null()).kill_on_drop(true);
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        command.env_remove(name);
    }
    command.env("KUBECONFIG", kubeconfig);
    let output = in_time("kubectl", command.output()).await.unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Whether Sandbar gets an answer, and its words.
async fn sandbar(kubeconfig: &str) -> (bool, String) {
    let run = Run::new(&["call", "check_health", "--cluster", "kubeconfig"]).env("KUBECONFIG", kubeconfig);
    let finished = run.finish().await;
    (finished.stdout.contains(r#""status":"ok""#), finished.stdout + &finished.stderr)
}

/// What is wrong with a row, where it is not as it should be.
async fn fault(what: &str, kubeconfig: &str, outcome: Outcome) -> Option<String> {
    let (kubectl, sandbar) = tokio::join!(kubectl(kubeconfig), sandbar(kubeconfig));
    let is_right = match outcome {
        Connects => kubectl.0 && sandbar.0,
        Lenient => !kubectl.0 && sandbar.0,
        Refused(part) => !kubectl.0 && !sandbar.0 && sandbar.1.contains(part),
    };
    let keeps_secrets = !sandbar.1.contains("SECRET") && !sandbar.1.contains("good-");
    // What is wrong with a certificate is said once, and not by a library.
    let is_ours = !sandbar.1.contains("rustls");
    (!is_right || !keeps_secrets || !is_ours)
        .then(|| format!("{what}: should be {outcome:?}\n  kubectl {kubectl:?}\n  sandbar {sandbar:?}\n"))
}

#[tokio::test]
async fn whatever_kubectl_takes_is_taken() {
    let world = World::new();
    let rows = [text::rows(), entries::rows(), address::rows(), trust::rows(), user::rows()].concat();
    assert!(rows.len() >= 60 && rows.iter().filter(|(.., outcome)| *outcome == Connects).count() >= 60, "{}", rows.len());
    let checks = rows.iter().enumerate().map(|(number, (what, row, outcome))| {
        let path = world.folder.path().join(format!("kubeconfig-{number}"));
        std::fs::write(&path, world.bytes(row)).unwrap();
        async move { fault(what, path.to_str().unwrap(), *outcome).await }
    });
    let faults: Vec<String> =
        futures::stream::iter(checks).buffer_unordered(AT_ONCE).filter_map(async |fault| fault).collect().await;
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), rows.len(), faults.concat());
}

#[tokio::test]
async fn several_files_are_one_kubeconfig_as_for_kubectl() {
    let world = World::new();
    let folder = world.folder.path();
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.join(name), world.fill(text)).unwrap();
        folder.join(name).display().to_string()
    };
    let good = write("good", &config(SERVER, TOKEN));
    let no_context = write("no-context", "current-context: ''\n");
    let nulls = write("nulls", "current-context: null\nclusters: null\nusers: null\ncontexts: null\n");
    let empty = write("empty", "");
    let nothing = "/dev/null".to_owned();
    let missing = folder.join("missing").display().to_string();
    let other_user = write("other-user", "users: [{name: u, user: {token: SECRET-token}}]");
    let cluster =
        write("sub/cluster", "clusters: [{name: c, cluster: {server: 'https://<SIGNED>', certificate-authority: ../ca}}]");
    let rest = write(
        "rest",
        "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {tokenFile: token}}]",
    );
    let broken = write("broken-file", "users: [");
    let mut faults = String::new();
    for (what, files, outcome) in [
        ("no current context in the first", vec![&no_context, &good], Connects),
        ("nulls in the first", vec![&nulls, &good], Connects),
        ("an empty first", vec![&empty, &good], Connects),
        ("a missing first", vec![&missing, &good], Connects),
        ("the same twice", vec![&good, &good], Connects),
        ("a user in the first that is another in the second", vec![&good, &other_user], Connects),
        ("the first user is the wrong one", vec![&other_user, &good], Refused("does not accept")),
        ("relative to the file of each", vec![&cluster, &rest], Connects),
        ("a broken one", vec![&good, &broken], Refused("broken-file")),
        ("nothing, on purpose", vec![&nothing, &good], Connects),
        ("none that is there", vec![&missing], Refused("missing")),
    ] {
        let list = files.iter().map(|path| path.as_str()).collect::<Vec<_>>();
        for separator in [":", "::"] {
            faults += &fault(what, &list.join(separator), outcome).await.unwrap_or_default();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[tokio::test]
async fn who_asks_is_told_as_kubectl_tells_it() {
    let world = World::new();
    let path = world.folder.path().join("kubeconfig");
    std::fs::write(&path, world.fill(&config(SERVER, "token: good-token\nas: alice"))).unwrap();
    assert!(sandbar(path.to_str().unwrap()).await.0);
    let ours = world.signed.requests();
    assert!(kubectl(path.to_str().unwrap()).await.0);
    let theirs = world.signed.requests().pop().unwrap();
    assert!(ours.contains(&theirs), "{theirs} in {ours:?}");
    assert_eq!(theirs, "/version Bearer good-token alice");
}
