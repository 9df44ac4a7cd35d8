//! API servers that are not there, or say nothing.

use super::*;

#[tokio::test]
async fn an_outage_shows_in_the_calls_and_passes() {
    let mut control_plane = ControlPlane::start(&[]);
    let namespace = Namespace::fresh_in(&control_plane, "outage").await;
    namespace.control_plane("main", json!({ "phase": "Ready" })).await;
    let mut server = Server::builder().of(&control_plane, "admin").start().await;
    let client = Client::modern(&server);
    let list = json!({ "namespace": namespace.name() });
    assert_eq!(client.answer("list_control_planes", list.clone()).await["items"][0]["name"], "main");

    control_plane.stop();
    let address = control_plane.server().to_owned();
    for (tool, arguments) in [("list_control_planes", list.clone()), ("check_health", json!({})), ("get_events", list.clone())] {
        let words = client.failure(tool, arguments).await;
        assert!(words.contains(&address) && words.contains("cannot be reached"), "{tool}: {words}");
    }
    // What it says of the API server may be some seconds old.
    let (status, text) = until("the outage is noticed", || async {
        let (status, text) = readyz(&server).await;
        text.contains("cannot be reached").then_some((status, text))
    })
    .await;
    assert_eq!(status, 200, "an outage must not take every replica out of its Service: {text}");
    assert!(text.contains("[-] ") && text.contains("[+] the API server has answered once"), "{text}");
    assert!(server.is_running());
    let gone = "the API server does not answer any more";
    server.until_logged(gone).await;
    let log = server.log();
    let said: Vec<&str> = log.lines().filter(|line| line.contains(gone)).collect();
    assert!(said.len() == 1 && said[0].contains("cannot be reached"), "once, with the reason: {said:?}");

    control_plane.start_again();
    until("calls work again", || async { client.call("list_control_planes", list.clone()).await.ok() }).await;
    until("the end of the outage is noticed", || async { (!readyz(&server).await.1.contains("[-]")).then_some(()) }).await;
    server.until_logged("the API server answers again").await;
}

#[tokio::test]
async fn an_api_server_that_is_not_there_yet_keeps_the_server_from_being_ready_and_nothing_else() {
    let (server, _folder) = in_front_of(&nowhere()).await;
    let (status, text) = readyz(&server).await;
    assert_eq!(status, 503);
    assert!(text.contains("[-] the API server has answered once") && text.contains("[+] tools: 7 loaded"), "{text}");
    let plain = wire::get(server.address(), "/readyz").await;
    assert_eq!(plain.status, 503);
    assert!(plain.text().await.contains("verbose"));
    assert_eq!(wire::get(server.address(), "/healthz").await.status, 200);
    let words = Client::modern(&server).failure("list_control_planes", json!({})).await;
    assert!(words.contains("cannot be reached"), "{words}");
    assert_eq!(
        Client::legacy(&server).await.request("tools/list", json!({})).await["result"]["tools"].as_array().unwrap().len(),
        7
    );
}

#[tokio::test]
async fn the_first_answer_of_the_api_server_makes_the_server_ready() {
    let gate = Gate::closed();
    let held = gate.clone();
    let api = FakeApi::start(move |path| match path {
        "/version" => {
            let version = json!({ "gitVersion": "v1.37.2", "platform": "linux/amd64" });
            Some(FakeAnswer::Behind(held.clone(), Box::new(FakeAnswer::json(&version))))
        }
        _ => None,
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    api.write_kubeconfig(&path);
    let server = Server::builder().kubeconfig(&path).cluster("kubeconfig").start_unready().await;
    assert_eq!(wire::get(server.address(), "/readyz").await.status, 503);
    gate.open();
    until("the server is ready", || async { (wire::get(server.address(), "/readyz").await.status == 200).then_some(()) }).await;
}

#[tokio::test]
async fn an_api_server_that_says_nothing_is_given_up_in_time_for_the_client() {
    // It accepts connections into its backlog, and that is all.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut server, _folder) = in_front_of(&format!("http://{}", listener.local_addr().unwrap())).await;
    let client = Client::modern(&server);
    let (list, health) =
        tokio::join!(client.failure("list_control_planes", json!({})), client.failure("check_health", json!({})));
    for words in [list, health] {
        assert!(words.contains("did not answer within") || words.contains("does not say"), "{words}");
        assert!(!words.contains("limit `time`"), "the call had time left: {words}");
    }
    let (status, text) = readyz(&server).await;
    assert_eq!(status, 503);
    // By the last probe, of some seconds ago perhaps.
    assert!(text.lines().any(|line| line.starts_with("[-] ") && line.contains("did not answer within")), "{text}");
    assert!(server.is_running());
}

#[tokio::test]
async fn a_handshake_that_is_no_tls_is_named() {
    let api = FakeApi::start(|_| None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    api.write_kubeconfig(&path);
    let text = std::fs::read_to_string(&path).unwrap().replace("http://", "https://");
    std::fs::write(&path, text).unwrap();
    let server = Server::builder().kubeconfig(&path).cluster("kubeconfig").start_unready().await;
    let words = Client::modern(&server).failure("check_health", json!({})).await;
    assert!(words.contains("cannot be reached"), "{words}");
}

#[tokio::test]
async fn an_api_server_with_the_certificate_of_another_authority_is_refused() {
    let (server, _folder) = in_front_of(ControlPlane::shared().server()).await;
    let words = Client::modern(&server).failure("check_health", json!({})).await;
    assert!(words.contains("certificate") || words.contains("UnknownIssuer"), "{words}");
}
