//! The one `.wasm` file in the layers of a `FROM scratch` image. Nothing is unpacked to a disk.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use sandbar_text::{clean_line, size};
use tar::{Archive, EntryType};

use super::error::Error;
use super::manifest::Compression;

/// Entries of a layer with one file in it, and in folders.
const ENTRIES: usize = 64;

/// Bytes of a path in a layer.
const PATH_BYTES: usize = 1024;

/// What a layer may have beside its contents: heads, padding, and files such as a licence.
const BESIDE_BYTES: u64 = 1024 * 1024;

/// Finds the component, of at most `most` bytes, in the layers of an image. Takes as long as it takes to unpack them.
pub(crate) fn component(layers: &[(Bytes, Compression)], most: u64) -> Result<Bytes, Error> {
    let mut found: Option<(String, Vec<u8>)> = None;
    for (layer, compression) in layers {
        let unpacked: Box<dyn Read> = match compression {
            Compression::None => Box::new(&layer[..]),
            Compression::Gzip => Box::new(MultiGzDecoder::new(&layer[..])),
        };
        search(unpacked, most, &mut found)?;
    }
    found.map(|(_, bytes)| bytes.into()).ok_or_else(|| Error::wrong("it is an image without a .wasm file"))
}

/// Searches a layer, which unpacks to no more than a component and what may be beside it.
fn search(unpacked: impl Read, most: u64, found: &mut Option<(String, Vec<u8>)>) -> Result<(), Error> {
    let mut unpacked = unpacked.take(most + BESIDE_BYTES);
    let searched = search_archive(&mut unpacked, most, found);
    match unpacked.limit() {
        0 => Err(Error::wrong(format!("it is an image with a layer that unpacks to more than {}", size(most + BESIDE_BYTES)))),
        _ => searched,
    }
}

fn search_archive(unpacked: impl Read, most: u64, found: &mut Option<(String, Vec<u8>)>) -> Result<(), Error> {
    let broken =
        |_| Error::wrong("it is an image with a layer that breaks off, or is no tar archive, or not compressed as it says");
    let mut archive = Archive::new(unpacked);
    let mut entries = 0;
    for entry in archive.entries().map_err(broken)? {
        entries += 1;
        if entries > ENTRIES {
            return Err(Error::wrong(format!(
                "it is an image with more than {ENTRIES} files in a layer, not one with a component alone"
            )));
        }
        let mut entry = entry.map_err(broken)?;
        let path = entry.path_bytes().into_owned();
        let shown = clean_line(String::from_utf8_lossy(&path[..path.len().min(PATH_BYTES)]), 200);
        let name = path.rsplit(|letter| *letter == b'/').next().unwrap_or_default();
        if path.len() > PATH_BYTES {
            return Err(Error::wrong(format!("it is an image with a path of more than {}: {shown}", size(PATH_BYTES as u64))));
        }
        // A layer that takes a file of another one away: which file is meant is for a file system to say.
        if name.starts_with(b".wh.") {
            return Err(Error::wrong(format!("it is an image that deletes files, not one with a component alone: {shown}")));
        }
        if !name.ends_with(b".wasm") {
            continue;
        }
        if entry.header().entry_type() != EntryType::Regular {
            return Err(Error::wrong(format!("it is an image whose {shown} is no file")));
        }
        if let Some((other, _)) = found {
            return Err(Error::wrong(format!(
                "it is an image with several .wasm files, {other} and {shown}, and a component is one"
            )));
        }
        let mut bytes = Vec::new();
        // What the head of an entry says of its size may be anything.
        entry.by_ref().take(most + 1).read_to_end(&mut bytes).map_err(broken)?;
        if bytes.len() as u64 > most {
            return Err(Error::wrong(format!("its {shown} has more than {}, which is what a component may have", size(most))));
        }
        if bytes.len() as u64 != entry.size() {
            return Err(broken(std::io::ErrorKind::UnexpectedEof.into()));
        }
        *found = Some((shown, bytes));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression as Level;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    const MOST: u64 = 64 * 1024;

    fn tar(files: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for (path, kind, contents) in files {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                tar.append_link(&mut header, path, "elsewhere").expect("a link");
            } else {
                tar.append_data(&mut header, path, *contents).expect("a file");
            }
        }
        tar.into_inner().expect("an archive")
    }

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut gzip = GzEncoder::new(Vec::new(), Level::best());
        gzip.write_all(bytes).expect("compressed");
        gzip.finish().expect("compressed").into()
    }

    fn found(layers: &[Vec<u8>]) -> Result<Bytes, String> {
        let layers: Vec<_> = layers.iter().map(|layer| (gzip(layer), Compression::Gzip)).collect();
        component(&layers, MOST).map_err(|error| error.to_string())
    }

    const FILE: EntryType = EntryType::Regular;

    #[test]
    fn the_one_component_is_found_wherever_it_lies() {
        let folders =
            tar(&[("opt/", EntryType::Directory, b""), ("opt/tool.wasm", FILE, b"component"), ("LICENSE", FILE, b"text")]);
        assert_eq!(found(std::slice::from_ref(&folders)).as_deref(), Ok(&b"component"[..]));
        let deep = format!("{}/tool.wasm", "folder/".repeat(40));
        assert_eq!(found(&[tar(&[("LICENSE", FILE, b"")]), tar(&[(&deep, FILE, b"deep")])]).as_deref(), Ok(&b"deep"[..]));
        let bare = [(Bytes::from(folders), Compression::None)];
        assert_eq!(component(&bare, MOST).as_deref(), Ok(&b"component"[..]));
        assert!(found(&[tar(&[("a.wasm", FILE, &vec![1; MOST as usize])])]).is_ok());
    }

    #[test]
    fn what_is_not_one_component_is_refused_with_the_reason() {
        let many: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), FILE, &b""[..])).collect();
        let cut = tar(&[("a.wasm", FILE, &[1; 5000])]);
        for (layers, said) in [
            (vec![tar(&[("a.wasm", FILE, b"1"), ("b.wasm", FILE, b"2")])], "several .wasm files, a.wasm and b.wasm"),
            (vec![tar(&[("a.wasm", FILE, b"1")]), tar(&[("a.wasm", FILE, b"2")])], "several"),
            (vec![tar(&[("a.wasm", FILE, b"1")]), tar(&[(".wh.a.wasm", FILE, b"")])], "deletes files"),
            (vec![tar(&[("a.wasm", EntryType::Symlink, b"")])], "is no file"),
            (vec![tar(&[("a.wasm", EntryType::Link, b"")])], "is no file"),
            (vec![tar(&[("a.txt", FILE, b"")])], "without a .wasm file"),
            (vec![tar(&[("a.wasm", FILE, &vec![1; MOST as usize + 1])])], "more than 64 KiB"),
            (vec![tar(&many)], "more than 64 files"),
            (vec![tar(&[(&format!("{}a.wasm", "folder/".repeat(400)), FILE, b"1")])], "a path of more than 1 KiB"),
            (vec![cut[..2000].to_vec()], "breaks off"),
            (vec![vec![b'x'; 2000]], "no tar archive"),
        ] {
            let words = found(&layers).expect_err(said);
            assert!(words.contains(said), "{said}: {words}");
        }
        let no_gzip = [(Bytes::from_static(b"nothing"), Compression::Gzip)];
        assert!(component(&no_gzip, MOST).is_err_and(|error| error.to_string().contains("not compressed as it says")));
    }

    #[test]
    fn a_bomb_ends_at_its_bound() {
        // Zeros in a file beside the component, a thousand times as many as the bytes that arrive.
        let mut header = Header::new_gnu();
        header.set_path("LICENSE").expect("a path");
        header.set_size(16 << 20);
        header.set_cksum();
        let mut bomb = GzEncoder::new(Vec::new(), Level::fast());
        bomb.write_all(header.as_bytes()).expect("compressed");
        for _ in 0..16 {
            bomb.write_all(&vec![0; 1 << 20]).expect("compressed");
        }
        let bomb: Bytes = bomb.finish().expect("compressed").into();
        let error = component(&[(bomb, Compression::Gzip)], MOST).expect_err("a bomb").to_string();
        assert!(error.contains("unpacks to more than 1088 KiB"), "{error}");
        // A file that claims to be larger than all that follows.
        let mut lying = tar(&[("a.wasm", FILE, b"1")]);
        let mut header = Header::new_gnu();
        header.set_path("a.wasm").expect("a path");
        header.set_size(u64::MAX / 4);
        header.set_cksum();
        lying[..512].copy_from_slice(header.as_bytes());
        assert!(found(&[lying]).is_err());
    }

    #[test]
    fn nothing_in_a_layer_is_too_strange() {
        let plain =
            tar(&[("opt/", EntryType::Directory, b""), (&format!("{}tool.wasm", "folder/".repeat(40)), FILE, b"component")]);
        let packed = gzip(&plain);
        for (layer, compression) in [(Bytes::from(plain), Compression::None), (packed, Compression::Gzip)] {
            for at in 0..layer.len() {
                for other in [0, layer[at] ^ 0x80, b'7', 0xff] {
                    let mut changed = layer.to_vec();
                    changed[at] = other;
                    let found = component(&[(changed.into(), compression)], MOST);
                    assert!(found.is_err() || found.is_ok_and(|found| found.len() as u64 <= MOST));
                }
            }
        }
    }
}
