//! What `explain` prints of ten plans, read as a user would. The trees in memory have no blocks.

use crate::error::QueryError;
use crate::query::{Explanation, Predicate, Query};

use super::item::{Item, view_of};

/// 1,000 items: every second has tiny 1, every tenth small 7, every hundredth code 0, which is absent.
fn items() -> Vec<Item> {
    let item = |n: u64| Item {
        id: u128::from(n),
        code: if n.is_multiple_of(100) { 0 } else { n },
        tiny: u8::from(n.is_multiple_of(2)),
        small: if n.is_multiple_of(10) { 7 } else { (n % 3) as u16 },
        wide: n << 8,
        maybe: (!n.is_multiple_of(4)).then_some(n as i16),
        text: ["UA", "UAL", "B6"][n as usize % 3].try_into().expect("it fits"),
        timestamp: n * 10,
        ..Item::default()
    };
    (1..=1_000).map(item).collect()
}

fn query(predicate: Predicate<Item>) -> Query<Item> {
    Query::new(view_of(&items()).0, predicate)
}

#[track_caller]
fn assert_plan(explanation: Result<Explanation, QueryError>, expected: &str) {
    let printed = explanation.expect("no read fails").to_string();
    let squeeze = |text: &str| -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let depth = |line: &str| line.len() - line.trim_start().len();
        text.trim().lines().map(|line| format!("{}|{}", depth(line), words(line))).collect()
    };
    assert_eq!(squeeze(&printed), squeeze(expected), "\n{printed}");
}

#[test]
fn one_key_and_a_range() {
    let plan = query(Item::SMALL.eq(7)).explain();
    let printed = "\
Item, oldest first          expected      rows    blocks
rows, looked up in batches       100       100         0
  small = 7, scanned             100       100         0";
    assert_plan(plan, printed);
    let plan = query(Item::WIDE.range((100 << 8)..(110 << 8))).explain();
    let printed = "\
Item, oldest first                             expected      rows    blocks
rows, looked up in batches                           10        10         0
  wide in 25600..=28159, 10 collected and sorted        10        10         0";
    assert_plan(plan, printed);
}

#[test]
fn a_range_of_most_objects_with_a_limit() {
    let plan = query(Item::WIDE.gt(10 << 8)).limit(5).explain();
    let printed = "\
Item, oldest first, limit 5         expected      rows    blocks
where wide >= 2561, tested on rows       990         6         0
  all objects, in one scan              1000        16         0";
    assert_plan(plan, printed);
}

#[test]
fn and_or_and_not() {
    let either = Item::SMALL.one_of([1, 7]) | Item::WIDE.lt(700);
    let plan = query(either & !Item::TINY.eq(1)).explain();
    let printed = "\
Item, oldest first                                                        expected      rows    blocks
where ((small = 1 or 7) or wide <= 699) and not tiny = 1, tested on rows       201       167         0
  all objects, in one scan                                                    1000      1000         0";
    assert_plan(plan, printed);
}

#[test]
fn the_beginning_of_a_compound_key_and_of_a_text() {
    let plan = query(Item::TINY_SMALL.prefix((1,)) & Item::TEXT.prefix("UA") & Item::SMALL.eq(7));
    let printed = "\
Item, newest first, limit 5                                              expected      rows    blocks
rows, looked up in batches                                                      5         5         0
  where tiny_small = (1, …) and text begins with \"UA\", tested on rows        33         6         0
    small = 7, scanned                                                        100        16         0";
    assert_plan(plan.newest_first().limit(5).explain(), printed);
}

#[test]
fn fields_without_an_index_are_tested_on_what_the_index_leaves() {
    let fields = Item::ROW_WIDE.gt(50_000) & Item::ROW_TEXT.ne("UA");
    let printed = "\
Item, oldest first                                         expected      rows    blocks
rows, looked up in batches                                       30        54         0
  where wide >= 50001 and not text = \"UA\", tested on rows        30        54         0
    small = 7, scanned                                          100       100         0";
    assert_plan(query(Item::SMALL.eq(7) & fields).explain(), printed);
}

/// By all ways in which an answer comes into an order.
#[test]
fn the_order_of_an_index() {
    let many = query(Item::TINY.eq(1) & Item::MAYBE.is_some());
    let printed = "\
Item, highest wide first, limit 10                expected      rows    blocks
where tiny = 1 and maybe is some, tested on rows        10        10         0
  entries of wide, highest first                        22        44         0";
    assert_plan(many.order_by(Item::WIDE).descending().limit(10).explain(), printed);

    let few = query(Item::SMALL.eq(7) & Item::WIDE.lt(30_000));
    let printed = "\
Item, highest id first, limit 3          expected      rows    blocks
sorted by id, highest first                     3         3         0
  rows, looked up in batches                   11        11         0
    all of, by zig-zag                         11        11         0
      small = 7, scanned                      100        16         0
      wide <= 29999, 117 collected and sorted     117        16         0";
    assert_plan(few.order_by(Item::ID).descending().limit(3).explain(), printed);

    let derived = query(Item::SMALL.eq(7)).order_by(Item::DEPTH).limit(10);
    let printed = "\
Item, lowest depth first, limit 10                              expected      rows    blocks
rows, looked up in batches                                            10        10         0
  entries of depth, lowest first, with one of these timestamps        55        55         0
    small = 7, scanned                                               100       100         0";
    assert_plan(derived.explain(), printed);

    let all = query(Item::WIDE.gt(1_000)).order_by(Item::WIDE).descending().limit(10);
    let page = all.collect().expect("no read fails");
    let printed = "\
Item, highest wide first, limit 10, after wide = 253696 at timestamp 9910  expected      rows    blocks
rows, looked up in batches                                                       10        10         0
  entries of wide in 1001..=253696, highest first                                11        11         0";
    assert_plan(all.after(page.next).explain(), printed);

    let nothing = query(Item::TINY.eq(1)).order_by(Item::WIDE).limit(0);
    let printed = "\
Item, lowest wide first, limit 0  expected      rows    blocks
nothing                                  0         0         0";
    assert_plan(nothing.explain(), printed);
}

#[test]
fn a_semi_join_and_shared_timestamps() {
    let keys = query(Item::SMALL.eq(7)).keys(Item::CODE).expect("no read fails");
    let printed = "\
Item, oldest first                                              expected      rows    blocks
rows, looked up in batches                                            90        90         0
  code = 10 or 20 or 30 or 40 or 86 more, looked up and sorted        90        90         0";
    assert_plan(query(Item::CODE.one_of_keys(&keys)).explain(), printed);
    let printed = "\
Item, oldest first                      expected      rows    blocks
rows, looked up in batches                   100       100         0
  timestamps of Item that are shared         100       100         0
    tiny = 1, scanned                        500       100         0
    shared with Item
      small = 7, scanned                     100       100         0";
    let shared = query(Item::TINY.eq(1)).sharing_timestamps(&query(Item::SMALL.eq(7)));
    assert_plan(shared.explain(), printed);
}

#[test]
fn absent_values() {
    // Objects without a value are not in an optional index.
    let printed = "\
Item, oldest first                  expected      rows    blocks
where code is none, tested on rows        10        10         0
  all objects, in one scan              1000      1000         0";
    assert_plan(query(Item::CODE.is_none()).explain(), printed);
    // An index on an `Option` has them.
    let printed = "\
Item, oldest first          expected      rows    blocks
rows, looked up in batches       250       250         0
  maybe = None, scanned          250       250         0";
    assert_plan(query(Item::MAYBE.is_none()).explain(), printed);
}

#[test]
fn a_range_of_timestamps_and_a_cursor() {
    let query = query(Item::TINY.eq(1)).timestamps(1_000..5_000).limit(10).newest_first();
    let page = query.collect().expect("no read fails");
    let printed = "\
Item, newest first, limit 10, after timestamp 4800  expected      rows    blocks
rows, looked up in batches                                10        10         0
  tiny = 1, scanned, timestamps 1000..=4799              190        11         0";
    assert_plan(query.after(page.next).explain(), printed);
}

#[test]
fn a_query_prints_its_conditions_by_name() {
    let either = Item::SMALL.one_of([1, 7]) | Item::WIDE.lt(700);
    let neither = !(Item::CODE.is_none() | Item::TIMESTAMP.lt(5) & Item::MAYBE.is_some());
    let query = query(either & !Item::TINY.eq(1) & neither);
    let printed = "((small = 1 | small = 7 | wide <= 699) & !(tiny = 1) \
                   & !(code is none | (timestamps <= 4 & maybe is some)))";
    assert!(format!("{query:?}").contains(printed), "{query:?}");
    assert!(format!("{:?}", query.order_by(Item::ID)).contains(printed));
}
