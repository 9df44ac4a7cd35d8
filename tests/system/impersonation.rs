//! Reads in the caller's name, on the real API server: the server's own ServiceAccount has what `sandbar rbac` prints, and no right to read.

use std::cell::Cell;

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::https::HttpsClient;
use sandbar_tests::mcp;
use sandbar_tests::namespace::{Namespace, create};
use sandbar_tests::sandbar::assert_refused_at_start;
use sandbar_tests::until;
use serde_json::{Value, json};

use crate::access::{Account, Role, calls, every_rule, furnished};
use crate::front_proxy::{Behind, with};

/// People come by the proxy, ServiceAccounts with their tokens.
const BOTH: &str = "authentication: { frontProxy: { allowedNames: [front-proxy] }, tokenReview: { audiences: [sandbar] } }\n\
                    authorization: { rights: impersonation }\n";

const STATUS: &str = "get_control_plane_status";
const LIST: &str = "list_control_planes";

/// A server that reads in its callers' names.
struct Server {
    account: Account,
    behind: Behind,
    /// What `sandbar rbac` has printed for it, and what has been applied.
    roles: Vec<Value>,
    stranger: HttpsClient,
}

impl Server {
    async fn start(config: &str) -> Self {
        Self::start_in(ControlPlane::shared(), config).await
    }

    async fn start_in(control_plane: &ControlPlane, config: &str) -> Self {
        let account = Account::fresh_in(control_plane, "impersonator").await;
        let roles = account.rbac(config).await;
        for role in &roles {
            create(account.namespace.client(), role.clone()).await;
        }
        let behind = Behind::start(account.builder(), config).await;
        let stranger = HttpsClient::new(&behind.authority, None);
        Self { account, behind, roles, stranger }
    }

    /// Calls a tool: its structured result, or the words of its failure.
    async fn call(&self, who: &Caller, tool: &str, arguments: Value) -> Result<Value, String> {
        let headers: Vec<(&str, &str)> = who.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let client = if who.0[0].0 == "authorization" { &self.stranger } else { &self.behind.proxy };
        let request = mcp::modern(json!(1), "tools/call", json!({ "name": tool, "arguments": arguments }));
        let reply = client.send(self.behind.server.address(), with(request, &headers)).await.expect("an answer");
        assert_eq!(reply.status, 200);
        mcp::outcome(&reply.message().await.expect("a result"))
    }

    async fn status(&self, who: &Caller, of: &Namespace) -> Result<Value, String> {
        self.call(who, STATUS, json!({ "namespace": of.name(), "name": "coder" })).await
    }

    /// The namespaces of all that is listed, page by page, and all warnings.
    async fn list(&self, who: &Caller) -> Result<(Vec<String>, Vec<String>), String> {
        let (mut namespaces, mut warnings, mut cursor) = (Vec::new(), Vec::new(), json!(""));
        while !cursor.is_null() {
            let page = self.call(who, LIST, json!({ "continue": cursor })).await?;
            let texts = |list: &Value, text: fn(&Value) -> &Value| -> Vec<String> {
                list.as_array().into_iter().flatten().map(|item| text(item).as_str().unwrap().to_owned()).collect()
            };
            namespaces.extend(texts(&page["items"], |item| &item["namespace"]));
            warnings.extend(texts(&page["warnings"], |warning| warning));
            cursor = page["continue"].clone();
        }
        Ok((namespaces, warnings))
    }
}

/// Who calls: the headers by which Sandbar knows them.
struct Caller(Vec<(String, String)>);

/// Whom the proxy names.
fn person(name: &str) -> Caller {
    Caller(vec![("x-remote-user".to_owned(), name.to_owned())])
}

impl Caller {
    fn and(mut self, header: &str, value: &str) -> Self {
        self.0.push((header.to_owned(), value.to_owned()));
        self
    }

    fn in_group(self, group: &str) -> Self {
        self.and("x-remote-group", group)
    }
}

/// A ServiceAccount, by a token for Sandbar.
fn agent(namespace: &Namespace, name: &str) -> Caller {
    let control_plane = ControlPlane::shared();
    control_plane.kubectl(&["create", "serviceaccount", name, "--namespace", namespace.name()]);
    let token = control_plane.kubectl(&["create", "token", name, "--namespace", namespace.name(), "--audience", "sandbar"]);
    Caller(vec![("authorization".to_owned(), format!("Bearer {}", token.trim()))])
}

const RBAC: &str = "rbac.authorization.k8s.io";

fn user(name: &str) -> Value {
    json!({ "apiGroup": RBAC, "kind": "User", "name": name })
}

pub(crate) fn group(name: &str) -> Value {
    json!({ "apiGroup": RBAC, "kind": "Group", "name": name })
}

/// Gives somebody rules in a namespace.
pub(crate) async fn allow(there: &Namespace, binding: &str, subject: Value, rules: Value) {
    let (api, metadata) = (format!("{RBAC}/v1"), json!({ "name": binding }));
    there.create(json!({ "apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules })).await;
    let role_ref = json!({ "apiGroup": RBAC, "kind": "Role", "name": binding });
    there
        .create(
            json!({ "apiVersion": api, "kind": "RoleBinding", "metadata": metadata, "roleRef": role_ref, "subjects": [subject] }),
        )
        .await;
}

/// Gives somebody rules in the whole cluster. `unique` is the name of the role.
async fn allow_everywhere(namespace: &Namespace, unique: &str, subject: Value, rules: Value) {
    let (api, metadata) = (format!("{RBAC}/v1"), json!({ "name": unique }));
    let role_ref = json!({ "apiGroup": RBAC, "kind": "ClusterRole", "name": unique });
    for object in [
        json!({ "apiVersion": api, "kind": "ClusterRole", "metadata": metadata, "rules": rules }),
        json!({ "apiVersion": api, "kind": "ClusterRoleBinding", "metadata": metadata, "roleRef": role_ref, "subjects": [subject] }),
    ] {
        create(namespace.client(), object).await;
    }
}

fn planes(verbs: &[&str]) -> Value {
    json!([{ "apiGroups": ["coder.com"], "resources": ["codercontrolplanes"], "verbs": verbs }])
}

#[tokio::test]
async fn each_caller_sees_what_they_may_see_themselves() {
    let server = Server::start(BOTH).await;
    let (ours, theirs) = (Namespace::fresh("named").await, Namespace::fresh("named").await);
    for namespace in [&ours, &theirs] {
        namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
    }
    // Names that are nobody else's in this cluster; one needs care in a header.
    let (ann, team) = (format!("Ännchen-{}", ours.name()), format!("team {}, b", theirs.name()));
    allow(&ours, "ann", user(&ann), planes(&["get", "list"])).await;
    allow(&theirs, "team", group(&team), planes(&["get", "list"])).await;
    allow(&theirs, "agents", group(&format!("system:serviceaccounts:{}", ours.name())), planes(&["get"])).await;
    let namespaces = json!([{ "apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"] }]);
    allow_everywhere(&theirs, theirs.name(), group(&team), namespaces).await;
    let (ann, bob, agent) = (person(&ann), person("bob").in_group("others").in_group(&team), agent(&ours, "agent"));

    until("the rights count", async || {
        server.status(&ann, &ours).await.ok()?;
        server.status(&bob, &theirs).await.ok()?;
        server.status(&agent, &theirs).await.ok()
    })
    .await;
    let many = (0..500).fold(person("bob"), |bob, number| bob.in_group(&format!("group-{number}"))).in_group(&team);
    server.status(&many, &theirs).await.expect("by the last of 501 groups");
    for (who, there) in [(&ann, &theirs), (&bob, &ours), (&agent, &ours), (&person("bob"), &theirs)] {
        let words = server.status(who, there).await.expect_err("not theirs");
        assert!(
            words.contains("may not get codercontrolplanes.coder.com") && words.contains("lack a Role with the rule"),
            "{words}"
        );
        assert!(!words.contains("`sandbar rbac`"), "the operator is not asked for it: {words}");
    }
    // Who may see which namespaces there are gets what is theirs of a list over all of them.
    let (found, warnings) = server.list(&bob).await.expect("a list");
    assert_eq!(found, [theirs.name()]);
    assert!(
        warnings.iter().any(|warning| warning == "only the namespaces where bob may list codercontrolplanes are here"),
        "{warnings:?}"
    );
    let words = server.list(&ann).await.expect_err("she may not see them");
    assert!(words.contains("in every namespace") && words.contains("name a namespace"), "{words}");
    // The audit trail says that it was in their names.
    server.behind.server.until_logged(r#""rights":"impersonation""#).await;
}

#[tokio::test]
async fn configured_namespaces_are_looked_into_one_by_one() {
    let (ours, theirs) = (Namespace::fresh("named").await, Namespace::fresh("named").await);
    let server = Server::start(&format!("{BOTH}namespaces: [{}, {}]\n", ours.name(), theirs.name())).await;
    for namespace in [&ours, &theirs] {
        namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
    }
    let name = format!("ann-{}", ours.name());
    allow(&ours, "ann", user(&name), planes(&["list"])).await;
    let ann = person(&name);
    let (found, warnings) = until("the right counts", async || server.list(&ann).await.ok()).await;
    assert_eq!(found, [ours.name()]);
    assert_eq!(warnings, [format!("only the namespaces where {name} may list codercontrolplanes are here")]);
    server.list(&person("nobody")).await.expect_err("nothing is theirs");
}

#[tokio::test]
async fn who_may_do_everything_gets_what_the_tool_was_granted() {
    let (inside, outside) = (Namespace::fresh("named").await, Namespace::fresh("named").await);
    let server = Server::start(&format!("{BOTH}namespaces: [{}]\n", inside.name())).await;
    let everything = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    allow_everywhere(&inside, inside.name(), group(inside.name()), everything).await;
    let ann = person("ann").in_group(inside.name());
    for there in [&inside, &outside] {
        there.control_plane("coder", json!({ "phase": "Ready" })).await;
    }
    until("the rights count", async || server.status(&ann, &inside).await.ok()).await;
    assert!(server.status(&ann, &outside).await.expect_err("not granted").contains("not among the namespaces"));
    assert_eq!(server.list(&ann).await.expect("a list").0, [inside.name()]);
    // The server itself may read nothing at all, and in her name only there.
    let own = server.account.user();
    assert!(!is_allowed(&inside, &own, "get").await);
    assert!(is_allowed(&inside, &own, "impersonate-on:user-info:get").await);
    assert!(!is_allowed(&outside, &own, "impersonate-on:user-info:get").await);
}

/// Whether a user may do that with control planes in a namespace, by the API server's word.
async fn is_allowed(there: &Namespace, user: &str, verb: &str) -> bool {
    let attributes = json!({ "verb": verb, "group": "coder.com", "resource": "codercontrolplanes", "namespace": there.name() });
    let spec = json!({ "user": user, "resourceAttributes": attributes });
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {}, "spec": spec,
    });
    create(there.client(), review).await.data["status"]["allowed"] == json!(true)
}

#[tokio::test]
async fn a_right_that_is_taken_away_counts_at_once() {
    let (server, namespace) = (Server::start(BOTH).await, Namespace::fresh("named").await);
    namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
    let name = format!("ann-{}", namespace.name());
    allow(&namespace, "ann", user(&name), planes(&["get"])).await;
    let ann = person(&name);
    until("the right counts", async || server.status(&ann, &namespace).await.ok()).await;
    ControlPlane::shared().kubectl(&["delete", "rolebinding", "ann", "--namespace", namespace.name()]);
    until("the API server knows of it", async || (!is_allowed(&namespace, &name, "get").await).then_some(())).await;
    let words = server.status(&ann, &namespace).await.expect_err("nobody remembers that she could");
    assert!(words.contains("may not get"), "{words}");
}

#[tokio::test]
async fn who_would_be_somebody_else_on_the_way_reads_nothing() {
    let (server, namespace) = (Server::start(BOTH).await, Namespace::fresh("named").await);
    namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
    allow(&namespace, "everybody", group("system:authenticated"), planes(&["get"])).await;
    until("everybody may", async || server.status(&person("ann"), &namespace).await.ok()).await;
    for (caller, said) in [
        (person("ann").in_group("system:masters"), "system:masters"),
        (person("ann").and("x-remote-extra-scopes", "none"), "`authorization.extra`"),
        (person("system:node:node-1").in_group("system:nodes"), "they are a node"),
        (person("system:serviceaccount:kube-system:admin").in_group("admins"), "not the groups of one"),
    ] {
        let words = server.status(&caller, &namespace).await.expect_err(said);
        assert!(words.contains("cannot read in the name of") && words.contains(said), "{words}");
    }
    // What a client says of somebody to impersonate is nobody's business.
    let other = Namespace::fresh("named").await;
    other.control_plane("coder", json!({ "phase": "Ready" })).await;
    let rich = format!("rich-{}", other.name());
    allow(&other, "rich", user(&rich), planes(&["get"])).await;
    until("the right counts", async || server.status(&person(&rich), &other).await.ok()).await;
    let bob = person("bob").and("impersonate-user", &rich).and("impersonate-group", "system:masters");
    let words = server.status(&bob, &other).await.expect_err("bob has no right there");
    assert!(words.contains(": bob may not get"), "{words}");
}

/// What does not work for somebody, with the words of each.
async fn failures(server: &Server, who: &Caller, team: &Namespace) -> Vec<String> {
    let mut failures = Vec::new();
    for (tool, arguments) in calls(team.name()).into_iter().chain([(LIST, json!({}))]) {
        failures.extend(server.call(who, tool, arguments).await.err());
    }
    failures
}

#[tokio::test]
async fn nothing_of_the_printed_roles_can_be_left_out() {
    let server = Server::start(BOTH).await;
    let team = furnished("named").await;
    let namespaces = json!({ "apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"] });
    let agents = format!("system:serviceaccounts:{}", team.name());
    for (binding, subject) in [("people", group(team.name())), ("agents", group(&agents))] {
        allow(&team, binding, subject.clone(), every_rule()).await;
        allow_everywhere(&team, &format!("{}-{binding}", team.name()), subject, json!([namespaces])).await;
    }
    // The API server remembers for seconds whom it has let be impersonated, so nobody calls twice.
    let number = Cell::new(0);
    let fresh = |kind: &str| {
        number.set(number.get() + 1);
        match kind {
            "people" => {
                let name = format!("person-{}", number.get());
                let credential = "x-remote-extra-authentication.kubernetes.io%2fcredential-id";
                person(&name).in_group(team.name()).and("x-remote-uid", &name).and(credential, "JTI=1")
            }
            _ => agent(&team, &format!("agent-{}", number.get())),
        }
    };
    let role = Role::of(&server.roles, "ClusterRole");
    for kind in ["people", "agents"] {
        until(&format!("all tools work for {kind}"), async || {
            failures(&server, &fresh(kind), &team).await.is_empty().then_some(())
        })
        .await;
    }
    let mut left_out = 0;
    for right in role.rights().iter().filter(|right| right.resource != "tokenreviews") {
        let rule = format!("{{apiGroups: [{:?}], resources: [{:?}], verbs: [{:?}]}}", right.group, right.resource, right.verb);
        let kind = if right.verb.contains("serviceaccount") { "agents" } else { "people" };
        let other = if kind == "people" { "agents" } else { "people" };
        role.without(&server.account, right).await;
        until(&format!("something fails without {rule}"), async || {
            let failures = failures(&server, &fresh(kind), &team).await;
            let is_told = |words: &String| words.contains("`sandbar rbac`") && words.contains(&rule);
            (!failures.is_empty() && failures.iter().all(is_told)).then_some(())
        })
        .await;
        assert_eq!(failures(&server, &fresh(other), &team).await, [""; 0], "without {rule}");
        left_out += 1;
    }
    assert!(left_out >= 15, "{left_out}");
    // Without the right to review tokens, nobody gets in with one.
    let without = role.rights().into_iter().find(|right| right.resource == "tokenreviews").expect("the right to review tokens");
    role.without(&server.account, &without).await;
    until("tokens are not reviewed", async || {
        let Caller(headers) = fresh("agents");
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = with(mcp::modern(json!(1), "tools/list", json!({})), &headers);
        let reply = server.stranger.send(server.behind.server.address(), request).await.expect("an answer");
        (reply.status == 503).then_some(())
    })
    .await;
    role.restore(&server.account).await;
}

#[tokio::test]
async fn an_older_api_server_is_told_by_its_words() {
    // As before 1.35.
    let control_plane = ControlPlane::start(&["--", "--feature-gates=ConstrainedImpersonation=false"]);
    let server = Server::start_in(&control_plane, BOTH).await;
    let namespace = Namespace::fresh_in(&control_plane, "named").await;
    let words = server.status(&person("ann"), &namespace).await.expect_err("it knows only the other kind");
    assert!(words.contains("Kubernetes 1.36") && words.contains("`caller`") && !words.contains("sandbar rbac"), "{words}");
}

#[tokio::test]
async fn the_api_servers_own_audit_log_names_both() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, log) = (folder.path().join("policy.yaml"), folder.path().join("audit.log"));
    let rules = json!([{ "level": "Metadata" }]);
    let text = json!({ "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules });
    std::fs::write(&policy, text.to_string()).unwrap();
    let flags = [format!("--audit-policy-file={}", policy.display()), format!("--audit-log-path={}", log.display())];
    let control_plane = ControlPlane::start(&["--", &flags[0], &flags[1]]);
    let server = Server::start_in(&control_plane, BOTH).await;
    let namespace = Namespace::fresh_in(&control_plane, "named").await;
    namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
    allow(&namespace, "team", group("team"), planes(&["get"])).await;
    let ann = person("ann").in_group("team");
    until("the right counts", async || server.status(&ann, &namespace).await.ok()).await;
    let event = until("the read is in the log", async || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let mut events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.find(|event| event["impersonatedUser"]["username"] == "ann" && event["responseStatus"]["code"] == 200)
    })
    .await;
    assert_eq!(event["user"]["username"], server.account.user());
    assert_eq!(event["impersonatedUser"]["groups"], json!(["team", "system:authenticated"]));
    assert_eq!(event["authenticationMetadata"]["impersonationConstraint"], "impersonate:user-info");
    // It is asked what it serves in the server's own name.
    let text = std::fs::read_to_string(&log).unwrap();
    let discovery = text.lines().find(|line| line.contains("\"/apis/coder.com/v1alpha1\"") && line.contains("sandbar/"));
    assert!(discovery.is_some_and(|line| !line.contains("impersonatedUser")), "{discovery:?}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_at_start() {
    let known = "authentication: { tokenReview: { audiences: [sandbar] } }\n";
    for (text, said) in [
        ("authorization: { rights: impersonation }\n".to_owned(), "nobody is asked who they are"),
        (format!("{known}authorization: {{ rights: impersonation }}\n"), "neither a snapshot nor the demo"),
        (format!("{known}authorization: {{ extra: {{ dropped: [arn] }} }}\n"), "sandbar.yaml:2:"),
        (
            format!("{known}authorization: {{ rights: impersonation, extra: {{ impersonated: [arn] }} }}\n"),
            "keys like example.com/team",
        ),
        (format!("{known}authorization: {{ rights: impersonation, extra: {{ dropped: [canonicalArn] }} }}\n"), "in lower case"),
        (format!("{known}authorization: {{ rights: impersonation, extra: }}\n"), "sandbar.yaml:2:"),
    ] {
        assert_refused_at_start(&text, said).await;
    }
}
