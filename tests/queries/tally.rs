//! What was asked, and how often.

use std::collections::BTreeMap;

/// The operators of predicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Range,
    OneOf,
    Prefix,
    IsSome,
    IsNone,
    Timestamp,
    Constant,
    And,
    Or,
    Not,
}

use Operator::*;

/// All of them.
pub(crate) const OPERATORS: [Operator; 16] = [
    Eq, Ne, Lt, Le, Gt, Ge, Range, OneOf, Prefix, IsSome, IsNone, Timestamp, Constant, And, Or, Not,
];

/// Counts of executions by what they were, and of pairs of operators.
#[derive(Default)]
pub(crate) struct Tally {
    counts: BTreeMap<&'static str, u64>,
    /// By combinator, and the two operators in order.
    pairs: BTreeMap<(Operator, Operator, Operator), u64>,
    executions: u64,
}

impl Tally {
    /// One more execution of a query.
    pub(crate) fn execution(&mut self, what: &'static str) {
        self.executions += 1;
        self.note(what);
    }

    /// Something else that happened.
    pub(crate) fn note(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The operators that stand under one combinator.
    pub(crate) fn siblings(&mut self, combinator: Operator, operators: &[Operator]) {
        for (at, one) in operators.iter().enumerate() {
            for other in &operators[at + 1..] {
                let pair = (combinator, *one.min(other), *one.max(other));
                *self.pairs.entry(pair).or_default() += 1;
            }
        }
    }

    pub(crate) fn print(&self) {
        println!("{} executions of queries", self.executions);
        for (what, count) in &self.counts {
            println!("  {count:>8} {what}");
        }
        for combinator in [And, Or] {
            println!("pairs under {combinator:?}:");
            for (at, one) in OPERATORS.iter().enumerate() {
                let count = |other: &Operator| self.pair(combinator, *one, *other);
                let row: Vec<String> =
                    OPERATORS[at..].iter().map(|o| format!("{o:?} {}", count(o))).collect();
                println!("  {one:?} with {}", row.join(", "));
            }
        }
    }

    fn pair(&self, combinator: Operator, one: Operator, other: Operator) -> u64 {
        self.pairs.get(&(combinator, one, other)).copied().unwrap_or(0)
    }

    pub(crate) fn assert(&self, executions: u64, pairs: u64) {
        assert!(self.executions >= executions, "only {} executions", self.executions);
        for combinator in [And, Or] {
            for (at, one) in OPERATORS.iter().enumerate() {
                for other in &OPERATORS[at..] {
                    let count = self.pair(combinator, *one, *other);
                    assert!(
                        count >= pairs,
                        "{one:?} and {other:?} met only {count} times under {combinator:?}"
                    );
                }
            }
        }
        for what in super::states::STATES.into_iter().chain([super::states::SEVERAL_LEVELS]) {
            assert!(self.counts.contains_key(what), "never asked: {what}");
        }
    }
}
