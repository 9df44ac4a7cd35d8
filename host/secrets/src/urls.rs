//! Secrets in URLs and in the data source names of databases: passwords before a host, and paths that are keys themselves.

use std::ops::Range;

use memchr::memmem;

use super::alphabet::{AUTHORITY, BEFORE_NETWORK, NAME, QUERY, URL, URL_PATH, WORD};
use super::scan::Scan;
use super::values::{is_random, names_nothing};
use super::{By, Found};

/// Bytes of a user, and of a user with a short password.
const USER_MAX: usize = 128;
const NEAR: usize = 384;

/// Bytes after the apparent end of an authority in which an `@` is searched, for each `://`.
const FORGOTTEN: usize = 128;

/// The password in the authority of a URL (RFC 3986, section 3.2.1): databases are configured with such URLs, for example
/// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS. `://` stands at `at`.
pub(super) fn password(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let start = at + "://".len();
    let rest = scan.ahead(start, FORGOTTEN);
    let end = scan.run(start, &AUTHORITY);
    let authority = scan.walked(start..end);
    let Some(colon) = authority.iter().position(|&byte| byte == b':') else { return user(scan, start, authority) };
    // The last one, because people forget to escape an @ in a password.
    let end = match authority.iter().rposition(|&byte| byte == b'@') {
        Some(end) if end < colon => return user(scan, start, authority),
        Some(end) => end,
        // People also forget to escape characters that end an authority. Then the colon is followed by a password, not a port.
        None => {
            let port = &authority[colon + 1..];
            if port.iter().all(u8::is_ascii_digit) || authority.starts_with(b"[") {
                return None;
            }
            rest[..URL.run(rest)].iter().rposition(|&byte| byte == b'@').filter(|&end| end > colon)?
        }
    };
    let password = colon + 1..end;
    let user = &authority[..colon];
    // `registry.example.com:5000@…` has a port, `docker://sha256:…@…` a digest.
    let is_port = password.len() <= 5
        && user.contains(&b'.')
        && scan.ahead(start + password.start, password.len()).iter().all(u8::is_ascii_digit);
    if is_port || user.starts_with(b"sha256") || user.starts_with(b"sha512") {
        return None;
    }
    // `https://TOKEN:x-oauth-basic@github.com`
    if is_token(scan, start..start + colon) {
        return Some(Found { at: start..start + end, kind: "token in a URL", by: By::Place });
    }
    let at = start + password.start..start + password.end;
    (!names_nothing(scan.judged(&at))).then_some(Found { at, kind: "password in a URL", by: By::Place })
}

/// A token in place of a user: `https://TOKEN@github.com/…`, and Sentry's DSN.
fn user(scan: &Scan<'_>, start: usize, authority: &[u8]) -> Option<Found> {
    let end = authority.iter().rposition(|&byte| byte == b'@')?;
    let at = start..start + end;
    is_token(scan, at.clone()).then_some(Found { at, kind: "token in a URL", by: By::Place })
}

/// Whether the user of a URL is a token.
fn is_token(scan: &Scan<'_>, at: Range<usize>) -> bool {
    /// Bytes of the shortest token: user names have digits, too.
    const LEAST: usize = 20;
    at.len() >= LEAST && scan.run(at.start, &WORD) >= at.end && is_random(scan.judged(&at))
}

/// `user:PASSWORD@tcp(host)`, the form of Go's drivers: https://github.com/go-sql-driver/mysql#dsn-data-source-name
pub(super) fn before_network(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let near = scan.before(at, NEAR);
    let is_break = |&byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`');
    let start = match near.iter().rposition(is_break) {
        Some(end) => at - near.len() + end + 1,
        None if near.len() == at => 0,
        None => scan.word_back(at, &BEFORE_NETWORK),
    };
    // A setting's name or a scheme may precede the user: neither has a colon that ends a user.
    let user = scan.ahead(start, USER_MAX.min(at - start));
    let scheme = memmem::find(user, b"://").map_or(0, |scheme| scheme + "://".len());
    let at = start + scheme + user[scheme..].iter().position(|&byte| byte == b':')? + 1..at;
    (!at.is_empty() && !names_nothing(scan.judged(&at))).then_some(Found { at, kind: "password", by: By::Place })
}

/// Oracle's `thin:user/PASSWORD@host`.
pub(super) fn oracle(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let start = at + "thin:".len();
    let rest = scan.ahead(start, 160);
    let end = rest.iter().position(|&byte| byte == b'@' || byte.is_ascii_whitespace()).filter(|&end| rest[end] == b'@')?;
    let slash = rest[..end].iter().position(|&byte| byte == b'/')?;
    let at = start + slash + 1..start + end;
    (!at.is_empty() && !names_nothing(scan.judged(&at))).then_some(Found { at, kind: "password", by: By::Place })
}

/// The signature of a shared access signature, which is all that a request needs:
/// https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas
pub(super) fn signature(scan: &Scan<'_>, at: usize) -> Option<Found> {
    /// Bytes of the other fields on either side.
    const FIELDS: usize = 192;
    let start = at + "sig=".len();
    let end = scan.run(start, &QUERY);
    // It has to be next to other fields of one, whatever signed it.
    let is_field =
        |field: &&[u8]| [scan.before(at, FIELDS), scan.ahead(end, FIELDS)].iter().any(|near| memmem::find(near, field).is_some());
    let least = if [&b"&se="[..], b"?sv=", b"&sv=", b"&skn="].iter().any(is_field) { 16 } else { 40 };
    (end >= start + least && scan.begins_word(at, &NAME)).then_some(Found {
        at: start..end,
        kind: "Azure signature",
        by: By::Place,
    })
}

/// A path that is a key itself.
pub(super) struct Hook {
    pub(super) kind: &'static str,
    /// The text before the secret.
    pub(super) before: &'static str,
    /// Parts of the path between that text and the secret.
    skip: usize,
    /// The least number of characters of the secret.
    least: usize,
}

const fn hook(kind: &'static str, before: &'static str, skip: usize, least: usize) -> Hook {
    Hook { kind, before, skip, least }
}

pub(super) static HOOKS: &[Hook] = &[
    // https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, also of GovSlack.
    hook("Slack webhook", "hooks.slack.com/services/", 0, 16),
    hook("Slack webhook", "hooks.slack.com/workflows/", 0, 16),
    hook("Slack webhook", "hooks.slack.com/triggers/", 0, 16),
    hook("Slack webhook", "hooks.slack-gov.com/services/", 0, 16),
    // https://discord.com/developers/docs/resources/webhook
    hook("Discord webhook", "discord.com/api/webhooks/", 1, 30),
    hook("Discord webhook", "discordapp.com/api/webhooks/", 1, 30),
    // https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
    hook("Teams webhook", "webhook.office.com/webhookb2/", 0, 30),
    hook("Teams webhook", "outlook.office.com/webhook/", 0, 30),
    hook("Teams webhook", "outlook.office365.com/webhook/", 0, 30),
    // https://core.telegram.org/bots/api#making-requests
    hook("Telegram token", "api.telegram.org/bot", 0, 30),
    // https://help.zapier.com, https://ifttt.com/maker_webhooks, https://www.make.com, https://n8n.io
    hook("webhook", "hooks.zapier.com/hooks/catch/", 1, 5),
    hook("webhook", "maker.ifttt.com/trigger/", 3, 10),
    hook("webhook", "hook.make.com/", 0, 20),
    hook("webhook", "hook.eu1.make.com/", 0, 20),
    hook("webhook", "hook.us1.make.com/", 0, 20),
    // https://open.feishu.cn, https://open.larksuite.com
    hook("webhook", "open-apis/bot/v2/hook/", 0, 20),
    // https://developers.mattermost.com/integrate/webhooks/incoming/, Rocket.Chat, Gitea and others.
    hook("webhook", "/hooks/", 0, 20),
    hook("webhook", "/webhook/", 0, 24),
    hook("webhook", "/webhooks/", 0, 24),
    // https://developer.pagerduty.com, https://healthchecks.io/docs/http_api/
    hook("PagerDuty key", "events.pagerduty.com/integration/", 0, 30),
    hook("ping key", "hc-ping.com/", 0, 20),
    hook("webhook", "alert.victorops.com/integrations/generic/", 2, 20),
];

impl Hook {
    /// The secret part of the path after the text at `at`.
    pub(super) fn find(&self, scan: &Scan<'_>, at: usize) -> Option<Found> {
        let mut start = at + self.before.len();
        for _ in 0..self.skip {
            let part = scan.ahead(start, 64);
            start += part.iter().position(|&byte| byte == b'/')? + 1;
        }
        let mut end = scan.run(start, &URL_PATH);
        // The method that the bot is to call is no secret.
        if self.kind == "Telegram token" {
            end = scan.ahead(start, 64).iter().position(|&byte| byte == b'/').map_or(end, |slash| start + slash);
        }
        let path = scan.judged(&(start..end));
        let is_generic = self.before.starts_with('/');
        let is_key = |part: &str| part.len() >= 16 && is_random(part);
        let is_secret = end >= start + self.least && (!is_generic || path.split('/').any(is_key));
        is_secret.then_some(Found { at: start..end, kind: self.kind, by: By::Form })
    }
}

/// `host:port:database:user:PASSWORD` on a line of its own: https://www.postgresql.org/docs/current/libpq-pgpass.html. The part
/// from the port on is at `at`.
pub(super) fn pgpass(scan: &Scan<'_>, at: usize, port: usize) -> Option<Found> {
    let host = scan.before(at, 64);
    let line =
        host.iter().rposition(|&byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'=')).map_or(0, |at| at + 1);
    if line == host.len() || host[line..].contains(&b'/') {
        return None;
    }
    let mut start = at + port;
    for _ in 0..2 {
        let part = scan.ahead(start, 64);
        let colon = part
            .iter()
            .position(|&byte| byte == b':' || byte.is_ascii_whitespace())
            .filter(|&colon| colon > 0 && part[colon] == b':')?;
        start += colon + 1;
    }
    let length = scan
        .ahead(start, 256)
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''))
        .unwrap_or_else(|| scan.ahead(start, 256).len());
    let at: Range<usize> = start..start + length;
    (length > 0 && !names_nothing(scan.judged(&at))).then_some(Found { at, kind: "password", by: By::Place })
}
