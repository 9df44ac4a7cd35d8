//! Who asks.

use super::Outcome::{Connects, Lenient, Refused};
use super::{Row, SERVER, TOKEN, config, user};

pub(super) fn rows() -> Vec<Row> {
    let text = |text: String| text.into_bytes();
    let key = |key: &str| user(&format!("client-certificate-data: <CRT>\nclient-key-data: <{key}>"));
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
        ("a key in PKCS 8 as one of SEC 1", key("PKCS8_AS_SEC1"), Connects),
        ("a key in PKCS 8 as one of PKCS 1", key("PKCS8_AS_RSA"), Connects),
        ("a key in PKCS 8 as an encrypted one", key("PKCS8_AS_ENCRYPTED"), Connects),
        ("a key in PKCS 8 as one of any kind", key("PKCS8_AS_ANYTHING"), Connects),
        ("a key in PKCS 8 as a public one", key("PKCS8_AS_PUBLIC"), Refused("PEM")),
        ("a key in SEC 1 as one of PKCS 8", key("SEC1_AS_PKCS8"), Connects),
        ("a key with headers", key("KEY_WITH_HEADERS"), Connects),
        ("a key that is encrypted", key("ENCRYPTED_KEY"), Refused("encrypted")),
        ("the first key of several, behind a certificate", key("KEY_BEHIND_CERTIFICATE"), Connects),
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
        ("a plugin whose token has run out by this clock", exec("<LATE_PLUGIN>", ""), Connects),
        ("a plugin whose token has run out by every clock", exec("<LATE_WRONG_PLUGIN>", ""), Refused("clock")),
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
    ]
}
