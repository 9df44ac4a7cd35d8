//! Who has to have signed a component, in the grammar of Kubewarden's verification files.

use std::collections::BTreeMap;
use std::fmt;

use sandbar_text::clean_line;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::PublicKey;

/// Rules of a policy.
const RULES: usize = 64;

/// Bytes of a name in a message.
const NAME_BYTES: usize = 200;

/// Who has to have signed a component.
///
/// `allOf` are rules of which each has to be met, `anyOf` are rules of which so many have to be met. One of the two has to be there.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(try_from = "Written", into = "Written")]
#[schemars(rename = "SignaturePolicy", with = "Written")]
pub struct Policy {
    pub(crate) all_of: Vec<Rule>,
    pub(crate) any_of: Vec<Rule>,
    /// How many of `any_of`. 0 where there are none.
    pub(crate) minimum: usize,
}

/// A policy as it is written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SignaturePolicy")]
struct Written {
    /// The version of the grammar, as files of Kubewarden have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_version: Option<ApiVersion>,
    /// Rules that all have to be met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    all_of: Vec<Rule>,
    /// Rules of which some have to be met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    any_of: Option<AnyOf>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
enum ApiVersion {
    #[serde(rename = "v1")]
    V1,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SignaturePolicyAnyOf")]
struct AnyOf {
    /// How many rules have to be met: 1 unless it says otherwise.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    minimum_matches: usize,
    /// The rules.
    signatures: Vec<Rule>,
}

fn one() -> usize {
    1
}

/// What a signature has to be. Annotations are those that were signed, as `cosign sign -a KEY=VALUE` adds them.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SignatureRule")]
pub enum Rule {
    /// Made with a key.
    PubKey {
        /// Whose key it is, for messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// The key.
        key: PublicKey,
        /// Annotations that it has to have, with their values.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        annotations: BTreeMap<String, String>,
    },
    /// Made by somebody whom an OpenID Connect issuer knows. Needs a trust root.
    GenericIssuer {
        /// The issuer, exactly as certificates name it: `https://accounts.example.com`.
        issuer: String,
        /// Whom the certificate is for.
        subject: Subject,
        /// Annotations that it has to have, with their values.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        annotations: BTreeMap<String, String>,
    },
    /// Made by a workflow of GitHub Actions. Needs a trust root.
    GithubAction {
        /// The user or the organisation.
        owner: Segment,
        /// The repository: without it, any of the owner's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repo: Option<Segment>,
        /// Annotations that it has to have, with their values.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        annotations: BTreeMap<String, String>,
    },
}

/// Whom a certificate is for: an address of mail, or the URL of a workflow.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SignatureSubject")]
pub enum Subject {
    /// Exactly this.
    Equal(String),
    /// An `https://` address below this one.
    UrlPrefix(UrlPrefix),
}

/// An `https://` address that ends in `/`, so that nothing else begins with it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct UrlPrefix(String);

/// One name in an address.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Segment(String);

impl TryFrom<String> for UrlPrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let shown = clean_line(&text, NAME_BYTES);
        let host = text.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if host.is_empty() || host.contains('@') {
            return Err(format!("urlPrefix is an https:// address, and `{shown}` is none"));
        }
        match text.ends_with('/') {
            true => Ok(Self(text)),
            false => Err(format!("urlPrefix ends in `/`, or `{shown}-evil` would be below it too: write `{shown}/`")),
        }
    }
}

impl TryFrom<String> for Segment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_name = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter);
        let is_one = !text.is_empty()
            && text.len() <= NAME_BYTES
            && text.bytes().all(is_name)
            && !text.bytes().all(|letter| letter == b'.');
        match is_one {
            true => Ok(Self(text)),
            false => Err(format!("`{}` is no name of an owner or a repository at GitHub", clean_line(&text, NAME_BYTES))),
        }
    }
}

impl From<UrlPrefix> for String {
    fn from(prefix: UrlPrefix) -> Self {
        prefix.0
    }
}

impl From<Segment> for String {
    fn from(segment: Segment) -> Self {
        segment.0
    }
}

impl TryFrom<Written> for Policy {
    type Error = String;

    fn try_from(Written { api_version: _, all_of, any_of }: Written) -> Result<Self, String> {
        let (any_of, minimum) = match any_of {
            Some(AnyOf { minimum_matches, signatures }) => {
                if minimum_matches == 0 || minimum_matches > signatures.len() {
                    return Err(format!(
                        "anyOf wants minimumMatches: {minimum_matches} of {} signatures: it is at least 1, and no more than there are",
                        signatures.len()
                    ));
                }
                (signatures, minimum_matches)
            }
            None => (Vec::new(), 0),
        };
        let rules = || all_of.iter().chain(&any_of);
        match rules().count() {
            0 => {
                return Err(
                    "it has no rules, so anything would pass: write allOf or anyOf, or leave it out altogether".to_owned()
                );
            }
            1..=RULES => {}
            more => return Err(format!("it has {more} rules, and {RULES} are the most")),
        }
        // One signature would count twice.
        for list in [&all_of, &any_of] {
            if let Some((_, twice)) =
                list.iter().enumerate().find(|(at, rule)| list[..*at].iter().any(|other| rule.is_same(other)))
            {
                return Err(format!("{twice} stands twice in one list, and would be met twice by one signature"));
            }
        }
        Ok(Self { all_of, any_of, minimum })
    }
}

impl From<Policy> for Written {
    fn from(Policy { all_of, any_of, minimum }: Policy) -> Self {
        let any_of = (minimum > 0).then_some(AnyOf { minimum_matches: minimum, signatures: any_of });
        Self { api_version: None, all_of, any_of }
    }
}

impl Policy {
    /// Whether a trust root is needed for some of it.
    pub fn needs_trust_root(&self) -> bool {
        self.all_of.iter().chain(&self.any_of).any(|rule| !matches!(rule, Rule::PubKey { .. }))
    }
}

impl Rule {
    /// Whether whoever meets one meets the other. Whose key it is said to be changes nothing.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::PubKey { key, annotations, .. }, Self::PubKey { key: other, annotations: others, .. }) => {
                key.bare == other.bare && annotations == others
            }
            _ => self == other,
        }
    }

    pub(crate) fn annotations(&self) -> &BTreeMap<String, String> {
        let (Self::PubKey { annotations, .. } | Self::GenericIssuer { annotations, .. } | Self::GithubAction { annotations, .. }) =
            self;
        annotations
    }

    /// Whether it is met by whom a certificate is for. An error says what is different.
    pub(crate) fn is_for(&self, issuer: &str, subject: &str) -> Result<(), String> {
        let (wanted, is_it) = match self {
            Self::PubKey { .. } => return Err("it was made with a certificate, and a key is asked for".to_owned()),
            Self::GenericIssuer { issuer, subject: Subject::Equal(wanted), .. } => (issuer.as_str(), wanted == subject),
            Self::GenericIssuer { issuer, subject: Subject::UrlPrefix(prefix), .. } => {
                (issuer.as_str(), is_below(subject, &prefix.0))
            }
            Self::GithubAction { owner, repo, .. } => {
                let mut prefix = format!("https://github.com/{}/", owner.0);
                prefix.extend(repo.iter().flat_map(|repo| [repo.0.as_str(), "/"]));
                ("https://token.actions.githubusercontent.com", is_below(subject, &prefix))
            }
        };
        if issuer != wanted {
            return Err(format!("it was made with a certificate for somebody whom {} knows", clean_line(issuer, NAME_BYTES)));
        }
        match is_it {
            true => Ok(()),
            false => Err(format!("it was made with a certificate for {}", clean_line(subject, NAME_BYTES))),
        }
    }
}

/// Whether an address lies below a prefix that ends in `/`, however it is read.
fn is_below(address: &str, prefix: &str) -> bool {
    let is_way_up = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    address.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.split(['/', '\\', '?', '#']).any(is_way_up))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = |text: &str| clean_line(text, NAME_BYTES);
        match self {
            Self::PubKey { owner: Some(owner), .. } => write!(f, "pubKey of {}", clean(owner))?,
            Self::PubKey { key, .. } => write!(f, "pubKey {}", &key.bare.id.hex()[..12])?,
            Self::GenericIssuer { issuer, subject: Subject::Equal(subject), .. } => {
                write!(f, "genericIssuer {} for {}", clean(issuer), clean(subject))?;
            }
            Self::GenericIssuer { issuer, subject: Subject::UrlPrefix(prefix), .. } => {
                write!(f, "genericIssuer {} for what is below {}", clean(issuer), clean(&prefix.0))?;
            }
            Self::GithubAction { owner, repo: Some(repo), .. } => write!(f, "githubAction of {}/{}", owner.0, repo.0)?,
            Self::GithubAction { owner, repo: None, .. } => write!(f, "githubAction of {}", owner.0)?,
        }
        for (at, (key, value)) in self.annotations().iter().enumerate() {
            write!(f, "{} {}={}", if at == 0 { " with" } else { "," }, clean(key), clean(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;

    use super::*;

    fn policy(yaml: &str) -> Result<Policy, String> {
        serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
    }

    fn key() -> String {
        let pem = KeyPair::generate().expect("a key").public_key_pem();
        pem.lines().map(|line| format!("      {line}\n")).collect()
    }

    #[test]
    fn a_file_of_kubewarden_is_a_policy() {
        let yaml = format!(
            "apiVersion: v1
allOf:
  - kind: githubAction
    owner: kubewarden
    annotations: {{ env: prod }}
anyOf:
  minimumMatches: 2
  signatures:
  - kind: pubKey
    owner: ann
    key: |
{}  - kind: genericIssuer
    issuer: https://accounts.example.com
    subject:
      equal: ann@example.com
  - kind: genericIssuer
    issuer: https://token.actions.githubusercontent.com
    subject:
      urlPrefix: https://github.com/team/
",
            key()
        );
        let read = policy(&yaml).expect("a policy");
        assert_eq!((read.all_of.len(), read.any_of.len(), read.minimum, read.needs_trust_root()), (1, 3, 2, true));
        let said: Vec<String> = read.all_of.iter().chain(&read.any_of).map(Rule::to_string).collect();
        assert_eq!(
            said,
            [
                "githubAction of kubewarden with env=prod",
                "pubKey of ann",
                "genericIssuer https://accounts.example.com for ann@example.com",
                "genericIssuer https://token.actions.githubusercontent.com for what is below https://github.com/team/",
            ]
        );
        let again = serde_json::to_string(&read).expect("written");
        assert_eq!(serde_json::from_str::<Policy>(&again).expect("read again"), read);
        let schema = serde_json::to_value(schemars::schema_for!(Policy)).expect("a schema");
        assert!(schema["properties"]["anyOf"].is_object() && schema["properties"]["allOf"].is_object(), "{schema}");
    }

    #[test]
    fn what_would_let_anything_pass_is_no_policy() {
        let rule = "kind: githubAction, owner: team";
        let key = key();
        for (yaml, said) in [
            ("{}".to_owned(), "no rules"),
            ("allOf: []".to_owned(), "no rules"),
            ("anyOf: { signatures: [] }".to_owned(), "minimumMatches: 1 of 0"),
            (format!("anyOf: {{ minimumMatches: 0, signatures: [{{ {rule} }}] }}"), "minimumMatches: 0 of 1"),
            (format!("anyOf: {{ minimumMatches: 2, signatures: [{{ {rule} }}] }}"), "minimumMatches: 2 of 1"),
            (format!("anyOf: {{ minimumMatches: 2, signatures: [{{ {rule} }}, {{ {rule} }}] }}"), "stands twice"),
            (
                format!(
                    "allOf:\n  - kind: pubKey\n    owner: a\n    key: |\n{key}  - kind: pubKey\n    owner: b\n    key: |\n{key}"
                ),
                "stands twice",
            ),
            (format!("allOf: [{}]", vec![format!("{{ {rule} }}"); 65].join(",")), "65 rules"),
            (format!("allof: [{{ {rule} }}]"), "allof"),
            (format!("allOf: [{{ {rule}, subject: x }}]"), "subject"),
            ("allOf: [{ kind: pubkey }]".to_owned(), "pubkey"),
            ("allOf: [{ kind: pubKey, key: cosign.pub }]".to_owned(), "not PEM"),
            ("allOf: [{ kind: githubAction, owner: team/x }]".to_owned(), "no name"),
            ("allOf: [{ kind: githubAction, owner: .. }]".to_owned(), "no name"),
            ("allOf: [{ kind: genericIssuer, issuer: a }]".to_owned(), "subject"),
            (
                "allOf: [{ kind: genericIssuer, issuer: a, subject: { urlPrefix: 'https://github.com/team' } }]".to_owned(),
                "ends in `/`",
            ),
            ("allOf: [{ kind: genericIssuer, issuer: a, subject: { urlPrefix: 'http://github.com/' } }]".to_owned(), "https://"),
            (
                "allOf: [{ kind: genericIssuer, issuer: a, subject: { equal: a, urlPrefix: 'https://github.com/' } }]".to_owned(),
                "",
            ),
            (format!("apiVersion: v2\nallOf: [{{ {rule} }}]"), "v2"),
        ] {
            let why = policy(&yaml).expect_err(&yaml);
            assert!(why.contains(said), "{yaml}: {why}");
        }
    }

    #[test]
    fn a_subject_is_the_one_that_is_meant_and_no_other() {
        let rule = |yaml: &str| serde_saphyr::from_str::<Rule>(yaml).expect("a rule");
        let actions = "https://token.actions.githubusercontent.com";
        let owner = rule("{ kind: githubAction, owner: team }");
        let repo = rule("{ kind: githubAction, owner: team, repo: tool }");
        let mail = rule("{ kind: genericIssuer, issuer: 'https://a.example', subject: { equal: ann@example.com } }");
        let workflow = "https://github.com/team/tool/.github/workflows/x.yml@refs/tags/v1";
        for (rule, issuer, subject, is_it) in [
            (&owner, actions, workflow, true),
            (&repo, actions, workflow, true),
            (&repo, actions, "https://github.com/team/tools/.github/workflows/x.yml@refs/tags/v1", false),
            (&owner, actions, "https://github.com/teams/tool/x", false),
            (&owner, actions, "https://github.com.evil.example/team/x", false),
            (&owner, actions, "https://github.com/team/../evil/x", false),
            (&owner, actions, "https://github.com/team/%2E%2e/evil/x", false),
            (&owner, actions, "https://github.com/team/", false),
            (&owner, "https://token.actions.githubusercontent.com/", workflow, false),
            (&owner, "https://a.example", workflow, false),
            (&mail, "https://a.example", "ann@example.com", true),
            (&mail, "https://a.example", "ann@example.com.evil.example", false),
            (&mail, "https://a.example", "Ann@example.com", false),
        ] {
            assert_eq!(rule.is_for(issuer, subject).is_ok(), is_it, "{rule}: {issuer} {subject}");
        }
    }
}
