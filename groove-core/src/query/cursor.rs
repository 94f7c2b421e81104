//! A place between two objects of a query's answer.

use crate::constants::{INDEX_KEY_WIDTH_MAX, TIMESTAMP_MAX};
use crate::schema::Schema;

use super::key_range::EncodedKey;
use super::predicate::Node;
use super::stream::Window;

/// A place in a query's answer: at an object, where a page ended or began.
///
/// It holds the timestamp of that object, its key if the answer is in the order of an index, and a
/// hash of the query: groove, predicate, range of timestamps, queries that it shares timestamps with, and
/// order, but neither the limit nor the direction. In either direction it leads to what lies behind the object: oldest first to what is
/// newer, newest first to what is older; lowest key first to higher keys, and of the same key to newer
/// objects. The order of the terms in an `&` or `|` makes no difference. It stays valid when objects
/// are inserted, updated or removed, this one included, after the forest is reopened, and in other
/// processes and releases. Another query, or the same one in another order, refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) timestamp: u64,
    pub(super) query: u64,
    /// In the order of an index.
    pub(super) key: Option<CursorKey>,
}

/// The key of a cursor's object, and how many bytes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CursorKey {
    pub(super) key: EncodedKey,
    pub(super) width: usize,
}

/// What comes before the key.
const HEAD: usize = 20;
/// What comes behind it.
const CHECK: usize = 4;
/// The format of cursors of answers in the order of their timestamps.
const FORMAT: u8 = 2;
/// The format of cursors of answers in the order of an index.
const FORMAT_ORDERED: u8 = 3;

impl Cursor {
    /// The timestamp of the object that the cursor is at.
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// The cursor as bytes, the same on every machine: 24, and those of the key if the answer is in the
    /// order of an index.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (format, width) = self.key.map_or((FORMAT, 0), |key| (FORMAT_ORDERED, key.width));
        let mut bytes = Vec::with_capacity(HEAD + width + CHECK);
        bytes.extend(self.timestamp.to_le_bytes());
        bytes.extend(self.query.to_le_bytes());
        bytes.extend([format, width as u8, 0, 0]);
        if let Some(CursorKey { key, width }) = self.key {
            let mut key_bytes = [0; INDEX_KEY_WIDTH_MAX];
            key.to_bytes(&mut key_bytes);
            bytes.extend(&key_bytes[INDEX_KEY_WIDTH_MAX - width..]);
        }
        let check = check(&bytes);
        bytes.extend(check);
        bytes
    }

    /// The cursor of which [`Cursor::to_bytes`] gave `bytes`; `None` if they are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Cursor> {
        let (body, last) = bytes.split_last_chunk::<CHECK>()?;
        let (head, key) = body.split_first_chunk::<HEAD>()?;
        let timestamp = u64::from_le_bytes(*head.first_chunk()?);
        let query = u64::from_le_bytes(*head[8..].first_chunk()?);
        let key = match (&head[16..], key.len()) {
            ([FORMAT, 0, 0, 0], 0) => None,
            ([FORMAT_ORDERED, width, 0, 0], length @ 1..=INDEX_KEY_WIDTH_MAX)
                if usize::from(*width) == length =>
            {
                Some(CursorKey { key: EncodedKey::from_bytes(key), width: length })
            }
            _ => return None,
        };
        let valid = *last == check(body) && (1..=TIMESTAMP_MAX).contains(&timestamp);
        valid.then_some(Cursor { timestamp, query, key })
    }
}

/// The last four bytes of a cursor, which guard the others against accidents of transport.
fn check(bytes: &[u8]) -> [u8; CHECK] {
    let mut hash = Hash::new();
    hash.bytes(bytes);
    let hash = hash.finish();
    ((hash >> 32) as u32 ^ hash as u32).to_le_bytes()
}

/// The hash by which a cursor knows its query, or, with the hash so far as `seed`, of the query to
/// another groove that it shares timestamps with. Part of the format of cursors: the same in every
/// release, whatever the plan.
pub(super) fn query_hash(schema: &Schema, node: &Node, window: Window, seed: u64) -> u64 {
    let mut hash = Hash::new();
    hash.text(schema.name);
    hash.u64(node_hash(schema, node));
    hash.u64(window.min);
    hash.u64(window.max);
    hash.u64(seed);
    hash.finish()
}

/// The hash by which a cursor knows its query, of which `query` is the hash, in the order of an index.
pub(super) fn ordered_hash(query: u64, index: &str) -> u64 {
    let mut hash = Hash::new();
    hash.u64(query);
    hash.text(index);
    hash.finish()
}

/// Indexes go by their names, since their order may change when the struct does.
fn node_hash(schema: &Schema, node: &Node) -> u64 {
    let mut hash = Hash::new();
    let (tag, nodes): (&[u8], &[Node]) = match node {
        Node::And(nodes) => (b"and", nodes),
        Node::Or(nodes) => (b"or", nodes),
        Node::Not(node) => (b"not", std::slice::from_ref(node)),
        Node::All => (b"all", &[]),
        Node::None => (b"none", &[]),
        Node::Keys { .. } => (b"keys", &[]),
        Node::Present { .. } => (b"present", &[]),
        Node::Field { .. } => (b"field", &[]),
        Node::Timestamps(_) => (b"timestamps", &[]),
    };
    hash.bytes(tag);
    let mut terms = Vec::with_capacity(nodes.len());
    for node in nodes {
        terms.push(node_hash(schema, node));
    }
    terms.sort_unstable();
    terms.into_iter().for_each(|term| hash.u64(term));
    match node {
        Node::All | Node::None | Node::And(_) | Node::Or(_) | Node::Not(_) => {}
        Node::Keys { index, range } => {
            hash.text(schema.indexes[*index].name);
            range.min.all_limbs().iter().chain(range.max.all_limbs()).for_each(|&l| hash.u64(l));
        }
        Node::Present { index } => hash.text(schema.indexes[*index].name),
        Node::Field { field, range, .. } => {
            hash.text(schema.fields[*field].name);
            range.min.all_limbs().iter().chain(range.max.all_limbs()).for_each(|&l| hash.u64(l));
        }
        Node::Timestamps(range) => {
            hash.u64(range.min.low());
            hash.u64(range.max.low());
        }
    }
    hash.finish()
}

/// FNV-1a of 64 bits, and a final mix: it tells queries apart, it resists nobody.
struct Hash(u64);

impl Hash {
    fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn u64(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u64(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn finish(self) -> u64 {
        let mut hash = self.0;
        hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^ hash >> 32
    }
}
