//! Whose certificate an issuer has, as it is configured.

use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a file with certificate authorities.
const AUTHORITIES_MAX: u64 = 1024 * 1024;

/// Whose certificate an issuer has.
#[derive(Clone, Debug)]
pub enum Trusted {
    /// One that this machine trusts.
    Machine,
    /// One that these authorities have signed, as PEM.
    Authorities(Arc<[u8]>),
    /// The same; the file is read with each look, so that it can change.
    File(PathBuf),
}

/// Why certificate authorities cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableAuthority {
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, String),
    /// There is none.
    #[error("there is no CERTIFICATE in it as PEM has it")]
    None,
}

impl Trusted {
    /// The authorities as PEM; none where those of this machine count.
    pub fn read(&self) -> Result<Option<Arc<[u8]>>, UnusableAuthority> {
        let pem = match self {
            Self::Machine => return Ok(None),
            Self::Authorities(pem) => pem.clone(),
            Self::File(path) => {
                let reading =
                    sandbar_files::in_time(path, sandbar_files::READ_TIME, |path| sandbar_files::read_any(path, AUTHORITIES_MAX));
                reading.map_err(|error| UnusableAuthority::Unreadable(path.clone(), error.to_string()))?.0.into()
            }
        };
        let is_there = sandbar_tls::blocks(&pem).iter().any(|block| block.label == "CERTIFICATE");
        if is_there { Ok(Some(pem)) } else { Err(UnusableAuthority::None) }
    }
}
