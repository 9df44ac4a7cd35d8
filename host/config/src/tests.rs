//! sandbar.yaml as it is read, and the messages about what is wrong with it.

mod documents;

use std::time::Duration;

use super::*;

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new("")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// The mistakes as printed, without the file's name.
fn mistakes(text: &str) -> Vec<String> {
    Config::parse(text, Path::new("")).expect_err(text).iter().map(ToString::to_string).collect()
}

/// What a component is granted in the one cluster that there is.
fn granted(config: &Config, source: &Source) -> Grant {
    config.terms(source).grants.remove(ONLY_CLUSTER).expect("a grant")
}

#[test]
fn an_empty_file_means_defaults() {
    assert_eq!(parse("").listen, DEFAULT_LISTEN);
    assert_eq!(parse("# nothing\n").limits, Limits::default());
}

#[test]
fn every_key_is_read() {
    let config = parse(
        "listen: 0.0.0.0:80\ncluster: demo\nnamespaces: [team-a, team-b]\nlimits: { time: 10s, memory: 32Mi, logs: 1000 }\n\
         tools:\n  - component: a.wasm\n    rules:\n      - { apiGroups: [\"\"], resources: [pods], verbs: [get] }\n    \
         partialGrant: true\n    \
         namespaces: [team-a, other]\n    settings: { threshold: 5 }\n    limits: { time: 500ms }\n    maskSecrets: false\nbundled: {}\n",
    );
    let tool = &config.tools[0];
    assert_eq!(config.limits.memory, 32 << 20);
    assert_eq!(config.limits.logs, 1000);
    let source = Source::File("a.wasm".into());
    assert_eq!(config.terms(&source).limits.time, Duration::from_millis(500));
    assert_eq!(config.terms(&source).limits.memory, 32 << 20, "what is absent is inherited");
    assert_eq!(granted(&config, &source).namespaces, ["team-a".to_owned()].into_iter().collect());
    assert_eq!(tool.settings["threshold"], 5);
    assert!(tool.partial_grant);
    assert_eq!(granted(&config, &source).secrets, Secrets::Shown);
    assert_eq!(granted(&config, &Source::File("b.wasm".into())).secrets, Secrets::Masked);
}

#[test]
fn files_are_relative_to_the_file_that_names_them() {
    let text = "tls: { certificate: tls/tls.crt, key: /keys/tls.key, clientCertificateAuthority: ca.crt }\ntools:\n  - component: a.wasm\n";
    let config = Config::parse(text, Path::new("/etc/sandbar")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let tls = TlsConfig {
        certificate: "/etc/sandbar/tls/tls.crt".into(),
        key: "/keys/tls.key".into(),
        client_certificate_authority: Some("/etc/sandbar/ca.crt".into()),
    };
    assert_eq!(config.tls, Some(tls));
    assert_eq!(config.tools[0].component, Source::File("/etc/sandbar/a.wasm".into()));
}

#[test]
fn a_bundled_tool_has_its_own_where_it_has_some() {
    let config = parse(
        "limits: { cpu: 2s }\nnamespaces: [team-a, team-b]\nbundled:\n  maskSecrets: false\n  tools:\n    \
         get_events: { limits: { time: 1s }, namespaces: [team-a, other], maskSecrets: true }\n    \
         get_pod_logs: { enabled: false, limits: { memory: 1Gi } }\n",
    );
    let of = |tool: &str| Source::bundled().find(|source| source.name() == tool).expect("a bundled component");
    let (events, logs, health) = (of("get-events"), of("get-pod-logs"), of("check-health"));
    let (time, cpu) = (Duration::from_secs(1), Duration::from_secs(2));
    assert_eq!(config.terms(&events).limits, Limits { time, cpu, ..Limits::default() });
    assert_eq!(granted(&config, &events).namespaces, ["team-a".to_owned()].into_iter().collect());
    assert_eq!((granted(&config, &events).secrets, granted(&config, &health).secrets), (Secrets::Masked, Secrets::Shown));
    let on = config.packs(&PackNames::new());
    assert_eq!((config.serves(&logs, &on), config.serves(&events, &on)), (false, true));
    assert_eq!(config.largest_memory(), 1 << 30);
    let [unknown] = &mistakes("bundled: { tools: { get_log: {} } }")[..] else { panic!("one mistake") };
    assert!(unknown.contains("unknown key `get_log`; did you mean `get_pod_logs`?"), "{unknown}");
}

#[test]
fn packs_are_a_list_or_what_the_cluster_is_good_for() {
    let suited = PackNames::from(["other"]);
    let on = |text: &str| parse(text).packs(&suited).into_iter().collect::<Vec<_>>();
    assert_eq!(on(""), ["coder"]);
    assert_eq!(on("bundled: {}"), ["coder"]);
    assert_eq!(on("bundled: { packs: [coder, coder] }"), ["coder"]);
    assert!(on("bundled: { packs: [] }").is_empty());
    assert_eq!(on("bundled: { packs: auto }"), ["other"]);
    for (text, place, said) in [
        ("bundled: { packs: [codr] }", "1:12", "`codr` is not known here; did you mean `coder`?"),
        ("bundled:\n  packs:\n    - coder\n    - nothing-of-the-kind\n", "2:3", "the possible ones are coder"),
        ("bundled: { packs: [auto, coder] }", "1:", "write `packs: auto`"),
        ("bundled: { packs: coder }", "1:12", "a list of packs, as `[coder]`, or the word `auto`"),
        ("bundled: { packs: }", "1:", "a list of packs"),
    ] {
        let [mistake] = &mistakes(text)[..] else { panic!("one mistake: {text}") };
        assert!(mistake.starts_with(place) && mistake.contains(said), "{text}: {mistake}");
    }
}

#[test]
fn the_flag_for_packs_takes_what_the_file_does() {
    assert_eq!("auto".parse(), Ok(Packs::Auto));
    assert_eq!("coder".parse(), Ok(Packs::default()));
    assert_eq!("coder, coder".parse(), Ok(Packs::default()));
    for (text, said) in [
        ("codr", "did you mean \"coder\"?"),
        ("", "the possible ones are coder"),
        ("coder,", "\"\" is no pack"),
        ("coder,auto", "`auto` stands alone"),
    ] {
        let words = text.parse::<Packs>().expect_err(text);
        assert!(words.contains(said), "{text}: {words}");
    }
}

#[test]
fn whoever_names_a_tool_of_a_pack_that_is_off_is_told() {
    let said = |packs: &str, tools: &str| {
        let config = parse(&format!(
            "authentication: {{ tokenReview: {{ audiences: [a] }} }}\n\
             authorization: {{ tools: {{ rules: [{{ users: [ann], tools: [get_events, promise, get_evnets] }}] }} }}\n\
             bundled: {{ packs: {packs}, tools: {tools} }}\n"
        ));
        let on = config.packs(&PackNames::new());
        let served = Source::bundled().filter(|source| config.serves(source, &on)).filter_map(|source| source.bundled_tool());
        let known: Vec<String> = served.chain(["promise".to_owned()]).collect();
        config.unknown_tools(known.iter().map(String::as_str), &on)
    };
    let entry = "{ get_pod_logs: { limits: { time: 1s } }, check_health: { enabled: false } }";
    let unknown = "authorization.tools.rules: there is no tool \"get_evnets\"";
    assert_eq!(said("[coder]", entry), [format!("{unknown}; did you mean \"get_events\"?")]);
    assert_eq!(
        said("[]", entry),
        [
            "authorization.tools.rules: get_events is in the pack coder, which is not on: `bundled.packs`",
            unknown,
            "bundled.tools: get_pod_logs is in the pack coder, which is not on: add that to `bundled.packs`, or remove the entry",
        ]
    );
    assert_eq!(said("auto", entry), [unknown], "what is off by itself is nobody's mistake");
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_right_one() {
    assert_eq!(mistakes("cluster: demo\nlisen: x\n"), ["2:1: unknown key `lisen`; did you mean `listen`?"]);
    assert_eq!(mistakes("limits:\n  cpus: 1s\n"), ["2:3: unknown key `cpus`; did you mean `cpu`?"]);
    let [far] = &mistakes("replicas: 2\n")[..] else { panic!("one mistake") };
    assert!(far.contains("the possible ones are listen, tls, cluster"), "{far}");
    let text = "tools:\n  - component: a\n    rules:\n      - { apiGroup: [\"\"], resources: [pods], verbs: [get] }\n";
    assert_eq!(mistakes(text), ["4:11: unknown key `apiGroup`; did you mean `apiGroups`?"]);
}

#[test]
fn a_mistake_is_one_line_whatever_it_quotes() {
    for text in
        [r#""lis\e[31m\u202e\nen": x"#, r#"tools: [{ component: a, rules: [{ verbs: ["g\net"] }] }]"#, r#"namespaces: ["a\nb"]"#]
    {
        let [mistake] = &mistakes(text)[..] else { panic!("one mistake: {text}") };
        assert!(!mistake.contains(['\n', '\u{1b}', '\u{202e}']), "{mistake:?}");
    }
}

#[test]
fn a_wrong_type_is_named_with_its_place() {
    for (text, place, said) in [
        ("namespaces: team-a\n", "1:13", "should be a list"),
        ("namespaces:\n", "1:11", "should be a list"),
        ("tls:\n", "1:4", "should be a mapping"),
        ("tls: { certificate: a.crt }\n", "1:", "`key` is missing"),
        ("tls: { certificate: a.crt, key: a.key, clientCertificateAuthority: }\n", "1:66", "null"),
        ("limits: 5\n", "1:9", "should be a mapping"),
        ("limits:\n", "1:7", "should be a mapping"),
        ("tools:\n  - a.wasm\n", "2:5", "write `- component: FILE`"),
        ("tools: [a.wasm, b.wasm]\n", "1:9", "write `- component: FILE`"),
        ("tools:\n  - component: a.wasm\n  - b.wasm\n", "3:5", "write `- component: FILE`"),
        ("tools: a.wasm\n", "1:8", "`- component: FILE`"),
        ("tools:\n  a.wasm: {}\n", "2:3", "`- component: FILE`"),
        ("bundled: [get_events]\n", "1:10", "should be a mapping of keys to values"),
        ("- listen\n", "1:1", "should be a mapping"),
        ("limits:\n  requests: many\n", "2:13", "\"many\" is no whole number above zero"),
        ("callsPerSecond: 0\n", "1:17", "\"0\" is no whole number above zero"),
        ("callsPerSecond: 1.5\n", "1:17", "\"1.5\" is no whole number above zero"),
        ("limits: { time: 0s }\n", "1:17", "\"0s\""),
        ("limits: { time: 10 }\n", "1:17", "30s"),
        ("limits: { memory: 5MB }\n", "1:19", "\"5MB\" is no size from 2Mi to 4Gi"),
        ("limits: { memory: 5Gi }\n", "1:19", "4Gi"),
        ("limits: { memory: 64Ki }\n", "1:19", "2Mi"),
        ("limits: { page: 0 }\n", "1:17", "from 1 to 10000"),
        ("limits: { time: 2000m }\n", "1:17", "up to 60m"),
        ("cluster: nowhere\n", "1:10", "nowhere"),
        ("listen: 8090\n", "1:9", "\"8090\" is no IP address with a port"),
        ("metrics: { listen: 9090 }\n", "1:20", "write 127.0.0.1:9090, or 0.0.0.0:9090"),
        ("tools:\n  - rules: []\n", "2:", "`component` is missing"),
        ("tools:\n  - component: a\n    partialGrant: maybe\n", "3:19", "true or false"),
        ("hosts: [a]\nhosts: [b]\n", "2:1", "`hosts` is here twice"),
        ("listen: [\n", "", ""),
    ] {
        let [mistake] = &mistakes(text)[..] else { panic!("one mistake: {text}") };
        assert!(mistake.starts_with(place) && mistake.contains(said), "{text}: {mistake}");
    }
    let text = "tools:\n  - component: a\n    rules:\n      - { apiGroups: [\"\"], resources: [pods], verbs: [gets] }\n";
    assert_eq!(mistakes(text), ["4:55: `gets` is not known here; did you mean `get`?"]);
}

#[test]
fn all_impossible_values_are_named_with_their_places() {
    let text = "namespaces: [team-a, Team_B]\norigins: [inspector.example.com]\nhosts: [\"*.example.com\"]\ntools:\n  \
                - component: a.wasm\n    namespaces:\n      - a.b\n    rules:\n      \
                - { apiGroups: [core], resources: [pods], verbs: [get] }\n      \
                - { apiGroups: [\"\"], resources: [pods/exec], verbs: [get] }\n    clusterRules:\n      \
                - { apiGroups: [\"\"], resources: [pods/log], verbs: [get] }\n  - component: a.wasm\n";
    let found = mistakes(text);
    for (place, said) in [
        ("1:22", "\"Team_B\" is no namespace"),
        ("2:11", "is no origin"),
        ("3:9", "is no host"),
        ("7:9", "\"a.b\" is no namespace"),
        ("9:9", "the core group is written \"\""),
        ("10:9", "`pods/exec` cannot be granted"),
        ("12:9", "put it under `rules`"),
        ("13:16", "a.wasm has an entry already"),
    ] {
        let one = found.iter().find(|mistake| mistake.starts_with(place)).unwrap_or_else(|| panic!("{place}: {found:?}"));
        assert!(one.contains(said), "{one}");
    }
    assert_eq!(found.len(), 8, "{found:?}");
}

#[test]
fn rules_that_multiply_are_refused() {
    let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
    let rule = format!("{{ apiGroups: [{0}], resources: [{0}], verbs: [get] }}", names.join(", "));
    let text = format!("tools:\n  - component: a\n    rules:\n      - {rule}\n");
    let [mistake] = &mistakes(&text)[..] else { panic!("one mistake") };
    assert!(mistake.starts_with("2:5: the rules come to 10000 rights, and to 4096 at most"), "{mistake}");
}

#[test]
fn an_entry_is_for_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("tools:\n  - component: {}\n", folder.path().display());
    let [mistake] = &mistakes(&text)[..] else { panic!("one mistake") };
    assert!(mistake.starts_with("2:16: ") && mistake.contains("is a folder"), "{mistake}");

    std::fs::write(folder.path().join("a.wasm"), "").unwrap();
    std::fs::create_dir(folder.path().join("b")).unwrap();
    let twice = "tools:\n  - component: a.wasm\n  - component: b/../a.wasm\n";
    let found = Config::parse(twice, folder.path()).expect_err("one component twice");
    assert!(found[0].what.contains("has an entry already"), "{found:?}");
}

/// The mistakes of a list of issuers, without their places.
fn mistakes_of_issuers(entries: &str) -> Vec<String> {
    let found = mistakes(&format!("authentication:\n  oidc:\n{entries}"));
    found.into_iter().map(|mistake| mistake.split_once(": ").expect("a place").1.to_owned()).collect()
}

const MAPPINGS: &str = "claimMappings: { username: { claim: sub, prefix: 'a:' } }";

#[test]
fn an_issuer_is_what_kubernetes_takes_for_one() {
    let config = parse(
        "authentication:
  oidc:
    - issuer:
        url: https://issuer.example/realm
        discoveryURL: https://inside.example/discovery
        audiences: [sandbar, https://sandbar.example/mcp]
        audienceMatchPolicy: MatchAny
        certificateAuthority: |
          -----BEGIN CERTIFICATE-----
          AQID
          -----END CERTIFICATE-----
      claimMappings:
        username: { claim: email, prefix: '' }
        groups: { claim: groups, prefix: 'g:' }
        uid: { claim: sub }
      claimValidationRules: [{ claim: hd, requiredValue: example.com }, { claim: empty }]
  resource: { url: https://sandbar.example/mcp, scopes: [openid, 'api://x/y'] }
",
    );
    let [oidc] = &config.authentication.oidc[..] else { panic!("one issuer") };
    assert_eq!(oidc.issuer.audiences, ["sandbar", "https://sandbar.example/mcp"]);
    assert_eq!(oidc.claim_mappings.groups.as_ref().map(|groups| &*groups.prefix), Some("g:"));
    assert_eq!(oidc.claim_validation_rules[1].required_value, "");
}

#[test]
fn an_issuer_that_proves_nothing_is_refused() {
    let entry = |issuer: &str| format!("    - issuer: {{ {issuer} }}\n      {MAPPINGS}\n");
    let good = "url: 'https://a.example', audiences: [s]";
    for (issuer, said) in [
        ("url: 'http://a.example', audiences: [s]", "begins with https://"),
        ("url: 'http://127.0.0.1:8080', audiences: [s]", "begins with https://"),
        ("url: 'https://', audiences: [s]", "no such URL"),
        ("url: 'https://me@a.example', audiences: [s]", "no such URL"),
        ("url: 'https://a.example?b=c', audiences: [s]", "no such URL"),
        ("url: 'https://a.example/#b', audiences: [s]", "no such URL"),
        ("url: a.example, audiences: [s]", "no such URL"),
        ("url: 'https://kubernetes.default.svc.cluster.local/', audiences: [s]", "`tokenReview` is for"),
        ("url: 'https://a.example', audiences: []", "an audience is required"),
        ("url: 'https://a.example'", "missing"),
        ("url: 'https://a.example', audiences: ['']", "cannot be empty"),
        ("url: 'https://a.example', audiences: [s, s], audienceMatchPolicy: MatchAny", "stands there already"),
        ("url: 'https://a.example', audiences: [s, t]", "audienceMatchPolicy: MatchAny"),
        ("url: 'https://a.example', audiences: [https://kubernetes.default.svc]", "own audience"),
        ("url: 'https://a.example', audiences: [s], audienceMatchPolicy: MatchAll", "MatchAll"),
        ("url: 'https://a.example', audiences: [s], discoveryURL: 'https://a.example/'", "leave it out"),
        ("url: 'https://a.example', audiences: [s], discoveryURL: 'http://b.example/'", "begins with https://"),
        ("url: 'https://a.example', audiences: [s], certificateAuthority: /etc/ca.crt", "certificateAuthorityFile"),
        ("url: 'https://a.example', audiences: [s], egressSelectorType: cluster", "unknown key `egressSelectorType`"),
    ] {
        let found = mistakes_of_issuers(&entry(issuer));
        assert!(found.len() == 1 && found[0].contains(said), "{issuer}: {found:?}");
    }
    let pem = "certificateAuthority: '-----BEGIN CERTIFICATE-----', certificateAuthorityFile: ca.crt";
    assert!(mistakes_of_issuers(&entry(&format!("{good}, {pem}")))[0].contains("give one of them"));
    let twice = entry(good).repeat(2);
    assert!(mistakes_of_issuers(&twice).iter().any(|mistake| mistake.contains("has an entry already")));

    for (rest, said) in [
        ("claimMappings: { username: { claim: sub } }", "prefix"),
        ("claimMappings: { username: { claim: '', prefix: '' } }", "a claim has a name"),
        ("claimMappings: { username: { claim: sub, prefix: 'system:' } }", "Kubernetes' own"),
        (
            "claimMappings: { username: { claim: sub, prefix: '' }, groups: { claim: groups, prefix: 'system:serviceaccounts' } }",
            "Kubernetes' own",
        ),
        ("claimMappings: { username: { expression: claims.sub } }", "unknown key `expression`"),
        ("claimMappings: { username: { claim: sub, prefix: '' }, extra: [] }", "unknown key `extra`"),
        ("claimMappings: {}", "username"),
        (&format!("{MAPPINGS}\n      userValidationRules: []"), "unknown key `userValidationRules`"),
        (&format!("{MAPPINGS}\n      claimValidationRules: [{{ expression: 'true' }}]"), "unknown key `expression`"),
        (&format!("{MAPPINGS}\n      claimValidationRules: [{{ claim: a }}, {{ claim: a }}]"), "has a rule already"),
        (&format!("{MAPPINGS}\n      claimValidationRules: [{{ claim: '' }}]"), "a claim has a name"),
    ] {
        let found = mistakes_of_issuers(&format!("    - issuer: {{ {good} }}\n      {rest}\n"));
        assert!(found.len() == 1 && found[0].contains(said), "{rest}: {found:?}");
    }
}

#[test]
fn the_users_and_groups_of_two_issuers_are_kept_apart() {
    let two = |one: &str, other: &str| {
        let entry = |host: &str, prefix: &str| {
            let claim = |claim: &str| format!("{{ claim: {claim}, prefix: '{prefix}' }}");
            let mappings = format!("{{ username: {}, groups: {} }}", claim("sub"), claim("groups"));
            format!("    - issuer: {{ url: 'https://{host}', audiences: [s] }}\n      claimMappings: {mappings}\n")
        };
        format!("authentication:\n  oidc:\n{}{}", entry("a.example", one), entry("b.example", other))
    };
    for (one, other) in [("", ""), ("a:", "a:"), ("", "b:"), ("a:", "a:b:"), ("a:b:", "a:")] {
        let found = mistakes(&two(one, other));
        assert!(found.iter().any(|mistake| mistake.contains("a user of the one")), "{one} {other}: {found:?}");
        assert!(found.iter().any(|mistake| mistake.contains("a group of the one")), "{one} {other}: {found:?}");
    }
    assert_eq!(parse(&two("a:", "b:")).authentication.oidc.len(), 2);
}

#[test]
fn where_tokens_are_to_be_had_is_told_of_issuers_alone() {
    let with = |resource: &str| {
        mistakes(&format!(
            "authentication:\n  resource: {resource}\n  oidc:\n    - issuer: {{ url: 'https://a.example', audiences: [s] }}\n      {MAPPINGS}\n"
        ))
    };
    for (resource, said) in [
        ("{ url: sandbar.example }", "no such URL"),
        ("{ url: 'https://sandbar.example/mcp?a' }", "no such URL"),
        ("{ scopes: ['a b'] }", "is no scope"),
        ("{ scopes: ['a\"b'] }", "is no scope"),
    ] {
        assert!(with(resource)[0].contains(said), "{resource}: {:?}", with(resource));
    }
    let alone = mistakes("authentication: { tokenReview: { audiences: [s] }, resource: { scopes: [a] } }\n");
    assert!(alone[0].contains("there is no issuer"), "{alone:?}");
    let nobody = mistakes("authentication: { resource: { scopes: [a] } }\n");
    assert!(nobody[0].contains("names no way"), "{nobody:?}");
}
