//! Tokens that are known by their form. Each entry names the document of the issuer that its form is taken from.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use memchr::{memchr_iter, memchr2_iter};

use super::alphabet::{
    ALPHANUMERIC, Alphabet, BASE64, BASE64URL, CAPITAL, DOTTED, ENTRA, QUERY, SENTRY, SMALL, WORD, begins_word,
};
use super::{By, Found, names, places};

/// A form that begins with a fixed text.
struct Format {
    kind: &'static str,
    /// What it begins with: three bytes at least, because the search looks for the first three at once, and two are found too often.
    prefix: &'static str,
    body: Body,
}

/// What follows the prefix.
enum Body {
    /// So many characters of an alphabet, or more. The prefix is so rare that it may stand anywhere.
    AtLeast(usize, &'static Alphabet),
    /// The same, where the prefix could be a part of another word.
    Word(usize, &'static Alphabet),
    /// Exactly so many, and a word of its own.
    Exactly(usize, &'static Alphabet),
    /// Whatever this says: the range of the secret, for a prefix that stands at `at`.
    Custom(fn(&[u8], usize) -> Option<Range<usize>>),
}

use Body::{AtLeast, Custom, Exactly, Word};

const fn format(kind: &'static str, prefix: &'static str, body: Body) -> Format {
    Format { kind, prefix, body }
}

static FORMATS: &[Format] = &[
    // RFC 7519 (JWT) and RFC 7515, section 3.1: three or, encrypted, five parts of base64url; the first is a JSON object.
    // Service-account tokens of Kubernetes are JWTs (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/).
    format("JWT", "eyJ", Custom(jwt)),
    // https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
    format("GitHub token", "ghp_", AtLeast(30, &WORD)),
    format("GitHub token", "gho_", AtLeast(30, &WORD)),
    format("GitHub token", "ghu_", AtLeast(30, &DOTTED)),
    format("GitHub token", "ghs_", AtLeast(30, &DOTTED)),
    format("GitHub token", "ghr_", AtLeast(30, &WORD)),
    format("GitHub token", "github_pat_", AtLeast(30, &WORD)),
    // https://docs.gitlab.com/security/tokens/#token-prefixes
    format("GitLab token", "glpat-", AtLeast(16, &DOTTED)),
    format("GitLab token", "gldt-", AtLeast(16, &DOTTED)),
    format("GitLab token", "gloas-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glrt-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glrtr-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glcbt-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glptt-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glft-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glimt-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glagent-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glsoat-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glwt-", AtLeast(16, &DOTTED)),
    format("GitLab token", "glffct-", AtLeast(16, &DOTTED)),
    format("GitLab session", "_gitlab_session=", Custom(gitlab_session)),
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes. `ACCA` is not here:
    // it is the identifier of a credential and no part of one.
    format("AWS access key", "AKIA", Exactly(16, &CAPITAL)),
    format("AWS access key", "ASIA", Exactly(16, &CAPITAL)),
    format("AWS access key", "ABIA", Exactly(16, &CAPITAL)),
    // https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-how.html, and for a short time
    // https://pypi.org/project/aws-bedrock-token-generator/
    format("AWS access key", "ABSK", Word(100, &BASE64)),
    format("AWS access key", "bedrock-api-key-", Word(40, &BASE64)),
    // https://cloud.google.com/docs/authentication/api-keys
    format("Google API key", "AIza", Exactly(35, &BASE64URL)),
    // https://ai.google.dev/gemini-api/docs/api-key
    format("Google API key", "AQ.", Custom(google_auth_key)),
    // https://cloud.google.com/docs/authentication/token-types
    format("Google token", "ya29.", Word(20, &DOTTED)),
    // https://developers.google.com/identity/protocols/oauth2/web-server
    format("Google client secret", "GOCSPX-", Word(20, &BASE64URL)),
    // https://learn.microsoft.com/en-us/purview/sit-defn-azure-devops-personal-access-token: 84 characters with a signature at the 76th.
    format("Azure DevOps token", "AZDO", Custom(azure_devops)),
    // https://docs.slack.dev/authentication/tokens
    format("Slack token", "xoxb-", Word(10, &BASE64URL)),
    format("Slack token", "xoxp-", Word(10, &BASE64URL)),
    format("Slack token", "xoxe-", Word(10, &BASE64URL)),
    format("Slack token", "xoxe.xox", Word(10, &DOTTED)),
    format("Slack token", "xoxa-", Word(10, &BASE64URL)),
    format("Slack token", "xoxr-", Word(10, &BASE64URL)),
    format("Slack token", "xoxs-", Word(10, &BASE64URL)),
    // Those of a browser's session, which Slack uses and does not document.
    format("Slack token", "xoxc-", Word(10, &BASE64URL)),
    format("Slack token", "xoxd-", Word(10, &QUERY)),
    format("Slack token", "xapp-", Custom(slack_app)),
    format("Slack token", "xwfp-", Word(10, &BASE64URL)),
    // https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    format("Slack webhook", "hooks.slack.com/", Custom(slack_webhook)),
    // That of GovSlack, which has a domain of its own.
    format("Slack webhook", "hooks.slack-gov.com/", Custom(slack_webhook)),
    // https://docs.stripe.com/keys: `pk_` is public.
    format("Stripe key", "sk_live_", Word(10, &ALPHANUMERIC)),
    format("Stripe key", "sk_test_", Word(10, &ALPHANUMERIC)),
    format("Stripe key", "rk_live_", Word(10, &ALPHANUMERIC)),
    format("Stripe key", "rk_test_", Word(10, &ALPHANUMERIC)),
    // https://docs.stripe.com/keys/organization-api-keys
    format("Stripe key", "sk_org_", Word(20, &WORD)),
    // https://docs.stripe.com/webhooks/signature
    format("Stripe webhook secret", "whsec_", Word(24, &BASE64)),
    // https://github.blog/2021-09-23-announcing-npms-new-access-token-format/
    format("npm token", "npm_", Exactly(36, &ALPHANUMERIC)),
    // https://pypi.org/help/#apitoken: a macaroon, whose beginning is that of its format and its location.
    format("PyPI token", "pypi-AgE", Word(40, &BASE64URL)),
    // https://platform.claude.com/docs/en/api/overview
    format("Anthropic key", "sk-ant-", Word(20, &BASE64URL)),
    // https://developers.openai.com/api/reference/overview, which states no form: this one is that of the keys that are issued.
    format("OpenAI key", "sk-", Custom(openai)),
    // https://docs.docker.com/security/access-tokens/personal-access-tokens/
    // https://docs.docker.com/security/access-tokens/organization-access-tokens/
    format("Docker token", "dckr_pat_", AtLeast(20, &BASE64URL)),
    format("Docker token", "dckr_oat_", AtLeast(20, &BASE64URL)),
    // https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes
    format("Vault token", "hvs.", Word(20, &BASE64URL)),
    format("Vault token", "hvb.", Word(20, &BASE64URL)),
    format("Vault token", "hvr.", Word(20, &BASE64URL)),
    // https://docs.digitalocean.com/notes/2022/api-token-format
    format("DigitalOcean token", "dop_v1_", AtLeast(64, &SMALL)),
    format("DigitalOcean token", "doo_v1_", AtLeast(64, &SMALL)),
    format("DigitalOcean token", "dor_v1_", AtLeast(64, &SMALL)),
    // https://huggingface.co/docs/hub/security-tokens
    format("Hugging Face token", "hf_", Exactly(34, &ALPHANUMERIC)),
    // https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys: 69 characters in three parts.
    format("SendGrid key", "SG.", Word(60, &DOTTED)),
    // https://grafana.com/docs/grafana/latest/administration/service-accounts/
    format("Grafana token", "glsa_", AtLeast(32, &WORD)),
    // RFC 6750, section 2.1, and RFC 7617, section 2.
    format("bearer token", "Bearer ", Custom(places::bearer)),
    format("bearer token", "bearer ", Custom(places::bearer)),
    format("bearer token", "BEARER ", Custom(places::bearer)),
    format("basic credentials", "Basic ", Custom(places::basic)),
    format("basic credentials", "basic ", Custom(places::basic)),
    format("basic credentials", "BASIC ", Custom(places::basic)),
    // https://redis.io/docs/latest/operate/oss_and_stack/management/config/
    format("password", "requirepass ", Custom(places::redis)),
    format("password", "masterauth ", Custom(places::redis)),
    // https://github.com/C2SP/C2SP/blob/main/age.md#x25519
    format("age key", "AGE-SECRET-KEY-1", AtLeast(40, &CAPITAL)),
    format("age key", "AGE-SECRET-KEY-PQ-1", AtLeast(40, &CAPITAL)),
    // https://developers.cloudflare.com/fundamentals/api/get-started/token-formats: 40 characters and a checksum.
    format("Cloudflare token", "cfk_", Word(41, &ALPHANUMERIC)),
    format("Cloudflare token", "cfut_", Word(41, &ALPHANUMERIC)),
    format("Cloudflare token", "cfat_", Word(41, &ALPHANUMERIC)),
    // https://docs.sentry.io/security-legal-pii/security/token-formats/
    format("Sentry token", "sntryu_", Exactly(64, &SMALL)),
    format("Sentry token", "sntrys_", Word(60, &SENTRY)),
    // https://tailscale.com/docs/reference/key-prefixes
    format("Tailscale key", "tskey-api-", Word(16, &BASE64URL)),
    format("Tailscale key", "tskey-auth-", Word(16, &BASE64URL)),
    format("Tailscale key", "tskey-client-", Word(16, &BASE64URL)),
    format("Tailscale key", "tskey-scim-", Word(16, &BASE64URL)),
    format("Tailscale key", "tskey-webhook-", Word(16, &BASE64URL)),
    // https://docs.k3s.io/cli/token: the hash of a certificate, and behind it what is secret.
    format("k3s token", "K10", Custom(k3s)),
    // https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/
    format("New Relic key", "NRAK-", Word(20, &CAPITAL)),
    // Secrets of OAuth2 applications, codes and refresh tokens:
    // https://github.com/coder/coder/blob/main/coderd/oauth2provider/secrets.go
    format("Coder token", "coder_", Custom(coder_oauth2)),
    // `-----BEGIN` in base64.
    format("private key", "LS0tLS1CRUdJTi", Custom(places::pem)),
];

/// How many prefixes are looked for at once. The search looks at many bytes at a time for what can begin one, but only of 64.
const AT_ONCE: usize = 48;

/// Finds the prefixes of so many formats each.
static PREFIXES: LazyLock<Vec<(&[Format], AhoCorasick)>> = LazyLock::new(|| {
    let search = |formats: &'static [Format]| {
        let prefixes = formats.iter().map(|format| format.prefix);
        // It fails for more patterns than a 32-bit number can count, and there are those above.
        #[allow(clippy::unwrap_used, reason = "the patterns are constants, and a test builds them")]
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(prefixes).unwrap();
        (formats, search)
    };
    FORMATS.chunks(AT_ONCE).map(search).collect()
});

/// What the formats begin with.
#[cfg(test)]
pub(super) fn prefixes() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.prefix)
}

/// Adds the tokens of a text.
pub(super) fn find(text: &str, found: &mut Vec<Found>) {
    PREFIXES.iter().for_each(|(formats, search)| with_prefix(text, formats, search, found));
    around_separator(text.as_bytes(), found);
    found.extend(memchr_iter(b'~', text.as_bytes()).filter_map(|at| entra_secret(text.as_bytes(), at)));
}

fn with_prefix(text: &str, formats: &[Format], search: &AhoCorasick, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(hit) = search.find(Input::new(text).range(from..)) {
        let format = &formats[hit.pattern().as_usize()];
        match format.body.range(bytes, hit.start(), hit.end()) {
            // What a word such as `Bearer` announces may have a form of its own.
            Some(at) if at.start >= hit.end() => {
                from = hit.end();
                found.push(Found { at, kind: format.kind, by: By::Place });
            }
            Some(at) => {
                from = at.end.max(hit.end());
                found.push(Found { at, kind: format.kind, by: By::Form });
            }
            None => from = hit.start() + 1,
        }
    }
}

impl Body {
    /// Where the token is whose prefix is at `start..end`.
    fn range(&self, bytes: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
        let (length, alphabet, is_exact) = match *self {
            AtLeast(least, alphabet) => (least, alphabet, false),
            Word(least, alphabet) if begins_word(bytes, start, &WORD) => (least, alphabet, false),
            Exactly(length, alphabet) if begins_word(bytes, start, &WORD) => (length, alphabet, true),
            Word(..) | Exactly(..) => return None,
            Custom(range) => return range(bytes, start),
        };
        // What only begins like a token is the name of something: `glrt-runner-deployment-0`.
        let near = &bytes[end..bytes.len().min(end + NEAR)];
        let near = &near[..alphabet.run(near)];
        if alphabet.has(b'-') && near.len() >= length.min(NEAR) && reads_as_name(near) {
            return None;
        }
        // Of an exact length one character more is enough to know that it is another.
        let rest = if is_exact { &bytes[end..bytes.len().min(end + length + 1)] } else { &bytes[end..] };
        let run = alphabet.run(rest);
        let fits = if is_exact { run == length && rest.get(run).is_none_or(|&next| !WORD.has(next)) } else { run >= length };
        fits.then(|| start..end + without_full_stop(&rest[..run]))
    }
}

/// Bytes of a token that show that it is none but a name.
const NEAR: usize = 64;

/// Whether what follows a prefix reads as the rest of a name.
fn reads_as_name(rest: &[u8]) -> bool {
    std::str::from_utf8(&rest[..without_full_stop(rest)]).is_ok_and(names::reads_as_name)
}

/// Whether there are digits, small letters and capital letters: random text of 20 characters and more has nearly always all three,
/// names of things have one or two.
fn has_all_kinds(token: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| token.iter().any(is);
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}

/// How much of a run is left without the full stops that end a sentence.
fn without_full_stop(run: &[u8]) -> usize {
    run.iter().rposition(|&byte| byte != b'.').map_or(0, |last| last + 1)
}

fn jwt(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    /// `{"alg":"none"}` is 20 characters; what is shorter is no header.
    const HEADER: usize = 16;
    if !begins_word(bytes, at, &DOTTED) {
        return None;
    }
    let token = &bytes[at..at + DOTTED.run(&bytes[at..])];
    let mut parts = token.split(|&byte| byte == b'.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let long_enough = header.len() >= HEADER && payload.len() + signature.len() >= HEADER;
    long_enough.then(|| at..at + without_full_stop(token))
}

/// A client secret of Microsoft Entra, which has `Q~` in it behind three characters and a digit, and 31 to 34 more.
/// https://learn.microsoft.com/en-us/purview/sit-defn-azure-ad-client-secret
fn entra_secret(bytes: &[u8], tilde: usize) -> Option<Found> {
    let start = tilde.checked_sub("abc8Q".len())?;
    let head = &bytes[start..tilde];
    let rest = &bytes[tilde + 1..bytes.len().min(tilde + 1 + 36)];
    let tail = without_full_stop(&rest[..ENTRA.run(rest)]);
    let fits = head[..3].iter().all(|&byte| ENTRA.has(byte)) && head[3].is_ascii_digit() && head[4] == b'Q';
    (fits && (31..=34).contains(&tail) && begins_word(bytes, start, &ENTRA)).then(|| Found {
        at: start..tilde + 1 + tail,
        kind: "Azure client secret",
        by: By::Form,
    })
}

fn azure_devops(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    const LENGTH: usize = 84;
    const SIGNATURE_AT: usize = 76;
    let start = at.checked_sub(SIGNATURE_AT)?;
    let token = bytes.get(start..start + LENGTH)?;
    let ends = bytes.get(start + LENGTH).is_none_or(|&next| !ALPHANUMERIC.has(next));
    (ends && ALPHANUMERIC.run(token) == LENGTH && begins_word(bytes, start, &ALPHANUMERIC)).then_some(start..start + LENGTH)
}

/// A token of a Slack application, whose prefix is followed by a version: `xapp-1-A0123-…`.
fn slack_app(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + "xapp-".len();
    let is_version = matches!(bytes[start..], [version, b'-', ..] if version.is_ascii_digit());
    if !is_version || !begins_word(bytes, at, &WORD) {
        return None;
    }
    let length = BASE64URL.run(&bytes[start..]);
    (length >= 20).then_some(at..start + length)
}

/// The cookie of a session in GitLab: https://docs.gitlab.com/security/tokens/#token-prefixes
fn gitlab_session(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + "_gitlab_session=".len();
    let length = BASE64URL.run(&bytes[start..]);
    (length >= 16).then_some(start..start + length)
}

/// A key of Google that is bound to a service account.
fn google_auth_key(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + "AQ.".len();
    if !begins_word(bytes, at, &DOTTED) {
        return None;
    }
    let token = &bytes[start..start + BASE64URL.run(&bytes[start..])];
    (token.len() >= 30 && has_all_kinds(&token[..30])).then(|| at..start + token.len())
}

/// `K10`, the hash of a certificate, `::` and the credentials.
fn k3s(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let hash = at + "K10".len();
    let start = hash + 64 + "::".len();
    let is_hash = bytes.get(hash..hash + 64)?.iter().all(u8::is_ascii_hexdigit) && bytes.get(start - 2..start)? == b"::";
    if !is_hash || !begins_word(bytes, at, &WORD) {
        return None;
    }
    let length = bytes[start..].iter().take_while(|&&byte| BASE64URL.has(byte) || matches!(byte, b':' | b'.')).count();
    (length > 0).then(|| at..start + without_full_stop(&bytes[start..start + length]))
}

/// `coder_`, 10 characters, an underscore and 40 more.
fn coder_oauth2(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + "coder_".len();
    let (middle, end) = (start + 10, start + 51);
    let token = bytes.get(start..end)?;
    let is_token = ALPHANUMERIC.run(token) == 10 && token[10] == b'_' && ALPHANUMERIC.run(&bytes[middle + 1..end]) == 40;
    let is_word = begins_word(bytes, at, &WORD) && bytes.get(end).is_none_or(|&next| !WORD.has(next));
    (is_token && is_word).then_some(at..end)
}

fn slack_webhook(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let path = at + bytes[at..].iter().position(|&byte| byte == b'/')? + 1;
    let kind = ["services/", "workflows/", "triggers/"].into_iter().find(|kind| bytes[path..].starts_with(kind.as_bytes()))?;
    let start = path + kind.len();
    let length = bytes[start..].iter().take_while(|&&byte| WORD.has(byte) || byte == b'/').count();
    (length >= 20).then_some(start..start + length)
}

fn openai(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    /// The shortest keys that were ever issued have 48 characters behind the prefix; other vendors use the prefix with 32.
    const LEAST: usize = 32;
    if !begins_word(bytes, at, &DOTTED) {
        return None;
    }
    let start = at + "sk-".len();
    let body = &bytes[start..start + BASE64URL.run(&bytes[start..])];
    // Names of things can begin with `sk-`, too, but hardly as long a name with digits in it.
    let is_key = body.len() >= LEAST && body.iter().filter(|byte| byte.is_ascii_digit()).count() >= 3;
    is_key.then_some(at..start + body.len())
}

/// Tokens without a prefix, which are two words of known lengths with a separator between them.
fn around_separator(bytes: &[u8], found: &mut Vec<Found>) {
    for at in memchr2_iter(b'-', b'.', bytes) {
        let range = if bytes[at] == b'-' { coder_session(bytes, at) } else { vault(bytes, at).or_else(|| bootstrap(bytes, at)) };
        if let Some((at, kind)) = range {
            found.push(Found { at, kind, by: By::Form });
        }
    }
}

/// Whether the separator at `at` has words of these lengths on both sides.
fn two_words(bytes: &[u8], at: usize, left: usize, right: usize, alphabet: &Alphabet) -> Option<Range<usize>> {
    let (start, end) = (at.checked_sub(left)?, at + 1 + right);
    if end > bytes.len() || bytes.get(end).is_some_and(|&next| BASE64URL.has(next)) {
        return None;
    }
    let is_token = alphabet.run_back(&bytes[start..at]) == left && alphabet.run(&bytes[at + 1..end]) == right;
    (is_token && begins_word(bytes, start, &DOTTED)).then_some(start..end)
}

/// A session token or API key of Coder: an id of 10 and a secret of 22 letters and digits.
/// https://github.com/coder/coder/blob/main/coderd/apikey/apikey.go
fn coder_session(bytes: &[u8], at: usize) -> Option<(Range<usize>, &'static str)> {
    let range = two_words(bytes, at, 10, 22, &ALPHANUMERIC)?;
    has_all_kinds(&bytes[range.clone()]).then_some((range, "Coder session token"))
}

/// A token of Vault before 1.10: `s`, `b` or `r`, a dot and 24 letters and digits.
/// https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes
fn vault(bytes: &[u8], at: usize) -> Option<(Range<usize>, &'static str)> {
    const LENGTH: usize = 24;
    let start = at.checked_sub(1).filter(|&start| matches!(bytes[start], b's' | b'b' | b'r'))?;
    let end = at + 1 + LENGTH;
    let secret = bytes.get(at + 1..end)?;
    let is_token = ALPHANUMERIC.run(secret) == LENGTH && bytes.get(end).is_none_or(|&next| !BASE64URL.has(next));
    (is_token && has_all_kinds(secret) && begins_word(bytes, start, &DOTTED)).then_some((start..end, "Vault token"))
}

/// A bootstrap token: an id of 6 and a secret of 16 small letters and digits.
/// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format
fn bootstrap(bytes: &[u8], at: usize) -> Option<(Range<usize>, &'static str)> {
    let range = two_words(bytes, at, 6, 16, &SMALL)?;
    let secret = &bytes[at + 1..range.end];
    // Host names have words without digits, and numbers have no letters. The name of an event ends in its time in nanoseconds, which are 16 hexadecimal digits
    // that begin with 1 until 2043.
    let is_name = !secret.iter().any(u8::is_ascii_digit) || !secret.iter().any(u8::is_ascii_alphabetic);
    let is_time = secret[0] == b'1' && secret.iter().all(u8::is_ascii_hexdigit);
    (!is_name && !is_time).then_some((range, "bootstrap token"))
}
