//! Changes bytes by a seed, the way fuzzers do.

/// A deterministic stream of numbers (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0xd134_2543_de82_ef95) ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Numbers at which something often changes.
const INTERESTING: [u64; 14] = [
    0,
    1,
    2,
    7,
    8,
    64,
    255,
    4095,
    4096,
    u32::MAX as u64,
    1 << 31,
    1 << 62,
    (1 << 63) - 1,
    u64::MAX,
];

/// Changes `input` in one to eight places: bits, bytes, numbers of 2, 4 or 8 bytes, pieces copied within it or
/// from `other`, and its length, up to `length_max`.
pub(crate) fn mutate(random: &mut Random, input: &mut Vec<u8>, other: &[u8], length_max: usize) {
    let changes = 1 << random.below(4);
    for _ in 0..changes {
        if input.is_empty() {
            input.push(random.next() as u8);
        }
        let length = input.len();
        let at = random.below(length as u64) as usize;
        match random.below(10) {
            0..=2 => input[at] ^= 1 << random.below(8),
            3 => input[at] = random.next() as u8,
            4..=6 => {
                let width = [2, 4, 8][random.below(3) as usize].min(length - at);
                let number = match random.below(3) {
                    0 => INTERESTING[random.below(INTERESTING.len() as u64) as usize],
                    1 => random.next(),
                    // A little more or less than it was.
                    _ => {
                        let mut old = [0; 8];
                        old[..width].copy_from_slice(&input[at..at + width]);
                        let change = random.below(9).wrapping_sub(4);
                        u64::from_le_bytes(old).wrapping_add(change)
                    }
                };
                input[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
            }
            7 => {
                let from = random.below(length as u64) as usize;
                let count = random.below(64).min((length - from.max(at)) as u64) as usize;
                input.copy_within(from..from + count, at);
            }
            8 if !other.is_empty() => {
                let from = random.below(other.len() as u64) as usize;
                let count = random.below(512).min((other.len() - from) as u64) as usize;
                let end = (at + count).min(length);
                input.splice(at..end, other[from..from + count].iter().copied());
            }
            _ => match random.below(2) {
                0 => input.truncate(at),
                _ => {
                    let byte = random.next() as u8;
                    input.extend(std::iter::repeat_n(byte, random.below(64) as usize));
                }
            },
        }
        input.truncate(length_max);
    }
}
