//! The folder of compiled components: the way from the compiling process to the server, and a cache from one start to the next.
//!
//! Its contents run as native code, with all rights of the server. So it has to belong to this user alone, which is checked
//! before each use.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use crate::imports::Imports;

/// Folder of wasmtime's cache entries, with a subfolder for each version of wasmtime.
const ENTRIES: &str = "modules";

/// Folder of the components' imports and exports, by version of Sandbar, which decides what may be imported.
const ABOUT: &str = "imports";
const IMPORTS: &str = concat!("imports/", env!("CARGO_PKG_VERSION"));

/// Bytes of JSON for one component's imports and exports.
pub(super) const IMPORTS_BYTES: usize = 64 * 1024;

/// Bytes that are kept; the least recently used entries are removed first. The volume in deploy/ has twice as many.
const KEPT_BYTES: u64 = 512 * 1024 * 1024;

/// Attempts to remove a temporary folder, or to make a scratch folder: another thread or process can get in the way.
const ATTEMPTS: u32 = 10;

/// Prefix of a compiling process's own folder.
const SCRATCH: &str = "compiling-";

/// A folder of compiled components.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Device and inode, so that another folder in its place is noticed.
    identity: (u64, u64),
    /// Set if the folder is removed with this process. Then each entry is removed once it has been loaded.
    temporary: Option<TempDir>,
}

impl Folder {
    /// A folder that is kept from one start to the next. It is made for this user alone. The error says why it cannot be used.
    pub fn kept(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let folder = Self::at(path.to_owned(), None)?;
        // Fails on a full or read-only disk.
        drop(folder.scratch()?);
        tidy(&folder.path, KEPT_BYTES);
        Ok(folder)
    }

    /// A folder for as long as this process lives, in the first directory for temporary files, on disk or in memory, that can be
    /// used.
    pub fn temporary() -> io::Result<Self> {
        let parents = [std::env::temp_dir(), PathBuf::from("/dev/shm")];
        let mut first = None;
        for parent in parents {
            let made = temporary(&parent, "sandbar-");
            match made.and_then(|made| Self::at(made.path().to_owned(), Some(made))) {
                Ok(folder) => return Ok(folder),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        Err(first.unwrap_or_else(|| ErrorKind::NotFound.into()))
    }

    fn at(path: PathBuf, temporary: Option<TempDir>) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let found = check_private(&path)?;
        for inside in [ENTRIES, ABOUT].map(|name| path.join(name)) {
            if let Ok(found) = inside.symlink_metadata() {
                check_owner(&found)?;
                fs::set_permissions(&inside, Permissions::from_mode(0o700))?;
            }
        }
        Ok(Self { path, identity: (found.dev(), found.ino()), temporary })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether what is in it is there for the next process, too.
    pub fn is_kept(&self) -> bool {
        self.temporary.is_none()
    }

    /// Where components from elsewhere can be kept beside what they are compiled to.
    pub fn pulled(&self) -> PathBuf {
        self.path.join("pulled")
    }

    /// Imports and exports of a stored component. None if it is not stored, or if the folder cannot be trusted any more.
    pub(crate) fn find(&self, name: &str) -> Option<Imports> {
        self.is_trusted().ok()?;
        let text = sandbar_files::read(&self.path.join(IMPORTS).join(name), IMPORTS_BYTES as u64).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Notes that a component has been loaded: a temporary folder does not need it any longer.
    pub(crate) fn loaded(&self, name: &str) {
        if self.temporary.is_some() {
            self.remove(name);
        }
    }

    /// A folder for one compiling process.
    pub(super) fn scratch(&self) -> io::Result<Scratch> {
        self.is_trusted()?;
        Scratch::new(&self.path)
    }

    /// Moves the result called `name` from a process's folder into this one.
    pub(super) fn take(&self, scratch: &Path, name: &str, imports: &Imports) -> io::Result<()> {
        self.is_trusted()?;
        let (version, made) = entries(scratch, name).next().ok_or(ErrorKind::NotFound)?;
        let folder = self.path.join(ENTRIES).join(version.file_name().unwrap_or_default());
        let about = self.path.join(IMPORTS);
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&folder)?;
        builder.create(&about)?;
        fs::rename(made, folder.join(name))?;
        let mut written = NamedTempFile::new_in(&about)?;
        written.write_all(&serde_json::to_vec(imports)?)?;
        written.persist(about.join(name))?;
        if self.temporary.is_none() {
            tidy(&self.path, KEPT_BYTES);
        }
        Ok(())
    }

    /// Has the entries called `from` be there as `to`, too.
    pub(crate) fn alias(&self, from: &str, to: &str) -> io::Result<()> {
        self.is_trusted()?;
        let link = |from: &Path, to: &Path| match fs::hard_link(from, to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        };
        for (version, entry) in entries(&self.path, from) {
            link(&entry, &version.join(to))?;
        }
        // Last: whoever finds it finds the rest.
        let about = self.path.join(IMPORTS);
        link(&about.join(from), &about.join(to))
    }

    /// Removes the entries of a component.
    pub(crate) fn remove(&self, name: &str) {
        for (_, entry) in entries(&self.path, name) {
            // A failure costs disk space, nothing else.
            let _ = fs::remove_file(entry);
        }
        let _ = fs::remove_file(self.path.join(IMPORTS).join(name));
    }

    /// Fails if another folder has taken its place, or if others can write to it.
    fn is_trusted(&self) -> io::Result<()> {
        let found = check_private(&self.path)?;
        if (found.dev(), found.ino()) == self.identity {
            return Ok(());
        }
        Err(io::Error::other("another folder has taken its place"))
    }
}

impl Drop for Folder {
    /// Wasmtime notes the use of an entry on a thread of its own, perhaps while the folder is being removed.
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            let path = temporary.keep();
            let _ = (0..ATTEMPTS).find(|_| fs::remove_dir_all(&path).is_ok());
        }
    }
}

/// The folder of one compiling process, removed on drop. If its server is killed, the next one to start removes it: the kernel
/// has released the lock by then.
pub(super) struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    fn new(parent: &Path) -> io::Result<Self> {
        let made = || {
            let folder = temporary(parent, SCRATCH)?;
            let lock = File::open(folder.path())?;
            // On a file system without locks, leftovers are kept.
            let _ = flock(&lock, FlockOperation::LockExclusive);
            folder.path().try_exists().map(|is_there| is_there.then_some(Self { folder, _lock: lock }))
        };
        // It is gone if another server found it before it was locked.
        (0..ATTEMPTS).find_map(|_| made().transpose()).unwrap_or_else(|| Err(ErrorKind::NotFound.into()))
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what the compiling processes of killed servers have left.
fn remove_leftovers(root: &Path) {
    for left in fs::read_dir(root).into_iter().flatten().flatten() {
        if !left.file_name().to_string_lossy().starts_with(SCRATCH) {
            continue;
        }
        let is_left = |folder: &File| flock(folder, FlockOperation::NonBlockingLockExclusive).is_ok();
        // The lock is held until the folder is removed.
        if let Some(_lock) = File::open(left.path()).ok().filter(is_left) {
            let _ = fs::remove_dir_all(left.path());
        }
    }
}

/// Makes a folder for this user alone, whatever the umask says.
fn temporary(parent: &Path, prefix: &str) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o700)).tempdir_in(parent)
}

/// Whether a file system is mounted there, be it another folder of the one around it.
#[cfg(target_os = "linux")]
fn is_volume(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    path != Path::new("/")
        && statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
            .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// As above; a system that tells of no mounts has no pods either, and so no volume whose mode somebody else decides.
#[cfg(not(target_os = "linux"))]
fn is_volume(_path: &Path) -> bool {
    false
}

/// Checks, as OpenSSH does, that nobody but this user can write to a folder or put another in its place.
fn check_private(path: &Path) -> io::Result<Metadata> {
    let found = path.symlink_metadata()?;
    check_owner(&found)?;
    let user = found.uid();
    for (below, around) in path.ancestors().zip(path.ancestors().skip(1)) {
        let (below, found) = (below.symlink_metadata()?, around.symlink_metadata()?);
        // The mode of a volume's root is up to whoever mounted it; in a pod nobody else has access.
        if is_volume(around) {
            continue;
        }
        let who = |found: &Metadata| Access { owner: found.uid(), group: found.gid(), mode: found.mode() & 0o7777 };
        if let Some(why) = who(&found).replaces(who(&below), user) {
            let around = around.display();
            let words = format!("{why} {around}, and so can put another folder in its place");
            return Err(io::Error::new(ErrorKind::PermissionDenied, words));
        }
    }
    Ok(found)
}

/// Owner, group and mode of a folder.
#[derive(Clone, Copy)]
struct Access {
    owner: u32,
    group: u32,
    mode: u32,
}

impl Access {
    /// Who but `user` and root can put another folder in the place of `below`, which is inside this one: subject and verb.
    fn replaces(self, below: Self, user: u32) -> Option<String> {
        let is_trusted = |owner| owner == user || owner == 0;
        if !is_trusted(self.owner) {
            return Some(format!("user {} owns", self.owner));
        }
        // In a sticky folder only the owner of an entry may rename it.
        let is_sticky = self.mode & 0o1000 != 0 && is_trusted(below.owner);
        match self.mode & 0o022 {
            0 => None,
            _ if is_sticky => None,
            // A user's private group, which has the user's number and no other member.
            0o020 if self.group == self.owner && self.owner == user => None,
            0o020 => Some(format!("its group may write (mode {:o}; `chmod g-w` ends that) to", self.mode)),
            _ => Some(format!("anyone may write (mode {:o}; `chmod go-w` ends that) to", self.mode)),
        }
    }
}

/// Fails unless this is a folder of this user that nobody else can write to.
fn check_owner(found: &Metadata) -> io::Result<()> {
    let refused = |why: String| Err(io::Error::new(ErrorKind::PermissionDenied, why));
    if !found.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    let user = rustix::process::geteuid().as_raw();
    if found.uid() != user {
        return refused(format!("it belongs to user {}, not to user {user}, and what lies there is run", found.uid()));
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return refused(format!("others may write to it (mode {mode:o}), and what lies there is run: `chmod 700` and empty it"));
    }
    Ok(())
}

/// The cache entries called `name` below `root`, each after its version folder.
fn entries<'a>(root: &Path, name: &'a str) -> impl Iterator<Item = (PathBuf, PathBuf)> + use<'a> {
    let versions = fs::read_dir(root.join(ENTRIES)).into_iter().flatten().flatten();
    versions.map(|version| version.path()).filter_map(move |version| {
        let entry = version.join(name);
        entry.symlink_metadata().is_ok_and(|found| found.is_file()).then_some((version, entry))
    })
}

/// Renames the entry that wasmtime has just written below `root`, from its name for a compiling engine to that for a loading one.
/// None if there is no entry of the expected name.
pub(super) fn rename(root: &Path, from: &str, to: &str) -> Option<()> {
    let (version, made) = entries(root, from).next()?;
    fs::rename(made, version.join(to)).ok()
}

/// Removes the least recently used entries until at most `most` bytes are left, and what killed processes have left.
fn tidy(root: &Path, most: u64) {
    let now = SystemTime::now();
    let age = |found: &Metadata| found.modified().ok().and_then(|time| now.duration_since(time).ok()).unwrap_or_default();
    remove_leftovers(root);
    let mut kept = BTreeMap::<PathBuf, (u64, Duration)>::new();
    let versions = fs::read_dir(root.join(ENTRIES)).into_iter().flatten().flatten();
    for file in versions.flat_map(|version| fs::read_dir(version.path()).into_iter().flatten().flatten()) {
        let Ok(found) = file.metadata() else { continue };
        // Wasmtime writes a note beside each entry whenever the entry is used.
        let entry = kept.entry(file.path().with_extension("")).or_insert((0, Duration::MAX));
        *entry = (entry.0 + found.len(), entry.1.min(age(&found)));
    }
    let mut total: u64 = kept.values().map(|(bytes, _)| bytes).sum();
    let mut oldest: Vec<_> = kept.into_iter().collect();
    oldest.sort_by_key(|(_, (_, age))| std::cmp::Reverse(*age));
    for (entry, (bytes, _)) in oldest {
        if total <= most {
            break;
        }
        total -= bytes;
        let _ = fs::remove_file(entry.with_extension("stats"));
        if let Some(name) = entry.file_name() {
            let _ = fs::remove_file(root.join(IMPORTS).join(name));
        }
        let _ = fs::remove_file(entry);
    }
}

/// The name of a component's entry in wasmtime's cache, for such an engine.
///
/// It is the hash of the engine's settings and of the bytes, as `wasmtime::CodeBuilder` computes it. The compiling process
/// reports a result that does not have the expected name, so a wasmtime that names its entries differently is noticed at once.
pub(crate) fn name(engine: &wasmtime::Engine, component: &[u8]) -> String {
    struct Bytes(Sha256);
    impl Hasher for Bytes {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            unreachable!("all of the hash is used")
        }
    }
    let mut hasher = Bytes(Sha256::new());
    let no_dwarf_package = None::<Cow<'_, [u8]>>;
    let no_intrinsics = None::<&str>;
    (engine.precompile_compatibility_hash(), component, no_dwarf_package, no_intrinsics).hash(&mut hasher);
    URL_SAFE_NO_PAD.encode(hasher.0.finalize())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
    }

    #[test]
    fn it_is_made_for_this_user_alone() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("a/b");
        let folder = Folder::kept(&path).expect("made");
        for made in [path.parent().expect("a"), &path] {
            assert_eq!(made.metadata().expect("there").mode() & 0o777, 0o700, "{}", made.display());
        }
        assert!(folder.find("nothing").is_none());
        let inside = path.join(ENTRIES);
        fs::create_dir(&inside).expect("made");
        mode(&path, 0o755);
        mode(&inside, 0o755);
        Folder::kept(&path).expect("nobody could write to it");
        assert_eq!(inside.metadata().expect("there").mode() & 0o777, 0o700, "and nobody can look into it");
        assert_eq!(path.metadata().expect("there").mode() & 0o777, 0o755, "its own mode is its owner's");
        mode(&inside, 0o757);
        assert!(Folder::kept(&path).is_err(), "others could write to it");
    }

    #[test]
    fn what_was_compiled_is_there_under_another_name_until_that_is_removed() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder::kept(root.path()).expect("made");
        assert!(folder.alias("one", "other").is_err(), "nothing is there");
        let version = root.path().join(ENTRIES).join("1");
        let about = root.path().join(IMPORTS);
        [&version, &about].into_iter().for_each(|inside| fs::create_dir_all(inside).expect("made"));
        let nothing = Imports { interfaces: BTreeMap::new(), wasi: BTreeSet::new(), exports: BTreeSet::new() };
        fs::write(version.join("one"), "code").expect("written");
        fs::write(about.join("one"), serde_json::to_vec(&nothing).expect("JSON")).expect("written");
        for _again in 0..2 {
            folder.alias("one", "other").expect("linked");
        }
        assert_eq!(fs::read(version.join("other")).expect("there"), b"code");
        assert!(folder.find("other").is_some());
        folder.remove("one");
        assert!(folder.find("one").is_none() && folder.find("other").is_some());
    }

    #[test]
    fn one_that_others_can_write_to_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("cache");
        fs::create_dir(&path).expect("made");
        for open in [0o777, 0o722, 0o702, 0o720, 0o1777] {
            mode(&path, open);
            let error = Folder::kept(&path).expect_err("others can write to it").to_string();
            assert!(error.contains("chmod 700"), "{open:o}: {error}");
        }
        mode(&path, 0o700);
        for (around, refused) in [(0o777, true), (0o703, true), (0o1777, false), (0o1775, false), (0o755, false)] {
            mode(root.path(), around);
            assert_eq!(Folder::kept(&path).is_err(), refused, "below one of mode {around:o}");
        }
        mode(root.path(), 0o700);
        fs::write(root.path().join("file"), "").expect("written");
        assert!(Folder::kept(&root.path().join("file")).is_err(), "a file");
        symlink(&path, root.path().join("link")).expect("linked");
        assert_eq!(
            Folder::kept(&root.path().join("link")).expect("the folder itself").path(),
            path.canonicalize().expect("there")
        );
    }

    #[test]
    fn who_can_put_another_in_its_place_is_named() {
        const USER: u32 = 1000;
        for (owner, mode, below, says) in [
            (USER, 0o755, USER, None),
            (0, 0o755, USER, None),
            (0, 0o555, 0, None),
            (0, 0o1777, USER, None),
            (0, 0o1777, 0, None),
            (USER, 0o1770, USER, None),
            (0, 0o1777, 1001, Some("anyone may write")),
            (0, 0o777, USER, Some("anyone may write")),
            (USER, 0o702, USER, Some("anyone may write")),
            (USER, 0o775, USER, Some("its group may write")),
            (0, 0o2770, USER, Some("its group may write")),
            (1001, 0o755, USER, Some("user 1001 owns")),
            (1001, 0o700, USER, Some("user 1001 owns")),
            (1001, 0o1777, USER, Some("user 1001 owns")),
        ] {
            let why = Access { owner, group: 100, mode }.replaces(Access { owner: below, group: 100, mode: 0o700 }, USER);
            assert_eq!(why.is_some(), says.is_some(), "{owner} {mode:o} {below}: {why:?}");
            assert!(why.unwrap_or_default().contains(says.unwrap_or_default()), "{owner} {mode:o} {below}");
        }
        // Root trusts only root.
        let folder = |owner, group, mode| Access { owner, group, mode };
        assert!(folder(USER, USER, 0o755).replaces(folder(0, 0, 0o700), 0).is_some());
        let own = folder(USER, USER, 0o700);
        assert!(folder(USER, USER, 0o775).replaces(own, USER).is_none(), "a private group");
        assert!(folder(USER, USER, 0o777).replaces(own, USER).is_some());
        assert!(folder(0, 0, 0o775).replaces(own, USER).is_some(), "a group that others are in");
    }

    #[test]
    fn one_that_another_takes_the_place_of_is_not_used_any_more() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("cache");
        let folder = Folder::kept(&path).expect("made");
        assert!(folder.is_trusted().is_ok());
        fs::rename(&path, root.path().join("away")).expect("moved");
        fs::create_dir(&path).expect("made");
        assert!(folder.is_trusted().is_err() && folder.scratch().is_err());
        fs::remove_dir(&path).expect("removed");
        symlink(root.path().join("away"), &path).expect("linked");
        assert!(folder.is_trusted().is_err(), "a link");
        fs::remove_file(&path).expect("removed");
        fs::rename(root.path().join("away"), &path).expect("moved back");
        assert!(folder.is_trusted().is_ok());
        mode(&path, 0o777);
        assert!(folder.is_trusted().is_err(), "others can write to it now");
    }

    #[test]
    fn what_a_killed_server_has_left_is_removed_at_the_next_start_and_what_is_in_use_stays() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("cache");
        let one = Folder::kept(&path).expect("made");
        let in_use = one.scratch().expect("made");
        fs::write(in_use.path().join("file"), "1").expect("written");
        let killed = path.join(format!("{SCRATCH}killed"));
        fs::create_dir_all(killed.join("modules/wasmtime")).expect("made");
        fs::write(killed.join("modules/wasmtime/entry"), "1").expect("written");
        fs::create_dir(path.join("other")).expect("made");
        let _another = Folder::kept(&path).expect("there");
        assert!(!killed.exists(), "nobody has it");
        assert!(in_use.path().join("file").exists(), "somebody compiles there");
        assert!(path.join("other").exists(), "it is none of ours");
        let was = in_use.path().to_owned();
        drop(in_use);
        assert!(!was.exists());
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let root = tempfile::tempdir().expect("a folder");
        let version = root.path().join(ENTRIES).join("wasmtime");
        fs::create_dir_all(&version).expect("made");
        let file = |name: &str, hours: u64| {
            let path = version.join(name);
            fs::write(&path, [0; 1000]).expect("written");
            let time = SystemTime::now() - Duration::from_secs(hours * 3600);
            let file = fs::File::options().write(true).open(path).expect("opened");
            file.set_modified(time).expect("set");
        };
        file("oldest", 9);
        file("used", 8);
        file("used.stats", 1);
        file("newer", 5);
        let left = || {
            let mut names: Vec<_> = fs::read_dir(&version).expect("there").map(|file| file.expect("there").file_name()).collect();
            names.sort();
            names
        };
        tidy(root.path(), 4000);
        assert_eq!(left().len(), 4);
        tidy(root.path(), 3000);
        assert_eq!(left(), ["newer", "used", "used.stats"]);
        tidy(root.path(), 2500);
        assert_eq!(left(), ["used", "used.stats"]);
        tidy(root.path(), 0);
        assert!(left().is_empty());
    }
}
