//! What never ends by itself, and holds nothing up.

use sandbar_tests::components::assemble;

use super::*;
use crate::components::Text;

/// Calls that take an hour, so that none of their limits ends anything here.
const PATIENT: &str = "limits: { cpu: 60m, time: 60m }\n";

async fn lists(client: &Client, tool: &str) -> bool {
    let tools = client.request("tools/list", json!({})).await["result"]["tools"].take();
    tools.as_array().unwrap().iter().any(|listed| listed["name"] == tool)
}

#[tokio::test]
async fn a_component_that_never_says_what_it_is_holds_up_neither_a_start_nor_what_changes() {
    let (folder, config) = (Folder::new(), Folder::new());
    let file = config.put("sandbar.yaml", PATIENT.as_bytes());
    Text::tool("endless")
        .with_core("(func $start (loop $forever (br $forever))) (start $start)", "")
        .write(folder.path(), "endless.wasm");
    folder.put("sleeping.wasm", &std::fs::read(assemble("sleep-in-manifest")).unwrap());
    folder.put("greet.wasm", &tool("greet", "hello"));
    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).arg("--config").arg(file).start().await;
    let client = Client::modern(&server);
    until_said(&client, "greet", "hello").await;
    for name in ["endless.wasm", "sleeping.wasm"] {
        // On a busy machine the time of either is up before it has computed for long.
        until_ready_says(&server, &[name, "its manifest cannot be had", "limit `", "2 s for that, and 1 s of a processor"]).await;
    }

    // Nor is it heard of again as long as it is the same.
    for (name, words) in [("greet.wasm", "good evening"), ("greet.wasm", "good night")] {
        folder.put(name, &tool("greet", words));
        until_said(&client, "greet", words).await;
    }
    folder.remove("greet.wasm");
    until_listed(&client, &[]).await;
    for name in ["endless.wasm", "sleeping.wasm"] {
        let said = server.log().lines().filter(|line| line.contains(name) && line.contains("cannot be had")).count();
        assert_eq!(said, 1, "{}", server.log());
    }
    // Another file in its place is another component.
    folder.put("sleeping.wasm", &tool("awake", "good morning"));
    until_listed(&client, &["awake"]).await;
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
