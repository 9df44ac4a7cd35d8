//! The certificate of the listener, and whose client certificates it takes: read at start, and followed when the files change. Whoever
//! renews it may replace a folder as the kubelet does. Connections that are open go on with the one
//! that they have begun with, and what cannot be used leaves in use what there was.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use k8s_openapi::jiff::Timestamp;
use sandbar_catalog::FileStamps;
use sandbar_config::TlsConfig;
use sandbar_http::{Check, Followed, Readiness};
use sandbar_identity::Believed;
use sandbar_tls::{Acceptor, Authorities, Certificate, Part, Unusable};
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::followed_files::FollowedFiles;
use super::reload::INTERVAL;

/// Bytes of a PEM file. A Secret has no more, and the authorities of a whole machine take a quarter of it.
const MOST_PEM: u64 = 1024 * 1024;

/// When a certificate that nobody renews becomes a warning: cert-manager renews one of 90 days a month before its end.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// When it becomes an error.
const VERY_SOON: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Args)]
pub(super) struct TlsFlags {
    /// A PEM file with the certificate to show, and its chain: the server speaks TLS then, and no plain HTTP
    #[arg(long = "tls-certificate", value_name = "FILE", env = "SANDBAR_TLS_CERTIFICATE")]
    certificate: Option<PathBuf>,
    /// A PEM file with the key of that certificate
    #[arg(long = "tls-key", value_name = "FILE", env = "SANDBAR_TLS_KEY")]
    key: Option<PathBuf>,
    /// A PEM file with the authorities whose client certificates are taken [default: clients are not asked for one]
    #[arg(long = "tls-client-ca", value_name = "FILE", env = "SANDBAR_TLS_CLIENT_CA")]
    client_ca: Option<PathBuf>,
}

impl TlsFlags {
    /// The files that the flags name, and else those of sandbar.yaml.
    pub(super) fn over(&self, file: Option<TlsConfig>) -> anyhow::Result<Option<TlsConfig>> {
        let (certificate, key, client_ca) = match file {
            Some(TlsConfig { certificate, key, client_certificate_authority }) => {
                (Some(certificate), Some(key), client_certificate_authority)
            }
            None => (None, None, None),
        };
        let client_certificate_authority = self.client_ca.clone().or(client_ca);
        match (self.certificate.clone().or(certificate), self.key.clone().or(key)) {
            (Some(certificate), Some(key)) => Ok(Some(TlsConfig { certificate, key, client_certificate_authority })),
            (Some(_), None) => bail!("the certificate of --tls-certificate has a key: name its file with --tls-key"),
            (None, Some(_)) => bail!("the key of --tls-key has a certificate: name its file with --tls-certificate"),
            (None, None) if client_certificate_authority.is_some() => {
                bail!("--tls-client-ca is about clients that speak TLS: give --tls-certificate and --tls-key, too")
            }
            (None, None) => Ok(None),
        }
    }
}

/// Keeps the certificate up to date.
pub(super) struct CertificateFollower {
    files: TlsConfig,
    /// What is in use.
    read: Read,
    /// The common names of a proxy's certificates that the authorities in the files have signed.
    proxy_names: Vec<String>,
    /// That proxy, as the files are now.
    front_proxy: watch::Sender<Option<Believed>>,
    /// The API server as a proxy, whose authorities are in no file.
    api_server: Option<watch::Receiver<Option<Believed>>>,
    /// What connections begin with.
    acceptors: watch::Sender<Acceptor>,
    /// The end of the certificate that is in use.
    expires: watch::Sender<SystemTime>,
    /// Which of them are in use.
    followed: FollowedFiles,
    /// What the log has said of the end.
    told: Remaining,
}

/// How much of a certificate's time is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remaining {
    Enough,
    /// A week or less.
    Little,
    /// A day or less.
    Least,
    Nothing,
}

impl Remaining {
    fn of(valid_until: SystemTime, now: SystemTime) -> Self {
        match valid_until.duration_since(now) {
            Ok(left) if left > SOON => Self::Enough,
            Ok(left) if left > VERY_SOON => Self::Little,
            Ok(_) => Self::Least,
            Err(_past) => Self::Nothing,
        }
    }
}

/// What was read.
struct Read {
    certificate: Certificate,
    clients: Option<Authorities>,
    valid_until: SystemTime,
}

impl Read {
    /// What connections begin with. `others` sign client certificates, too.
    fn acceptor(&self, others: Option<&Authorities>) -> Result<Acceptor, Unusable> {
        Acceptor::new(&self.certificate, [self.clients.as_ref(), others])
    }
}

impl CertificateFollower {
    /// Reads the files for the first time. A proxy is known by a certificate with one of these names that the authorities in the files have
    /// signed.
    pub(super) fn start(files: TlsConfig, proxy_names: Vec<String>) -> anyhow::Result<Self> {
        let stamps = look(&files);
        let read = read(&files)?;
        let acceptor = read.acceptor(None).map_err(|unusable| named(&files, &unusable))?;
        Ok(Self {
            files,
            front_proxy: watch::Sender::new(believed(&read, &proxy_names)),
            expires: watch::Sender::new(read.valid_until),
            read,
            proxy_names,
            api_server: None,
            acceptors: watch::Sender::new(acceptor),
            followed: FollowedFiles::read_at(stamps),
            told: Remaining::Enough,
        })
    }

    /// What connections begin with, now and later.
    pub(super) fn acceptors(&self) -> watch::Receiver<Acceptor> {
        self.acceptors.subscribe()
    }

    /// The end of the certificate that is in use, now and later.
    pub(super) fn expires(&self) -> watch::Receiver<SystemTime> {
        self.expires.subscribe()
    }

    /// The proxy in front, now and later.
    pub(super) fn front_proxy(&self) -> watch::Receiver<Option<Believed>> {
        self.front_proxy.subscribe()
    }

    /// From now on clients may show the API server's certificate as well.
    pub(super) fn take_api_server(&mut self, api_server: watch::Receiver<Option<Believed>>) {
        self.api_server = Some(api_server);
        self.put_in_use();
    }

    /// Goes on for ever.
    pub(super) async fn follow(mut self, readiness: Readiness) {
        loop {
            readiness.follows(Followed::Certificate, self.checks(SystemTime::now()));
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => block_in_place(|| self.react(look(&self.files))),
                () = changed(&mut self.api_server) => self.put_in_use(),
            }
        }
    }

    /// Has connections begin with what was read, and with whom the API server is known by.
    fn put_in_use(&mut self) {
        let others = self.api_server.as_mut().and_then(|api_server| api_server.borrow_and_update().clone());
        match self.read.acceptor(others.map(|Believed { authorities, .. }| authorities).as_ref()) {
            Ok(acceptor) => {
                self.acceptors.send_replace(acceptor);
                self.expires.send_replace(self.read.valid_until);
                self.front_proxy.send_replace(believed(&self.read, &self.proxy_names));
            }
            // It was looked at when it was read.
            Err(unusable) => tracing::error!("{}", named(&self.files, &unusable)),
        }
    }

    /// Puts in use what has changed.
    fn react(&mut self, look: FileStamps) {
        let refused = "certificate not replaced, the one before stays in use";
        if let Some(read) = self.followed.react(look, refused, || read(&self.files)) {
            self.read = read;
            self.put_in_use();
            let valid_until = Time(self.read.valid_until);
            tracing::info!(%valid_until, "the certificate was replaced; new connections get the new one");
        }
    }

    /// Whether its time is up.
    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        Remaining::of(self.read.valid_until, now) == Remaining::Nothing
    }

    /// How the certificate is, for those who ask. The log is told once of each stage of its end.
    pub(super) fn checks(&mut self, now: SystemTime) -> Vec<Check> {
        let (remaining, end) = (Remaining::of(self.read.valid_until, now), Time(self.read.valid_until));
        let certificate = self.files.certificate.display();
        let words = match remaining {
            Remaining::Enough => format!("certificate {certificate}: valid until {end}"),
            Remaining::Little | Remaining::Least => {
                format!(
                    "certificate {certificate}: valid only until {end}; whatever renews it should have by now: put another one there"
                )
            }
            Remaining::Nothing => {
                format!("certificate {certificate}: its time was up at {end}, and clients refuse it: put another one there")
            }
        };
        if self.told != remaining {
            match remaining {
                Remaining::Enough => {}
                Remaining::Little => tracing::warn!("{words}"),
                Remaining::Least | Remaining::Nothing => tracing::error!("{words}"),
            }
            self.told = remaining;
        }
        let state = if remaining == Remaining::Enough { Ok(words) } else { Err(words) };
        std::iter::once(state).chain(self.followed.problem().map(Err)).collect()
    }
}

fn look(files: &TlsConfig) -> FileStamps {
    let TlsConfig { certificate, key, client_certificate_authority } = files;
    FileStamps::of([certificate, key].into_iter().chain(client_certificate_authority).map(PathBuf::as_path))
}

fn read(files: &TlsConfig) -> anyhow::Result<Read> {
    let TlsConfig { certificate, key, client_certificate_authority } = files;
    let (chain, secret) = (bytes("certificate", certificate)?, bytes("key", key)?);
    let read = Certificate::read(&chain, &secret).map_err(|unusable| named(files, &unusable))?;
    let Some(valid_until) = read.valid_until else {
        bail!("the certificate {} cannot be read: it is PEM, but what is in it is no certificate", certificate.display());
    };
    let clients = client_certificate_authority.as_deref().map(|file| {
        let pem = bytes("client certificate authority", file)?;
        Authorities::read(&pem).map_err(|why| anyhow!("the client certificate authority {} {why}", file.display()))
    });
    let read = Read { certificate: read, clients: clients.transpose()?, valid_until };
    // Now, because what cannot be used must not take the place of what can.
    read.acceptor(None).map_err(|unusable| named(files, &unusable))?;
    Ok(read)
}

/// What cannot be used, with its file.
fn named(files: &TlsConfig, unusable: &Unusable) -> anyhow::Error {
    let file = match unusable.part {
        Part::Certificate => &files.certificate,
        Part::Key => &files.key,
    };
    anyhow!("the {} {} {unusable}", unusable.part, file.display())
}

/// The proxy that has one of these names, by the authorities in the files.
fn believed(read: &Read, names: &[String]) -> Option<Believed> {
    Some(Believed { authorities: read.clients.clone()?, allowed_names: Some(names.to_vec()), says_uid: true })
}

/// Waits until the API server is known by something else; for ever where it is none of the clients.
async fn changed(api_server: &mut Option<watch::Receiver<Option<Believed>>>) {
    if let Some(api_server) = api_server
        && api_server.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

fn bytes(what: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    sandbar_files::in_time(file, sandbar_files::READ_TIME, |file| sandbar_files::read(file, MOST_PEM))
        .with_context(|| format!("the {what} {} cannot be read", file.display()))
}

/// A time, to the second.
struct Time(SystemTime);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::try_from(self.0) {
            Ok(time) => write!(f, "{time:.0}"),
            // A certificate may be valid for longer than a calendar goes.
            Err(_) => f.write_str("some day"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::super::words;
    use super::*;

    /// Files of a certificate, which change.
    struct Files {
        folder: tempfile::TempDir,
        config: TlsConfig,
    }

    impl Files {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let at = |name: &str| folder.path().join(name);
            let config = TlsConfig { certificate: at("tls.crt"), key: at("tls.key"), client_certificate_authority: None };
            let files = Self { folder, config };
            files.renew();
            files
        }

        /// Writes another pair.
        fn renew(&self) {
            let (certificate, key) = pair();
            self.write("tls.crt", &certificate);
            self.write("tls.key", &key);
        }

        /// In the place of what is there, so that another file system clock is never waited for.
        fn write(&self, name: &str, text: &str) {
            let next = self.folder.path().join("next");
            std::fs::write(&next, text).expect("written");
            std::fs::rename(next, self.folder.path().join(name)).expect("renamed");
        }
    }

    fn pair() -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }

    #[test]
    fn a_pair_is_put_in_use_once_it_is_whole_and_a_broken_one_is_told_once() {
        let files = Files::new();
        let mut follower = CertificateFollower::start(files.config.clone(), Vec::new()).expect("a pair");
        let mut acceptors = follower.acceptors();
        let mut look = || {
            follower.react(look(&files.config));
            (acceptors.has_changed().expect("it is there"), follower.followed.problem())
        };
        assert_eq!(look(), (false, None));
        let (certificate, key) = pair();
        files.write("tls.crt", &certificate);
        assert_eq!(look(), (false, None), "it may still be written");
        let (changed, problem) = look();
        assert!(!changed && problem.as_ref().is_some_and(|words| words.contains("not the key")), "{problem:?}");
        assert_eq!(look(), (false, problem));
        files.write("tls.key", &key);
        look();
        assert_eq!(look(), (true, None));
        acceptors.mark_unchanged();
        assert_eq!(follower.checks(SystemTime::now()).len(), 1);
    }

    #[test]
    fn what_is_wrong_names_the_file_and_the_reason() {
        let files = Files::new();
        let (certificate, key) = pair();
        let with = |name: &str, text: &str, clients: Option<&str>| {
            files.renew();
            files.write(name, text);
            let client_certificate_authority = clients.map(|name| files.folder.path().join(name));
            let config = TlsConfig { client_certificate_authority, ..files.config.clone() };
            words(&CertificateFollower::start(config, Vec::new()).err().expect("refused"))
        };
        for (name, text, clients, said) in [
            ("tls.crt", "", None, "tls.crt is not PEM with a CERTIFICATE"),
            ("tls.crt", "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n", None, "tls.crt cannot be read"),
            ("tls.key", &certificate, None, "tls.key is not PEM with a PRIVATE KEY"),
            ("tls.key", &key, None, "tls.key is not the key of its certificate"),
            ("ca.crt", &certificate, Some("ca.crt"), "ca.crt has a certificate in it that is no authority's"),
            ("ca.crt", &"x".repeat(1024 * 1024 + 1), Some("ca.crt"), "ca.crt cannot be read: it has more than 1 MiB"),
            ("ca.crt", "", Some("none.crt"), "none.crt cannot be read: No such file"),
            ("ca.crt", &certificate.repeat(65), Some("ca.crt"), "ca.crt has 65 authorities in it, and 64 are the most"),
        ] {
            let words = with(name, text, clients);
            assert!(words.contains(said), "{words}");
        }
    }

    #[test]
    fn the_end_of_a_certificate_is_told_before_it_comes() {
        let mut follower = CertificateFollower::start(Files::new().config, Vec::new()).expect("a pair");
        let now = SystemTime::now();
        let mut checked = |left: Duration| {
            follower.read.valid_until = now + left;
            follower.checks(now).pop().expect("one")
        };
        let day = VERY_SOON;
        for (left, remaining, said) in [
            (8 * day, Remaining::Enough, "valid until"),
            (7 * day, Remaining::Little, "valid only until"),
            (day, Remaining::Least, "valid only until"),
            (Duration::ZERO, Remaining::Least, "valid only until"),
        ] {
            assert_eq!(Remaining::of(now + left, now), remaining);
            let (Ok(words) | Err(words)) = checked(left);
            assert!(words.contains(said), "{words}");
        }
        follower.read.valid_until = now - day;
        assert!(matches!(&follower.checks(now)[..], [Err(words)] if words.contains("its time was up")));
        assert_eq!(follower.told, Remaining::Nothing);
    }

    #[test]
    fn flags_complete_each_other_and_the_file() {
        let flags = |certificate: Option<&str>, key: Option<&str>, client_ca: Option<&str>| TlsFlags {
            certificate: certificate.map(PathBuf::from),
            key: key.map(PathBuf::from),
            client_ca: client_ca.map(PathBuf::from),
        };
        let of = |certificate: &str, key: &str, client_ca: Option<&str>| TlsConfig {
            certificate: certificate.into(),
            key: key.into(),
            client_certificate_authority: client_ca.map(PathBuf::from),
        };
        let file = of("file.crt", "file.key", Some("file.ca"));
        assert_eq!(flags(None, None, None).over(None).expect("plain HTTP"), None);
        assert_eq!(flags(Some("a"), Some("b"), None).over(None).expect("a pair"), Some(of("a", "b", None)));
        assert_eq!(flags(None, None, None).over(Some(file.clone())).expect("the file's"), Some(file.clone()));
        assert_eq!(flags(None, Some("b"), Some("c")).over(Some(file)).expect("mixed"), Some(of("file.crt", "b", Some("c"))));
        for (half, missing) in [
            (flags(Some("a"), None, None), "--tls-key"),
            (flags(None, Some("b"), None), "--tls-certificate"),
            (flags(None, None, Some("c")), "--tls-certificate and --tls-key"),
        ] {
            let words = half.over(None).expect_err("half").to_string();
            assert!(words.contains(missing), "{words}");
        }
    }
}
