//! The one checksum of the file: XXH3-128, seeded by what the bytes are.
//!
//! The seed keeps kinds apart: a log entry never has the checksum of a block, whatever its bytes.
//! It detects accidents with certainty for all practical purposes and names blocks; it does not
//! resist somebody who forges a file, so what passes is still validated field by field.

use crate::error::BlockKind;

/// What the checksummed bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// A copy of the superblock.
    Superblock,
    /// The header of a log entry.
    WalEntry,
    /// The body of a log entry.
    WalBody,
    /// A mark of the log.
    WalMark,
    /// A value block.
    Value,
    /// A filter block.
    Filter,
    /// An index block.
    Index,
    /// A block of the manifest log.
    Manifest,
    /// A schema block.
    Schema,
}

impl Domain {
    /// The seed, part of the format: never change one.
    const fn seed(self) -> u64 {
        u64::from_le_bytes(*match self {
            Domain::Superblock => b"grv-sblk",
            Domain::WalEntry => b"grv-wale",
            Domain::WalBody => b"grv-walb",
            Domain::WalMark => b"grv-walm",
            Domain::Value => b"grv-valu",
            Domain::Filter => b"grv-filt",
            Domain::Index => b"grv-indx",
            Domain::Manifest => b"grv-mani",
            Domain::Schema => b"grv-schm",
        })
    }
}

impl From<BlockKind> for Domain {
    fn from(kind: BlockKind) -> Domain {
        match kind {
            BlockKind::Superblock => Domain::Superblock,
            BlockKind::WalEntry => Domain::WalEntry,
            BlockKind::WalMark => Domain::WalMark,
            BlockKind::Value => Domain::Value,
            BlockKind::Filter => Domain::Filter,
            BlockKind::Index => Domain::Index,
            BlockKind::Manifest => Domain::Manifest,
            BlockKind::Schema => Domain::Schema,
        }
    }
}

/// The checksum of `bytes` as a piece of `domain`.
pub(crate) fn checksum(domain: Domain, bytes: &[u8]) -> u128 {
    twox_hash::XxHash3_128::oneshot_with_seed(domain.seed(), bytes)
}

#[cfg(test)]
mod tests {
    use super::{Domain, checksum};

    const DOMAINS: [Domain; 9] = [
        Domain::Superblock,
        Domain::WalEntry,
        Domain::WalBody,
        Domain::WalMark,
        Domain::Value,
        Domain::Filter,
        Domain::Index,
        Domain::Manifest,
        Domain::Schema,
    ];

    /// Byte `i` is `i * 167 + 13`, so that no two neighbours and no two lengths look alike.
    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i.wrapping_mul(167).wrapping_add(13) % 251) as u8).collect()
    }

    #[test]
    fn the_algorithm_is_xxh3_128_as_published() {
        let hash = twox_hash::XxHash3_128::oneshot_with_seed(0, b"");
        assert_eq!(hash, 0x99aa06d3014798d86001c324468d497f);
    }

    /// Each of the algorithm's length classes (0, 1-3, 4-8, 9-16, 17-128, 129-240, more), and the
    /// sizes that are on disk. Computed by the reference implementation (C, xxHash 0.8).
    #[test]
    fn checksums_never_change() {
        let pinned: &[(Domain, usize, u128)] = &[
            (Domain::Superblock, 4096, 0xb10be451a0ee0282025cb4670c1434ea),
            (Domain::WalEntry, 112, 0xe28741cac233a5a1f5084096f39e5107),
            (Domain::WalBody, 0, 0x7b61f85dd733662ffdd4a99488f56b18),
            (Domain::WalMark, 112, 0xa556edb342d91a64af7954cba6fab3c3),
            (Domain::Value, 65536, 0xbba7d92450114759aaf2998d471575fe),
            (Domain::Filter, 4096, 0xe10a36bb9212e68c2ac699f556bd1dd1),
            (Domain::Index, 4096, 0x1e3a04acf82a456660fbcc4b8a39cbe8),
            (Domain::Manifest, 4096, 0xa05453c7aea9e959e8b6573dfef6ccea),
            (Domain::Schema, 300, 0x9843397c7b8115f1eccf6a4be3b93814),
            (Domain::Value, 0, 0xc7e1302f1e210e392c8f84fe606914b5),
            (Domain::Value, 1, 0x2e02ea2311afc36159c7a19488c1926f),
            (Domain::Value, 3, 0xe5d391bbdc62a00bf31565565a5a75bf),
            (Domain::Value, 4, 0xed3306758dade18ebe0214a44b218dce),
            (Domain::Value, 8, 0x41f6ac3d2b921e54e9da1f0cb003b49b),
            (Domain::Value, 9, 0xe5c595e7afe42ee9486d884caa1adab3),
            (Domain::Value, 16, 0x3f614210431e47a0821eb7f36f82874a),
            (Domain::Value, 17, 0x8780b07a145630c169cef8f66a054ef4),
            (Domain::Value, 128, 0x52b06a777ef77ffec40ea2e6fc73e25d),
            (Domain::Value, 129, 0x6e34d7dc3facd69485100534bbe414ae),
            (Domain::Value, 240, 0xa2a0db35591ef5d9c2545b584a898b38),
            (Domain::Value, 241, 0xde78a20102eed15070d011e537f793be),
            (Domain::Value, 1024, 0x91ef34e396e0d831ee35263776611195),
            (Domain::Value, 1025, 0x413bcacb37fc6ee110b24c1b584089ab),
            (Domain::Value, 4095, 0x019985fcc64613464ded39d39835a63d),
        ];
        for &(domain, length, expected) in pinned {
            let found = checksum(domain, &pattern(length));
            assert_eq!(found, expected, "{domain:?} over {length} bytes is {found:#034x}");
        }
    }

    #[test]
    fn the_same_bytes_have_another_checksum_in_each_domain() {
        for length in [0, 1, 16, 112, 4096] {
            let bytes = pattern(length);
            for (i, &a) in DOMAINS.iter().enumerate() {
                for &b in &DOMAINS[i + 1..] {
                    assert_ne!(checksum(a, &bytes), checksum(b, &bytes), "{a:?}, {b:?}");
                }
            }
        }
    }
}
