//! Whose rights count: those of the caller, as the real API server's RBAC has them.

use std::cell::Cell;

use bytes::Bytes;
use http::Request;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::http as wire;
use sandbar_tests::mcp;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Server, assert_refused_at_start};
use sandbar_tests::until;
use serde_json::{Value, json};

use crate::access::{Account, Role, calls, every_rule, furnished};
use crate::impersonation::{allow, group};

const CALLERS: &str = "authentication: { tokenReview: { audiences: [sandbar] } }\nauthorization: { rights: caller }\n";

async fn server(more: &str) -> Server {
    Server::builder().of(ControlPlane::shared(), "admin").config(&format!("{CALLERS}{more}")).start().await
}

/// A ServiceAccount with a token.
struct Person {
    name: String,
    namespace: String,
    token: String,
}

impl Person {
    async fn of(namespace: &Namespace, name: &str) -> Self {
        namespace.service_account(name).await;
        let token = namespace.token(name, &["sandbar"]).await;
        Self { name: name.to_owned(), namespace: namespace.name().to_owned(), token }
    }

    /// Is given a rule in a namespace.
    async fn may(&self, there: &Namespace, verbs: &[&str], group: &str, resource: &str, names: &[&str]) {
        let name = format!("{}-{}-{}", self.name, verbs.join("-"), resource.replace('/', "-"));
        let mut rule = json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs });
        if !names.is_empty() {
            rule["resourceNames"] = json!(names);
        }
        let api = "rbac.authorization.k8s.io/v1";
        there.create(json!({ "apiVersion": api, "kind": "Role", "metadata": { "name": name }, "rules": [rule] })).await;
        there
            .create(json!({
                "apiVersion": api, "kind": "RoleBinding", "metadata": { "name": name },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
                "subjects": [{ "kind": "ServiceAccount", "name": self.name, "namespace": self.namespace }],
            }))
            .await;
    }

    fn request(&self, tool: &str, arguments: Value) -> Request<Bytes> {
        let mut request = mcp::modern(json!(1), "tools/call", json!({ "name": tool, "arguments": arguments }));
        mcp::set(&mut request, "authorization", &format!("Bearer {}", self.token));
        request
    }

    /// Calls a tool: its structured result, or the words of its failure.
    async fn call(&self, server: &Server, tool: &str, arguments: Value) -> Result<Value, String> {
        let reply = wire::send(server.address(), self.request(tool, arguments)).await;
        assert_eq!(reply.status, 200);
        mcp::outcome(&reply.message().await.expect("a result"))
    }
}

const STATUS: &str = "get_control_plane_status";

#[tokio::test]
async fn two_people_see_what_each_of_them_may_see() {
    let (server, ours, theirs) = (server("").await, Namespace::fresh("rights").await, Namespace::fresh("rights").await);
    let (ann, bob) = (Person::of(&ours, "ann").await, Person::of(&theirs, "bob").await);
    for namespace in [&ours, &theirs] {
        namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
        namespace.control_plane("other", json!({ "phase": "Ready" })).await;
    }
    ann.may(&ours, &["get"], "coder.com", "codercontrolplanes", &["coder"]).await;
    ann.may(&ours, &["list"], "coder.com", "codercontrolplanes", &[]).await;
    bob.may(&theirs, &["get", "list"], "coder.com", "codercontrolplanes", &[]).await;

    let status = |namespace: &Namespace, name: &str| json!({ "namespace": namespace.name(), "name": name });
    // Nobody is mixed up with somebody who asked for the same a moment ago.
    for _ in 0..2 {
        assert!(ann.call(&server, STATUS, status(&ours, "coder")).await.is_ok());
        assert!(bob.call(&server, STATUS, status(&theirs, "coder")).await.is_ok());
        for (person, namespace, name) in [(&ann, &ours, "other"), (&ann, &theirs, "coder"), (&bob, &ours, "coder")] {
            let words = person.call(&server, STATUS, status(namespace, name)).await.expect_err("not theirs");
            let user =
                format!("system:serviceaccount:{}:{} may not get codercontrolplanes.coder.com", person.namespace, person.name);
            assert!(words.contains(&user) && words.contains("lack a Role with the rule"), "{words}");
        }
    }

    // A list over every namespace is one over those that are theirs, and says so.
    for (person, namespace) in [(&ann, &ours), (&bob, &theirs)] {
        let list = person.call(&server, "list_control_planes", json!({})).await.expect("a list");
        let items = list["items"].as_array().expect("items");
        assert!(items.len() == 2 && items.iter().all(|item| item["namespace"] == namespace.name()), "{list}");
        assert!(list.to_string().contains("only the namespaces where"), "{list}");
    }
}

#[tokio::test]
async fn a_right_counts_for_seconds_after_it_was_taken() {
    let (server, namespace) = (server("").await, Namespace::fresh("rights").await);
    let ann = Person::of(&namespace, "ann").await;
    namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
    let status = || ann.call(&server, STATUS, json!({ "namespace": namespace.name(), "name": "coder" }));
    status().await.expect_err("no right yet");
    ann.may(&namespace, &["get"], "coder.com", "codercontrolplanes", &[]).await;
    until("the right counts", async || status().await.ok()).await;
    let binding = "ann-get-codercontrolplanes";
    ControlPlane::shared().kubectl(&["delete", "rolebinding", binding, "--namespace", namespace.name()]);
    until("the right does not count any more", async || status().await.err()).await;
}

#[tokio::test]
async fn logs_and_events_are_read_by_their_own_rights() {
    let (server, namespace) = (server("").await, Namespace::fresh("rights").await);
    let ann = Person::of(&namespace, "ann").await;
    namespace.pod("web", &["app"]).await;
    namespace.event("e", json!({})).await;
    let events = || ann.call(&server, "get_events", json!({ "namespace": namespace.name() }));
    let log = || ann.call(&server, "get_pod_logs", json!({ "namespace": namespace.name(), "name": "web" }));
    assert!(events().await.expect_err("no right").contains(r#"resources: ["events"], verbs: ["list"]"#));
    // Who may get a pod may not read its log.
    ann.may(&namespace, &["get"], "", "pods", &[]).await;
    assert!(log().await.expect_err("no right").contains(r#"resources: ["pods/log"], verbs: ["get"]"#));
    ann.may(&namespace, &["list"], "", "events", &[]).await;
    until("events can be listed", async || events().await.ok()).await;
    log().await.expect_err("the right on events is none on logs");
}

#[tokio::test]
async fn nobody_gets_more_than_the_tools_grant_whatever_they_may_themselves() {
    let namespace = Namespace::fresh("rights").await;
    let elsewhere = Namespace::fresh("rights").await;
    let server = server(&format!("namespaces: [{}]\n", namespace.name())).await;
    let ann = Person::of(&namespace, "ann").await;
    for there in [&namespace, &elsewhere] {
        ann.may(there, &["*"], "*", "*", &[]).await;
        there.control_plane("coder", json!({ "phase": "Ready" })).await;
    }
    let status = |there: &Namespace| ann.call(&server, STATUS, json!({ "namespace": there.name(), "name": "coder" }));
    status(&namespace).await.expect("granted, and hers");
    assert!(status(&elsewhere).await.expect_err("not granted").contains("not among the namespaces"));
    let list = ann.call(&server, "list_control_planes", json!({})).await.expect("a list");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
}

#[tokio::test]
async fn what_cannot_be_reviewed_is_not_read() {
    let namespace = Namespace::fresh("rights").await;
    let ann = Person::of(&namespace, "ann").await;
    // A server that may review tokens, and may not ask what their owners may.
    let control_plane = ControlPlane::shared();
    let api = "rbac.authorization.k8s.io/v1";
    let reviewer = format!("reviewer-{}", namespace.name());
    for object in [
        json!({ "apiVersion": api, "kind": "ClusterRole", "metadata": { "name": reviewer },
            "rules": [{ "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"] }] }),
        json!({ "apiVersion": api, "kind": "ClusterRoleBinding", "metadata": { "name": reviewer },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": reviewer },
            "subjects": [{ "kind": "User", "name": "viewer" }] }),
    ] {
        sandbar_tests::namespace::create(namespace.client(), object).await;
    }
    let server = Server::builder().of(control_plane, "viewer").config(CALLERS).start().await;
    let words =
        ann.call(&server, STATUS, json!({ "namespace": namespace.name(), "name": "coder" })).await.expect_err("no review");
    assert!(words.contains("cannot be found out") && words.contains("subjectaccessreviews"), "{words}");
}

/// What does not work for somebody, with the words of each.
async fn failures(person: &Person, server: &Server, team: &Namespace) -> Vec<String> {
    let mut failures = Vec::new();
    for (tool, arguments) in calls(team.name()).into_iter().chain([("list_control_planes", json!({}))]) {
        let reply = wire::send(server.address(), person.request(tool, arguments)).await;
        let status = reply.status;
        let message = reply.message().await.expect("a message");
        match status == 200 && message["result"]["isError"] != json!(true) {
            true => {}
            false => failures.push(message.to_string()),
        }
    }
    failures
}

#[tokio::test]
async fn nothing_of_the_roles_by_which_callers_rights_are_reviewed_can_be_left_out() {
    let account = Account::fresh("reviewer").await;
    let objects = account.rbac(CALLERS).await;
    for object in &objects {
        sandbar_tests::namespace::create(account.namespace.client(), object.clone()).await;
    }
    let server = account.server(CALLERS).await;
    let team = furnished("reviewed").await;
    allow(&team, "agents", group(&format!("system:serviceaccounts:{}", team.name())), every_rule()).await;
    // What was said of somebody is remembered, so nobody calls twice.
    let number = Cell::new(0);
    let fresh = async || {
        number.set(number.get() + 1);
        Person::of(&team, &format!("agent-{}", number.get())).await
    };
    until("all tools work", async || failures(&fresh().await, &server, &team).await.is_empty().then_some(())).await;
    let role = Role::of(&objects, "ClusterRole");
    let own = ["tokenreviews", "subjectaccessreviews", "namespaces"];
    for right in role.rights() {
        role.without(&account, &right).await;
        let said = match right.resource.as_str() {
            "tokenreviews" => "whose token this is cannot be found out now".to_owned(),
            resource => {
                format!("cannot {} resource {resource:?} in API group {:?}", right.verb, right.group).replace('"', r#"\""#)
            }
        };
        until(&format!("something fails without {right}"), async || {
            let failures = failures(&fresh().await, &server, &team).await;
            (!failures.is_empty() && failures.iter().all(|words| words.contains(&said))).then_some(())
        })
        .await;
    }
    assert!(own.iter().all(|own| role.rights().iter().any(|right| right.resource == *own)), "{objects:?}");
    role.restore(&account).await;
}

#[tokio::test]
async fn rights_of_callers_need_an_api_server() {
    assert_refused_at_start(CALLERS, "neither a snapshot nor the demo").await;
}

#[tokio::test]
async fn rights_of_callers_need_callers_who_are_known() {
    for said in ["sandbar.yaml:1:", "configure `authentication`"] {
        assert_refused_at_start("authorization: { rights: caller }\n", said).await;
    }
}
