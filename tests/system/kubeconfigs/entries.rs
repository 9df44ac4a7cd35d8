//! Entries that nobody asked for, and values that are empty.

use super::Outcome::{Connects, Lenient, Refused};
use super::{Row, SERVER, TOKEN, cluster, config, user};

pub(super) fn rows() -> Vec<Row> {
    let good = config(SERVER, TOKEN);
    let text = |text: String| text.into_bytes();
    vec![
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
    ]
}
