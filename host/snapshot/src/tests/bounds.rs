//! Hostile files: the others are still read, in bounded memory.

use std::fs;

use super::super::files::Tree;
use super::super::read::Contents;
use super::super::room::Room;
use super::{Asker, CLUSTER, LARGEST, contents, directory, open};

#[tokio::test]
async fn files_that_would_take_everything_are_left_out_and_named() {
    let aliases = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 50_000].join(","));
    let deep = "[".repeat(1 << 20);
    let values = format!(
        "{{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"a\"}},\"spec\":[{}0]}}",
        "0,".repeat(1 << 21)
    );
    let large = format!(
        "{{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"a\"}},\"spec\":\"{}\"}}",
        "x".repeat(9 << 20)
    );
    let files = [
        CLUSTER[1],
        ("aliases.yaml", &aliases),
        ("deep.json", &deep),
        ("deep.yaml", &deep),
        ("values.json", &values),
        ("large.json", &large),
    ];
    let folder = directory(&files);
    let contents = contents(&folder);
    let named: Vec<_> = contents.notes.iter().map(|note| note.split(": ").next().unwrap()).collect();
    assert_eq!(named, ["aliases.yaml", "deep.json", "deep.yaml", "large.json", "values.json"], "{:?}", contents.notes);
    let cluster = Asker(open(folder.path()).unwrap(), Some(folder));
    assert_eq!(cluster.names("/api/v1/pods").await.len(), 3);
}

#[tokio::test]
async fn a_file_of_another_kind_is_neither_waited_for_nor_opened() {
    let folder = directory(&CLUSTER);
    for path in ["a.json", "team-a/web-0/app.log", "namespaces/team-a/pods/web-0/app/app/logs/current.log"] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR).unwrap();
    }
    let cluster = Asker(open(folder.path()).unwrap(), Some(folder));
    assert_eq!(cluster.refusal("/api/v1/namespaces/team-a/pods/web-0/log?container=app").await.0, 404);
}

#[tokio::test]
async fn a_file_with_objects_has_a_bound_and_is_named_beyond_it() {
    let folder = directory(&CLUSTER);
    fs::File::create(folder.path().join("huge.json")).unwrap().set_len(1 << 40).unwrap();
    let contents = contents(&folder);
    assert_eq!(contents.notes, ["huge.json: it has 1099511627776 bytes, and a file may have 128 MiB"]);
}

#[tokio::test]
async fn kinds_have_a_bound() {
    let kinds: String = (0..10_000)
        .map(|n| format!("{{\"kind\":\"K{n}\",\"apiVersion\":\"g{n}.example.com/v1\",\"metadata\":{{\"name\":\"a\"}}}}\n"))
        .collect();
    let versions = (0..10_000).map(|n| format!("{{\"name\":\"v{n}\"}}")).collect::<Vec<_>>().join(",");
    let definition = format!(
        "{{\"kind\":\"CustomResourceDefinition\",\"apiVersion\":\"apiextensions.k8s.io/v1\",\"metadata\":{{\"name\":\"b\"}},\
         \"spec\":{{\"group\":\"b\",\"names\":{{\"plural\":\"bs\",\"kind\":\"B\"}},\"versions\":[{versions}]}}}}"
    );
    let folder = directory(&[CLUSTER[1], ("definition.json", &definition), ("kinds.json", &kinds)]);
    let contents = contents(&folder);
    assert_eq!(contents.notes.len(), 1);
    assert!(contents.notes[0].starts_with("kinds.json: a snapshot has 4000 kinds of objects at most"), "{:?}", contents.notes);
    let cluster = Asker(open(folder.path()).unwrap(), Some(folder));
    let groups = cluster.json("/apis").await["groups"].as_array().unwrap().len();
    assert!((3_900..4_100).contains(&groups), "{groups}");
    assert!(cluster.json("/apis/b").await["versions"].as_array().unwrap().len() <= 4_000);
}

#[tokio::test]
async fn a_log_that_is_gone_by_now_is_said() {
    let cluster = Asker::of(&[CLUSTER[1], ("team-a/web-1/app.log", "x\n")]);
    fs::remove_file(cluster.1.as_ref().unwrap().path().join("team-a/web-1/app.log")).unwrap();
    let (code, _, message) = cluster.refusal("/api/v1/namespaces/team-a/pods/web-1/log").await;
    assert_eq!(code, 404);
    assert!(message.starts_with("the snapshot cannot read team-a/web-1/app.log any more: "), "{message}");
}

/// Everything that a snapshot keeps of its files is charged, wherever it comes from.
#[test]
fn what_is_kept_is_counted_whatever_it_is() {
    let long = "x".repeat(2_000);
    let name = |n: usize| format!("\"name\":\"a{n}\"");
    let pod = |metadata: String| format!("{{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{{{metadata}}}}}");
    let many = |each: &dyn Fn(usize) -> String, between: &str| (0..200).map(each).collect::<Vec<_>>().join(between);
    let list = |items: String| format!("{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{items}]}}");
    let labelled = |n| pod(format!("{},\"labels\":{{\"l\":\"{long}\"}}", name(n)));
    let spread = |n| pod(format!("{},\"namespace\":\"n{n}\"", name(n)));
    let named = |n| pod(format!("\"name\":\"{long}{n}\""));
    let of_kinds = |n: usize| format!("{{\"kind\":\"K{n}\",\"apiVersion\":\"g{n}/v1\",\"metadata\":{{{}}}}}", name(n));
    let failed = format!("{{{}}}", many(&|n| format!("\"{long}{n}\":\"no\""), ","));
    for (path, text) in [
        ("a.json", many(&labelled, "\n")),
        ("a.yaml", many(&labelled, "\n---\n")),
        ("a.json", list(many(&labelled, ","))),
        ("a.json", many(&spread, "\n")),
        ("a.json", list(many(&spread, ","))),
        ("a.json", list(many(&named, ","))),
        ("a.json", list(many(&of_kinds, ","))),
        ("bundle/cluster-resources/pods-errors.json", failed.clone()),
    ] {
        let folder = directory(&[(path, &text)]);
        let tree = Tree::directory(folder.path()).unwrap();
        let whole = Contents::read(&tree, Room::new(LARGEST)).unwrap();
        assert!(whole.notes.is_empty(), "{path}: {:?}", whole.notes);
        // The size of two copies of the text, or the overhead of 200 entries.
        let enough = 8 * text.len() + 400_000;
        assert!(Contents::read(&tree, Room::of(enough, 1_000)).unwrap().notes.is_empty(), "{path}");
        let contents = Contents::read(&tree, Room::of(100_000, 1_000)).unwrap();
        assert!(contents.notes[0].contains("a snapshot holds"), "{path}: {:?}", contents.notes);
        let kept = contents.objects.iter().map(|object| object.json.len() + object.beside()).sum::<usize>();
        let mentioned = contents.mentioned.len() * 1024;
        let gathered = contents.gathered.iter().map(|gathered| gathered.bytes()).sum::<usize>();
        let failures = contents.failures.iter().map(|failure| failure.bytes()).sum::<usize>();
        assert!(kept + mentioned + gathered + failures <= 100_000, "{path}");
    }
}

#[tokio::test]
async fn what_no_server_would_have_is_left_out_in_words() {
    let long = "x".repeat(10_000);
    let of = |kind: &str, api_version: &str, namespace: &str| {
        format!(
            "{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{{\"name\":\"a\",\"namespace\":\"{namespace}\"}}}}"
        )
    };
    let definition = format!(
        "{{\"kind\":\"CustomResourceDefinition\",\"apiVersion\":\"apiextensions.k8s.io/v1\",\"metadata\":{{\"name\":\"b\"}},\
         \"spec\":{{\"group\":\"{long}\",\"names\":{{\"plural\":\"bs\",\"kind\":\"B\"}},\"versions\":[{{\"name\":\"v1\"}}]}}}}"
    );
    let files = [
        ("a.json", of(&long, "v1", "n")),
        ("b.json", of("Pod", &long, "n")),
        ("c.json", of("Pod", "v1", &long)),
        ("d.json", format!("{{\"kind\":\"{long}List\",\"apiVersion\":\"v1\",\"items\":[{{\"metadata\":{{\"name\":\"a\"}}}}]}}")),
        ("e.json", format!("{{\"serverVersion\":{{\"gitVersion\":\"{long}{long}\"}}}}")),
        ("f.json", definition),
        ("g.json", of("Pod", "v1", "n")),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let folder = directory(&files);
    let contents = contents(&folder);
    let named: Vec<_> = contents.notes.iter().map(|note| note.split(": ").next().unwrap()).collect();
    assert_eq!(named, ["a.json", "b.json", "c.json", "d.json", "e.json"], "{:?}", contents.notes);
    assert!(contents.notes.iter().all(|note| note.contains("bytes") && !note.contains("xxx")), "{:?}", contents.notes);
    let cluster = Asker(open(folder.path()).unwrap(), Some(folder));
    assert_eq!(cluster.names("/api/v1/pods").await, ["n/a"]);
    assert!(!cluster.json("/apis").await.to_string().contains("xxx"));
}

/// Definitions of `kinds` kinds, and `namespaces` namespaces without objects, in Troubleshoot's layout.
fn kinds_and_namespaces(kinds: usize, namespaces: usize) -> [(&'static str, String); 2] {
    let definition = |n| {
        format!(
            "{{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\",\"metadata\":{{\"name\":\"c{n}s.g\"}},\
             \"spec\":{{\"group\":\"g\",\"scope\":\"Namespaced\",\"names\":{{\"plural\":\"c{n}s\",\"kind\":\"C{n}\"}},\
             \"versions\":[{{\"name\":\"v1\"}}]}}}}\n"
        )
    };
    let namespace = |n| format!("{{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{{\"name\":\"n{n:04}\"}}}}\n");
    [("definitions.json", (0..kinds).map(definition).collect()), ("namespaces.json", (0..namespaces).map(namespace).collect())]
}

#[tokio::test]
async fn kinds_and_namespaces_are_not_noted_for_each_other() {
    let [definitions, namespaces] = kinds_and_namespaces(2_000, 2_000);
    let looked = ("cluster-resources/custom-resources/x.y.json", "[]");
    let failed =
        ("cluster-resources/custom-resources/custom-resources-errors.json", "{ \"c7s.g\": \"no\", \"c8s.g/v1\": \"no\" }");
    let one = r#"[{ "apiVersion": "g/v1", "kind": "C9", "metadata": { "name": "a", "namespace": "zoo" } }]"#;
    let texts = [(definitions.0, &*definitions.1), (namespaces.0, &*namespaces.1), looked, failed, ("c9s.json", one)];
    let cluster = Asker::of(&texts);
    for (kind, said) in [
        ("c0s", "holds c0s.g of namespaces n0000, n0001, n0002, n0003, n0004 and 1995 more only"),
        ("c9s", "holds c9s.g of namespaces n0000, n0001, n0002, n0003, n0004 and 1996 more only"),
    ] {
        let path = format!("/apis/g/v1/{kind}");
        assert!(cluster.warning(&path).await.unwrap().ends_with(said), "{kind}");
        let at = |namespace: &str| format!("/apis/g/v1/namespaces/{namespace}/{kind}");
        assert_eq!(cluster.names(&at("n1999")).await, Vec::<String>::new());
        assert_eq!(cluster.get(&at("zoo")).await.0, if kind == "c9s" { 200 } else { 404 });
        assert!(cluster.refusal(&at("nope")).await.2.contains("none of namespace nope"));
    }
    for kind in ["c7s", "c8s"] {
        let message = cluster.refusal(&format!("/apis/g/v1/namespaces/n0000/{kind}")).await.2;
        assert!(
            message.contains("could not read them, see cluster-resources/custom-resources/custom-resources-errors.json"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn labels_are_kept_once_and_looked_through_once_for_all_terms() {
    let labels = (0..50_000).map(|n| format!("\"{n:x}\":\"\"")).collect::<Vec<_>>().join(",");
    let pod = format!(
        "{{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"a\",\"namespace\":\"a\",\"labels\":{{{labels}}}}}}}"
    );
    let folder = directory(&[("pod.json", &pod)]);
    let contents = contents(&folder);
    let [object] = contents.objects.as_slice() else { panic!("one object") };
    assert!(object.beside() < 2 * pod.len(), "{} bytes beside {}", object.beside(), pod.len());
    let cluster = Asker(open(folder.path()).unwrap(), Some(folder));
    let absent = (0..2_000).map(|n| format!("!z{n:x}")).collect::<Vec<_>>().join(",");
    for (selector, selected) in [("c34f=", true), ("c34f,!c350", true), ("c350", false), ("c34f!=", false), (&*absent, true)] {
        let selector = selector.replace('!', "%21").replace('=', "%3D");
        let names = cluster.names(&format!("/api/v1/pods?labelSelector={selector}")).await;
        assert_eq!(!names.is_empty(), selected, "{selector}");
    }
}
