//! Answers that an API server has compressed, decompressed while they arrive: no more than one step at a time, so that what is tiny on its way
//! and endless in memory ends with the call's limits. One member of gzip, as API servers send it, and nothing behind it.

use std::io::{self, BufRead, ErrorKind, Read};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue, Response};
use sandbar_processor::STEP_BYTES;
use sandbar_secrets::quotable;

use super::error::Error;
use super::items::malformed;

/// What a request says that takes compressed answers.
pub(super) const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Bytes of a foreign encoding in a message.
const ENCODING_MAX: usize = 40;

/// Marks an answer whose request has said that it takes gzip.
#[derive(Clone, Copy, Debug)]
pub(super) struct TakesGzip;

/// How a body is encoded.
pub(super) enum Coding {
    Plain,
    Gzip(Box<Gunzip>),
    /// In a way that the request has not asked for: how.
    Foreign(String),
}

impl Coding {
    pub(super) fn of<B>(answer: &Response<B>) -> Self {
        match encoding(answer.headers()) {
            None => Self::Plain,
            Some(encoding) if encoding == "gzip" && answer.extensions().get::<TakesGzip>().is_some() => {
                Self::Gzip(Box::default())
            }
            Some(encoding) => Self::Foreign(encoding),
        }
    }

    /// The beginning of a body, from its first bytes: at most `most`, and nothing where it is encoded in a way that cannot be read.
    pub(super) fn beginning(self, first: Vec<u8>, most: usize) -> Vec<u8> {
        match self {
            Self::Plain => first,
            Self::Foreign(_) => Vec::new(),
            Self::Gzip(mut gunzip) => {
                gunzip.feed(Some(first.into()));
                let mut beginning = Vec::new();
                while beginning.len() < most
                    && let Ok(Step::Piece(piece)) = gunzip.step()
                {
                    beginning.extend_from_slice(&piece[..piece.len().min(most - beginning.len())]);
                }
                beginning
            }
        }
    }
}

/// What the headers say; none for a body that is as it is.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let all: Vec<_> = headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let encoding = all.join(", ").trim().to_ascii_lowercase();
    Some(encoding).filter(|encoding| !encoding.is_empty() && encoding != "identity")
}

/// The error for an encoding that nobody has asked for.
pub(super) fn not_asked_for(encoding: &str) -> Error {
    malformed(&format!("it is encoded as {:?}, which was not asked for", quotable(encoding, ENCODING_MAX)))
}

/// A body that is decompressed while it arrives.
#[derive(Debug)]
pub(super) struct Gunzip {
    decoder: GzDecoder<Arrived>,
    /// Bytes that have arrived, and that have come out.
    arrived: u64,
    came_out: u64,
    charged: u64,
}

/// What a step has brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Bytes, at most [`STEP_BYTES`].
    Piece(Bytes),
    /// Nothing more before the next piece has arrived.
    Wants,
    /// The end. What arrives after it is an error.
    End,
}

/// The piece that has arrived last.
#[derive(Debug, Default)]
struct Arrived {
    rest: Bytes,
    /// There is no other.
    is_last: bool,
}

impl Default for Gunzip {
    fn default() -> Self {
        Self { decoder: GzDecoder::new(Arrived::default()), arrived: 0, came_out: 0, charged: 0 }
    }
}

impl Gunzip {
    /// Takes the next piece, or the end, once a step has asked for it.
    pub(super) fn feed(&mut self, piece: Option<Bytes>) {
        let arrived = self.decoder.get_mut();
        match piece {
            Some(piece) => {
                self.arrived += piece.len() as u64;
                arrived.rest = piece;
            }
            None => arrived.is_last = true,
        }
    }

    /// Decompresses one step: linear in what has arrived and in what comes out.
    pub(super) fn step(&mut self) -> Result<Step, Error> {
        let mut piece = vec![0; STEP_BYTES];
        let mut filled = 0;
        let next = loop {
            match self.decoder.read(&mut piece[filled..]) {
                // So it is, too, where there is no room left.
                Ok(0) => break Step::End,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Step::Wants,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Err(malformed("what is compressed with gzip ends in the middle"));
                }
                Err(_says_no_more) => return Err(malformed("it is not compressed with gzip as it says")),
            }
        };
        if filled > 0 {
            piece.truncate(filled);
            self.came_out += filled as u64;
            return Ok(Step::Piece(piece.into()));
        }
        if next == Step::End && !self.decoder.get_ref().rest.is_empty() {
            return Err(goes_on());
        }
        Ok(next)
    }

    /// The bytes that a call has yet to be charged for: a body costs what arrives of it or what comes out, whichever is more.
    pub(super) fn uncharged(&mut self) -> u64 {
        let due = self.arrived.max(self.came_out);
        due - std::mem::replace(&mut self.charged, due)
    }
}

/// The error for bytes after the end.
pub(super) fn goes_on() -> Error {
    malformed("it goes on behind the end of what is compressed with gzip")
}

impl Read for Arrived {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.fill_buf()?;
        let read = rest.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Arrived {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.rest.is_empty() && !self.is_last {
            true => Err(ErrorKind::WouldBlock.into()),
            false => Ok(&self.rest),
        }
    }

    fn consume(&mut self, bytes: usize) {
        let _consumed = self.rest.split_to(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    /// What comes out of these pieces, and what it costs; at most `most` bytes, as for a call with such a limit.
    fn gunzip<'p>(pieces: impl IntoIterator<Item = &'p [u8]>, most: u64) -> Result<(Vec<u8>, u64), String> {
        let (mut gunzip, mut pieces) = (Gunzip::default(), pieces.into_iter());
        let (mut out, mut cost) = (Vec::new(), 0);
        loop {
            match gunzip.step().map_err(|error| error.message)? {
                Step::Piece(piece) => {
                    assert!(piece.len() <= STEP_BYTES && !piece.is_empty());
                    out.extend_from_slice(&piece);
                }
                Step::Wants => gunzip.feed(pieces.next().map(Bytes::copy_from_slice)),
                Step::End if pieces.next().is_some() => return Err(goes_on().message),
                Step::End => return Ok((out, cost)),
            }
            cost += gunzip.uncharged();
            if cost > most {
                return Err(format!("over the limit with {} bytes", out.len()));
            }
        }
    }

    /// Text that compresses a little, and some that does so a lot.
    fn text() -> Vec<u8> {
        let mut state = 1_u32;
        let mut text: Vec<u8> = (0..40_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b'a' + u8::try_from(state >> 28).expect("four bits")
            })
            .collect();
        text.extend(std::iter::repeat_n(b'x', 3 * STEP_BYTES));
        text
    }

    #[test]
    fn a_body_comes_out_whole_however_it_arrives() {
        let text = text();
        let packed = gzip(&text);
        for size in [1, 2, 7, 18, 1_000, packed.len()] {
            let (out, cost) = gunzip(packed.chunks(size), u64::MAX).expect("as it was packed");
            assert!(out == text, "in pieces of {size}");
            assert_eq!(cost, text.len() as u64);
        }
        assert_eq!(gunzip([&*gzip(b"")], u64::MAX), Ok((Vec::new(), gzip(b"").len() as u64)), "what arrives costs, too");
    }

    #[test]
    fn a_header_with_all_that_it_may_have_is_read_in_any_pieces() {
        let builder = flate2::GzBuilder::new().filename("a name").comment("words").extra([7; 300]).mtime(1);
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(b"{}").expect("in memory");
        let packed = encoder.finish().expect("in memory");
        for size in [1, 3, packed.len()] {
            assert_eq!(gunzip(packed.chunks(size), u64::MAX).expect("a body").0, b"{}");
        }
    }

    #[test]
    fn what_is_broken_is_told_wherever_it_is() {
        let packed = gzip(&text());
        for end in [0, 1, 9, 10, 11, 500, packed.len() / 2, packed.len() - 9, packed.len() - 8, packed.len() - 1] {
            for size in [7, packed.len()] {
                let words = gunzip(packed[..end].chunks(size), u64::MAX).expect_err("cut off");
                assert!(words.contains("ends in the middle"), "{end}: {words}");
            }
        }
        let mut checksum = packed.clone();
        let at = checksum.len() - 6;
        checksum[at] ^= 1;
        let twice = [gzip(b"[]"), gzip(b"{}")].concat();
        let behind = [gzip(b"[]"), b"x".to_vec()].concat();
        // Zeros are blocks of no known type after a header that is well.
        let garbage = [&packed[..10], &[0xff; 100]].concat();
        for (body, said) in [
            (&checksum, "not compressed with gzip as it says"),
            (&garbage, "not compressed with gzip as it says"),
            (&b"{\"items\":[]}    ".to_vec(), "not compressed with gzip as it says"),
            (&twice, "goes on behind the end"),
            (&behind, "goes on behind the end"),
        ] {
            for size in [1, body.len()] {
                let words = gunzip(body.chunks(size), u64::MAX).expect_err("broken");
                assert!(words.contains(said), "{words}");
            }
        }
    }

    #[test]
    fn one_wrong_byte_anywhere_ends_it_or_changes_nothing() {
        let text = &text()[..2_000];
        let packed = gzip(text);
        for at in 0..packed.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut wrong = packed.clone();
                wrong[at] ^= bits;
                if let Ok((out, _)) = gunzip(wrong.chunks(100), 1 << 20) {
                    assert!(out == text, "{at}: what nobody checks is a word in the header, and bits that fill a byte");
                }
            }
        }
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_limit_and_one_step() {
        let most = 1 << 20;
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        assert_eq!(gunzip([&*bomb], most), Err(format!("over the limit with {} bytes", most + STEP_BYTES as u64)));
        // Blocks that nothing comes out of, without an end: what arrives counts.
        let header = &gzip(b"")[..10];
        let empty = [0, 0, 0, 0xff, 0xff].repeat(1_000);
        let endless = std::iter::once(header).chain(std::iter::repeat(&*empty));
        assert_eq!(gunzip(endless, most), Err("over the limit with 0 bytes".to_owned()));
        // A name in the header that has no end.
        let named = [0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0];
        let letters = [b'a'; 1_000];
        let words = gunzip(std::iter::once(&named[..]).chain(std::iter::repeat(&letters[..])), most).expect_err("endless");
        assert!(words.contains("not compressed with gzip as it says"), "{words}");
    }

    #[test]
    fn only_what_was_asked_for_is_decompressed() {
        let answer = |encodings: &[&'static str], asked: bool| {
            let mut answer = Response::new(());
            for encoding in encodings {
                answer.headers_mut().append(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            if asked {
                answer.extensions_mut().insert(TakesGzip);
            }
            Coding::of(&answer)
        };
        assert!(matches!(answer(&[], true), Coding::Plain) && matches!(answer(&["identity"], false), Coding::Plain));
        assert!(matches!(answer(&["gzip"], true), Coding::Gzip(_)) && matches!(answer(&["GZIP"], true), Coding::Gzip(_)));
        for (encodings, asked) in
            [(&["gzip"][..], false), (&["br"], true), (&["gzip, gzip"], true), (&["gzip", "gzip"], true), (&["deflate"], true)]
        {
            let Coding::Foreign(encoding) = answer(encodings, asked) else { panic!("{encodings:?}") };
            let words = not_asked_for(&encoding).message;
            assert!(words.contains(&encodings.join(", ")) && words.contains("was not asked for"), "{words}");
        }
    }

    #[test]
    fn of_an_error_the_beginning_is_read() {
        let text = "no such thing ".repeat(10_000);
        let packed = gzip(text.as_bytes());
        let gzip = || Coding::Gzip(Box::default());
        assert_eq!(gzip().beginning(packed[..200].to_vec(), 20), text.as_bytes()[..20]);
        assert_eq!(gzip().beginning(packed, 1 << 20).len(), text.len());
        assert_eq!(gzip().beginning(b"nothing of gzip".to_vec(), 20), b"");
        assert_eq!(Coding::Foreign("br".to_owned()).beginning(b"xyz".to_vec(), 20), b"");
        assert_eq!(Coding::Plain.beginning(b"xyz".to_vec(), 20), b"xyz");
    }
}
