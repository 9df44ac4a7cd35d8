//! Prompts and resources: what is listed, what is answered and to whom, in both eras.

use sandbar_tests::components;
use sandbar_tests::events::Events;
use sandbar_tests::mcp::{self, Client, LEGACY, MODERN};
use sandbar_tests::sandbar::Server;
use sandbar_tests::text::Text;
use sandbar_tests::{http as wire, until};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// The tools of the pack kubernetes, each with the folder of its component.
const TOOLS: [(&str, &str); 6] = [
    ("explain", "explain"),
    ("find_problems", "find-problems"),
    ("get_resource", "get-resource"),
    ("list_resources", "list-resources"),
    ("search_logs", "search-logs"),
    ("top", "top"),
];

/// A server of the demo cluster with the pack kubernetes and the fixture of the conformance suite.
async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            let fixture = components::build("conformance");
            let server = Server::builder().cluster("demo").config("bundled: { packs: [kubernetes] }\n");
            server.env("SANDBAR_LOG_FORMAT", "json").arg("--tools").arg(fixture).start().await
        })
        .await
}

async fn both_eras() -> [Client; 2] {
    [Client::modern(server().await), Client::legacy(server().await).await]
}

/// What is listed under a key, each by this member.
async fn listed(client: &Client, method: &str, key: &str, member: &str) -> Vec<String> {
    let message = client.request(method, json!({})).await;
    let list = message["result"][key].as_array().unwrap_or_else(|| panic!("no {key}: {message}"));
    list.iter().map(|entry| entry[member].as_str().expect("text").to_owned()).collect()
}

/// The code and the words of an error.
fn error(message: &Value) -> (i64, &str) {
    let error = &message["error"];
    (error["code"].as_i64().unwrap_or_else(|| panic!("no error: {message}")), error["message"].as_str().expect("words"))
}

#[tokio::test]
async fn they_are_declared_with_their_changes_and_without_subscriptions() {
    let expected = json!({
        "tools": { "listChanged": true }, "prompts": { "listChanged": true }, "resources": { "listChanged": true },
    });
    let discovered = Client::modern(server().await).request("server/discover", json!({})).await;
    assert_eq!(discovered["result"]["capabilities"], expected);
    let opened = wire::send(server().await.address(), mcp::initialize(LEGACY)).await.message().await.expect("a message");
    assert_eq!(opened["result"]["capabilities"], expected);
}

#[tokio::test]
async fn the_pack_kubernetes_has_a_prompt_and_a_document_for_each_tool() {
    for client in both_eras().await {
        assert!(listed(&client, "prompts/list", "prompts", "name").await.contains(&"what_is_wrong".to_owned()));
        let uris = listed(&client, "resources/list", "resources", "uri").await;
        for (tool, folder) in TOOLS {
            let uri = format!("sandbar://{folder}/tool.md");
            assert!(uris.contains(&uri), "{uris:?}");
            let read = client.request("resources/read", json!({ "uri": uri })).await;
            let contents = &read["result"]["contents"];
            assert_eq!(
                (contents.as_array().map(Vec::len), &contents[0]["mimeType"]),
                (Some(1), &json!("text/markdown")),
                "{read}"
            );
            assert!(contents[0]["text"].as_str().is_some_and(|text| text.starts_with(&format!("# {tool}\n"))), "{read}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_here_is_a_way_through_the_tools() {
    for client in both_eras().await {
        for (arguments, place) in
            [(json!({}), "the Kubernetes cluster"), (json!({ "namespace": "team-a" }), "the namespace team-a")]
        {
            let got = client.request("prompts/get", json!({ "name": "what_is_wrong", "arguments": arguments })).await;
            let messages = got["result"]["messages"].as_array().unwrap_or_else(|| panic!("no messages: {got}"));
            let words = messages[0]["content"]["text"].as_str().expect("text");
            assert_eq!((messages.len(), &messages[0]["role"]), (1, &json!("user")));
            assert!([place, "find_problems", "explain"].iter().all(|part| words.contains(part)), "{words}");
        }
    }
}

#[tokio::test]
async fn lists_and_what_is_read_say_how_long_they_may_be_kept_in_the_modern_era_alone() {
    let [modern, legacy] = both_eras().await;
    for method in ["prompts/list", "resources/list", "resources/templates/list", "resources/read"] {
        let params = json!({ "uri": "test://static-text" });
        let said = modern.request(method, params.clone()).await;
        let result = &said["result"];
        assert!(result["ttlMs"].is_u64() && result["cacheScope"] == "private" && result["resultType"] == "complete", "{said}");
        let said = legacy.request(method, params).await;
        assert!(said["result"].get("ttlMs").is_none() && said["result"].get("resultType").is_none(), "{said}");
    }
}

#[tokio::test]
async fn what_there_is_not_is_an_error_that_says_what_there_is() {
    for (client, no_resource) in both_eras().await.into_iter().zip([-32602, -32002]) {
        let message = client.request("prompts/get", json!({ "name": "what_is_wron" })).await;
        let (code, words) = error(&message);
        assert!(
            code == -32602 && words.contains("did you mean \"what_is_wrong\"?") && words.contains("test_simple_prompt"),
            "{words}"
        );
        let message = client.request("prompts/get", json!({ "name": "explain" })).await;
        assert!(error(&message).1.contains("unknown prompt \"explain\""), "a tool is none: {message}");
        for (arguments, said) in [
            (json!({ "arg1": "x" }), "arg2"),
            (json!({ "arg1": "x", "arg2": "y", "arg3": "z" }), "arg3"),
            (json!({ "arg1": "x", "arg2": {} }), "arg2"),
        ] {
            let message =
                client.request("prompts/get", json!({ "name": "test_prompt_with_arguments", "arguments": arguments })).await;
            let (code, words) = error(&message);
            assert!(code == -32602 && words.contains("invalid arguments") && words.contains(said), "{words}");
        }
        for uri in [
            "test://nothing",
            "test://static-text/more",
            "test://template/1/2/data",
            "test://template//data",
            "sandbar://explain/../top/tool.md",
            "",
            "no uri\u{1b}[31m",
        ] {
            // What no header can hold is sent in the older era.
            if client.session().is_empty() && uri.contains('\u{1b}') {
                continue;
            }
            let message = client.request("resources/read", json!({ "uri": uri })).await;
            let (code, words) = error(&message);
            assert_eq!((code, &message["error"]["data"]["uri"]), (no_resource, &json!(uri)), "{message}");
            assert!(words.contains("resources/list") && !words.contains('\u{1b}'), "{words}");
        }
    }
}

#[tokio::test]
async fn a_number_is_taken_for_the_text_that_it_was_meant_as() {
    let client = Client::modern(server().await);
    let params = json!({ "name": "test_prompt_with_arguments", "arguments": { "arg1": 7, "arg2": true } });
    let got = client.request("prompts/get", params).await;
    assert_eq!(got["result"]["messages"][0]["content"]["text"], "Prompt with arguments: arg1='7', arg2='true'", "{got}");
}

#[tokio::test]
async fn headers_have_to_repeat_the_name_and_the_uri() {
    for (method, params) in
        [("prompts/get", json!({ "name": "test_simple_prompt" })), ("resources/read", json!({ "uri": "test://static-text" }))]
    {
        let mut request = mcp::modern(json!(1), method, params);
        let reply = wire::send(server().await.address(), request.clone()).await;
        assert_eq!(reply.status, 200, "{method}");
        mcp::set(&mut request, "mcp-name", "else");
        let reply = wire::send(server().await.address(), request).await;
        assert_eq!(reply.status, 400, "{method}");
        assert_eq!(error(&reply.message().await.expect("a message")).0, -32020);
    }
}

#[tokio::test]
async fn whoever_chooses_tools_sees_what_comes_with_them() {
    let server = server().await;
    let ask = async |header: (&'static str, &str), method: &str, params: Value| {
        let mut request = mcp::modern(json!(1), method, params);
        mcp::set(&mut request, header.0, header.1);
        wire::send(server.address(), request).await.message().await.expect("a message")
    };
    let explain = ("x-mcp-tools", "explain");
    let resources = ask(explain, "resources/list", json!({})).await;
    assert_eq!(resources["result"]["resources"].as_array().map(Vec::len), Some(1), "{resources}");
    assert_eq!(resources["result"]["resources"][0]["uri"], "sandbar://explain/tool.md");
    assert_eq!(ask(explain, "prompts/list", json!({})).await["result"]["prompts"], json!([]));
    assert_eq!(ask(explain, "resources/templates/list", json!({})).await["result"]["resourceTemplates"], json!([]));
    let unseen = ask(explain, "prompts/get", json!({ "name": "what_is_wrong" })).await;
    let (code, words) = error(&unseen);
    assert!(code == -32602 && !words.contains("did you mean"), "{words}");
    assert_eq!(error(&ask(explain, "resources/read", json!({ "uri": "test://static-text" })).await).0, -32602);
    let seen = ask(("x-mcp-toolsets", "kubernetes"), "prompts/list", json!({})).await;
    assert_eq!(seen["result"]["prompts"].as_array().map(Vec::len), Some(1), "{seen}");
}

#[tokio::test]
async fn the_audit_trail_names_what_it_was_and_nothing_of_what_was_asked() {
    let config = format!("tools: [{{ component: {} }}]\n", components::build("conformance").display());
    let server = Server::builder().cluster("demo").config(&config).env("SANDBAR_LOG_FORMAT", "json").start().await;
    let client = Client::modern(&server);
    for (method, params) in [
        ("prompts/get", json!({ "name": "test_prompt_with_arguments", "arguments": { "arg1": "my-words", "arg2": "y" } })),
        ("resources/read", json!({ "uri": "test://static-text" })),
        ("resources/read", json!({ "uri": "test://template/my-words/data" })),
        ("resources/read", json!({ "uri": "test://else/my-words" })),
        ("prompts/get", json!({ "name": "none" })),
    ] {
        client.request(method, params).await;
    }
    let events = until("the events of all calls", async || {
        let log = server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let events: Vec<_> =
            lines.filter(|line| line["target"] == "sandbar::audit").map(|mut line| line["fields"].take()).collect();
        (events.len() == 5).then_some(events)
    })
    .await;
    let named: Vec<_> = events.iter().map(|event| (&event["prompt"], &event["resource"], &event["outcome"])).collect();
    let (none, answered, refused) = (Value::Null, json!("answered"), json!("refused"));
    assert_eq!(
        named,
        [
            (&json!("test_prompt_with_arguments"), &none, &answered),
            (&none, &json!("test://static-text"), &answered),
            (&none, &json!("test://template/{id}/data"), &answered),
            (&none, &json!("test://else"), &refused),
            (&json!("none"), &none, &refused),
        ]
    );
    assert!(events.iter().all(|event| event["tool"].is_null() && event["message"] == "call"), "{events:?}");
    assert!(events[0]["result_bytes"].as_u64() > Some(0) && events[0]["component"] == "conformance", "{events:?}");
    assert!(!format!("{events:?}").contains("my-words"), "{events:?}");
}

/// A component with a tool, this prompt, and this resource.
fn component(folder: &std::path::Path, prompt: &str, uri: &str) {
    let manifest = json!({
        "tools": [{ "name": "t", "inputSchema": { "type": "object" } }],
        "prompts": [{ "name": prompt }],
        "resources": [{ "uri": uri, "name": "r" }],
    });
    Text::new(&manifest).with_offers().write(folder, "unfinished");
    std::fs::rename(folder.join("unfinished"), folder.join("live.wasm")).unwrap();
}

#[tokio::test]
async fn clients_hear_which_of_the_lists_have_changed() {
    let folder = tempfile::tempdir().unwrap();
    component(folder.path(), "p", "own://live/a");
    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    let client = Client::legacy(&server).await;
    let stream = http::Request::get("/mcp").header("accept", "text/event-stream").header("mcp-session-id", client.session());
    let stream = stream.header("mcp-protocol-version", LEGACY).body(bytes::Bytes::new()).unwrap();
    let mut session = Events::of(wire::send(server.address(), stream).await);
    let wanted = json!({ "promptsListChanged": true, "toolsListChanged": true, "resourceSubscriptions": ["own://live/a"] });
    let listen = mcp::modern(json!(7), "subscriptions/listen", json!({ "notifications": wanted }));
    let mut listener = Events::of(wire::send(server.address(), listen).await);
    let acknowledged = listener.next().await.expect("an event").message;
    assert_eq!(acknowledged["params"]["notifications"], json!({ "promptsListChanged": true, "toolsListChanged": true }));

    // The list of tools stays as it is.
    component(folder.path(), "q", "own://live/b");
    let mut heard = Vec::new();
    for _ in 0..2 {
        heard.push(session.next().await.expect("an event"));
    }
    assert_eq!(heard[0].message["method"], "notifications/prompts/list_changed");
    assert_eq!(heard[1].message["method"], "notifications/resources/list_changed");
    assert!(heard[0].id.is_none() && heard[1].id.is_some(), "whoever misses the second hears both again: {heard:?}");
    let told = listener.next().await.expect("an event").message;
    assert_eq!(told["method"], "notifications/prompts/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    assert_eq!(listed(&client, "prompts/list", "prompts", "name").await, ["q"]);

    component(folder.path(), "q", "own://live/c");
    assert_eq!(session.next().await.expect("an event").message["method"], "notifications/resources/list_changed");
    component(folder.path(), "r", "own://live/c");
    assert_eq!(listener.next().await.expect("an event").message["method"], "notifications/prompts/list_changed");
}

#[tokio::test]
async fn requests_that_are_malformed_name_the_parameter() {
    for version in [LEGACY, MODERN] {
        let client = if version == MODERN { Client::modern(server().await) } else { Client::legacy(server().await).await };
        for (method, params, named) in [
            ("prompts/get", json!({}), "params.name"),
            ("prompts/get", json!({ "name": "p", "arguments": [1] }), "params.arguments"),
            ("resources/read", json!({}), "params.uri"),
            ("resources/read", json!({ "uri": 7 }), "params.uri"),
            ("resources/list", json!({ "cursor": {} }), "params.cursor"),
        ] {
            let message = client.request(method, params).await;
            let (code, words) = error(&message);
            assert!(code == -32602 && words.contains(named), "{method}: {words}");
        }
    }
}
