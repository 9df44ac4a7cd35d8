//! Values that are secret by what stands before them: names, headers, flags, and the places of a URL.

use super::super::values::is_reference;
use super::*;

#[test]
fn headers_lose_their_credentials() {
    let token = random(12);
    for (text, masked) in [
        (format!("Authorization: Bearer {token}"), "Authorization: Bearer [masked: bearer token]".to_owned()),
        (
            format!("{{\"Authorization\":[\"Bearer {token}\"]}}"),
            "{\"Authorization\":[\"Bearer [masked: bearer token]\"]}".to_owned(),
        ),
        (format!("sent bearer {}", random(20)), "sent bearer [masked: bearer token]".to_owned()),
        ("authorization: Basic YWRtaW46aHVudGVyMg==".to_owned(), "authorization: Basic [masked: basic credentials]".to_owned()),
        ("-H 'PRIVATE-TOKEN: hunter2hunter'".to_owned(), "-H 'PRIVATE-TOKEN: [masked: token]'".to_owned()),
        ("x-api-key: 0123456789abcdef".to_owned(), "x-api-key: [masked: API key]".to_owned()),
        ("Coder-Session-Token: hunter2hunter2".to_owned(), "Coder-Session-Token: [masked: token]".to_owned()),
    ] {
        assert_eq!(shown(&text), masked);
    }
}

#[test]
fn headers_are_secret_as_a_whole() {
    for (text, masked) in [
        ("authorization: token hunter2hunter", "authorization: token [masked: credentials]"),
        ("Authorization: ApiKey aB3dE5gH7jK9==", "Authorization: ApiKey [masked: credentials]"),
        ("Authorization: hunter2hunter", "Authorization: [masked: credentials]"),
        ("Authorization: hunter2hunter user=x", "Authorization: [masked: credentials]"),
        ("Authorization:  Bearer  hunter2hunter x=1", "Authorization:  Bearer  [masked: bearer token] x=1"),
        ("\"Authorization\":[\"hunter2hunter\"],\"a\":1", "\"Authorization\":[\"[masked: credentials]\"],\"a\":1"),
        ("Proxy-Authorization: Basic YWRtaW46aHVudGVyMg", "Proxy-Authorization: Basic [masked: basic credentials]"),
        ("sent Basic  YWRtaW46aHVudGVyMg now", "sent Basic  [masked: basic credentials] now"),
        ("Authorization: Digest username=\"a\"", "Authorization: Digest [masked: credentials]"),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=x1y2z3/20260101, Signature=0a1b2c3d\nnext",
            "Authorization: AWS4-HMAC-SHA256 [masked: credentials]\nnext",
        ),
        ("Cookie: a=b; session=letmein\r\nnext", "Cookie: [masked: cookie]\nnext"),
        ("curl -H 'Cookie: session=letmein' x", "curl -H 'Cookie: [masked: cookie]' x"),
        ("{\"Set-Cookie\":[\"id=letmein; Path=/\"]}", "{\"Set-Cookie\":[\"[masked: cookie]\"]}"),
    ] {
        assert_eq!(shown(text), masked);
    }
}

#[test]
fn escapes_before_a_name_do_not_hide_it() {
    for (text, masked) in [
        (r"x\npassword=sesame", r"x\npassword=[masked: password]"),
        (r"x\ntoken: abc\nb", r"x\ntoken: [masked: token]\nb"),
        (r"x\tpassword=sesame\ty", r"x\tpassword=[masked: password]\ty"),
        (r"a=1\u0026password=sesame\u0026b=2", r"a=1\u0026password=[masked: password]\u0026b=2"),
        ("u%3Da%26password=sesame&b", "u%3Da%26password=[masked: password]&b"),
        ("password%3Dsesame&b=1", "password%3D[masked: password]&b=1"),
        (r"password\u003dsesame\u0026b=1", r"password\u003d[masked: password]\u0026b=1"),
        (r"\x22password\x22:\x22let me in\x22,", r"\x22password\x22:\x22[masked: password]\x22,"),
        (r"dir\token=hunter2", r"dir\token=[masked: token]"),
        (r"postgres:\/\/u:pw@h\/x", r"postgres:\/\/u:[masked: password in a URL]@h\/x"),
    ] {
        assert_eq!(shown(text), masked);
    }
    let jwt = format!("eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJ{}.{}", random(90), random(80));
    assert_eq!(shown(&format!("\\x22{jwt}\\x22")), "\\x22[masked: JWT]\\x22");
}

#[test]
fn settings_need_not_look_random() {
    for (text, masked) in [
        ("password: letmein", "password: [masked: password]"),
        ("user: x\n  - password:   letmein  \nb: c", "user: x\n  - password:   [masked: password]  \nb: c"),
        ("password: 'let me in'", "password: '[masked: password]'"),
        ("POSTGRES_PASSWORD: postgres", "POSTGRES_PASSWORD: [masked: password]"),
        ("{db_password: postgres, a: b}", "{db_password: [masked: password], a: b}"),
        ("password = letmein\n", "password = [masked: password]\n"),
        ("export TOKEN=changeme", "export TOKEN=[masked: token]"),
        ("\"clientSecret\":\"supersecret\"", "\"clientSecret\":\"[masked: secret]\""),
        ("requirepass foobared\n", "requirepass [masked: password]\n"),
        ("requirepass \"foo bared\"\n", "requirepass \"[masked: password]\"\n"),
        ("password: letmein # for now", "password: [masked: password] # for now"),
        ("\"password: letmein\"", "\"password: [masked: password]\""),
        ("CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS=YWJj,ZGVm x", "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS=[masked: encryption key] x"),
        (
            "{\"auths\":{\"r.io\":{\"auth\":\"dXNlcjpodW50ZXIy\"}}}",
            "{\"auths\":{\"r.io\":{\"auth\":\"[masked: basic credentials]\"}}}",
        ),
        ("//r.io/:_auth=dXNlcjpodW50ZXIy", "//r.io/:_auth=[masked: basic credentials]"),
    ] {
        assert_eq!(shown(text), masked);
    }
    let pulumi = format!("PULUMI_ACCESS_TOKEN=pul-{}", "0a1b2c3d".repeat(5));
    assert_eq!(shown(&pulumi), "PULUMI_ACCESS_TOKEN=[masked: Pulumi token]");
    let prod = format!("{{\"token\":\"prod-{}\"}}", "0a1b2c3d".repeat(4));
    assert_eq!(shown(&prod), "{\"token\":\"[masked: token]\"}");
}

#[test]
fn a_flag_and_its_value_may_stand_in_one_string() {
    for (text, masked) in [
        ("app --db-password sesame --x", "app --db-password [masked: password] --x"),
        ("sh -c 'app --token \"let me in\"'", "sh -c 'app --token \"[masked: token]\"'"),
        ("app --password $(DB_PASSWORD)", "app --password $(DB_PASSWORD)"),
        ("app --password --verbose", "app --password --verbose"),
        ("  --token string   the token", "  --token string   the token"),
        ("app --secret registry-login", "app --secret registry-login"),
        (
            "[\"--password\", \"let me\",\"--token\",\"letmein\"]",
            "[\"--password\", \"[masked: password]\",\"--token\",\"[masked: token]\"]",
        ),
        ("[\"--password\", \"--token\"]", "[\"--password\", \"--token\"]"),
    ] {
        assert_eq!(shown(text), masked);
    }
}

#[test]
fn urls_lose_their_passwords() {
    for (url, masked) in [
        (
            "postgres://coder:s3same@db:5432/coder?sslmode=disable",
            "postgres://coder:[masked: password in a URL]@db:5432/coder?sslmode=disable",
        ),
        ("redis://:s3same@redis:6379/0", "redis://:[masked: password in a URL]@redis:6379/0"),
        ("amqp://u:p%40ss@h", "amqp://u:[masked: password in a URL]@h"),
        ("mongodb+srv://u:p@ss:w@h/x?y", "mongodb+srv://u:[masked: password in a URL]@h/x?y"),
        ("(https://u:hunter2@h)", "(https://u:[masked: password in a URL]@h)"),
        ("postgres://u:p/w?#@db:5432/x y@z", "postgres://u:[masked: password in a URL]@db:5432/x y@z"),
        ("redis://default:12345@h", "redis://default:[masked: password in a URL]@h"),
    ] {
        assert_eq!(shown(url), masked);
    }
    let sas = format!("https://x.blob.core.windows.net/c?sv=2024&sig={}%3D&se=1", random(43));
    assert_eq!(shown(&sas), "https://x.blob.core.windows.net/c?sv=2024&sig=[masked: Azure signature]&se=1");
    let presigned = format!("https://b.s3.amazonaws.com/k?X-Amz-Signature={}&x=1", random(64));
    assert_eq!(shown(&presigned), "https://b.s3.amazonaws.com/k?X-Amz-Signature=[masked: signature of a URL]&x=1");
    let webhook = format!("https://hooks.slack.com/services/T0123/B0123/{}", random(24));
    assert_eq!(shown(&webhook), "https://hooks.slack.com/services/[masked: Slack webhook]");
    let gov = webhook.replace("slack.com", "slack-gov.com");
    assert_eq!(shown(&gov), "https://hooks.slack-gov.com/services/[masked: Slack webhook]");
    assert_eq!(shown(&format!("x _gitlab_session={} y", random(32))), "x _gitlab_session=[masked: GitLab session] y");
}

#[test]
fn a_statement_may_have_many_columns_and_rows() {
    let names: Vec<String> = (0..40).map(|n| if n % 3 == 0 { format!("password_{n}") } else { format!("c{n}") }).collect();
    let row: Vec<String> = (0..40).map(|n| if n % 3 == 0 { format!("'sesame{n}'") } else { format!("'b, (c''{n}'") }).collect();
    let text = format!("INSERT INTO t ({}) VALUES {};", names.join(", "), vec![format!("({})", row.join(" , ")); 50].join(",\n"));
    let shown = shown(&text);
    assert_eq!((shown.contains("sesame"), shown.matches("[masked: password]").count()), (false, 14 * 50), "{shown}");
}

#[test]
fn values_go_by_their_names() {
    for (text, masked) in [
        ("host=db user=coder password=s3same dbname=x", "host=db user=coder password=[masked: password] dbname=x"),
        ("password='a b' x", "password='[masked: password]' x"),
        ("PGPASSWORD=x psql", "PGPASSWORD=x psql"),
        ("PGPASSWORD=sesame psql", "PGPASSWORD=[masked: password] psql"),
        ("--db-password=sesame --x", "--db-password=[masked: password] --x"),
        ("{\"password\":\"sesame open\",\"a\":1}", "{\"password\":\"[masked: password]\",\"a\":1}"),
        (
            "{\"msg\":\"{\\\"password\\\":\\\"ses\\\\\\\"ame\\\"}\"}",
            "{\"msg\":\"{\\\"password\\\":\\\"[masked: password]\\\"}\"}",
        ),
        ("{'token': 'ab12CD34'}", "{'token': '[masked: token]'}"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "aws_secret_access_key = [masked: AWS secret access key]",
        ),
        ("AccountName=x;AccountKey=ab+/12==;EndpointSuffix=y", "AccountName=x;AccountKey=[masked: account key];EndpointSuffix=y"),
        ("Endpoint=sb://x/;SharedAccessKey=ab+/12=", "Endpoint=sb://x/;SharedAccessKey=[masked: access key]"),
        ("password: hunter2", "password: [masked: password]"),
        ("map[password:hunter2 user:x]", "map[password:[masked: password] user:x]"),
        (
            "kubeconfig-u-x7k2p:aaaaa11111aaaaa11111aaaaa11111aaaaa11111aaaaa11111aaaa",
            "kubeconfig-u-x7k2p:[masked: Rancher token]",
        ),
        ("?api_key=0123456789abcdef&b=c", "?api_key=[masked: API key]&b=c"),
        ("token=d41d8cd98f00b204e9800998ecf8427e", "token=[masked: token]"),
    ] {
        assert_eq!(shown(text), masked);
    }
}

#[test]
fn a_value_is_a_reference_if_it_consists_of_references() {
    for reference in [
        "$(USER):$(PASSWORD)",
        "${A}",
        "${A_$(B)}",
        "{{ .Values.password | quote }}",
        "{{ .a }}/",
        "{{ if .a",
        "%(b)s",
        "data.db.arn",
    ] {
        assert!(is_reference(reference), "{reference}");
    }
    for value in [
        "${Zq77Xv9KmT7p",
        "$(Zq77Xv9KmT7p",
        "<%Zq77",
        "${A}sesame",
        "$(A)sesame$(B)",
        "${A}!!",
        "{{ .p }}sesame",
        "data.Zq77Xv9KmT7pWc3RjLb2",
    ] {
        assert!(!is_reference(value), "{value}");
    }
}
