//! A server at an address of its own, as the flags of `sandbar connect --url` describe it.

use std::fmt;
use std::path::{Path, PathBuf};

use http::uri::PathAndQuery;
use sandbar_files::READ_TIME;
use sandbar_secrets::quotable;

use super::MCP;
use crate::fault::Fault;
use crate::proxy::{Proxy, Variables};
use crate::target::{Method, Secret, ServerAddress, Target, Trust, User, Way};
use crate::watched::Watched;

/// Bytes of a file of certificate authorities.
const AUTHORITIES_MAX: u64 = 1 << 20;

/// Bytes of a URL that are shown.
const URL_MAX: usize = 200;

/// How a person says to a server at an address who they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Token {
    /// Not at all.
    #[default]
    None,
    /// With the token in a file, which is read again when it is refused, and every minute.
    File(PathBuf),
    /// With this token.
    Text(String),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::None => f.write_str("None"),
            Token::File(path) => f.debug_tuple("File").field(path).finish(),
            Token::Text(_) => f.write_str("Text"),
        }
    }
}

/// An address, for messages. Some servers have whoever comes put a secret into the path or behind its `?`.
fn shown(server: &ServerAddress, path: &str) -> String {
    if ["/", MCP].contains(&path) { format!("{server}{path}") } else { format!("{server}/…") }
}

/// Where these flags lead, and the path of MCP there.
pub(super) async fn read(url: &str, token: Token, authorities: Option<&Path>) -> Result<(Target, String), Fault> {
    let (server, path) = split(url)?;
    let proxy = Proxy::towards(server.base(), None, &Variables::read()).map_err(|error| Fault::new(error.to_string()))?;
    let trust = match authorities {
        None => Trust::System,
        Some(file) => {
            let reading = sandbar_files::wait_in_time(file, READ_TIME, |file| sandbar_files::read_any(file, AUTHORITIES_MAX));
            let (pem, _) = reading
                .await
                .map_err(|error| Fault::new(format!("--certificate-authority {}: {}", file.display(), Fault::of_file(&error))))?;
            Trust::Authorities(pem.into(), "--certificate-authority")
        }
    };
    let (called, method) = match token {
        Token::None => ("no token is sent".to_owned(), Method::None),
        Token::File(path) => ("the caller".to_owned(), Method::TokenFile(path, None)),
        Token::Text(text) => {
            let token = Secret::token(&text).map_err(|fault| Fault::new(format!("the token {fault}")))?;
            ("the caller".to_owned(), token.map_or(Method::None, Method::Token))
        }
    };
    let shown = shown(&server, &path);
    let target = Target {
        called: format!("server at {shown}"),
        server,
        trust,
        server_name: None,
        proxy,
        user: User { called, certificate: None, method, impersonate: Vec::new() },
        watched: Watched::default(),
        cluster_info: serde_json::Value::Null,
        takes_gzip: false,
    };
    if target.way() == Way::Open && target.user.method != Method::None {
        return Err(Fault::new(format!(
            "a token to {shown} would cross the network for anybody to read: use https://, or a port-forward to this machine"
        )));
    }
    Ok((target, path))
}

/// The server of a URL, and the path there.
pub(super) fn split(url: &str) -> Result<(ServerAddress, String), Fault> {
    let url = url.trim();
    let wrong = |why: &str| Fault::new(format!("--url {:?} {why}", quotable(url, URL_MAX)));
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Fault::new("--url holds a user or a password: give a token with --token-file instead"));
    }
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(wrong("does not begin with http:// or https://: write it like http://127.0.0.1:8090/mcp"));
    }
    let server = ServerAddress::parse(&format!("{scheme}://{authority}"));
    let server =
        server.map_err(|_| wrong("has no host in it, or no port that is one: write it like http://127.0.0.1:8090/mcp"))?;
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    PathAndQuery::try_from(path.as_str())
        .map_err(|_| Fault::new("--url has a path that no address can have: encode what is special in it"))?;
    Ok((server, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_in_an_address_is_not_shown() {
        for (url, expected) in [
            ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
            ("https://mcp.example.com", "https://mcp.example.com/"),
            ("https://mcp.example.com/s/sesame/mcp", "https://mcp.example.com/…"),
            ("https://mcp.example.com/mcp?api_key=sesame", "https://mcp.example.com/…"),
            ("https://mcp.example.com?sesame", "https://mcp.example.com/…"),
        ] {
            let (server, path) = split(url).expect("an address");
            assert_eq!(shown(&server, &path), expected, "{url}");
        }
    }
}
