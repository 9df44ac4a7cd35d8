//! What is masked, and what resembles it and has to stay.
//!
//! The examples are made here or come from the issuers' documentation; none is valid anywhere. They are joined from two halves,
//! so that no scanner of repositories takes them for real.

mod keys;
mod neighbours;
mod places;
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// A text with its secrets masked.
fn shown(text: &str) -> String {
    mask(text).into_owned()
}

/// Letters and digits that look random and are the same in every run.
fn random(length: usize) -> String {
    "aB3dE5gH7jK9mN1pQ2sT4vW6yZ8".chars().cycle().take(length).collect()
}

fn examples() -> Vec<(&'static str, String)> {
    let r = random;
    let hex = |length: usize| "0a1b2c3d4e5f6789".chars().cycle().take(length).collect::<String>();
    vec![
        ("JWT", format!("eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJ{}.{}", r(90), r(80))),
        ("JWT", format!("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..{}.{}.{}", r(16), r(40), r(22))),
        ("GitHub token", format!("ghp_{}", r(36))),
        ("GitHub token", format!("gho_{}", r(36))),
        ("GitHub token", format!("ghu_{}", r(36))),
        ("GitHub token", format!("ghs_{}", r(36))),
        ("GitHub token", format!("ghr_{}", r(76))),
        ("GitHub token", format!("github_pat_{}_{}", r(22), r(59))),
        ("GitLab token", format!("glpat-{}", r(20))),
        ("GitLab token", format!("glpat-{}.01.{}", r(27), hex(9))),
        ("GitLab token", format!("gldt-{}", r(20))),
        ("GitLab token", format!("gloas-{}", r(64))),
        ("GitLab token", format!("glrt-{}", r(20))),
        ("GitLab token", format!("glrtr-{}", r(20))),
        ("GitLab token", format!("glcbt-64_{}", r(20))),
        ("GitLab token", format!("glptt-{}", hex(40))),
        ("GitLab token", format!("glft-{}", r(20))),
        ("GitLab token", format!("glimt-{}", r(25))),
        ("GitLab token", format!("glagent-{}", r(50))),
        ("GitLab token", format!("glsoat-{}", r(20))),
        ("GitLab token", format!("glwt-{}", r(20))),
        ("GitLab token", format!("glffct-{}", r(20))),
        ("GitHub token", format!("ghu_{}.{}.{}", r(30), r(60), r(40))),
        ("AWS access key", format!("AKIA{}", "IOSFODNN7EXAMPLE")),
        ("AWS access key", format!("ASIA{}", "IOSFODNN7EXAMPLE")),
        ("AWS access key", format!("ABIA{}", "IOSFODNN7EXAMPLE")),
        ("AWS access key", format!("bedrock-api-key-{}", r(200))),
        ("AWS access key", format!("ABSK{}", r(128))),
        ("Google API key", format!("AIza{}", r(35))),
        ("Google API key", format!("AQ.Ab8{}", r(47))),
        ("Google token", format!("ya29.{}", r(120))),
        ("Google client secret", format!("GOCSPX-{}", r(28))),
        ("Azure client secret", format!("abc8Q~{}", r(34))),
        ("Azure DevOps token", format!("{}AZDO{}", r(76), r(4))),
        ("Slack token", format!("xoxb-{}-{}", "123456789012", r(24))),
        ("Slack token", format!("xoxp-{}-{}", "123456789012", r(32))),
        ("Slack token", format!("xoxe-1-{}", r(140))),
        ("Slack token", format!("xoxe.xoxp-1-{}", r(140))),
        ("Slack token", format!("xoxa-2-{}", r(24))),
        ("Slack token", format!("xoxr-{}", r(24))),
        ("Slack token", format!("xoxs-{}", r(24))),
        ("Slack token", format!("xapp-1-A0123-{}", r(64))),
        ("Slack token", format!("xwfp-{}", r(24))),
        ("Slack token", format!("xoxc-{}-{}", "123456789012", r(64))),
        ("Slack token", format!("xoxd-{}%2B{}", r(24), r(24))),
        ("Stripe key", format!("sk_live_{}", r(24))),
        ("Stripe key", format!("sk_test_{}", r(99))),
        ("Stripe key", format!("rk_live_{}", r(24))),
        ("Stripe key", format!("rk_test_{}", r(24))),
        ("Stripe key", format!("sk_org_live_{}", r(24))),
        ("Stripe webhook secret", format!("whsec_{}", r(32))),
        ("npm token", format!("npm_{}", r(36))),
        ("PyPI token", format!("pypi-AgEIcHlwaS5vcmc{}", r(150))),
        ("OpenAI key", format!("sk-{}T3BlbkFJ{}", r(20), r(20))),
        ("OpenAI key", format!("sk-proj-{}", r(100))),
        ("Anthropic key", format!("sk-ant-api03-{}-{}AA", r(60), r(32))),
        ("Docker token", format!("dckr_pat_{}", r(27))),
        ("Docker token", format!("dckr_oat_{}", r(32))),
        ("Vault token", format!("hvs.{}", r(24))),
        ("Vault token", format!("hvb.{}", r(138))),
        ("Vault token", format!("hvr.{}", r(24))),
        ("Vault token", format!("s.{}", r(24))),
        ("Vault token", format!("b.{}", r(24))),
        ("Vault token", format!("r.{}", r(24))),
        ("DigitalOcean token", format!("dop_v1_{}", hex(64))),
        ("DigitalOcean token", format!("doo_v1_{}", hex(64))),
        ("DigitalOcean token", format!("dor_v1_{}", hex(64))),
        ("Hugging Face token", format!("hf_{}", r(34))),
        ("SendGrid key", format!("SG.{}.{}", r(22), r(43))),
        ("Grafana token", format!("glsa_{}_{}", r(32), hex(8))),
        ("age key", format!("AGE-SECRET-KEY-1{}", r(58).to_uppercase())),
        ("age key", format!("AGE-SECRET-KEY-PQ-1{}", r(58).to_uppercase())),
        ("Cloudflare token", format!("cfk_{}", r(48))),
        ("Cloudflare token", format!("cfut_{}", r(48))),
        ("Cloudflare token", format!("cfat_{}", r(48))),
        ("Sentry token", format!("sntryu_{}", hex(64))),
        ("Sentry token", format!("sntrys_{}==_{}", r(90), r(43))),
        ("Tailscale key", format!("tskey-api-{}CNTRL-{}", r(6), r(32))),
        ("Tailscale key", format!("tskey-auth-{}CNTRL-{}", r(6), r(32))),
        ("Tailscale key", format!("tskey-client-{}CNTRL-{}", r(6), r(32))),
        ("Tailscale key", format!("tskey-scim-{}CNTRL-{}", r(6), r(32))),
        ("Tailscale key", format!("tskey-webhook-{}CNTRL-{}", r(6), r(32))),
        ("k3s token", format!("K10{}::server:{}", hex(64), hex(32))),
        ("New Relic key", format!("NRAK-{}", r(27).to_uppercase())),
        ("Coder token", format!("coder_{}_{}", r(10), r(40))),
        ("private key", STANDARD.encode(key("EC PRIVATE KEY", 3))),
        ("private key", STANDARD.encode(format!("-----BEGIN CERTIFICATE-----\n{}\n{}", r(64), key("PRIVATE KEY", 3)))),
        ("Coder session token", format!("{}-{}", r(10), r(22))),
        ("bootstrap token", format!("{}.{}", "07401b", "f395accd246ae52d")),
        ("HCP Terraform token", format!("{}.atlasv1.{}", r(14), r(67))),
        ("Databricks token", format!("dapi{}", hex(32))),
        ("Mailgun key", format!("key-{}", hex(32))),
        ("Telegram token", format!("123456789:AA{}", r(33))),
        ("Discord token", format!("MTEyMzQ1Njc4OTAxMjM0NTY3.GaBcDe.{}", r(38))),
        ("password hash", format!("$2y$10${}", r(53))),
        ("password hash", format!("$apr1$saltsalt${}", r(22))),
        ("password hash", format!("$argon2id$v=19$m=65536,t=3,p=4${}${}", r(22), r(43))),
        ("password hash", format!("$6$rounds=5000$saltsalt${}", r(86))),
    ]
}

#[test]
fn what_looks_back_finds_the_beginning_of_the_text() {
    for place in [
        "user:{}@tcp(h:3306)/db",
        "u:{}@unix(/run/x.sock)/db",
        "app:{}@tcp([::1]:3306)/",
        "mysql://u:{}@tcp(h)/",
        "https://u:{}@h/",
        "https://{}@github.com/x",
        "jdbc:oracle:thin:u/{}@//h/x",
        "thin:u/{}@h",
        "h:5432:d:u:{}",
        "*:*:d:u:{}",
        "echo {} | docker login --password-stdin",
        "echo '{}' | kinit",
        "printf {} | sudo -S ls",
        "mysql -p{}",
        "curl -u a:{} x",
        "(password)VALUES('{}')",
        "{'k': '{}', 'kty': 'oct'}",
        "AUTH {}",
        "requirepass {}",
        "password={}",
        "sig={}&se=1",
    ] {
        // With brackets and other characters that passwords may have, where they may be.
        for secret in ["hX9kQ2vLm4Zt7Rw1hX9kQ2vL", "hX9k(Q2)vLm4Zt7=Rw1", "(hX9kQ2vLm4Zt7Rw1", "hX9k=Q2v:Lm4Zt7Rw1="] {
            if secret.contains(['(', '=']) && !place.contains("@tcp(") && !place.contains("@unix(") {
                continue;
            }
            for before in ["", " ", "\n", "\"", "dsn: ", "x ", "{\"a\":\""] {
                let text = format!("{before}{}", place.replace("{}", secret));
                let shown = shown(&text);
                assert!(!shown.contains("Zt7") && shown.contains("[masked: "), "{text} became {shown}");
            }
        }
    }
    let long = format!("user:{}=@tcp(h:3306)/db", "hX9kQ2vLm4Zt7Rw1".repeat(100));
    for before in ["", " ", "dsn=", "a(b) "] {
        assert_eq!(shown(&format!("{before}{long}")), format!("{before}user:[masked: password]@tcp(h:3306)/db"));
    }
}

/// A private key with `lines` lines and a label.
fn key(label: &str, lines: usize) -> String {
    let body: String = (0..lines).map(|line| format!("{}\n", &random(70)[line % 5..line % 5 + 64])).collect();
    format!("-----BEGIN {label}-----\n{body}x9A=\n-----END {label}-----\n")
}

/// The lines of a log, masked in pieces of `piece` lines.
fn log(lines: &str, piece: usize) -> String {
    let mut keys = KeyLines::new(Beginning::Anywhere);
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let mut out = String::new();
    for piece in lines.chunks(piece) {
        out.push_str(&keys.mask(&piece.concat()));
    }
    out.push_str(&keys.finish());
    out
}

#[test]
fn the_rest_of_a_cut_secret_does_not_show() {
    let token = format!("ghp_{}", random(36));
    for before in LONGEST - token.len() - 2..LONGEST + 2 {
        let text = format!("{} {token} and {token} more", "x".repeat(before));
        let (shown, skipped) = mask_tail(&text);
        assert!(shown.ends_with("[masked: GitHub token] more") && !shown.contains("N1pQ2"), "{before}: {shown}");
        assert!((LONGEST..LONGEST + 50).contains(&skipped), "{before}: {skipped}");
    }
    assert_eq!(mask_tail("é"), (String::new(), 2));
    assert_eq!(mask_tail(&"é".repeat(LONGEST)), (String::new(), 2 * LONGEST));
}

#[test]
fn no_cut_falls_into_a_character_and_none_lets_a_secret_through() {
    // Wherever a look ends, a character of two bytes spans that position in one of two texts.
    for start in
        ["Cookie: a=", "Authorization: Basic ", "Authorization: token=1a", "password=\\u0022", "requirepass ", "--password "]
    {
        for shift in ["", "x"] {
            let text = format!("{start}{shift}{}", "é".repeat(LONGEST));
            let masked = shown(&text);
            assert!(masked.contains("[masked: ") || !start.contains("Cookie"), "{start}{shift}");
        }
    }
    assert_eq!(log("abcé12345Taaaaaaaaaaaa AAAA\n", 1), "abcé12345Taaaaaaaaaaaa AAAA\n");
}

#[test]
fn what_people_write_of_tests_and_access_stays() {
    for text in [
        "pass=12,fail=0,skip=3",
        "pass=1, fail=0",
        "authorization=granted user=alice42 path=/api",
        "authorization: allowed by policy=p42",
    ] {
        assert_eq!(shown(text), text);
    }
    assert_eq!(shown("DB_PASS=s3same123,DB_HOST=db"), "DB_PASS=[masked: password],DB_HOST=db");
}

#[test]
fn what_is_taken_out_neither_hides_a_secret_nor_is_a_part_of_one() {
    for taken in [
        "\r",
        "\u{c}",
        "\u{b}",
        "\0",
        "\u{8}",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{1b}[2K",
        "\u{1b}[1G",
        "\u{1b}[0m",
        "\u{1b}[38;5;9m",
        "\u{1b}]8;;https://example.com\u{7}",
        "\u{1b}(B",
        "\u{9b}m",
        "\u{200b}",
        "\u{ad}",
        "\u{feff}",
        "\u{e0041}",
        "\u{202e}",
    ] {
        for (kind, token) in examples() {
            let end = &token[token.len() - 12..];
            for before in ["saved", "9", "=", "a: ", "-", ""] {
                let text = format!("{before}{taken}{token}{taken}done\n");
                assert!(!shown(&text).contains(end), "{kind}: {text:?} became {:?}", shown(&text));
            }
            // A key in base64 is followed line by line, and a line with an insertion is two words.
            if kind != "private key" {
                let middle = token.len() / 2;
                let text = format!("x {}{taken}{} y", &token[..middle], &token[middle..]);
                assert!(!shown(&text).contains(end), "{kind}: {text:?} became {:?}", shown(&text));
            }
        }
        for text in [
            format!("pass{taken}word=sesame9"),
            format!("password{taken}=sesame9"),
            format!("password={taken}sesame9"),
            format!("x{taken}password=sesame9"),
        ] {
            assert!(!shown(&text).contains("sesame9"), "{text:?} became {:?}", shown(&text));
        }
    }
}

#[test]
fn a_secret_that_is_longer_than_what_shows_it_is_masked_to_its_end() {
    let secret: String = "hX9kQ2vLm4Zt7Rw1".repeat(150);
    for place in [
        "Authorization: Basic {}",
        "\"Authorization\":[\"Basic {}\"]",
        "Authorization: Token {}",
        "Proxy-Authorization: Basic {}",
        "curl -u AWS:{} https://x",
        "mysql -p{} db",
        "kubectl create secret generic x --from-literal=k={}",
        "smbclient //h -U u%{}",
        "etcdctl --user root:{} get x",
        "echo {} | docker login --password-stdin r.io",
        "echo 'root:{}' | chpasswd",
        "db:5432:d:u:{}",
        "https://u:{}@h/",
        "app:{}@tcp(db:3306)/app",
        "password={}",
        "\"password\": \"{}\"",
        "--password {}",
        "<password>{}</password>",
        "Bearer {}",
        "CREATE USER x IDENTIFIED BY '{}'",
        "requirepass {}",
        "AUTH default {}",
    ] {
        let shown = mask(&place.replace("{}", &secret)).into_owned();
        assert!(!shown.contains("Zt7Rw1"), "{place}: {shown}");
    }
}
