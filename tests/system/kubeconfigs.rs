//! Kubeconfigs of every kind: whatever the real kubectl connects with, Sandbar connects with.
//!
//! Each row is a file and what becomes of it. Both programs are run with it against the same servers, and have to agree; where Sandbar
//! takes more than kubectl, the row says so.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use rcgen::ExtendedKeyUsagePurpose::ClientAuth;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::in_time;
use sandbar_tests::sandbar::Run;
use sandbar_tests::tls_api::{Pair, Shape, TlsApi};
use tempfile::TempDir;

/// Rows that run at once.
const AT_ONCE: usize = 2;

/// What becomes of a kubeconfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Both connect.
    Connects,
    /// Neither does, and Sandbar's words hold this text.
    Refused(&'static str),
    /// kubectl does not, and Sandbar does: what is meant is clear.
    Lenient,
}
use Outcome::{Connects, Lenient, Refused};

/// The servers, and the files that lead to them.
struct World {
    folder: TempDir,
    /// Signed by an authority.
    signed: TlsApi,
    /// What rows need: names and values in their texts.
    values: Vec<(&'static str, String)>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Shape::server();
        let authority = Pair::alone("authority", &Shape::authority());
        let stranger = Pair::alone("stranger", &Shape::authority());
        let between = Pair::signed("between", &Shape::authority(), &authority);
        let old_authority = Pair::alone("old", &Shape { expired: true, ..Shape::authority() });
        let leaf = Pair::signed("server", &server, &authority);
        let client = Pair::signed("client", &Shape { purpose: Some(ClientAuth), ..Shape::default() }, &authority);
        let other_client = Pair::signed("client", &Shape { purpose: Some(ClientAuth), ..Shape::default() }, &authority);
        let own_authority = Pair::alone("own", &Shape { authority: true, ..server.clone() });
        let own_leaf = Pair::alone("own", &server);
        let start = |pair: &Pair, chain: &[&Pair]| TlsApi::start(pair, chain, &authority).address().to_string();
        let signed = TlsApi::start(&leaf, &[], &authority);
        let mut values = vec![
            ("SIGNED", signed.address().to_string()),
            ("PORT", signed.address().port().to_string()),
            ("OWN_CA", start(&own_authority, &[])),
            ("OWN_LEAF", start(&own_leaf, &[])),
            ("CA_SIGNED_BY_CA", start(&Pair::signed("sub", &Shape { authority: true, ..server.clone() }, &authority), &[])),
            ("CHAIN", start(&Pair::signed("below", &server, &between), &[&between])),
            ("BELOW", start(&Pair::signed("below", &server, &between), &[])),
            ("NAMED", start(&Pair::signed("named", &Shape { names: vec!["api.test"], ..server.clone() }, &authority), &[])),
            ("EXPIRED", start(&Pair::signed("expired", &Shape { expired: true, ..server.clone() }, &authority), &[])),
            ("OLD_CA", start(&Pair::signed("late", &server, &old_authority), &[])),
            (
                "FOR_CLIENTS",
                start(&Pair::signed("wrong", &Shape { purpose: Some(ClientAuth), ..server.clone() }, &authority), &[]),
            ),
            ("BY_LEAF", start(&Pair::signed("forged", &server, &leaf), &[])),
            ("STRANGE", start(&Pair::signed("strange", &server, &stranger), &[])),
            ("PLAIN", TlsApi::plain().address().to_string()),
        ];
        let files = [
            ("ca", authority.pem()),
            ("leaf", leaf.pem()),
            ("own_ca", own_authority.pem()),
            ("own_leaf", own_leaf.pem()),
            ("between", between.pem()),
            ("old", old_authority.pem()),
            ("stranger", stranger.pem()),
            ("crt", client.pem()),
            ("key", client.key_pem()),
            ("sec1", sec1(&client.key_der())),
            ("other_key", other_client.key_pem()),
            ("both", client.pem() + &client.key_pem()),
            ("broken", "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n".to_owned()),
            ("token", "good-token\n".to_owned()),
            ("bad_token", "SECRET-token\n".to_owned()),
        ];
        for (name, text) in &files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let data = |names: &[&str]| {
            let text: String =
                names.iter().map(|&name| files.iter().find(|(known, _)| *known == name).unwrap().1.as_str()).collect();
            STANDARD.encode(text)
        };
        for (name, parts) in [
            ("CA", &["ca"][..]),
            ("LEAF", &["leaf"]),
            ("OWN_CA_PEM", &["own_ca"]),
            ("OWN_LEAF_PEM", &["own_leaf"]),
            ("BETWEEN", &["between"]),
            ("OLD", &["old"]),
            ("BUNDLE", &["token", "stranger", "broken", "ca"]),
            ("STRANGER", &["stranger"]),
            ("BROKEN", &["broken"]),
            ("CRT", &["crt"]),
            ("KEY", &["key"]),
            ("SEC1", &["sec1"]),
            ("OTHER_KEY", &["other_key"]),
            ("NO_PEM", &["token"]),
        ] {
            values.push((name, data(parts)));
        }
        let wrapped: Vec<String> =
            data(&["ca"]).as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
        values.push(("WRAPPED_CA", wrapped.join("\n      ")));
        values.push(("DIR", folder.path().display().to_string()));
        values.push(("PLUGIN", plugin(folder.path(), "plugin", r#""token": "good-token""#)));
        values.push((
            "CERTIFICATE_PLUGIN",
            plugin(
                folder.path(),
                "cert-plugin",
                &format!(r#""clientCertificateData": {:?}, "clientKeyData": {:?}"#, client.pem(), client.key_pem()),
            ),
        ));
        values.push(("FAILING_PLUGIN", script(folder.path(), "failing", "echo SECRET-output; echo log in first >&2; exit 1")));
        // Longer names first, so that none is taken for the beginning of another.
        values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { folder, signed, values }
    }

    fn fill(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
    }
}

/// A program that prints credentials.
fn plugin(folder: &Path, name: &str, status: &str) -> String {
    let version = "client.authentication.k8s.io/v1";
    let answer = format!(r#"{{"kind": "ExecCredential", "apiVersion": "{version}", "status": {{{status}}}}}"#);
    script(folder, name, &format!("cat <<'END'\n{answer}\nEND"))
}

fn script(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// A P-256 key of PKCS 8 as openssl and Go write it: SEC 1, with the name of its curve.
fn sec1(pkcs8: &[u8]) -> String {
    /// `[0] prime256v1`.
    const CURVE: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let start = pkcs8.windows(7).position(|bytes| bytes[..3] == [0x02, 0x01, 0x01] && bytes[3..5] == [0x04, 0x20]).unwrap();
    let inner = &pkcs8[start..];
    let mut key = inner[..37].to_vec();
    key.extend(CURVE);
    key.extend(&inner[37..]);
    let mut der = vec![0x30, u8::try_from(key.len()).unwrap()];
    der.extend(key);
    let mut pem = "-----BEGIN EC PRIVATE KEY-----\n".to_owned();
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        let _ = writeln!(pem, "{}", std::str::from_utf8(line).unwrap());
    }
    pem + "-----END EC PRIVATE KEY-----\n"
}

/// A kubeconfig with these lines for its cluster and its user.
fn config(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context:\n    cluster: c\n    user: u\nclusters:\n- name: c\n  cluster:\n    {}\nusers:\n- name: u\n  user:\n    {}\n",
        cluster.replace('\n', "\n    "),
        user.replace('\n', "\n    ")
    )
}

const SERVER: &str = "server: https://<SIGNED>\ncertificate-authority-data: <CA>";
const TOKEN: &str = "token: good-token";

/// What is other than in a plain kubeconfig of one cluster, whose user has a token.
fn rows() -> Vec<(&'static str, Vec<u8>, Outcome)> {
    let good = config(SERVER, TOKEN);
    let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect::<Vec<u8>>()
    };
    let json = r#"{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"clusters":[{"name":"c","cluster":{"server":"https://<SIGNED>","certificate-authority-data":"<CA>"}}],"users":[{"name":"u","user":{"token":"good-token"}}]}"#;
    let text = |text: String| text.into_bytes();
    let cluster = |lines: &str| config(lines, TOKEN).into_bytes();
    let at = |server: &str| config(&format!("server: {server}\ncertificate-authority-data: <CA>"), TOKEN).into_bytes();
    let trusting = |server: &str, pem: &str| {
        config(&format!("server: https://<{server}>\ncertificate-authority-data: <{pem}>"), TOKEN).into_bytes()
    };
    let user = |lines: &str| config(SERVER, lines).into_bytes();
    let exec = |command: &str, more: &str| {
        config(
            SERVER,
            &format!(
                "exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: {command}\n  interactiveMode: Never\n{more}"
            ),
        )
        .into_bytes()
    };
    vec![
        ("a plain one", text(good.clone()), Connects),
        // The text.
        ("JSON", text(json.to_owned()), Connects),
        ("JSON with tabs and line breaks", text(json.replace(',', ",\n\t")), Connects),
        ("Windows line ends", text(good.replace('\n', "\r\n")), Connects),
        ("a byte order mark", text(format!("\u{feff}{good}")), Connects),
        ("UTF-16 little endian", utf16(&good, u16::to_le_bytes), Connects),
        ("UTF-16 big endian", utf16(&good, u16::to_be_bytes), Connects),
        ("a second document", text(format!("{good}---\ncurrent-context: other\n")), Connects),
        ("a second document that is broken", text(format!("{good}---\n[\n")), Connects),
        ("comments and an end mark", text(format!("# comment\n---\n{good}...\n")), Connects),
        ("a key twice", text(good.replace("current-context: c", "current-context: x\ncurrent-context: c")), Connects),
        (
            "an alias",
            text(good.replace("- name: c\n  context", "- name: &name c\n  context").replace("cluster: c\n", "cluster: *name\n")),
            Connects,
        ),
        ("no apiVersion and no kind", text(good.replace("apiVersion: v1\nkind: Config\n", "")), Connects),
        ("another kind", text(good.replace("kind: Config", "kind: Pod")), Refused("kind")),
        ("another version", text(good.replace("apiVersion: v1", "apiVersion: v2")), Refused("apiVersion")),
        (
            "unknown fields",
            text(good.replace("kind: Config", "kind: Config\ncolour: red\npreferences: {colors: true}\nextensions: []")),
            Connects,
        ),
        ("a broken text", text(good.replace("token: good-token", "token: SECRET-token\n    x: [")), Refused("line ")),
        // Entries that nobody asked for.
        ("null lists beside", text(good.clone() + "extensions: null\n"), Connects),
        (
            "empty entries",
            text(
                good.replace("contexts:\n", "contexts:\n- name: x\n  context: null\n- {}\n")
                    .replace("users:\n", "users:\n- name: x\n  user: null\n"),
            ),
            Connects,
        ),
        (
            "another user without a key",
            text(good.replace("users:\n", "users:\n- name: x\n  user: {client-certificate-data: Zm9v}\n")),
            Connects,
        ),
        (
            "another cluster with files that are not there",
            text(good.replace(
                "clusters:\n",
                "clusters:\n- name: x\n  cluster: {server: 'https://x', certificate-authority: /no/such/file}\n",
            )),
            Connects,
        ),
        ("another user of a wrong type", text(good.replace("users:\n", "users:\n- name: x\n  user: {token: 4711}\n")), Lenient),
        (
            "another user that is broken base64",
            text(good.replace("users:\n", "users:\n- name: x\n  user: {client-key-data: '!'}\n")),
            Lenient,
        ),
        (
            "the same user twice",
            text(good.replace("users:\n", "users:\n- name: u\n  user: {token: SECRET-token}\n")),
            Refused("two entries"),
        ),
        ("the same name twice elsewhere", text(good.replace("users:\n", "users:\n- name: x\n- name: x\n")), Lenient),
        ("a namespace that is none", text(good.replace("    user: u\n", "    user: u\n    namespace: ''\n")), Connects),
        ("a cluster that is not there", text(good.replace("cluster: c\n    user", "cluster: x\n    user")), Refused("not there")),
        ("a context that is not there", text(good.replace("current-context: c", "current-context: x")), Refused("no context")),
        // The address.
        ("a trailing slash", at("https://<SIGNED>/"), Connects),
        ("a path", at("https://<SIGNED>/prefix"), Connects),
        ("a path and a slash", at("https://<SIGNED>/prefix/"), Connects),
        ("a path and a query", at("https://<SIGNED>/prefix?x=y"), Connects),
        ("a query", at("https://<SIGNED>/?x=y"), Connects),
        ("an upper-case scheme", at("HTTPS://<SIGNED>"), Connects),
        ("a name", at("https://localhost:<PORT>"), Connects),
        ("an upper-case name", at("https://LOCALHOST:<PORT>"), Connects),
        ("no scheme", at("<PLAIN>"), Connects),
        ("no scheme, and a server with TLS", at("<SIGNED>"), Refused("cannot be reached")),
        ("no scheme, and a path", at("<PLAIN>/prefix"), Refused("scheme")),
        ("http", at("http://<PLAIN>"), Connects),
        (
            "http with an authority that is none",
            config("server: http://<PLAIN>\ncertificate-authority-data: <NO_PEM>", TOKEN).into_bytes(),
            Connects,
        ),
        ("https, and a server without TLS", at("https://<PLAIN>"), Refused("TLS")),
        ("another scheme", at("ftp://<SIGNED>"), Refused("scheme")),
        ("an empty address", at("''"), Refused("server")),
        ("spaces around the address", at("' https://<SIGNED> '"), Lenient),
        (
            "a password in the address",
            config("server: https://me:good-password@<SIGNED>\ncertificate-authority-data: <CA>", "as: ''").into_bytes(),
            Lenient,
        ),
        // What is empty is not set.
        (
            "empty strings for the cluster",
            cluster(&format!("{SERVER}\ntls-server-name: ''\ncertificate-authority: ''\nproxy-url: ''")),
            Connects,
        ),
        (
            "an empty authority, and no check",
            cluster(
                "server: https://<SIGNED>\ninsecure-skip-tls-verify: true\ncertificate-authority: ''\ncertificate-authority-data: ''",
            ),
            Connects,
        ),
        (
            "nulls for the cluster",
            cluster(&format!(
                "{SERVER}\ntls-server-name: null\ncertificate-authority: ~\nproxy-url:\ninsecure-skip-tls-verify: null"
            )),
            Connects,
        ),
        ("empty certificate files", user(&format!("{TOKEN}\nclient-certificate: ''\nclient-key: ''")), Connects),
        ("empty certificate data", user(&format!("{TOKEN}\nclient-certificate-data: ''\nclient-key-data: ''")), Connects),
        ("an empty password", user(&format!("{TOKEN}\nusername: ''\npassword: ''")), Connects),
        ("an empty token, and a file", user("token: ''\ntokenFile: <DIR>/token"), Connects),
        ("an empty file of a token", user(&format!("{TOKEN}\ntokenFile: ''")), Connects),
        ("nobody impersonated", user(&format!("{TOKEN}\nas: ''\nas-groups: []\nas-user-extra: {{}}")), Connects),
        ("no plugin and no provider", user(&format!("{TOKEN}\nexec: null\nauth-provider: null")), Connects),
        // Trust.
        ("an authority's file", cluster("server: https://<SIGNED>\ncertificate-authority: <DIR>/ca"), Connects),
        ("a relative file", cluster("server: https://<SIGNED>\ncertificate-authority: ca"), Connects),
        (
            "a file that is not there",
            cluster("server: https://<SIGNED>\ncertificate-authority: /no/such/ca.crt"),
            Refused("/no/such/ca.crt"),
        ),
        ("a file and data", cluster(&format!("{SERVER}\ncertificate-authority: <DIR>/ca")), Refused("both")),
        (
            "base64 over several lines",
            cluster("server: https://<SIGNED>\ncertificate-authority-data: |\n  <WRAPPED_CA>"),
            Connects,
        ),
        ("a bundle with junk, strangers and a broken one", trusting("SIGNED", "BUNDLE"), Connects),
        ("an authority that is none", trusting("SIGNED", "NO_PEM"), Refused("PEM")),
        ("an authority that is broken", trusting("SIGNED", "BROKEN"), Refused("PEM")),
        ("no base64", cluster("server: https://<SIGNED>\ncertificate-authority-data: '!'"), Refused("base64")),
        ("a stranger's authority", trusting("STRANGE", "CA"), Refused("certificate")),
        ("its own certificate, of an authority", trusting("OWN_CA", "OWN_CA_PEM"), Connects),
        ("its own certificate, of no authority", trusting("OWN_LEAF", "OWN_LEAF_PEM"), Connects),
        ("its own certificate, signed by another", trusting("SIGNED", "LEAF"), Connects),
        ("a leaf that has signed another", trusting("BY_LEAF", "LEAF"), Refused("certificate")),
        ("an authority's certificate, signed by one", trusting("CA_SIGNED_BY_CA", "CA"), Connects),
        ("a chain", trusting("CHAIN", "CA"), Connects),
        ("an intermediate", trusting("BELOW", "BETWEEN"), Connects),
        ("a chain with a part missing", trusting("BELOW", "CA"), Refused("certificate")),
        ("an expired certificate", trusting("EXPIRED", "CA"), Refused("run out")),
        ("an expired authority", trusting("OLD_CA", "OLD"), Refused("run out")),
        ("a certificate for clients", trusting("FOR_CLIENTS", "CA"), Refused("certificate")),
        ("a certificate for another name", trusting("NAMED", "CA"), Refused("tls-server-name")),
        (
            "a name for the certificate",
            cluster("server: https://<NAMED>\ncertificate-authority-data: <CA>\ntls-server-name: api.test"),
            Connects,
        ),
        (
            "an address for the certificate",
            cluster("server: https://localhost:<PORT>\ncertificate-authority-data: <CA>\ntls-server-name: 127.0.0.1"),
            Connects,
        ),
        (
            "the wrong name for the certificate",
            cluster("server: https://<NAMED>\ncertificate-authority-data: <CA>\ntls-server-name: other.test"),
            Refused("tls-server-name"),
        ),
        ("no check", cluster("server: https://<STRANGE>\ninsecure-skip-tls-verify: true"), Connects),
        ("no check, in YAML 1.1", cluster("server: https://<STRANGE>\ninsecure-skip-tls-verify: yes"), Connects),
        (
            "no check of an expired certificate for another name",
            cluster("server: https://<EXPIRED>\ninsecure-skip-tls-verify: true\ntls-server-name: x.test"),
            Connects,
        ),
        (
            "no check, and an authority",
            cluster(&format!("{SERVER}\ninsecure-skip-tls-verify: true")),
            Refused("insecure-skip-tls-verify"),
        ),
        ("no check, in quotes", cluster("server: https://<STRANGE>\ninsecure-skip-tls-verify: 'true'"), Lenient),
        // Who asks.
        ("a token that is wrong", user("token: SECRET-token"), Refused("does not accept")),
        ("a token that is a number", user("token: 4711"), Refused("quotes")),
        ("a token with a line break behind it", user("token: |\n  good-token"), Lenient),
        ("a file of a token", user("tokenFile: <DIR>/token"), Connects),
        ("a relative file of a token", user("tokenFile: token"), Connects),
        ("a token and a file", user("token: SECRET-token\ntokenFile: <DIR>/token"), Connects),
        ("a token and the wrong file", user("token: good-token\ntokenFile: <DIR>/bad_token"), Refused("does not accept")),
        ("a token and a file that is not there", user("token: good-token\ntokenFile: /no/such/token"), Connects),
        ("a file of a token that is not there", user("tokenFile: /no/such/token"), Refused("/no/such/token")),
        ("a password", user("username: me\npassword: good-password"), Connects),
        ("a token and a password", user("token: good-token\nusername: me\npassword: SECRET-password"), Refused("remove one")),
        ("a client certificate", user("client-certificate-data: <CRT>\nclient-key-data: <KEY>"), Connects),
        ("a client certificate in files", user("client-certificate: <DIR>/crt\nclient-key: key"), Connects),
        (
            "a client certificate and its key in one file",
            user("client-certificate: <DIR>/both\nclient-key: <DIR>/both"),
            Connects,
        ),
        (
            "a client certificate in a file, and its key not",
            user("client-certificate: <DIR>/crt\nclient-key-data: <KEY>"),
            Connects,
        ),
        ("a key in SEC 1", user("client-certificate-data: <CRT>\nclient-key-data: <SEC1>"), Connects),
        ("another's key", user("client-certificate-data: <CRT>\nclient-key-data: <OTHER_KEY>"), Refused("not the key")),
        ("a client certificate that is none", user("client-certificate-data: <NO_PEM>\nclient-key-data: <KEY>"), Refused("PEM")),
        ("no key", user("client-certificate-data: <CRT>"), Refused("client-key")),
        (
            "a token and a client certificate",
            user("token: SECRET-token\nclient-certificate-data: <CRT>\nclient-key-data: <KEY>"),
            Connects,
        ),
        (
            "somebody impersonated",
            user(&format!("{TOKEN}\nas: alice\nas-uid: '7'\nas-groups: [a, b]\nas-user-extra: {{Scopes/x: [view]}}")),
            Connects,
        ),
        ("groups of nobody", user(&format!("{TOKEN}\nas-groups: [a]")), Refused("without `as`")),
        ("a plugin", exec("<PLUGIN>", ""), Connects),
        ("a plugin beside the file", exec("./plugin", ""), Connects),
        ("a plugin with nulls", exec("<PLUGIN>", "  args: null\n  env: null\n  installHint: ''"), Connects),
        (
            "a plugin with arguments and variables",
            exec(
                "<PLUGIN>",
                "  args: [get-token, '']\n  env: [{name: A, value: ''}, {name: B, value: b}]\n  provideClusterInfo: true",
            ),
            Connects,
        ),
        ("a plugin with a certificate", exec("<CERTIFICATE_PLUGIN>", ""), Connects),
        (
            "a plugin of another version",
            text(String::from_utf8(exec("<PLUGIN>", "")).unwrap().replace("k8s.io/v1\n", "k8s.io/v1beta1\n")),
            Refused("another version"),
        ),
        (
            "a plugin of a version that is gone",
            text(String::from_utf8(exec("<PLUGIN>", "")).unwrap().replace("k8s.io/v1\n", "k8s.io/v1alpha1\n")),
            Refused("apiVersion"),
        ),
        (
            "a plugin of no mode",
            text(String::from_utf8(exec("<PLUGIN>", "")).unwrap().replace("  interactiveMode: Never\n", "")),
            Lenient,
        ),
        (
            "a plugin that needs a terminal",
            text(String::from_utf8(exec("<PLUGIN>", "")).unwrap().replace("Never", "Always")),
            Refused("terminal"),
        ),
        (
            "a plugin that fails",
            exec("<FAILING_PLUGIN>", "  args: [SECRET-argument]\n  env: [{name: A, value: SECRET-value}]"),
            Refused("exit status 1"),
        ),
        ("a plugin that is not there", exec("no-such-program", "  installHint: Install it first"), Refused("Install it first")),
        (
            "a plugin and a token",
            text(
                String::from_utf8(exec("<FAILING_PLUGIN>", "")).unwrap().replace("    exec:", "    token: good-token\n    exec:"),
            ),
            Connects,
        ),
        (
            "an OIDC provider",
            user("auth-provider:\n  name: oidc\n  config: {id-token: good-token, idp-issuer-url: 'https://x'}"),
            Lenient,
        ),
        (
            "a provider that is gone",
            user("auth-provider:\n  name: gcp\n  config: {access-token: SECRET-token}"),
            Refused("gke-gcloud-auth-plugin"),
        ),
        (
            "a plugin and a provider",
            text(String::from_utf8(exec("<PLUGIN>", "")).unwrap() + "    auth-provider: {name: oidc}\n"),
            Refused("remove one"),
        ),
        // Proxies.
        (
            "a proxy of a scheme that is none",
            cluster(&format!("{SERVER}\nproxy-url: ftp://me:SECRET-password@proxy")),
            Refused("proxy"),
        ),
        ("a proxy that is not there", cluster(&format!("{SERVER}\nproxy-url: http://127.0.0.1:1")), Refused("proxy")),
        ("a SOCKS proxy that is not there", cluster(&format!("{SERVER}\nproxy-url: socks5://127.0.0.1:1")), Refused("proxy")),
        ("a proxy with TLS that is not there", cluster(&format!("{SERVER}\nproxy-url: https://127.0.0.1:1")), Refused("proxy")),
    ]
}

impl World {
    /// A row's bytes with its values.
    fn bytes(&self, row: &[u8]) -> Vec<u8> {
        let unit: fn([u8; 2]) -> u16 = match row {
            [0xff, 0xfe, ..] => u16::from_le_bytes,
            [0xfe, 0xff, ..] => u16::from_be_bytes,
            _ => return self.fill(std::str::from_utf8(row).unwrap()).into_bytes(),
        };
        let units: Vec<u16> = row.chunks(2).map(|pair| unit([pair[0], pair[1]])).collect();
        let filled = self.fill(&String::from_utf16(&units).unwrap());
        let is_little = row[0] == 0xff;
        filled.encode_utf16().flat_map(|unit| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }
}

/// Whether kubectl gets an answer, and its words.
async fn kubectl(kubeconfig: &str) -> (bool, String) {
    let mut command = tokio::process::Command::new(ControlPlane::programs().join("kubectl"));
    command.args(["get", "--raw", "/version", "--request-timeout=20s"]).stdin(Stdio::null()).kill_on_drop(true);
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        command.env_remove(name);
    }
    command.env("KUBECONFIG", kubeconfig);
    let output = in_time("kubectl", command.output()).await.unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Whether Sandbar gets an answer, and its words.
async fn sandbar(kubeconfig: &str) -> (bool, String) {
    let run = Run::new(&["call", "check_health", "--cluster", "kubeconfig"]).env("KUBECONFIG", kubeconfig);
    let finished = run.finish().await;
    (finished.stdout.contains(r#""status":"ok""#), finished.stdout + &finished.stderr)
}

/// What is wrong with a row, where it is not as it should be.
async fn fault(what: &str, kubeconfig: &str, outcome: Outcome) -> Option<String> {
    let (kubectl, sandbar) = tokio::join!(kubectl(kubeconfig), sandbar(kubeconfig));
    let is_right = match outcome {
        Connects => kubectl.0 && sandbar.0,
        Lenient => !kubectl.0 && sandbar.0,
        Refused(part) => !kubectl.0 && !sandbar.0 && sandbar.1.contains(part),
    };
    let keeps_secrets = !sandbar.1.contains("SECRET") && !sandbar.1.contains("good-");
    (!is_right || !keeps_secrets)
        .then(|| format!("{what}: should be {outcome:?}\n  kubectl {kubectl:?}\n  sandbar {sandbar:?}\n"))
}

#[tokio::test]
async fn whatever_kubectl_takes_is_taken() {
    let world = World::new();
    let rows = rows();
    assert!(rows.len() >= 60 && rows.iter().filter(|(.., outcome)| *outcome == Connects).count() >= 60, "{}", rows.len());
    let checks = rows.iter().enumerate().map(|(number, (what, row, outcome))| {
        let path = world.folder.path().join(format!("kubeconfig-{number}"));
        std::fs::write(&path, world.bytes(row)).unwrap();
        async move { fault(what, path.to_str().unwrap(), *outcome).await }
    });
    let faults: Vec<String> =
        futures::stream::iter(checks).buffer_unordered(AT_ONCE).filter_map(async |fault| fault).collect().await;
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), rows.len(), faults.concat());
}

#[tokio::test]
async fn several_files_are_one_kubeconfig_as_for_kubectl() {
    let world = World::new();
    let folder = world.folder.path();
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.join(name), world.fill(text)).unwrap();
        folder.join(name).display().to_string()
    };
    let good = write("good", &config(SERVER, TOKEN));
    let no_context = write("no-context", "current-context: ''\n");
    let nulls = write("nulls", "current-context: null\nclusters: null\nusers: null\ncontexts: null\n");
    let empty = write("empty", "");
    let missing = folder.join("missing").display().to_string();
    let other_user = write("other-user", "users: [{name: u, user: {token: SECRET-token}}]");
    let cluster =
        write("sub/cluster", "clusters: [{name: c, cluster: {server: 'https://<SIGNED>', certificate-authority: ../ca}}]");
    let rest = write(
        "rest",
        "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {tokenFile: token}}]",
    );
    let broken = write("broken-file", "users: [");
    let mut faults = String::new();
    for (what, files, outcome) in [
        ("no current context in the first", vec![&no_context, &good], Connects),
        ("nulls in the first", vec![&nulls, &good], Connects),
        ("an empty first", vec![&empty, &good], Connects),
        ("a missing first", vec![&missing, &good], Connects),
        ("the same twice", vec![&good, &good], Connects),
        ("a user in the first that is another in the second", vec![&good, &other_user], Connects),
        ("the first user is the wrong one", vec![&other_user, &good], Refused("does not accept")),
        ("relative to the file of each", vec![&cluster, &rest], Connects),
        ("a broken one", vec![&good, &broken], Refused("broken-file")),
        ("none that is there", vec![&missing], Refused("missing")),
    ] {
        let list = files.iter().map(|path| path.as_str()).collect::<Vec<_>>();
        for separator in [":", "::"] {
            faults += &fault(what, &list.join(separator), outcome).await.unwrap_or_default();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[tokio::test]
async fn who_asks_is_told_as_kubectl_tells_it() {
    let world = World::new();
    let path = world.folder.path().join("kubeconfig");
    std::fs::write(&path, world.fill(&config(SERVER, "token: good-token\nas: alice"))).unwrap();
    assert!(sandbar(path.to_str().unwrap()).await.0);
    let ours = world.signed.requests();
    assert!(kubectl(path.to_str().unwrap()).await.0);
    let theirs = world.signed.requests().pop().unwrap();
    assert!(ours.contains(&theirs), "{theirs} in {ours:?}");
    assert_eq!(theirs, "/version Bearer good-token alice");
}
