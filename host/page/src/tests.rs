//! The page as a whole: how long it may be, and that nothing of others is more than text in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbar_catalog::{EndedCall, LimitReached, Offer, Outcome};
use sandbar_policy::{Caller, Identity};

use super::*;

/// What could break out of where it stands: of markup, of an attribute, and of the direction of its line.
const HOSTILE: &str = "</bdi><script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x'\u{202e}\u{2066} שלום \u{1b}[31m";

fn end(page: &Page, minute: u64, component: &Arc<str>, name: &str, outcome: Outcome, took: Duration) {
    let call = EndedCall {
        caller: &Caller::new(Identity::Anonymous),
        version: None,
        offer: Offer::Tool,
        name,
        component: Some(component),
        argument_bytes: 0,
        is_let_in: true,
        run: None,
        outcome,
        error: None,
        began: Instant::now(),
        took,
        trace: None,
    };
    page.calls.ended(minute, &call);
}

fn component(number: usize, title: &str) -> Component {
    let name = format!("component-number-{number:02}");
    Component {
        kind: "script".to_owned(),
        source: format!("/etc/sandbar/tools/{name}.js"),
        digest: "0123456789abcdef".repeat(4).into(),
        tools: vec![Tool { name: format!("get_something_{number:02}").into(), title: title.to_owned() }],
        grants: vec![Granted {
            rights: ["pods", "pods/log", "deployments.apps", "events", "nodes (cluster)"]
                .map(|resource| Right { resource: resource.to_owned(), granted: vec!["get", "list"], ..Right::default() })
                .into(),
            namespaces: "all that the server's own rights allow".to_owned(),
            ..Granted::default()
        }],
        limits: vec![("time".to_owned(), "30s".to_owned()), ("cpu".to_owned(), "5s".to_owned())],
        name: name.into(),
        ..Component::default()
    }
}

fn server() -> Server {
    let state = ClusterState::Away { why: HOSTILE.repeat(100), ago: Duration::from_secs(100) };
    let cluster = |number| Cluster { name: format!("c{number}{HOSTILE}"), description: HOSTILE.repeat(9), state: state.clone() };
    Server {
        version: "0.0.0",
        tells_all: true,
        callers: HOSTILE.repeat(90),
        clusters: (0..100).map(cluster).collect(),
        ..Server::default()
    }
}

/// A page of so many components, each with calls of all sorts in each of its last 60 minutes.
fn busy(count: usize, title: &str) -> Page {
    let page = Page::default();
    let components: Vec<_> = (0..count).map(|number| component(number, title)).collect();
    page.serves(components.clone());
    for minute in 0..60 {
        for (number, Component { name, tools, .. }) in components.iter().enumerate() {
            for call in 0..20 {
                let outcome =
                    if call % 3 == 0 && minute % 5 == 0 { Outcome::Limit(LimitReached::Cpu) } else { Outcome::Answered };
                let took = Duration::from_millis(1 + call * (minute + number as u64 * 7) % 4_000);
                end(&page, minute, name, &tools[0].name, outcome, took);
            }
        }
    }
    page
}

fn html_at(page: &Page, minute: u64) -> String {
    let told = page.told().clone();
    html::page(&html::View {
        server: &Server { version: "0.0.0", tells_all: true, ..Server::default() },
        told: &told,
        calls: &page.calls,
        started: page.started.1,
        up: Duration::from_secs(60 * minute),
        now: SystemTime::now(),
    })
}

#[test]
fn fifty_tools_with_calls_in_every_minute_are_all_there() {
    let html = html_at(&busy(50, "What it does, in a line as long as those of real tools"), 59);
    assert!(html.len() <= PAGE_BYTES, "{} bytes", html.len());
    let (_, tools) = html.split_once(">Tools</h2>").expect("a heading");
    let (tools, _) = tools.split_once("</table>").expect("a table");
    assert_eq!(tools.matches("get_something_").count(), 50);
    assert_eq!(html.matches("<details>").count(), 50);
    assert!(!html.contains(" more: "), "nothing is left out");
}

#[test]
fn no_page_is_longer_than_it_may_be() {
    let page = busy(500, &HOSTILE.repeat(50));
    let mut components: Vec<_> = (0..500).map(|number| component(number, &HOSTILE.repeat(50))).collect();
    for component in &mut components {
        let right = |number| Right { resource: format!("{HOSTILE}{number}"), refused: vec!["get"], ..Right::default() };
        component.grants = vec![Granted { rights: (0..500).map(right).collect(), ..Granted::default() }];
        (component.source, component.kind) = (HOSTILE.repeat(50), HOSTILE.repeat(50));
        component.signers = vec![HOSTILE.repeat(50); 50];
    }
    page.serves(components);
    let problem = |_| Problem { name: HOSTILE.repeat(50), state: ProblemState::Failed, why: HOSTILE.repeat(500) };
    page.problems((0..500).map(problem).collect(), vec![HOSTILE.repeat(500); 500]);
    page.refused(Some(&HOSTILE.repeat(500)));
    let html = page.html(&server());
    assert!((PAGE_BYTES / 2..=PAGE_BYTES).contains(&html.len()), "{} bytes", html.len());
    for what in ["tools more: ", "components more: ", "clusters more: ", "things more: "] {
        assert!(html.contains(what), "what is left out is counted: {what}");
    }
    assert_plain(&html);
}

#[test]
fn what_is_wrong_with_the_server_needs_a_look_and_is_told_to_operators() {
    let page = Page::default();
    let told = |tells_all| page.html(&Server { troubles: vec!["certificate: over".to_owned()], tells_all, ..Server::default() });
    assert!(page.html(&Server::default()).contains("All is well"));
    assert!(told(true).contains("1 thing needs a look") && told(true).contains("certificate: over"));
    assert!(told(false).contains("1 thing needs a look") && !told(false).contains("certificate: over"));
}

#[test]
fn the_rights_of_one_component_push_no_other_off_the_page() {
    let page = Page::default();
    let mut components: Vec<_> = (0..20).map(|number| component(number, "")).collect();
    let right = |number| Right { resource: format!("{}{number}", "x".repeat(200)), refused: vec!["get"], ..Right::default() };
    let granted = |_| Granted { rights: (0..45).map(right).collect(), ..Granted::default() };
    components[0].grants = (0..25).map(granted).collect();
    page.serves(components);
    let html = page.html(&server());
    let (_, shown) = html.split_once(">Components</h2>").expect("a heading");
    for number in 0..20 {
        assert!(shown.contains(&format!("component-number-{number:02}")), "{number}");
    }
    assert!(shown.contains("1125 of 1125 refused") && shown.contains("too many to be shown here"), "{shown}");
}

/// Checks that the page has no markup but its own.
fn assert_plain(html: &str) {
    let (_, body) = html.split_once("</style>").expect("a style sheet");
    for markup in ["<script", "<img", "\u{202e}", "\u{2066}", "\u{1b}", "style=", "http:", "https:"] {
        assert!(!body.contains(markup), "{markup:?}");
    }
    assert_eq!(body.matches('<').count(), body.matches('>').count(), "what is no markup is escaped");
}

#[test]
fn what_others_wrote_is_text() {
    let page = Page::default();
    page.serves(vec![component(0, HOSTILE)]);
    page.problems(vec![Problem { name: HOSTILE.to_owned(), state: ProblemState::Kept, why: HOSTILE.to_owned() }], Vec::new());
    let html = page.html(&server());
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;&quot;"), "{html}");
    assert_plain(&html);
}

#[test]
fn a_call_counts_for_what_the_catalog_has_and_for_nothing_else() {
    let page = Page::default();
    page.serves(vec![component(0, ""), component(1, "")]);
    let (mine, other): (Arc<str>, Arc<str>) = ("component-number-00".into(), "component-number-01".into());
    end(&page, 0, &mine, "get_something_00", Outcome::Answered, Duration::from_millis(3));
    end(&page, 0, &mine, "what-i-asked-for", Outcome::Refused, Duration::ZERO);
    end(&page, 0, &other, "get_something_00", Outcome::Crashed, Duration::ZERO);
    let html = html_at(&page, 0);
    assert!(!html.contains("what-i-asked-for"));
    assert_eq!(page.calls.of_nothing(0).count(), 2);
    let of_tool: hour::Calls = page.calls.of_tool("get_something_00", 0, 60).iter().sum();
    assert_eq!((of_tool.count(), of_tool.bad()), (1, 0), "the crash is not its component's");
    assert!(html.contains("2 calls asked for what nothing here has"));

    page.serves(vec![component(1, "")]);
    end(&page, 0, &mine, "get_something_00", Outcome::Answered, Duration::ZERO);
    assert_eq!(page.calls.of_nothing(0).count(), 3, "it is gone");
    page.serves(vec![component(0, "")]);
    assert!(page.calls.of_tool("get_something_00", 0, 60).is_empty(), "and comes back without its past");
}

#[test]
fn what_is_refused_is_open_and_says_why() {
    let page = Page::default();
    let mut partly = component(0, "");
    partly.grants[0].rights[1] = Right { resource: "secrets".to_owned(), refused: vec!["get"], ..Right::default() };
    page.serves(vec![partly, component(1, "")]);
    let html = html_at(&page, 0);
    assert!(html.contains("1 of 5 refused") && html.contains("<dt>Refused get</dt><dd><bdi>secrets</bdi>"), "{html}");
    assert_eq!((html.matches("<details open>").count(), html.matches("<details>").count()), (1, 1));
}

#[test]
fn who_is_no_operator_hears_what_is_wrong_and_not_why() {
    let page = Page::default();
    page.problems(
        vec![Problem { name: "broken".to_owned(), state: ProblemState::Failed, why: "of-the-operator 1".to_owned() }],
        vec!["of-the-operator 2".to_owned()],
    );
    page.refused(Some("of-the-operator 3"));
    let state = ClusterState::Away { why: "of-the-operator 4".to_owned(), ago: Duration::ZERO };
    let cluster = Cluster { name: "east".to_owned(), description: "of-the-operator 5".to_owned(), state };
    let of = |tells_all| Server {
        tells_all,
        clusters: vec![cluster.clone()],
        callers: "of-the-operator 6".to_owned(),
        ..Server::default()
    };
    let (operator, other) = (page.html(&of(true)), page.html(&of(false)));
    assert_eq!(operator.matches("of-the-operator").count(), 6, "{operator}");
    assert!(!other.contains("of-the-operator"), "{other}");
    for what in ["4 things need a look", "broken", "is not served", "not what is in force", "east", "does not answer"] {
        assert!(operator.contains(what) && other.contains(what), "{what}");
    }
}

#[test]
fn since_when_a_configuration_is_refused_stays_as_its_reason_changes() {
    let page = Page::default();
    page.refused(Some("one"));
    let since = page.told().refused.clone().map(|(_, since)| since);
    page.refused(Some("another"));
    assert_eq!(
        page.told().refused.clone().map(|(why, since)| (why.to_string(), Some(since))),
        Some(("another".to_owned(), since))
    );
    assert!(html_at(&page, 0).contains("1 thing needs a look"));
    page.refused(None);
    assert!(html_at(&page, 0).contains("All is well"));
}

#[test]
fn the_policy_allows_the_style_sheet_and_nothing_that_runs() {
    let html = html_at(&Page::default(), 0);
    let (_, rest) = html.split_once("<style>").expect("a style sheet");
    let (style, _) = rest.split_once("</style>").expect("its end");
    let policy = content_security_policy();
    let hash = STANDARD.encode(Sha256::digest(style));
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains(&format!("style-src 'sha256-{hash}';")), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
}
