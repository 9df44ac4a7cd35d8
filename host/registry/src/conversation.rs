//! What is asked of one repository: with credentials where it wants some, along redirects, and never the one along the other.
//!
//! - Credentials go to the repository's host, and to the token server that it names: over https, or where that is the same insecure host.
//! - A redirect leads a few times elsewhere, without credentials, and never from https to http.
//! - A token is asked for what is meant here, whatever scope a registry would like.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use sandbar_text::clean_line;
use serde::Deserialize;

use super::challenge::Challenge;
use super::credentials::{DockerConfig, Login};
use super::digest::Digest;
use super::error::{Error, Kind};
use super::http::{Http, authority, read};
use super::json;
use super::reference::Repository;

/// Redirects that are followed: from a registry to its mirror, and from there to a storage.
const REDIRECTS: usize = 5;

/// Bytes of a token server's answer. A token has some KiB.
const TOKEN_BYTES: u64 = 64 * 1024;

/// Bytes that are read of a registry's words about an error.
const REFUSAL_BYTES: u64 = 8 * 1024;

/// Bytes of somebody else's address in a message.
const ADDRESS_BYTES: usize = 200;

const AGENT: &str = concat!("sandbar/", env!("CARGO_PKG_VERSION"));

/// What may be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
}

/// One repository for as long as something is done with it.
pub(crate) struct Conversation<'r> {
    http: &'r Http,
    credentials: &'r [DockerConfig],
    repository: &'r Repository,
    access: Access,
    authorization: Option<HeaderValue>,
}

/// A request to a repository.
#[derive(Clone)]
pub(crate) struct Ask {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Ask {
    pub(crate) fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(crate) fn accepts(mut self, types: &'static str) -> Self {
        self.headers.insert(ACCEPT, HeaderValue::from_static(types));
        self
    }

    pub(crate) fn carries(mut self, media_type: &'static str, body: Bytes) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        self.body = body;
        self
    }
}

impl<'r> Conversation<'r> {
    pub(crate) fn new(http: &'r Http, credentials: &'r [DockerConfig], repository: &'r Repository, access: Access) -> Self {
        Self { http, credentials, repository, access, authorization: None }
    }

    /// The address of something in the repository: `blobs/…`, with nothing in it that an address cannot have.
    pub(crate) fn address(&self, what: &str) -> Result<Uri, Error> {
        let host = asked(self.repository.host());
        let scheme = if self.http.is_insecure(host) { Scheme::HTTP } else { Scheme::HTTPS };
        let path = format!("/v2/{}/{what}", self.repository.name());
        let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
        uri.map_err(|_| Error::wrong(format!("no address can be made for {}", clean_line(what, ADDRESS_BYTES))))
    }

    /// Whether something is there.
    pub(crate) async fn has(&mut self, uri: Uri) -> Result<bool, Error> {
        Ok(self.ask(Ask::new(Method::HEAD, uri)).await?.status() == StatusCode::OK)
    }

    /// Gets something of at most `most` bytes, and their digest. None where there is nothing.
    pub(crate) async fn get(&mut self, ask: Ask, most: u64) -> Result<Option<(Bytes, Digest)>, Error> {
        let response = self.ask(ask).await?;
        match response.status() {
            StatusCode::OK => read(response.into_body(), most).await.map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refusal(response).await),
        }
    }

    /// Asks, as whoever the registry wants to know.
    pub(crate) async fn ask(&mut self, ask: Ask) -> Result<Response<Incoming>, Error> {
        let response = self.follow(&ask).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let challenge = Challenge::read(response.headers());
        let challenge = challenge.ok_or_else(|| self.denied("asks for credentials of a kind that is not known here"))?;
        // A token that was good for what came before may be too old by now, so there may have been one already.
        self.authorization = Some(self.prove(challenge).await?);
        let response = self.follow(&ask).await?;
        match response.status() {
            StatusCode::UNAUTHORIZED => Err(self.denied("does not take the credentials for it")),
            _ => Ok(response),
        }
    }

    /// Sends a request, and what is redirected on to where it is.
    async fn follow(&self, ask: &Ask) -> Result<Response<Incoming>, Error> {
        let mut uri = ask.uri.clone();
        for _ in 0..=REDIRECTS {
            let is_own = uri.scheme() == ask.uri.scheme() && authority(&uri)? == authority(&ask.uri)?;
            let mut request = Request::new(Full::new(ask.body.clone()));
            *request.method_mut() = ask.method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = ask.headers.clone();
            request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
            if let Some(authorization) = self.authorization.as_ref().filter(|_| is_own) {
                request.headers_mut().insert(AUTHORIZATION, authorization.clone());
            }
            let response = self.http.send(request).await?;
            let reads = ask.method == Method::GET || ask.method == Method::HEAD;
            if response.status().is_redirection() && reads {
                uri = redirected(&uri, response.headers())?;
            } else if response.status() == StatusCode::UNAUTHORIZED && !is_own {
                let elsewhere = authority(&uri)?;
                return Err(Error::new(
                    Kind::Denied,
                    format!("it redirects to {elsewhere}, which asks for credentials, and none go there"),
                ));
            } else {
                return Ok(response);
            }
        }
        Err(Error::wrong(format!("it redirects more than {REDIRECTS} times")))
    }

    /// What proves who asks, in the way that was asked for.
    async fn prove(&self, challenge: Challenge) -> Result<HeaderValue, Error> {
        let login = self.credentials.iter().find_map(|config| config.login(self.repository));
        match (challenge, login) {
            (_, Some(Login::Token(token))) => bearer(token),
            (Challenge::Bearer { realm, service }, login) => self.token(&realm, service.as_deref(), login).await,
            (Challenge::Basic, Some(Login::Password { user, password })) => basic(user, password),
            (Challenge::Basic, Some(Login::Identity(_))) => {
                Err(self.denied("asks for a name and a password, and the docker configuration has an identity token"))
            }
            (Challenge::Basic, None) => Err(self.denied("asks for credentials")),
        }
    }

    /// A token from the server that the registry names.
    async fn token(&self, realm: &str, service: Option<&str>, login: Option<&Login>) -> Result<HeaderValue, Error> {
        let shown = clean_line(realm, ADDRESS_BYTES);
        let uri: Uri = realm.parse().map_err(|_| Error::wrong(format!("it names a token server by no address: {shown:?}")))?;
        let own = self.address("")?;
        let is_same = uri.scheme() == own.scheme() && authority(&uri)? == authority(&own)?;
        if uri.scheme() != Some(&Scheme::HTTPS) && !is_same {
            return Err(Error::wrong(format!("it names a token server that is not asked, since it is not at https: {shown}")));
        }
        let mut request = self.token_request(uri, service, login)?;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let about = |error: Error| error.about(format_args!("its token server {shown}"));
        let response = self.http.send(request).await.map_err(about)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if login.is_some() => {
                return Err(self.denied("has a token server that does not take the credentials for it"));
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(self.denied("asks for credentials")),
            status => {
                let kind = if status.is_server_error() { Kind::Unreachable } else { Kind::Wrong };
                return Err(about(Error::new(kind, format!("it answers {}", status.as_u16()))));
            }
        }
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let (text, _) = read(response.into_body(), TOKEN_BYTES).await.map_err(about)?;
        let answer = json::parse::<Answer>(&text).ok();
        let token = answer.and_then(|answer| answer.token.or(answer.access_token)).filter(|token| !token.is_empty());
        bearer(&token.ok_or_else(|| about(Error::wrong("it answers without a token")))?)
    }

    fn token_request(&self, uri: Uri, service: Option<&str>, login: Option<&Login>) -> Result<Request<Full<Bytes>>, Error> {
        let scope = match self.access {
            Access::Pull => format!("repository:{}:pull", self.repository.name()),
            Access::Push => format!("repository:{}:pull,push", self.repository.name()),
        };
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(service.map(|service| ("service", service))).append_pair("scope", &scope);
        let request = match login {
            Some(Login::Identity(token)) => {
                form.extend_pairs([("grant_type", "refresh_token"), ("client_id", "sandbar"), ("refresh_token", token.as_str())]);
                let request = Request::post(uri).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                request.body(Full::new(form.finish().into()))
            }
            login => {
                let mut request = Request::get(with_query(&uri, &form.finish())?);
                if let Some(Login::Password { user, password }) = login {
                    request = request.header(AUTHORIZATION, basic(user, password)?);
                }
                request.body(Full::default())
            }
        };
        request.map_err(|_| Error::wrong("its token server has no address that can be asked"))
    }

    /// Who asks is not known, or not the right one.
    fn denied(&self, what: &str) -> Error {
        let host = self.repository.host();
        let has_login = self.credentials.iter().any(|config| config.login(self.repository).is_some());
        let helper = self.credentials.iter().find_map(|config| config.helper(host));
        let remedy = match helper {
            _ if has_login => "look at its entry in the docker configuration".to_owned(),
            Some(helper) => format!(
                "the docker configuration leaves them to the helper `{}`, and helpers are not run: \
                 write them to `auths`, as `docker login` does without a `credsStore`",
                clean_line(helper, ADDRESS_BYTES)
            ),
            None => "the docker configuration has none for it: add them to its `auths`, or name a pull secret that has them"
                .to_owned(),
        };
        Error::new(Kind::Denied, format!("{host} {what}; {remedy}"))
    }
}

/// The host that is asked: Docker Hub is not where its name says.
pub(crate) fn asked(host: &str) -> &str {
    match host {
        "docker.io" | "index.docker.io" => "registry-1.docker.io",
        host => host,
    }
}

/// What a registry's refusal means. Of its own words only the code is passed on, which is one of few.
pub(crate) async fn refusal(response: Response<Incoming>) -> Error {
    #[derive(Deserialize)]
    struct Refusal {
        errors: Vec<Code>,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    let status = response.status();
    let text = read(response.into_body(), REFUSAL_BYTES).await;
    let code = text.ok().and_then(|(text, _)| json::parse::<Refusal>(&text).ok()?.errors.into_iter().next());
    let is_code =
        |code: &str| (1..=40).contains(&code.len()) && code.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'_');
    let code = code.filter(|code| is_code(&code.code)).map(|code| format!(" ({})", code.code)).unwrap_or_default();
    let (kind, also) = match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => (Kind::Denied, ": the credentials for it do not allow this"),
        StatusCode::NOT_FOUND => (Kind::Absent, ": it has no such repository, or does not show it"),
        StatusCode::TOO_MANY_REQUESTS => (Kind::Unreachable, ": it has been asked too often"),
        StatusCode::NOT_IMPLEMENTED => (Kind::Wrong, ""),
        status if status.is_server_error() => (Kind::Unreachable, ""),
        _ => (Kind::Wrong, ""),
    };
    Error::new(kind, format!("it answers {}{code}{also}", status.as_u16()))
}

/// Where a redirect leads.
fn redirected(from: &Uri, headers: &HeaderMap) -> Result<Uri, Error> {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.ok_or_else(|| Error::wrong("it redirects without saying where to"))?;
    let to = resolved(from, location)?;
    if from.scheme() == Some(&Scheme::HTTPS) && to.scheme() != Some(&Scheme::HTTPS) {
        let elsewhere = clean_line(location.split('?').next().unwrap_or_default(), ADDRESS_BYTES);
        return Err(Error::wrong(format!("it redirects from https to {elsewhere}, which is not followed")));
    }
    Ok(to)
}

/// An address as a `Location` has it: a whole one, or a path at the same host.
pub(crate) fn resolved(at: &Uri, location: &str) -> Result<Uri, Error> {
    let wrong = || Error::wrong(format!("it leads to what is no address: {:?}", clean_line(location, ADDRESS_BYTES)));
    let uri = if location.starts_with('/') && !location.starts_with("//") {
        let mut parts = at.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(location).map_err(|_| wrong())?);
        Uri::from_parts(parts).map_err(|_| wrong())?
    } else {
        location.parse().map_err(|_| wrong())?
    };
    let is_http = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme());
    authority(&uri).ok().filter(|_| is_http).map(|_| uri).ok_or_else(wrong)
}

/// The same address with more in its query.
pub(crate) fn with_query(uri: &Uri, more: &str) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let join = if path.contains('?') { '&' } else { '?' };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("{path}{join}{more}")).ok();
    Uri::from_parts(parts).map_err(|_| Error::wrong("it leads to an address that is too long, or is none"))
}

fn bearer(token: &str) -> Result<HeaderValue, Error> {
    secret(&format!("Bearer {token}"))
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, Error> {
    use base64::Engine as _;
    secret(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))))
}

fn secret(value: &str) -> Result<HeaderValue, Error> {
    let mut value =
        HeaderValue::try_from(value).map_err(|_quotes_it| Error::wrong("a token has letters that no header can have"))?;
    value.set_sensitive(true);
    Ok(value)
}
