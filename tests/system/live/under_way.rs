//! What happens while a reload is under way that does not end by itself.

use sandbar_tests::sandbar::Run;

use super::*;
use crate::components::Text;

/// Calls that compute for an hour, so that no limit ends a reload here.
const PATIENT: &str = "limits: { cpu: 60m, time: 60m }\n";

/// A server that is loading a component whose manifest never ends.
struct Loading {
    server: Server,
    folder: Folder,
    config: Folder,
}

impl Loading {
    async fn start() -> Self {
        let (folder, config) = (Folder::new(), Folder::new());
        let file = config.put("sandbar.yaml", PATIENT.as_bytes());
        folder.put("greet.wasm", &tool("greet", "hello"));
        let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).arg("--config").arg(file).start().await;
        let endless = Text::tool("endless").with_core("(func $start (loop $forever (br $forever))) (start $start)", "");
        let endless = endless.write(config.path(), "endless.wasm");
        // Compiled already, so that the first load that meets it is the one that does not end.
        let refused = Run::new(&["tools", "--cluster", "demo", "--limit-cpu", "100ms", "--tools"]).arg(&endless).finish().await;
        assert!(refused.code() == 1 && refused.stderr.contains("its manifest cannot be had"), "{refused:?}");
        std::fs::rename(endless, folder.path().join("endless.wasm")).unwrap();
        config
            .put("sandbar.yaml", format!("{PATIENT}bundled: {{ tools: {{ get_pod_logs: {{ enabled: false }} }} }}\n").as_bytes());
        // What the configuration takes away is gone when the load begins, and its end is logged.
        let client = Client::modern(&server);
        until("the load has begun", || async { (!lists(&client, "get_pod_logs").await).then_some(()) }).await;
        assert!(!server.log().contains("read anew"), "{}", server.log());
        Self { server, folder, config }
    }
}

async fn lists(client: &Client, tool: &str) -> bool {
    let tools = client.request("tools/list", json!({})).await["result"]["tools"].take();
    tools.as_array().unwrap().iter().any(|listed| listed["name"] == tool)
}

#[tokio::test]
async fn a_change_takes_the_place_of_a_reload_that_is_under_way() {
    let Loading { server, folder, config } = Loading::start().await;
    let client = Client::modern(&server);
    // What is taken away does not wait for that reload, either.
    config.put("sandbar.yaml", format!("{PATIENT}bundled: {{ tools: {{ get_events: {{ enabled: false }} }} }}\n").as_bytes());
    until("another grant", || async { (!lists(&client, "get_events").await).then_some(()) }).await;
    assert!(!server.log().contains("read anew"), "{}", server.log());
    assert_eq!(words(&client, "greet").await, "hello");

    folder.put("other.wasm", &tool("other", "hello, too"));
    folder.remove("endless.wasm");
    until_listed(&client, &["greet", "other"]).await;
    assert!(lists(&client, "get_pod_logs").await && !lists(&client, "get_events").await);
    until_ready_says(&server, &[]).await;
}

#[tokio::test]
async fn a_file_that_changes_without_end_keeps_no_right_in_force_and_no_component_from_being_served() {
    let (folder, config) = (Folder::new(), Folder::new());
    let file = config.put("sandbar.yaml", b"{}");
    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).arg("--config").arg(file).start().await;
    let client = Client::modern(&server);
    let noise = async {
        for size in 1.. {
            std::fs::write(folder.path().join("noise.wasm"), vec![b'x'; size]).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let taken_back = "bundled: { tools: { get_pod_logs: { enabled: false } } }\n";
    let story = async {
        config.put("sandbar.yaml", taken_back.as_bytes());
        until("the right is taken back", || async { (!lists(&client, "get_pod_logs").await).then_some(()) }).await;
        // Half of it, from now on.
        config.put("sandbar.yaml", b"bundled: {");
        folder.put("greet.wasm", &tool("greet", "hello"));
        until_listed(&client, &["greet"]).await;
        assert!(!lists(&client, "get_pod_logs").await, "what is not valid gives nothing back");
    };
    tokio::select! {
        () = noise => unreachable!("it has no end"),
        () = story => {}
    }
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_does_not_wait_for_a_reload() {
    let mut loading = Loading::start().await;
    loading.server.signal("TERM");
    assert!(loading.server.ended().await.success());
    let log = loading.server.log();
    assert!(log.contains("stopped") && !log.contains("read anew"), "{log}");
}
