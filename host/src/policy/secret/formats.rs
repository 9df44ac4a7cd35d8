//! Tokens that are known by their form. Each entry names the document of the issuer that its form is taken from.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use memchr::{memchr_iter, memchr2_iter};

use super::alphabet::{ALPHANUMERIC, Alphabet, BASE64, BASE64URL, CAPITAL, DOTTED, ENTRA, SMALL, WORD, begins_word};
use super::{By, Found, places};

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
    format("GitHub token", "ghu_", AtLeast(30, &WORD)),
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
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    format("AWS access key", "AKIA", Exactly(16, &CAPITAL)),
    format("AWS access key", "ASIA", Exactly(16, &CAPITAL)),
    // https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-how.html
    format("AWS access key", "ABSK", Word(100, &BASE64)),
    // https://cloud.google.com/docs/authentication/api-keys
    format("Google API key", "AIza", Exactly(35, &BASE64URL)),
    // https://cloud.google.com/docs/authentication/token-types
    format("Google token", "ya29.", Word(20, &DOTTED)),
    // https://developers.google.com/identity/protocols/oauth2/web-server
    format("Google client secret", "GOCSPX-", Word(20, &BASE64URL)),
    // https://learn.microsoft.com/en-us/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate: 84 characters
    // with a signature at the 76th.
    format("Azure DevOps token", "AZDO", Custom(azure_devops)),
    // https://docs.slack.dev/authentication/tokens
    format("Slack token", "xoxb-", Word(10, &BASE64URL)),
    format("Slack token", "xoxp-", Word(10, &BASE64URL)),
    format("Slack token", "xoxe-", Word(10, &BASE64URL)),
    format("Slack token", "xoxe.xox", Word(10, &DOTTED)),
    format("Slack token", "xoxa-", Word(10, &BASE64URL)),
    format("Slack token", "xoxr-", Word(10, &BASE64URL)),
    format("Slack token", "xoxs-", Word(10, &BASE64URL)),
    format("Slack token", "xapp-", Word(20, &BASE64URL)),
    format("Slack token", "xwfp-", Word(10, &BASE64URL)),
    // https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    format("Slack webhook", "hooks.slack.com/", Custom(slack_webhook)),
    // https://docs.stripe.com/keys: `pk_` is public.
    format("Stripe key", "sk_live_", Word(10, &ALPHANUMERIC)),
    format("Stripe key", "sk_test_", Word(10, &ALPHANUMERIC)),
    format("Stripe key", "rk_live_", Word(10, &ALPHANUMERIC)),
    format("Stripe key", "rk_test_", Word(10, &ALPHANUMERIC)),
    // https://docs.stripe.com/webhooks/signature
    format("Stripe webhook secret", "whsec_", Word(24, &BASE64)),
    // https://docs.npmjs.com/about-access-tokens
    format("npm token", "npm_", Exactly(36, &ALPHANUMERIC)),
    // https://pypi.org/help/#apitoken: a macaroon, whose beginning is that of its format and its location.
    format("PyPI token", "pypi-AgE", Word(40, &BASE64URL)),
    // https://platform.openai.com/docs/api-reference/authentication
    // https://docs.anthropic.com/en/api/overview#authentication
    format("Anthropic key", "sk-ant-", Word(20, &BASE64URL)),
    format("OpenAI key", "sk-", Custom(openai)),
    // https://docs.docker.com/security/access-tokens/
    format("Docker token", "dckr_pat_", AtLeast(20, &BASE64URL)),
    format("Docker token", "dckr_oat_", AtLeast(20, &BASE64URL)),
    // https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes
    format("Vault token", "hvs.", Word(20, &BASE64URL)),
    format("Vault token", "hvb.", Word(20, &BASE64URL)),
    format("Vault token", "hvr.", Word(20, &BASE64URL)),
    // https://docs.digitalocean.com/reference/api/create-personal-access-token/
    format("DigitalOcean token", "dop_v1_", AtLeast(64, &SMALL)),
    format("DigitalOcean token", "doo_v1_", AtLeast(64, &SMALL)),
    format("DigitalOcean token", "dor_v1_", AtLeast(64, &SMALL)),
    // https://huggingface.co/docs/hub/security-tokens
    format("Hugging Face token", "hf_", Word(30, &ALPHANUMERIC)),
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
];

/// Finds all prefixes at once. The automaton looks at many bytes at a time for what can begin one.
static PREFIXES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let prefixes = FORMATS.iter().map(|format| format.prefix);
    // It fails for more patterns than a 32-bit number can count, and there are those above.
    #[allow(clippy::unwrap_used, reason = "the patterns are constants, and a test builds them")]
    AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(prefixes).unwrap()
});

/// What the formats begin with.
#[cfg(test)]
pub(super) fn prefixes() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.prefix)
}

/// Adds the tokens of a text.
pub(super) fn find(text: &str, found: &mut Vec<Found>) {
    with_prefix(text, found);
    around_separator(text.as_bytes(), found);
    found.extend(memchr_iter(b'~', text.as_bytes()).filter_map(|at| entra_secret(text.as_bytes(), at)));
}

fn with_prefix(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(hit) = PREFIXES.find(Input::new(text).range(from..)) {
        let format = &FORMATS[hit.pattern().as_usize()];
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
        // Of an exact length one character more is enough to know that it is another.
        let rest = if is_exact { &bytes[end..bytes.len().min(end + length + 1)] } else { &bytes[end..] };
        let run = alphabet.run(rest);
        let fits = if is_exact { run == length && rest.get(run).is_none_or(|&next| !WORD.has(next)) } else { run >= length };
        fits.then(|| start..end + without_full_stop(&rest[..run]))
    }
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

fn slack_webhook(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let path = at + "hooks.slack.com/".len();
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
        let range = if bytes[at] == b'-' { coder_session(bytes, at) } else { bootstrap(bytes, at) };
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
    // Random text of this length has all three with a probability of 99.6 %; names of things have one or two.
    let token = &bytes[range.clone()];
    let has = |is: fn(&u8) -> bool| token.iter().any(is);
    (has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit))
        .then_some((range, "Coder session token"))
}

/// A bootstrap token: an id of 6 and a secret of 16 small letters and digits.
/// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format
fn bootstrap(bytes: &[u8], at: usize) -> Option<(Range<usize>, &'static str)> {
    let range = two_words(bytes, at, 6, 16, &SMALL)?;
    let secret = &bytes[at + 1..range.end];
    // Host names have words without digits. The name of an event ends in its time in nanoseconds, which are 16 hexadecimal digits
    // that begin with 1 until 2043.
    let is_name = !secret.iter().any(u8::is_ascii_digit);
    let is_time = secret[0] == b'1' && secret.iter().all(u8::is_ascii_hexdigit);
    (!is_name && !is_time).then_some((range, "bootstrap token"))
}
