//! Inputs made from seeds, the same ones each time: for the runs in `make test`, where nobody has a day for them.

/// Pieces that mean something to the parsers here.
const WORDS: [&[u8]; 40] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b":",
    b",",
    b"null",
    b"true",
    b"1e999",
    b"-0",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\"items\":[",
    b"\"metadata\"",
    b"\"managedFields\"",
    b"\"continue\"",
    b"\"name\"",
    b"\"namespace\"",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xe2\x80\xae",
    b"\xf3\xa0\x81\x81",
    b"\x1b[31m",
    b"\x1b]0;",
    b"../",
    b"%2e",
    b"/",
    b"?",
    b"#",
    b"&",
    b"=",
    b"*",
    b"$ref",
    b"!",
    b"\xef\xbb\xbf",
];

/// The longest input.
const LONGEST: usize = 16 * 1024;

/// A stream of inputs.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    state: u64,
}

impl Mutator {
    /// Inputs around these seeds. The same number gives the same inputs.
    pub fn new(seeds: Vec<Vec<u8>>, number: u64) -> Self {
        Self { seeds, state: number.wrapping_mul(2).wrapping_add(1) }
    }

    /// The next one.
    pub fn next_input(&mut self) -> Vec<u8> {
        let seed = self.below(self.seeds.len());
        let mut input = self.seeds.get(seed).cloned().unwrap_or_default();
        for _ in 0..=self.below(6) {
            self.mutate(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let piece = at..(at + self.below(32)).min(input.len());
        match self.below(8) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.below(256) as u8,
            2 => drop(input.drain(piece)),
            3 => input.truncate(at),
            4 => {
                let copy = input[piece].to_vec();
                let times = 1 + self.below(8);
                input.splice(at..at, copy.repeat(times));
            }
            5 => {
                // The end of another seed.
                let other = self.below(self.seeds.len());
                let other = &self.seeds[other];
                let from = (at * other.len()).checked_div(input.len()).unwrap_or_default();
                let tail = other[from.min(other.len())..].to_vec();
                input.truncate(at);
                input.extend(tail);
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                input.splice(at..at, word.iter().copied());
            }
        }
    }

    /// A number below `bound`, or 0. xorshift64*: nothing here needs better.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(number).unwrap_or_default() % bound.max(1)
    }
}
