//! Three-way intersections: what they read goes by the smallest side, whatever the order of the terms.
//!
//! Prints a table: for each order of three conditions that half, a hundredth and a ten-thousandth of all
//! objects meet, the timestamps that each side was asked for, and the blocks that were looked into.

use std::sync::Arc;

use groove::storage::MemoryStorage;
use groove::{Durability, Forest, Groove, Options, Predicate};

const OBJECTS: u64 = 100_000;

#[derive(Groove, Clone, Copy, Debug, PartialEq)]
struct Reading {
    #[index]
    half: bool,
    #[index]
    hundredth: u8,
    #[index]
    ten_thousandth: u16,
    timestamp: u64,
}

fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (z ^ (z >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 20
}

fn forest() -> Forest<Reading> {
    let options = Options::default()
        .block_size(4096)
        .table_size(64 << 10)
        .wal_size(256 << 10)
        .growth_factor(2)
        .cache_size(64 << 20)
        .durability(Durability::Buffered);
    let forest = Forest::<Reading>::open_storage(Arc::new(MemoryStorage::new()), options);
    let forest = forest.expect("a new forest");
    for start in (0..OBJECTS).step_by(2_000) {
        let written = forest.write(|readings| {
            for at in start..start + 2_000 {
                readings.insert(Reading {
                    half: mixed(at).is_multiple_of(2),
                    hundredth: (mixed(at + OBJECTS) % 100) as u8,
                    ten_thousandth: (mixed(at + 2 * OBJECTS) % 10_000) as u16,
                    timestamp: 0,
                })?;
            }
            Ok(())
        });
        written.expect("no conflict");
    }
    forest
}

#[test]
fn an_intersection_reads_in_proportion_to_its_smallest_side_in_every_order() {
    let forest = forest();
    let statistics = forest.statistics();
    println!("{} tables in {} levels", statistics.tables, statistics.levels);
    assert!(statistics.levels >= 2, "several levels");
    let snapshot = forest.snapshot();
    let sides = [
        ("50 %", Reading::HALF.eq(true)),
        ("1 %", Reading::HUNDREDTH.eq(7)),
        ("0.01 %", Reading::TEN_THOUSANDTH.eq(7)),
    ];
    for (name, side) in &sides {
        let explanation = snapshot.query(side.clone()).explain().expect("a sound device");
        println!("{name:>7}: {} rows, {} blocks", explanation.rows(), explanation.blocks());
    }
    println!("{:<24}{:>6}{:>10}{:>8}", "order", "rows", "asked for", "blocks");
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let ask = |terms: &[usize]| {
        let predicate = Predicate::all_of(terms.iter().map(|at| sides[*at].1.clone()));
        let query = snapshot.query(predicate);
        let explanation = query.explain().expect("a sound device");
        // A line per side: what it expects, what it gave, blocks.
        let asked: u64 = explanation
            .to_string()
            .lines()
            .filter(|line| line.contains("scanned"))
            .map(|line| {
                let figure = line.split_whitespace().rev().nth(1).expect("three figures");
                figure.parse::<u64>().expect("a number")
            })
            .sum();
        let names: Vec<&str> = terms.iter().map(|at| sides[*at].0).collect();
        let (rows, blocks) = (explanation.rows(), explanation.blocks());
        println!("{:<24}{rows:>6}{asked:>10}{blocks:>8}", names.join(" & "));
        // A count takes candidates by batches. Two levels of a side that went on in another block within one batch
        // shared where to go on from, so the second left out what the first was past already.
        assert_eq!(query.count().expect("a sound device"), rows);
        (rows, asked, blocks)
    };
    let smallest = snapshot.count(sides[2].1.clone()).expect("a sound device");
    let mut answers = Vec::new();
    for order in orders {
        let (rows, asked, blocks) = ask(&order);
        answers.push(rows);
        assert!(asked <= 3 * (smallest + 1), "{asked} timestamps, {smallest} on the smallest side");
        assert!(blocks <= 12 * (smallest + 1), "{blocks} blocks, {smallest} on the smallest side");
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    // Two sides: the larger of both is not read whole, either.
    let hundredth = snapshot.count(sides[1].1.clone()).expect("a sound device");
    for order in [[0, 1], [1, 0]] {
        let (_, asked, _) = ask(&order);
        assert!(asked <= 3 * hundredth, "{asked} timestamps, {hundredth} on the smaller side");
    }
}
