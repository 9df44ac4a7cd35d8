//! The credentials of a user, by whatever way its kubeconfig names.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbar_files::READ_TIME;

use super::credential::Credentials;
use super::plugin::{self, Said};
use crate::fault::Fault;
use crate::target::{Method, Secret, Target};

/// Bytes of a token file.
const TOKEN_MAX: u64 = 1 << 20;

/// Obtains the credentials of a user.
pub(super) async fn obtain(target: &Target, said: &Said) -> Result<Credentials, Fault> {
    let user = &target.user;
    let basic = |name: &str, password: &Secret| Credentials {
        authorization: Some(Secret::new(format!("Basic {}", STANDARD.encode(format!("{name}:{}", password.expose()))))),
        ..Credentials::default()
    };
    match &user.method {
        Method::None => match &target.server.user_info {
            Some((name, password)) => Ok(basic(name, password)),
            None => Ok(Credentials::default()),
        },
        Method::Basic { user, password } => Ok(basic(user, password)),
        Method::Token(token) => Ok(Credentials::bearer(token)),
        Method::TokenFile(path, until_then) => match (token_of(path).await, until_then) {
            (Ok(token), _) => Ok(Credentials::bearer(&token)),
            (Err(_), Some(token)) => Ok(Credentials::bearer(token)),
            (Err(fault), None) => Err(Fault::new(format!("the token of {}, {}: {fault}", user.called, path.display()))),
        },
        Method::Plugin(plugin) => {
            let outcome = plugin::run(plugin, &target.cluster_info, said).await;
            outcome.map_err(|fault| {
                Fault::new(format!("the credential plugin `{}` ({}) {fault}", plugin::name(plugin), user.called))
            })
        }
    }
}

async fn token_of(path: &Path) -> Result<Secret, Fault> {
    let reading = sandbar_files::wait_in_time(path, READ_TIME, |path| sandbar_files::read_to_string(path, TOKEN_MAX));
    let text = reading.await.map_err(|error| Fault::of_file(&error))?;
    let token = Secret::token(&text).map_err(|fault| Fault::new(format!("its token {fault}")))?;
    token.ok_or_else(|| Fault::new("it is empty"))
}
