use super::{
    FieldSchema, FieldType, GrooveSchema, IndexKind, IndexSchema, IndexSource, Schema, canonical,
    difference,
};

const fn field(
    name: &'static str,
    field_type: FieldType,
    width: usize,
    offset: usize,
) -> FieldSchema {
    FieldSchema { name, field_type, width, offset }
}

const fn index(
    name: &'static str,
    kind: IndexKind,
    optional: bool,
    key_width: usize,
    source: IndexSource,
) -> IndexSchema {
    IndexSchema { name, kind, optional, key_width, source }
}

const SIDE: FieldType = FieldType::Enum("Side", &[("Buy", 0), ("Sell", 1)]);
const ACCOUNT: FieldType = FieldType::Newtype("AccountId", &FieldType::Unsigned(64));

const ORDER: Schema = Schema {
    name: "Order",
    timestamp: "placed_at",
    fields: &[
        field("id", FieldType::Unsigned(128), 16, 0),
        field("account", ACCOUNT, 8, 16),
        field("side", SIDE, 1, 24),
        field("ticker", FieldType::Text(8), 8, 25),
        field("limit", FieldType::Option(&FieldType::Signed(32)), 5, 33),
        field("tags", FieldType::Array(&FieldType::Unsigned(8), 4), 4, 38),
    ],
    indexes: &[
        index("id", IndexKind::Primary, false, 16, IndexSource::Fields(&["id"])),
        index("ticker", IndexKind::NonUnique, true, 8, IndexSource::Fields(&["ticker"])),
        index("book", IndexKind::Unique, false, 9, IndexSource::Fields(&["ticker", "side"])),
        index(
            "expires_at",
            IndexKind::NonUnique,
            false,
            8,
            IndexSource::Derived { field_type: FieldType::Unsigned(64), version: 2 },
        ),
    ],
    orphaned_ids: true,
};

const MARK: Schema = Schema {
    name: "Mark",
    timestamp: "timestamp",
    fields: &[field("on", FieldType::Bool, 1, 0)],
    indexes: &[],
    orphaned_ids: false,
};

const MARKET: [GrooveSchema; 2] = [
    GrooveSchema { name: "orders", schema: &ORDER },
    GrooveSchema { name: "marks", schema: &MARK },
];

const MARKET_TEXT: &str = "\
groove orders: Order, timestamp placed_at, orphaned ids, row of 42 bytes
  field id: u128, 16 bytes at 0
  field account: AccountId(u64), 8 bytes at 16
  field side: enum Side { Buy = 0, Sell = 1 }, 1 byte at 24
  field ticker: Text<8>, 8 bytes at 25
  field limit: Option<i32>, 5 bytes at 33
  field tags: [u8; 4], 4 bytes at 38
  index id: primary on id, key of 16 bytes
  index ticker: non-unique optional on ticker, key of 8 bytes
  index book: unique on (ticker, side), key of 9 bytes
  index expires_at: non-unique on derived u64, version 2, key of 8 bytes
groove marks: Mark, timestamp timestamp, row of 1 byte
  field on: bool, 1 byte at 0
";

#[test]
fn the_text_in_the_file_stays_as_it_is() {
    assert_eq!(canonical(&MARKET), MARKET_TEXT);
    assert_eq!(canonical(&[]), "");
}

#[test]
fn a_schema_prints_as_a_table() {
    let expected = "\
Order: 6 fields in a row of 42 bytes, orphaned ids

  field      offset  bytes  type
  placed_at     key      8  u64
  id              0     16  u128
  account        16      8  AccountId(u64)
  side           24      1  enum Side { Buy = 0, Sell = 1 }
  ticker         25      8  Text<8>
  limit          33      5  Option<i32>
  tags           38      4  [u8; 4]

  tree        kind                 key                     key bytes  bytes per entry
  (objects)   objects              placed_at                       8               50
  id          primary              id                             16               24
  ticker      non-unique optional  ticker                          8               16
  book        unique               (ticker, side)                  9               17
  expires_at  non-unique           derived u64, version 2          8               16

123 bytes per insert in 5 trees, before packing";
    assert_eq!(ORDER.to_string(), expected);
    assert!(MARK.to_string().ends_with("9 bytes per insert in 1 tree, before packing"));
}

#[test]
fn a_schema_knows_its_sizes() {
    const BYTES: usize = ORDER.bytes_per_insert();
    assert_eq!(BYTES, 8 + 42 + 24 + 16 + 17 + 16);
    assert_eq!(ORDER.row_width(), 42);
    assert_eq!(ORDER.primary(), Some((0, &ORDER.indexes[0])));
    assert_eq!(MARK.primary(), None);
}

#[test]
fn a_name_that_is_no_identifier_is_quoted() {
    assert_eq!(FieldType::Foreign("a b\n", 1).to_string(), "\"a b\\n\"");
    assert_eq!(FieldType::Enum("r#type", &[("", -1)]).to_string(), "enum r#type { \"\" = -1 }");
    let odd = GrooveSchema { name: "marks: Mark\ngroove x", schema: &MARK };
    assert_eq!(canonical(&[odd]).lines().count(), 2);
}

#[test]
fn the_same_schema_has_no_difference() {
    assert_eq!(difference(MARKET_TEXT, MARKET_TEXT), "");
    assert_eq!(difference("", ""), "");
}

#[test]
fn a_difference_is_named_with_its_groove() {
    let current = MARKET_TEXT
        .replace("field limit: Option<i32>, 5", "field limit: Option<i64>, 9")
        .replace("tags: [u8; 4], 4 bytes at 38", "tags: [u8; 4], 4 bytes at 42")
        .replace("row of 42", "row of 46")
        .replace("version 2", "version 3")
        .replace("on: bool", "is_on: bool");
    let expected = "\
- groove orders: Order, timestamp placed_at, orphaned ids, row of 42 bytes
+ groove orders: Order, timestamp placed_at, orphaned ids, row of 46 bytes
- field limit: Option<i32>, 5 bytes at 33
+ field limit: Option<i64>, 9 bytes at 33
- index expires_at: non-unique on derived u64, version 2, key of 8 bytes
+ index expires_at: non-unique on derived u64, version 3, key of 8 bytes
in groove marks:
- field on: bool, 1 byte at 0
+ field is_on: bool, 1 byte at 0
";
    assert_eq!(difference(MARKET_TEXT, &current), expected);
}

#[test]
fn a_field_that_only_moved_is_listed_if_nothing_else_is_different() {
    let current = MARKET_TEXT.replace("at 38", "at 40");
    let expected = "in groove orders:\n\
        - field tags: [u8; 4], 4 bytes at 38\n\
        + field tags: [u8; 4], 4 bytes at 40\n";
    assert_eq!(difference(MARKET_TEXT, &current), expected);
    let spaced = MARKET_TEXT.replace("  field on", "    field on");
    assert_eq!(difference(&spaced, MARKET_TEXT), "the texts differ in white space only\n");
}

#[test]
fn a_groove_that_is_not_there_is_listed_whole() {
    let expected = "\
- groove marks: Mark, timestamp timestamp, row of 1 byte
- field on: bool, 1 byte at 0
";
    assert_eq!(difference(MARKET_TEXT, &canonical(&MARKET[..1])), expected);
    assert_eq!(difference("", &canonical(&MARKET[1..])), expected.replace("- ", "+ "));
}

#[test]
fn like_fields_of_another_groove_are_not_taken_for_each_other() {
    let stored = "groove a: A\n  field x: u8, 1 byte at 0\ngroove b: B\n";
    let current = "groove a: A\ngroove b: B\n  field x: u8, 1 byte at 0\n";
    let expected = "in groove a:\n- field x: u8, 1 byte at 0\n\
        in groove b:\n+ field x: u8, 1 byte at 0\n";
    assert_eq!(difference(stored, current), expected);
}

#[test]
fn any_text_gives_a_difference_of_bounded_length() {
    let many: String = (0..5000).map(|line| format!("  field f{line}: u8\n")).collect();
    let wide = format!("groove {}\n", "w\u{1b}é ".repeat(100_000));
    let odd = ["\r\n\r\n", "groove ", "groove : at ", " at ", "\0", "field é at 3\u{2028}"];
    for stored in odd.into_iter().chain([many.as_str(), wide.as_str(), MARKET_TEXT]) {
        for current in [MARKET_TEXT, &many.replace('f', "g"), ""] {
            let difference = difference(stored, current);
            assert_eq!(difference.is_empty(), stored == current, "{stored:?}");
            assert!(difference.len() < 200_000, "{}", difference.len());
            assert!(
                difference.chars().all(|character| character == '\n' || !character.is_control())
            );
        }
    }
    assert!(difference(&many, "").ends_with("… and 4800 lines more\n"));
}

#[test]
fn every_change_of_a_schema_changes_the_text() {
    let text = |schema: &'static Schema| canonical(&[GrooveSchema { name: "orders", schema }]);
    const CHANGED: &[&Schema] = &[
        &ORDER,
        &MARK,
        &Schema { orphaned_ids: false, ..ORDER },
        &Schema { timestamp: "at", ..ORDER },
        &Schema { name: "Other", ..ORDER },
        &Schema { indexes: &[], ..ORDER },
        &Schema { fields: &[field("side", SIDE, 1, 0)], ..ORDER },
        &Schema { fields: &[field("side", SIDE, 2, 0)], ..ORDER },
        &Schema {
            fields: &[field("side", FieldType::Enum("Side", &[("Buy", 1), ("Sell", 0)]), 1, 0)],
            ..ORDER
        },
        &Schema { fields: &[field("side", FieldType::Newtype("Side", &SIDE), 1, 0)], ..ORDER },
    ];
    for (position, a) in CHANGED.iter().enumerate() {
        for b in &CHANGED[position + 1..] {
            assert_ne!(text(a), text(b));
        }
    }
}

#[test]
fn the_fields_of_a_row_follow_each_other() {
    const ROW: [FieldSchema; 3] = FieldSchema::row([
        ("id", FieldType::Unsigned(128), 16),
        ("nothing", FieldType::Array(&FieldType::Bool, 0), 0),
        ("code", FieldType::Unsigned(16), 2),
    ]);
    const OFFSETS: [usize; 4] = FieldSchema::offsets(&ROW);
    assert_eq!(OFFSETS, [0, 16, 16, 18]);
    assert_eq!(ROW.map(|field| field.offset), [0, 16, 16]);
    assert_eq!(ROW[2], field("code", FieldType::Unsigned(16), 2, 16));
    assert_eq!(FieldSchema::offsets::<0, 1>(&FieldSchema::row([])), [0]);
}
