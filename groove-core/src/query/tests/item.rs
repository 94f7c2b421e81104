//! An object type with an index of every kind, written out as the derive would, and views of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{InsertError, UpdateError};
use crate::field::{Field, IndexKey, InvalidValue, Text};
use crate::groove::{AnyUniqueTree, GrooveView, TreeOpener, TreeVisitor};
use crate::key::{limbs_from_bytes, unique_limbs};
use crate::object::Object;
use crate::query::{Index, Timestamps, Unindexed, UniqueIndex};
use crate::schema::{FieldSchema, FieldType, IndexKind, IndexSchema, IndexSource, Schema};
use crate::tree::TreeRead;

use super::mock::{Device, MockTree};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Item {
    pub(super) id: u128,
    pub(super) code: u64,
    pub(super) tiny: u8,
    pub(super) small: u16,
    pub(super) wide: u64,
    pub(super) huge: u128,
    pub(super) hash: [u8; 32],
    pub(super) maybe: Option<i16>,
    pub(super) text: Text<3>,
    pub(super) timestamp: u64,
}

impl Item {
    pub(super) const ID: UniqueIndex<Item, u128> = UniqueIndex::new(0);
    pub(super) const CODE: UniqueIndex<Item, u64> = UniqueIndex::new(1);
    pub(super) const TINY: Index<Item, u8> = Index::new(2);
    pub(super) const SMALL: Index<Item, u16> = Index::new(3);
    pub(super) const WIDE: Index<Item, u64> = Index::new(4);
    pub(super) const HUGE: Index<Item, u128> = Index::new(5);
    pub(super) const HASH: Index<Item, [u8; 32]> = Index::new(6);
    pub(super) const MAYBE: Index<Item, Option<i16>> = Index::new(7);
    pub(super) const TEXT: Index<Item, Text<3>> = Index::new(8);
    pub(super) const TINY_SMALL: Index<Item, (u8, u16)> = Index::new(9);
    pub(super) const DEPTH: Index<Item, i32> = Index::new(10);
    /// As if no index were on these fields.
    pub(super) const ROW_TINY: Unindexed<Item, u8> = Unindexed::new(2);
    pub(super) const ROW_SMALL: Unindexed<Item, u16> = Unindexed::new(3);
    pub(super) const ROW_WIDE: Unindexed<Item, u64> = Unindexed::new(4);
    pub(super) const ROW_MAYBE: Unindexed<Item, Option<i16>> = Unindexed::new(7);
    pub(super) const ROW_TEXT: Unindexed<Item, Text<3>> = Unindexed::new(8);
    pub(super) const TIMESTAMP: Timestamps<Item> = Timestamps::new();

    /// Zero is absent.
    pub(super) fn code(&self) -> Option<u64> {
        (self.code != 0).then_some(self.code)
    }

    /// Zero is absent.
    pub(super) fn small(&self) -> Option<u16> {
        (self.small != 0).then_some(self.small)
    }

    /// The derived key.
    pub(super) fn depth(&self) -> Option<i32> {
        (self.tiny % 2 == 1).then_some(self.wide as i32 - 1)
    }

    /// The encoded key in each index.
    fn keys(&self) -> [Option<Vec<u8>>; 11] {
        fn key<F: IndexKey>(value: F) -> Option<Vec<u8>> {
            let mut bytes = vec![0; F::KEY_WIDTH];
            value.write_key(&mut bytes);
            Some(bytes)
        }
        [
            key(self.id),
            self.code().and_then(key),
            key(self.tiny),
            self.small().and_then(key),
            key(self.wide),
            key(self.huge),
            key(self.hash),
            key(self.maybe),
            key(self.text),
            key((self.tiny, self.small)),
            self.depth().and_then(key),
        ]
    }
}

const fn field(
    name: &'static str,
    field_type: FieldType,
    offset: usize,
    width: usize,
) -> FieldSchema {
    FieldSchema { name, field_type, width, offset }
}

const fn index(
    name: &'static str,
    kind: IndexKind,
    optional: bool,
    key_width: usize,
    fields: &'static [&'static str],
) -> IndexSchema {
    IndexSchema { name, kind, optional, key_width, source: IndexSource::Fields(fields) }
}

const BYTE: FieldType = FieldType::Unsigned(8);

static SCHEMA: Schema = Schema {
    name: "Item",
    timestamp: "timestamp",
    fields: &[
        field("id", FieldType::Unsigned(128), 0, 16),
        field("code", FieldType::Unsigned(64), 16, 8),
        field("tiny", BYTE, 24, 1),
        field("small", FieldType::Unsigned(16), 25, 2),
        field("wide", FieldType::Unsigned(64), 27, 8),
        field("huge", FieldType::Unsigned(128), 35, 16),
        field("hash", FieldType::Array(&BYTE, 32), 51, 32),
        field("maybe", FieldType::Option(&FieldType::Signed(16)), 83, 3),
        field("text", FieldType::Text(3), 86, 3),
    ],
    indexes: &[
        index("id", IndexKind::Primary, false, 16, &["id"]),
        index("code", IndexKind::Unique, true, 8, &["code"]),
        index("tiny", IndexKind::NonUnique, false, 1, &["tiny"]),
        index("small", IndexKind::NonUnique, true, 2, &["small"]),
        index("wide", IndexKind::NonUnique, false, 8, &["wide"]),
        index("huge", IndexKind::NonUnique, false, 16, &["huge"]),
        index("hash", IndexKind::NonUnique, false, 32, &["hash"]),
        index("maybe", IndexKind::NonUnique, false, 3, &["maybe"]),
        index("text", IndexKind::NonUnique, false, 3, &["text"]),
        index("tiny_small", IndexKind::NonUnique, false, 3, &["tiny", "small"]),
        IndexSchema {
            name: "depth",
            kind: IndexKind::NonUnique,
            optional: false,
            key_width: 4,
            source: IndexSource::Derived { field_type: FieldType::Signed(32), version: 1 },
        },
    ],
    orphaned_ids: true,
};

impl Object for Item {
    const SCHEMA: &'static Schema = &SCHEMA;
    const ROW_WIDTH: usize = 89;
    type Primary = u128;
    type IndexTrees = ();

    fn timestamp(&self) -> u64 {
        self.timestamp
    }

    fn set_timestamp(&mut self, timestamp: u64) {
        self.timestamp = timestamp;
    }

    fn write_row(&self, row: &mut [u8]) {
        self.id.write(&mut row[..16]);
        self.code.write(&mut row[16..24]);
        self.tiny.write(&mut row[24..25]);
        self.small.write(&mut row[25..27]);
        self.wide.write(&mut row[27..35]);
        self.huge.write(&mut row[35..51]);
        self.hash.write(&mut row[51..83]);
        self.maybe.write(&mut row[83..86]);
        self.text.write(&mut row[86..]);
    }

    fn read_row(timestamp: u64, row: &[u8]) -> Result<Item, InvalidValue> {
        Ok(Item {
            id: Field::read(&row[..16])?,
            code: Field::read(&row[16..24])?,
            tiny: Field::read(&row[24..25])?,
            small: Field::read(&row[25..27])?,
            wide: Field::read(&row[27..35])?,
            huge: Field::read(&row[35..51])?,
            hash: Field::read(&row[51..83])?,
            maybe: Field::read(&row[83..86])?,
            text: Field::read(&row[86..])?,
            timestamp,
        })
    }

    fn open_trees(_: &mut TreeOpener<'_>) {}

    fn visit_trees((): &mut (), _: &mut TreeVisitor<'_>) {}

    fn unique_tree((): &mut (), _: usize) -> Option<&mut dyn AnyUniqueTree> {
        None
    }

    fn check_insert(&self, (): &()) -> Result<(), InsertError> {
        Ok(())
    }

    fn insert_entries(&self, (): &mut (), _: u64) {}

    fn remove_entries(&self, (): &mut (), _: u64) {}

    fn check_update(_: &Item, _: &Item, (): &()) -> Result<(), UpdateError> {
        Ok(())
    }

    fn update_entries(_: &Item, _: &Item, (): &mut (), _: u64) {}
}

/// The trees of some items, still open to changes.
#[derive(Clone)]
pub(super) struct Trees {
    pub(super) device: Arc<Device>,
    pub(super) objects: MockTree,
    pub(super) indexes: Vec<MockTree>,
}

impl Trees {
    pub(super) fn new(items: &[Item]) -> Trees {
        let device = Arc::new(Device::default());
        let tree = |limbs, payload_width| {
            let (entries, device) = (BTreeMap::new(), device.clone());
            MockTree { limbs, payload_width, entries, device }
        };
        let of_index = |index: &IndexSchema| match index.kind {
            IndexKind::NonUnique => tree(unique_limbs(index.key_width) + 1, 0),
            _ => tree(unique_limbs(index.key_width), 8),
        };
        let indexes = SCHEMA.indexes.iter().map(of_index).collect();
        let mut trees =
            Trees { objects: tree(1, Item::ROW_WIDTH), indexes, device: device.clone() };
        items.iter().for_each(|item| trees.insert(item));
        trees
    }

    pub(super) fn insert(&mut self, item: &Item) {
        let mut row = vec![0; Item::ROW_WIDTH];
        item.write_row(&mut row);
        assert!(self.objects.entries.insert(vec![item.timestamp], row).is_none());
        for (ordinal, key) in item.keys().iter().enumerate() {
            if let Some(key) = key {
                self.put(ordinal, key, item.timestamp);
            }
        }
    }

    /// Puts an entry into one index.
    pub(super) fn put(&mut self, ordinal: usize, key: &[u8], timestamp: u64) {
        let tree = &mut self.indexes[ordinal];
        let mut limbs = vec![0; unique_limbs(key.len())];
        limbs_from_bytes(key, &mut limbs);
        let mut payload = Vec::new();
        if tree.payload_width == 0 {
            limbs.push(timestamp);
        } else {
            payload.extend(timestamp.to_le_bytes());
        }
        assert!(tree.entries.insert(limbs, payload).is_none(), "a unique key is taken");
    }

    pub(super) fn view(&self) -> GrooveView {
        let indexes = self.indexes.iter().cloned();
        GrooveView {
            schema: Item::SCHEMA,
            object_tree: Arc::new(self.objects.clone()),
            index_trees: indexes.map(|tree| -> Arc<dyn TreeRead> { Arc::new(tree) }).collect(),
            object_count: self.objects.entries.len() as u64,
        }
    }
}

/// The view of some items, and what counts its reads.
pub(super) fn view_of(items: &[Item]) -> (GrooveView, Arc<Device>) {
    let trees = Trees::new(items);
    (trees.view(), trees.device)
}
