//! Tokens of issuers, and the keys that an issuer publishes.

use sandbar_identity::fuzzing::is_signed;

use crate::head_and_body;

/// A token of an issuer, with its key.
const TOKEN: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImFlNjQ4ZWJkLWE1MzAtNDllYS1iZWRhLWQ4ODk0YWUwMTkxMyJ9.\
    eyJncm91cHMiOlsiYWdlbnRzIl0sImp0aSI6IjNhRFpnX1VLQ2VSN2JDbWNUWEp4ekNXeGwzb0FzeV9fYkYydFMtdlR1bXQiLCJzdWIiOiJhZ2VudCIsImlhdCI6\
    MTc5NTkyNjQ3NSwiZXhwIjoxNzk1OTI3MDc1LCJzY29wZSI6Im1jcCIsImNsaWVudF9pZCI6ImFnZW50IiwiaXNzIjoiaHR0cHM6Ly8xMjcuMC4wLjE6NDU0ODUi\
    LCJhdWQiOiJodHRwczovL3NhbmRiYXIuZXhhbXBsZS9tY3AifQ.\
    GkCUHxetPVXdH8d0wY38O01cZKUass7oR5_0viezTTkuCuP1L-aVigmtPWUQYKShtTTSWL5e6DXghlrt8bqQBA";
const KEYS: &str = r#"{"keys":[{"kty":"OKP","use":"sig","kid":"ae648ebd-a530-49ea-beda-d8894ae01913","alg":"EdDSA","crv":"Ed25519","x":"FcjEafmZMwY9fG5H7kPBQtpXSNoV0OFVk5v2JMg9vLA"}]}"#;

/// A token on the first line, and keys: what the issuer's keys have signed is the issuer's token, letter by letter, and whatever keys
/// there are, a token that is taken for theirs has a signature.
pub(super) fn token(bytes: &[u8]) {
    let (token, keys) = head_and_body(bytes);
    let token = String::from_utf8_lossy(token);
    assert!(!is_signed(&token, KEYS.as_bytes()) || token == TOKEN, "{token}");
    assert!(!is_signed(&token, keys) || token.rsplit('.').next().is_some_and(|signature| signature.len() >= 86), "{token}");
}

pub(super) fn token_seeds() -> Vec<Vec<u8>> {
    let (signed, signature) = TOKEN.rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    // {"alg":"none"}, and {"alg":"HS256","kid":"x","crit":[]}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
    let symmetric = format!("eyJhbGciOiJIUzI1NiIsImtpZCI6IngiLCJjcml0IjpbXX0.{claims}.{signature}");
    let keys =
        r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"oct","k":"AA"},7]}"#;
    [
        format!("{TOKEN}\n{KEYS}"),
        format!("{unsigned}\n{KEYS}"),
        format!("{symmetric}\n{keys}"),
        format!("{signed}.{signature}.{signature}.{signature}.{signature}\n{{}}"),
        "..\n[]".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}
