//! Clients that choose which tools they see, by a header or in the address: in both eras, for each request.

use bytes::Bytes;
use http::Request;
use sandbar_tests::mcp::{self, Client, LEGACY};
use sandbar_tests::sandbar::{Run, Server};
use sandbar_tests::{TOOLS, http as wire};
use serde_json::{Value, json};

/// How a client chooses.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Header(&'static str, &'static str),
    Query(&'static str),
}

impl Choice {
    fn put_on(self, request: &mut Request<Bytes>) {
        match self {
            Self::Header(name, value) => mcp::set(request, name, value),
            Self::Query(query) => *request.uri_mut() = format!("/mcp?{query}").parse().expect("an address"),
        }
    }
}

async fn ask(server: &Server, client: &Client, choices: &[Choice], method: &str, params: Value) -> Value {
    let mut request = client.http_request(json!(1), method, params);
    choices.iter().for_each(|choice| choice.put_on(&mut request));
    wire::send(server.address(), request).await.message().await.expect("a message")
}

async fn listed(server: &Server, client: &Client, choices: &[Choice]) -> Vec<String> {
    let message = ask(server, client, choices, "tools/list", json!({})).await;
    if client.session().is_empty() {
        assert_eq!(message["result"]["cacheScope"], "private");
    }
    let tools = message["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tools: {message}"));
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn a_choice_takes_away_for_the_request_that_has_it() {
    let server = Server::builder().cluster("demo").config(&crate::components::hostile_config("")).start().await;
    let own = ["misbehave", "promise", "read"];
    let mut everything: Vec<&str> = TOOLS.iter().copied().chain(own).collect();
    everything.sort_unstable();
    for client in [Client::modern(&server), Client::legacy(&server).await] {
        for (choices, seen) in [
            (&[Choice::Header("x-mcp-tools", "get_events, check_health,none")][..], &["check_health", "get_events"][..]),
            (&[Choice::Query("tools=get_events%2Ccheck_health")], &["check_health", "get_events"]),
            (&[Choice::Header("x-mcp-toolsets", "coder")], &TOOLS),
            (
                &[Choice::Query("toolsets=coder&tools=promise"), Choice::Header("x-mcp-tools", "promise,get_events")],
                &["get_events", "promise"],
            ),
            (&[Choice::Header("x-mcp-toolsets", "none")], &[]),
            (&[Choice::Header("x-mcp-toolsets", "all")], &everything),
            (&[Choice::Header("x-mcp-tools", "")], &everything),
            (&[], &everything),
        ] {
            assert_eq!(listed(&server, &client, choices).await, seen, "{choices:?}");
        }
        for choice in
            [Choice::Header("x-mcp-tools", "check_health,list_templates"), Choice::Query("tools=check_health,list_templates")]
        {
            let call = async |tool: &str| {
                let params = json!({ "name": tool, "arguments": { "namespace": "team-a" } });
                ask(&server, &client, &[choice], "tools/call", params).await
            };
            assert_eq!(call("list_templates").await["result"]["isError"], false);
            let (hidden, made_up) = (call("get_events").await, call("get_evnets").await);
            assert_eq!(hidden["error"]["code"], -32602, "{hidden}");
            let words =
                |message: &Value| message["error"]["message"].as_str().expect("words").replace("get_evnets", "get_events");
            assert_eq!(words(&hidden), words(&made_up), "it is like a tool that there is not");
            assert!(words(&hidden).ends_with("the tools of this server are check_health, list_templates"), "{hidden}");
        }
        let params = json!({ "name": "get_events", "arguments": { "namespace": "team-a" } });
        assert_eq!(ask(&server, &client, &[], "tools/call", params).await["result"]["isError"], false, "without it all is there");
    }
}

#[tokio::test]
async fn the_instructions_are_about_what_is_seen() {
    let server = Server::builder().cluster("demo").start().await;
    let said = async |choice: Choice| {
        let mut request = mcp::initialize(LEGACY);
        choice.put_on(&mut request);
        let message = wire::send(server.address(), request).await.message().await.expect("a message");
        let of_session = message["result"]["instructions"].as_str().expect("words").to_owned();
        let client = Client::modern(&server);
        let discovered = ask(&server, &client, &[choice], "server/discover", json!({})).await;
        assert_eq!(discovered["result"]["instructions"], of_session.as_str());
        of_session
    };
    let some = said(Choice::Query("tools=get_events")).await;
    assert!(some.starts_with("Read-only tools for a Kubernetes cluster that runs Coder. Answers come in pages"), "{some}");
    let none = said(Choice::Header("x-mcp-tools", "none")).await;
    assert!(none.starts_with("Read-only tools for a Kubernetes cluster. Answers"), "{none}");
    assert!(said(Choice::Header("x-mcp-toolsets", "coder")).await.contains("Start with list_control_planes"));
}

#[tokio::test]
async fn a_choice_that_is_too_long_is_refused_and_the_connection_goes_on() {
    let server = Server::builder().cluster("demo").start().await;
    let client = Client::modern(&server);
    let mut request = client.http_request(json!(1), "tools/list", json!({}));
    mcp::set(&mut request, "x-mcp-tools", &"a,".repeat(3000));
    let reply = wire::send(server.address(), request).await;
    assert_eq!((reply.status.as_u16(), reply.header("connection")), (400, None));
    let message = reply.message().await.expect("a message");
    let words = message["error"]["message"].as_str().expect("words");
    assert!(words.contains("have 6000 bytes, and 4096 is the most"), "{words}");
}

#[tokio::test]
async fn an_address_of_connect_chooses_for_its_client() {
    let server = Server::builder().cluster("demo").start().await;
    let address = format!("http://{}/mcp?tools=get_events", server.address());
    let mut client = Run::new(&["connect", "--url"]).arg(address).converse();
    client.initialize().await;
    let list = client.request("tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(1), "{list}");
    client.call("get_events", json!({ "namespace": "team-a" })).await;
}
