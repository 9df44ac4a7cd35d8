//! Tokens that are known by their form. Each entry names the issuer's documentation of it.

use std::ops::Range;

use super::alphabet::{
    ALPHANUMERIC, Alphabet, BASE64, BASE64URL, BEARER, CAPITAL, COLONS, CRYPT, DOTTED, ENTRA, NAME, QUERY, SCRAM, SENTRY, SMALL,
    WORD,
};
use super::scan::Scan;
use super::values::{has_all_kinds, reads_as_name};
use super::{By, Found};

/// A form that begins with a fixed text.
pub(super) struct Format {
    pub(super) kind: &'static str,
    /// The fixed text at its beginning, or inside: at least three bytes, as two are found too often.
    pub(super) prefix: &'static str,
    body: Body,
}

/// What follows the prefix.
enum Body {
    /// At least so many characters. The prefix is rare enough to be anywhere.
    AtLeast(usize, &'static Alphabet),
    /// Like `AtLeast`, for a prefix that could be part of another word.
    Word(usize, &'static Alphabet),
    /// Exactly so many, as a word of their own.
    Exactly(usize, &'static Alphabet),
    /// A function that returns the secret's range, given the position of the prefix.
    Custom(fn(&Scan<'_>, usize) -> Option<Range<usize>>),
}

use Body::{AtLeast, Custom, Exactly, Word};

const fn format(kind: &'static str, prefix: &'static str, body: Body) -> Format {
    Format { kind, prefix, body }
}

pub(super) static FORMATS: &[Format] = &[
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
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes. `ACCA` is left out: it
    // identifies a credential and is no part of one.
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
    // https://learn.microsoft.com/en-us/purview/sit-defn-azure-ad-client-secret: three characters, a digit, `Q~`, and 31 to 34 more.
    format("Azure client secret", "0Q~", Custom(entra_secret)),
    format("Azure client secret", "1Q~", Custom(entra_secret)),
    format("Azure client secret", "2Q~", Custom(entra_secret)),
    format("Azure client secret", "3Q~", Custom(entra_secret)),
    format("Azure client secret", "4Q~", Custom(entra_secret)),
    format("Azure client secret", "5Q~", Custom(entra_secret)),
    format("Azure client secret", "6Q~", Custom(entra_secret)),
    format("Azure client secret", "7Q~", Custom(entra_secret)),
    format("Azure client secret", "8Q~", Custom(entra_secret)),
    format("Azure client secret", "9Q~", Custom(entra_secret)),
    format("Azure DevOps token", "AZDO", Custom(azure_devops)),
    // https://docs.slack.dev/authentication/tokens
    format("Slack token", "xoxb-", Word(10, &BASE64URL)),
    format("Slack token", "xoxp-", Word(10, &BASE64URL)),
    format("Slack token", "xoxe-", Word(10, &BASE64URL)),
    format("Slack token", "xoxe.xox", Word(10, &DOTTED)),
    format("Slack token", "xoxa-", Word(10, &BASE64URL)),
    format("Slack token", "xoxr-", Word(10, &BASE64URL)),
    format("Slack token", "xoxs-", Word(10, &BASE64URL)),
    // Tokens of a browser's session, which Slack uses and does not document.
    format("Slack token", "xoxc-", Word(10, &BASE64URL)),
    format("Slack token", "xoxd-", Word(10, &QUERY)),
    format("Slack token", "xapp-", Custom(slack_app)),
    format("Slack token", "xwfp-", Word(10, &BASE64URL)),
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
    // https://docs.k3s.io/cli/token: the hash of a certificate, followed by the secret.
    format("k3s token", "K10", Custom(k3s)),
    // https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/
    format("New Relic key", "NRAK-", Word(20, &CAPITAL)),
    // Secrets of OAuth2 applications, codes and refresh tokens:
    // https://github.com/coder/coder/blob/main/coderd/oauth2provider/secrets.go
    format("Coder token", "coder_", Custom(coder_oauth2)),
    // https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html: temporary ones begin alike.
    format("AWS session token", "IQoJb3JpZ2lu", Word(40, &BASE64)),
    format("AWS session token", "FwoGZXIvYXdz", Word(40, &BASE64)),
    // https://developer.hashicorp.com/terraform/cloud-docs/api-docs: 14 characters, and 67 after the dots.
    format("HCP Terraform token", ".atlasv1.", Custom(terraform)),
    // https://docs.databricks.com/aws/en/dev-tools/auth/pat
    format("Databricks token", "dapi", Custom(databricks)),
    // https://grafana.com/docs/grafana-cloud/security-and-account-management/authentication-and-permissions/access-policies/
    format("Grafana token", "glc_", Word(32, &BASE64)),
    // https://docs.doppler.com/reference/auth-token-formats
    format("Doppler token", "dp.pt.", Word(30, &ALPHANUMERIC)),
    format("Doppler token", "dp.st.", Word(30, &DOTTED)),
    format("Doppler token", "dp.sa.", Word(30, &ALPHANUMERIC)),
    format("Doppler token", "dp.ct.", Word(30, &ALPHANUMERIC)),
    format("Doppler token", "dp.scim.", Word(30, &ALPHANUMERIC)),
    format("Doppler token", "dp.audit.", Word(30, &ALPHANUMERIC)),
    // https://shopify.dev/changelog/length-of-the-shopify-access-token-is-increasing
    format("Shopify token", "shpat_", AtLeast(32, &ALPHANUMERIC)),
    format("Shopify token", "shpca_", AtLeast(32, &ALPHANUMERIC)),
    format("Shopify token", "shppa_", AtLeast(32, &ALPHANUMERIC)),
    format("Shopify token", "shpss_", AtLeast(32, &ALPHANUMERIC)),
    // https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
    format("Atlassian token", "ATATT3x", AtLeast(40, &QUERY)),
    format("Atlassian token", "ATCTT3x", AtLeast(40, &QUERY)),
    format("Atlassian token", "ATBB", Exactly(32, &ALPHANUMERIC)),
    // https://docs.redhat.com/en/documentation/openshift_container_platform/: tokens of OAuth.
    format("OpenShift token", "sha256~", AtLeast(40, &BASE64URL)),
    // https://linear.app/developers, https://developers.notion.com/, https://learning.postman.com/docs/developer/postman-api/authentication/
    format("Linear key", "lin_api_", Word(30, &ALPHANUMERIC)),
    format("Notion token", "ntn_", Word(40, &ALPHANUMERIC)),
    format("Postman key", "PMAK-", Word(40, &BASE64URL)),
    // https://console.groq.com/docs, https://docs.x.ai, https://docs.perplexity.ai, https://replicate.com/docs
    format("Groq key", "gsk_", Word(40, &ALPHANUMERIC)),
    format("xAI key", "xai-", Word(60, &ALPHANUMERIC)),
    format("Perplexity key", "pplx-", Word(40, &ALPHANUMERIC)),
    format("Replicate token", "r8_", Word(32, &ALPHANUMERIC)),
    // https://circleci.com/docs/managing-api-tokens/, https://buildkite.com/docs/apis/managing-api-tokens
    format("CircleCI token", "CCIPAT_", AtLeast(40, &WORD)),
    format("CircleCI token", "CCIPRJ_", AtLeast(40, &WORD)),
    format("Buildkite token", "bkua_", Word(40, &SMALL)),
    // https://www.pulumi.com/docs/pulumi-cloud/accounts/
    format("Pulumi token", "pul-", Exactly(40, &SMALL)),
    // https://docs.sonarsource.com/sonarqube-server/latest/user-guide/managing-tokens/
    format("SonarQube token", "sqp_", Word(40, &SMALL)),
    format("SonarQube token", "squ_", Word(40, &SMALL)),
    format("SonarQube token", "sqa_", Word(40, &SMALL)),
    // https://jfrog.com/help/r/jfrog-platform-administration-documentation/access-tokens
    format("Artifactory token", "AKCp", Word(60, &ALPHANUMERIC)),
    format("Artifactory token", "cmVmdGtu", Word(50, &ALPHANUMERIC)),
    // https://supabase.com/docs/guides/api/api-keys, https://planetscale.com/docs
    format("Supabase key", "sb_secret_", AtLeast(20, &BASE64URL)),
    format("Supabase key", "sbp_", Word(40, &SMALL)),
    format("PlanetScale token", "pscale_tkn_", AtLeast(32, &DOTTED)),
    format("PlanetScale token", "pscale_pw_", AtLeast(32, &DOTTED)),
    format("PlanetScale token", "pscale_oauth_", AtLeast(32, &DOTTED)),
    // https://guides.rubygems.org/api-key-scopes/
    format("RubyGems key", "rubygems_", AtLeast(48, &SMALL)),
    // https://docs.dynatrace.com/docs/discover-dynatrace/references/dynatrace-api/basics/dynatrace-api-authentication
    format("Dynatrace token", "dt0c01.", AtLeast(40, &DOTTED)),
    format("Dynatrace token", "dt0s01.", AtLeast(40, &DOTTED)),
    // https://developer.squareup.com/docs/build-basics/access-tokens
    format("Square token", "sq0atp-", Word(20, &BASE64URL)),
    format("Square token", "sq0csp-", Word(30, &BASE64URL)),
    // https://www.twilio.com/docs/sendgrid and https://documentation.mailgun.com: `key-` and 32 hexadecimal digits.
    format("Mailgun key", "key-", Custom(mailgun)),
    // https://core.telegram.org/bots/api#authorizing-your-bot
    format("Telegram token", ":AA", Custom(telegram)),
    // https://fly.io/docs/security/tokens/
    format("Fly token", "FlyV1 fm", AtLeast(40, &BEARER)),
    format("Fly token", "fm2_", Word(60, &BASE64)),
    // https://devcenter.heroku.com/articles/platform-api-quickstart
    format("Heroku key", "HRKU-", Word(36, &BASE64URL)),
    // https://www.easypost.com/docs, https://developer.typeform.com
    format("EasyPost key", "EZAK", Exactly(54, &ALPHANUMERIC)),
    format("EasyPost key", "EZTK", Exactly(54, &ALPHANUMERIC)),
    format("Typeform token", "tfp_", Word(40, &DOTTED)),
    // https://developers.google.com/identity/protocols/oauth2: refresh tokens.
    format("Google token", "1//0", Word(40, &BASE64URL)),
    // https://discord.com/developers/docs/reference#authentication: three parts, the first of which is the id of the bot in base64.
    format("Discord token", "MTA", Custom(discord)),
    format("Discord token", "MTE", Custom(discord)),
    format("Discord token", "MTI", Custom(discord)),
    format("Discord token", "MTM", Custom(discord)),
    format("Discord token", "MTQ", Custom(discord)),
    format("Discord token", "MTU", Custom(discord)),
    format("Discord token", "MTY", Custom(discord)),
    format("Discord token", "MTc", Custom(discord)),
    format("Discord token", "MTg", Custom(discord)),
    format("Discord token", "MTk", Custom(discord)),
    // https://ranchermanager.docs.rancher.com/api/api-tokens
    format("Rancher token", "token-", Custom(rancher)),
    format("Rancher token", "kubeconfig-", Custom(rancher)),
    // https://docs.prefect.io, https://www.infracost.io/docs, https://docs.netlify.com, https://docs.snyk.io
    format("Prefect key", "pnu_", Word(36, &ALPHANUMERIC)),
    format("Infracost key", "ico-", Word(32, &ALPHANUMERIC)),
    format("Netlify token", "nfp_", Word(36, &ALPHANUMERIC)),
    // https://docs.nuget.org: 46 small letters and digits.
    format("NuGet key", "oy2", Exactly(43, &SMALL)),
    // crypt(3), htpasswd of Apache, PostgreSQL, Django and LDAP: hashes of passwords, which can be guessed at leisure.
    format("password hash", "$apr1$", Custom(crypt)),
    format("password hash", "$2a$", Custom(crypt)),
    format("password hash", "$2b$", Custom(crypt)),
    format("password hash", "$2y$", Custom(crypt)),
    format("password hash", "$1$", Custom(crypt)),
    format("password hash", "$5$", Custom(crypt)),
    format("password hash", "$6$", Custom(crypt)),
    format("password hash", "$y$", Custom(crypt)),
    format("password hash", "$7$", Custom(crypt)),
    format("password hash", "$argon2", Custom(crypt)),
    format("password hash", "{SSHA}", AtLeast(24, &BASE64)),
    format("password hash", "{SSHA512}", AtLeast(24, &BASE64)),
    format("password hash", "SCRAM-SHA-256$", AtLeast(40, &SCRAM)),
    format("password hash", "pbkdf2_sha256$", AtLeast(40, &CRYPT)),
];

impl Format {
    /// The token whose prefix is at `start`.
    pub(super) fn find(&self, scan: &Scan<'_>, start: usize) -> Option<Found> {
        let at = self.body.range(scan, start, start + self.prefix.len())?;
        Some(Found { at, kind: self.kind, by: By::Form })
    }
}

#[cfg(test)]
impl Format {
    /// A token of this form, made from random letters and digits; none if the form is more than a prefix and an alphabet.
    pub(super) fn example(&self, random: &str) -> Option<String> {
        let (AtLeast(length, alphabet) | Word(length, alphabet) | Exactly(length, alphabet)) = self.body else { return None };
        Some(self.prefix.chars().chain(random.chars().cycle().filter(|&c| alphabet.has(c as u8)).take(length)).collect())
    }
}

impl Body {
    fn range(&self, scan: &Scan<'_>, start: usize, end: usize) -> Option<Range<usize>> {
        let (length, alphabet, is_exact) = match *self {
            AtLeast(least, alphabet) => (least, alphabet, false),
            Word(least, alphabet) if scan.begins_word(start, &WORD) => (least, alphabet, false),
            Exactly(length, alphabet) if scan.begins_word(start, &WORD) => (length, alphabet, true),
            Word(..) | Exactly(..) => return None,
            Custom(range) => return range(scan, start),
        };
        let run = scan.run(end, alphabet);
        if is_exact {
            let exact = end + length;
            let fits = run == exact || run > exact && scan.is_seam(exact);
            return (fits && scan.ends_word(exact, &WORD)).then_some(start..exact);
        }
        // A word that only begins like a token is a name: `glrt-runner-deployment-0`.
        let is_name = || alphabet.has(b'-') && reads_as_name(without_full_stop(scan.judged(&(end..run))));
        (run >= end + length && !is_name()).then(|| start..trimmed(scan, end, run))
    }
}

/// The end of a run, without the full stops that end a sentence.
fn trimmed(scan: &Scan<'_>, start: usize, end: usize) -> usize {
    let stops = scan.before(end, 3).iter().rev().take_while(|&&byte| byte == b'.').count();
    start.max(end - stops)
}

fn without_full_stop(text: &str) -> &str {
    text.trim_end_matches('.')
}

/// The end of exactly `length` characters, if no word continues there.
fn exactly(scan: &Scan<'_>, at: usize, length: usize, alphabet: &Alphabet) -> Option<usize> {
    let end = at + length;
    (alphabet.run(scan.ahead(at, length)) == length && scan.ends_word(end, &WORD)).then_some(end)
}

fn jwt(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    /// `{"alg":"none"}` is 20 characters; what is shorter is no header.
    const HEADER: usize = 16;
    if !scan.begins_word(at, &DOTTED) {
        return None;
    }
    let header = scan.run(at, &BASE64URL);
    let end = scan.run(at, &DOTTED);
    if header - at < HEADER || scan.byte(header) != Some(b'.') || end - header < HEADER {
        return None;
    }
    let payload = scan.run(header + 1, &BASE64URL);
    (scan.byte(payload) == Some(b'.')).then(|| at..trimmed(scan, at, end))
}

fn entra_secret(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let start = at.checked_sub("abc".len())?;
    let tail = at + "8Q~".len();
    let run = (31..=34).find(|&length| scan.is_seam(tail + length)).unwrap_or_else(|| ENTRA.run(scan.ahead(tail, 36)));
    let end = trimmed(scan, tail, tail + run.min(ENTRA.run(scan.ahead(tail, run))));
    let fits = ENTRA.run(scan.before(at, 3)) == 3 && (31..=34).contains(&(end - tail));
    (fits && scan.begins_word(start, &ENTRA)).then_some(start..end)
}

fn azure_devops(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    const BEFORE: usize = 76;
    let end = exactly(scan, at, 8, &ALPHANUMERIC)?;
    let start = at.checked_sub(BEFORE)?;
    (scan.run_back(at, &ALPHANUMERIC, BEFORE) == BEFORE && scan.begins_word(start, &ALPHANUMERIC)).then_some(start..end)
}

/// A token of a Slack application, whose prefix is followed by a version: `xapp-1-A0123-…`.
fn slack_app(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let start = at + "xapp-".len();
    let is_version = matches!(scan.ahead(start, 2), [version, b'-'] if version.is_ascii_digit());
    if !is_version || !scan.begins_word(at, &WORD) {
        return None;
    }
    let end = scan.run(start, &BASE64URL);
    (end >= start + 20).then_some(at..end)
}

/// The cookie of a session in GitLab: https://docs.gitlab.com/security/tokens/#token-prefixes
fn gitlab_session(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let start = at + "_gitlab_session=".len();
    let end = scan.run(start, &BASE64URL);
    (end >= start + 16).then_some(start..end)
}

/// A key of Google that is bound to a service account.
fn google_auth_key(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    const LEAST: usize = 30;
    let start = at + "AQ.".len();
    let fits = scan.begins_word(at, &DOTTED) && scan.run(start, &BASE64URL) >= start + LEAST;
    (fits && has_all_kinds(scan.ahead(start, LEAST))).then(|| at..scan.run(start, &BASE64URL))
}

/// `K10`, the hash of a certificate, `::` and the credentials.
fn k3s(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let hash = scan.ahead(at + "K10".len(), 66);
    let start = at + "K10".len() + 66;
    let is_hash = hash.len() == 66 && hash[..64].iter().all(u8::is_ascii_hexdigit) && hash.ends_with(b"::");
    if !is_hash || !scan.begins_word(at, &WORD) {
        return None;
    }
    let end = trimmed(scan, start, scan.run(start, &COLONS));
    (end > start).then_some(at..end)
}

/// `coder_`, 10 characters, an underscore and 40 more.
fn coder_oauth2(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let middle = at + "coder_".len() + 10;
    let is_token = ALPHANUMERIC.run(scan.ahead(middle - 10, 10)) == 10 && scan.byte(middle) == Some(b'_');
    let end = exactly(scan, middle + 1, 40, &ALPHANUMERIC)?;
    (is_token && scan.begins_word(at, &WORD)).then_some(at..end)
}

fn openai(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    /// The shortest keys ever issued have 48 characters after the prefix; other vendors use the prefix with 32.
    const LEAST: usize = 32;
    let start = at + "sk-".len();
    if !scan.begins_word(at, &DOTTED) || scan.run(start, &BASE64URL) < start + LEAST {
        return None;
    }
    // Names can begin with `sk-`, too, but hardly are as long and have digits.
    let is_key =
        scan.ahead(start, 128).iter().take_while(|&&byte| BASE64URL.has(byte)).filter(|byte| byte.is_ascii_digit()).count() >= 3;
    is_key.then(|| at..scan.run(start, &BASE64URL))
}

/// 14 characters, `.atlasv1.` and some 67 more.
fn terraform(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    const BEFORE: usize = 14;
    let start = at + ".atlasv1.".len();
    let end = scan.run(start, &BASE64URL);
    (scan.run_back(at, &ALPHANUMERIC, BEFORE) == BEFORE && end >= start + 50).then(|| at - BEFORE..end)
}

/// `dapi`, 32 hexadecimal digits, and sometimes a number.
fn databricks(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    hexadecimal(scan, at, "dapi".len(), 32).map(|end| {
        let more = matches!(scan.ahead(end, 2), [b'-', digit] if digit.is_ascii_digit());
        at..if more { end + 2 } else { end }
    })
}

fn mailgun(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    hexadecimal(scan, at, "key-".len(), 32).map(|end| at..end)
}

/// The end of exactly `length` hexadecimal digits after a prefix that begins a word.
fn hexadecimal(scan: &Scan<'_>, at: usize, prefix: usize, length: usize) -> Option<usize> {
    let end = exactly(scan, at + prefix, length, &SMALL).or_else(|| {
        let is_followed = scan.byte(at + prefix + length) == Some(b'-');
        (is_followed && SMALL.run(scan.ahead(at + prefix, length)) == length).then_some(at + prefix + length)
    })?;
    let digits = scan.ahead(at + prefix, length);
    (digits.iter().all(u8::is_ascii_hexdigit) && scan.begins_word(at, &DOTTED)).then_some(end)
}

/// The number of a bot, `:AA` and 33 more.
fn telegram(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let digits = scan.before(at, 12).iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let end = scan.run(at + 1, &BASE64URL);
    ((8..=11).contains(&digits) && end > at + 33).then_some(at - digits..end)
}

/// The id of a bot in base64, six characters and 27 or more, with dots between them.
fn discord(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let id = scan.run(at, &BASE64URL);
    if !(23..=28).contains(&(id - at)) || scan.byte(id) != Some(b'.') || !scan.begins_word(at, &DOTTED) {
        return None;
    }
    let time = scan.run(id + 1, &BASE64URL);
    if time != id + 7 || scan.byte(time) != Some(b'.') {
        return None;
    }
    let end = scan.run(time + 1, &BASE64URL);
    (end > time + 27).then_some(at..end)
}

/// The name of a token, a colon and 54 small letters and digits.
fn rancher(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let colon = scan.run(at, &NAME);
    let end = exactly(scan, colon + 1, 54, &SMALL)?;
    (scan.byte(colon) == Some(b':') && scan.begins_word(at, &DOTTED)).then_some(colon + 1..end)
}

/// After the name of the method come salt and hash, at least 22 characters.
fn crypt(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let end = scan.run(at, &CRYPT);
    // A list may continue after it.
    let end = end - scan.before(end, 3).iter().rev().take_while(|&&byte| matches!(byte, b'.' | b',')).count();
    (end >= at + 28 && scan.begins_word(at, &ALPHANUMERIC)).then_some(at..end)
}

/// Whether the word before a separator may have the length of a token without a prefix. Cheap enough to rule out most words.
#[inline(always)]
pub(super) fn is_before_long_word(scan: &Scan<'_>, at: usize) -> bool {
    [8, 4, 16].iter().all(|far| scan.byte(at + far).is_some_and(|byte| ALPHANUMERIC.has(byte)))
}

/// A token without a prefix: two words of known lengths around this separator.
pub(super) fn around_separator(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let (at, kind) = match scan.byte(at) {
        Some(b'-') => coder_session(scan, at),
        _ => vault(scan, at).or_else(|| bootstrap(scan, at)),
    }?;
    Some(Found { at, kind, by: By::Form })
}

/// Whether the separator at `at` has words of these lengths on both sides.
fn two_words(scan: &Scan<'_>, at: usize, left: usize, right: usize, alphabet: &Alphabet) -> Option<Range<usize>> {
    let (start, end) = (at.checked_sub(left)?, at + 1 + right);
    let is_token = alphabet.run_back(scan.before(at, left)) == left && alphabet.run(scan.ahead(at + 1, right)) == right;
    (is_token && scan.ends_word(end, &BASE64URL) && scan.begins_word(start, &DOTTED)).then_some(start..end)
}

/// A session token or API key of Coder: an id of 10 and a secret of 22 letters and digits.
/// https://github.com/coder/coder/blob/main/coderd/apikey/apikey.go
fn coder_session(scan: &Scan<'_>, at: usize) -> Option<(Range<usize>, &'static str)> {
    let range = two_words(scan, at, 10, 22, &ALPHANUMERIC)?;
    has_all_kinds(scan.ahead(range.start, range.len())).then_some((range, "Coder session token"))
}

/// A token of Vault before 1.10: `s`, `b` or `r`, a dot and 24 letters and digits.
/// https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes
fn vault(scan: &Scan<'_>, at: usize) -> Option<(Range<usize>, &'static str)> {
    scan.byte_before(at).filter(|byte| matches!(byte, b's' | b'b' | b'r'))?;
    let range = two_words(scan, at, 1, 24, &ALPHANUMERIC)?;
    has_all_kinds(scan.ahead(at + 1, 24)).then_some((range, "Vault token"))
}

/// A bootstrap token: an id of 6 and a secret of 16 small letters and digits.
/// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format
fn bootstrap(scan: &Scan<'_>, at: usize) -> Option<(Range<usize>, &'static str)> {
    let range = two_words(scan, at, 6, 16, &SMALL)?;
    let secret = scan.ahead(at + 1, 16);
    // Words of host names have no digits, and numbers no letters. The name of an event ends in its time in nanoseconds, 16
    // hexadecimal digits that begin with 1 until 2043.
    let is_name = !secret.iter().any(u8::is_ascii_digit) || !secret.iter().any(u8::is_ascii_alphabetic);
    let is_time = secret[0] == b'1' && secret.iter().all(u8::is_ascii_hexdigit);
    (!is_name && !is_time).then_some((range, "bootstrap token"))
}
