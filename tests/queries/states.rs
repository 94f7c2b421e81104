//! One forest of one object type, taken through all states of storage.

use std::collections::BTreeMap;
use std::sync::Arc;

use groove::storage::MemoryStorage;
use groove::{Abort, Cursor, Forest, Groove, Operand, Options, Predicate, WriteError};

use crate::ask::Asker;
use crate::column::Holds;
use crate::kinds::Kind;
use crate::predicate::{Columns, condition};
use crate::rng::Rng;
use crate::tally::Tally;

/// The states, as they are counted.
pub(crate) const STATES: [&str; 10] = [
    "state: nothing yet",
    "state: memory only",
    "state: an immutable table",
    "state: levels",
    "state: tombstones",
    "state: after updates",
    "state: after a reopen",
    "state: within a scope",
    "state: within a savepoint",
    "state: after a discard",
];

/// Some rounds get there; types with small rows may not.
pub(crate) const SEVERAL_LEVELS: &str = "state: several levels";

/// How often each pair of operators meets in each state.
const PAIRS: u64 = 3;

/// Queries in each state.
const QUERIES: u64 = 45;

/// A place to go on from later, when storage is in another state.
struct Kept<O> {
    predicate: Predicate<O>,
    holds: Holds<O>,
    cursor: Cursor,
    /// The column whose order the cursor is of, and the object that it is at, as it was then.
    order: Option<(usize, O)>,
}

struct Round<'a, O: Kind>
where
    O::Primary: Operand<O::Primary>,
{
    rng: &'a mut Rng,
    tally: &'a mut Tally,
    columns: Columns<O>,
    objects: BTreeMap<u64, O>,
    kept: Vec<Kept<O>>,
    /// The number of the next object.
    next: u64,
    /// Scopes that were committed.
    scopes: u64,
    tight: bool,
}

/// Takes a forest of `O` through all states, and asks in each.
pub(crate) fn round<O: Kind + Send>(rng: &mut Rng, tally: &mut Tally)
where
    O::Primary: Operand<O::Primary>,
{
    let storage = MemoryStorage::new();
    let tight = rng.chance(20);
    let memory = if tight { 8 * rng.below(60) } else { 64 << 20 };
    let threads = rng.below(2) as usize;
    let wal_size = [128 << 10, 192 << 10][rng.below(2) as usize];
    let cache_size = [0, 1 << 20][rng.below(2) as usize];
    let open = || {
        let options = Options::default()
            .block_size(4096)
            .table_size(16384)
            .wal_size(wal_size)
            .growth_factor(2)
            .cache_size(cache_size)
            .compaction_threads(threads)
            .query_memory(memory);
        Forest::<O>::open_storage(Arc::new(storage.clone()), options).expect("a sound device")
    };
    let mut round = Round::<O> {
        rng,
        tally,
        columns: O::columns(),
        objects: BTreeMap::new(),
        kept: Vec::new(),
        next: 0,
        scopes: 0,
        tight,
    };
    let mut forest = open();
    round.ask_forest(&forest, STATES[0]);
    round.write(&forest, Change::Insert, 60);
    assert_eq!(forest.statistics().tables, 0);
    round.ask_forest(&forest, STATES[1]);
    // A bar is half the log; every scope takes one sector of it, since each is synced. What the end of the first bar seals is
    // in no table before the end of the second.
    let bar = wal_size / 2 / 4096;
    while round.scopes < bar + 2 {
        round.write(&forest, Change::Insert, 5);
    }
    assert_eq!(forest.statistics().tables, 0, "the immutable table is in memory");
    round.ask_forest(&forest, STATES[2]);
    for _ in 0..20 {
        let change = if round.objects.len() < 250 { Change::Insert } else { Change::Update };
        round.write(&forest, change, 40);
    }
    let statistics = forest.statistics();
    assert!(statistics.tables > 0);
    if statistics.levels >= 2 {
        round.tally.note(SEVERAL_LEVELS);
    }
    round.ask_forest(&forest, STATES[3]);
    let third = round.objects.len() as u64 / 3;
    round.write(&forest, Change::Remove, third);
    round.ask_forest(&forest, STATES[4]);
    round.write(&forest, Change::Update, 80);
    round.ask_forest(&forest, STATES[5]);
    if round.rng.chance(50) {
        forest.close().expect("a sound device");
    } else {
        drop(forest);
    }
    forest = open();
    round.ask_forest(&forest, STATES[6]);
    round.scope(&forest);
    round.ask_forest(&forest, STATES[9]);
}

#[derive(Clone, Copy)]
enum Change {
    Insert,
    Update,
    Remove,
}

impl<O: Kind + Send> Round<'_, O>
where
    O::Primary: Operand<O::Primary>,
{
    /// Changes some objects, in scopes of up to 10.
    fn write(&mut self, forest: &Forest<O>, change: Change, mut count: u64) {
        while count > 0 {
            let size = count.min(10);
            self.scopes += 1;
            count -= size;
            let result = forest.write(|tx| {
                for _ in 0..size {
                    self.change(tx, change);
                }
                Ok(())
            });
            result.expect("no conflict");
        }
    }

    fn change(&mut self, groove: &mut Groove<O>, change: Change) {
        match change {
            Change::Insert => {
                let mut object = O::random(self.rng, self.next);
                self.next += 1;
                let highest = self.objects.last_key_value().map_or(0, |(timestamp, _)| *timestamp);
                if self.rng.chance(20) {
                    object.set_timestamp(highest + 1 + self.rng.below(10));
                }
                let timestamp = groove.insert(object).expect("no conflict");
                object.set_timestamp(timestamp);
                self.objects.insert(timestamp, object);
            }
            Change::Update => {
                let Some(old) = self.any() else { return };
                let new = old.changed(self.rng);
                groove.update(&old, &new).expect("it is there");
                self.objects.insert(new.timestamp(), new);
            }
            Change::Remove => {
                let Some(object) = self.any() else { return };
                let removed = groove.remove(object.primary()).expect("a sound device");
                assert_eq!(removed, Some(object));
                self.objects.remove(&object.timestamp());
            }
        }
    }

    fn any(&mut self) -> Option<O> {
        let at = self.rng.below(self.objects.len().max(1) as u64) as usize;
        self.objects.values().nth(at).copied()
    }

    fn ask_forest(&mut self, forest: &Forest<O>, state: &'static str) {
        let snapshot = forest.snapshot();
        self.ask(state, QUERIES, &mut |predicate| snapshot.query(predicate));
        let kept = std::mem::take(&mut self.kept);
        for Kept { predicate, holds, cursor, order } in kept {
            if let Some((column, object)) = order {
                let query = snapshot.query(predicate);
                self.go_on(query, &holds, cursor, (column, object), state);
                continue;
            }
            let at = cursor.timestamp();
            let query = snapshot.query(predicate.clone()).after(cursor);
            let matching = || self.objects.values().filter(|object| holds(object)).copied();
            let behind: Vec<O> = matching().filter(|object| object.timestamp() > at).collect();
            let mut before: Vec<O> = matching().filter(|object| object.timestamp() < at).collect();
            before.reverse();
            for (query, expected) in [(query.clone(), behind), (query.newest_first(), before)] {
                self.tally.execution("a cursor of an earlier state");
                match query.collect() {
                    Ok(page) => assert_eq!(page[..], expected, "{query:?} in {state}"),
                    Err(error) => assert!(self.tight, "{error}"),
                }
            }
        }
        for _ in 0..4 {
            self.keep(|predicate| snapshot.query(predicate));
        }
        for column in &self.columns {
            let all = snapshot.query(Predicate::all());
            let Some(ordered) = column.ordered(all) else { continue };
            let mut sorted: Vec<O> = self.objects.values().copied().collect();
            column.sort(&mut sorted);
            self.tally.execution("the lowest key");
            assert_eq!(ordered.first().expect("a sound device").as_ref(), sorted.first());
            self.tally.execution("the highest key");
            let highest = ordered.descending().first().expect("a sound device");
            assert_eq!(highest.as_ref(), sorted.last());
        }
    }

    /// Goes on in the order of a column from where an object was in an earlier state.
    fn go_on(
        &mut self,
        query: groove::Query<O>,
        holds: &Holds<O>,
        cursor: Cursor,
        (column, object): (usize, O),
        state: &str,
    ) {
        let column = &self.columns[column];
        let ordered = column.ordered(query).expect("an index is on it").after(cursor);
        // The object as it was, among those that there are now: it may be another one itself by now.
        let at = object.timestamp();
        let matching = self.objects.values().filter(|object| holds(object)).copied();
        let mut sorted: Vec<O> = matching.filter(|now| now.timestamp() != at).collect();
        sorted.push(object);
        column.sort(&mut sorted);
        let place = sorted.iter().position(|object| object.timestamp() == at).expect("it is there");
        let mut behind = sorted.split_off(place + 1);
        sorted.pop();
        let mut before = sorted;
        // The object as it is now has a place of its own.
        let mut now: Vec<O> = self.objects.get(&at).into_iter().copied().collect();
        now.retain(|object| holds(object));
        column.sort(&mut now);
        if let Some(now) = now.first().filter(|now| !column.same_key(now, &object)) {
            let is_behind = column.compare(now, &object).is_gt();
            let side = if is_behind { &mut behind } else { &mut before };
            side.push(*now);
            column.sort(side);
        }
        before.reverse();
        for (ordered, expected) in [(ordered.clone(), behind), (ordered.descending(), before)] {
            self.tally.execution("a cursor of an earlier state, in an order");
            match ordered.collect() {
                Ok(page) => assert_eq!(page[..], expected, "{ordered:?} in {state}"),
                Err(error) => assert!(self.tight, "{error}"),
            }
        }
    }

    /// Keeps a cursor for the next state.
    fn keep(&mut self, query_of: impl Fn(Predicate<O>) -> groove::Query<O>) {
        let depth = self.rng.below(3);
        let made = condition(self.rng, self.tally, &self.columns, &self.objects, depth);
        let query = query_of(made.predicate.clone()).limit(1 + self.rng.below(9) as usize);
        let at = self.rng.below(self.columns.len() as u64) as usize;
        let ordered = self.columns[at].ordered(query.clone()).filter(|_| self.rng.chance(60));
        let column = ordered.as_ref().map(|_| at);
        self.tally.execution("page");
        let Ok(page) = ordered.map_or_else(|| query.collect(), |ordered| ordered.collect()) else {
            return assert!(self.tight);
        };
        let object = if page.next.is_some() { page.last() } else { page.first() }.copied();
        if let Some(cursor) = page.next.or(page.previous) {
            let (predicate, holds) = (made.predicate, made.holds);
            let order = column.zip(object);
            self.kept.push(Kept { predicate, holds, cursor, order });
        }
    }

    fn ask(&mut self, state: &'static str, queries: u64, query_of: &mut crate::ask::Ask<'_, O>) {
        self.tally.note(state);
        let mut asker = Asker {
            rng: self.rng,
            tally: self.tally,
            columns: &self.columns,
            objects: &self.objects,
            tight: self.tight,
        };
        for _ in 0..queries {
            asker.ask(query_of);
        }
        for _ in 0..PAIRS {
            asker.pairs(query_of);
        }
    }

    /// Queries that see what the open scope changed, and no longer what it took back.
    fn scope(&mut self, forest: &Forest<O>) {
        let before = self.objects.clone();
        let outside = forest.snapshot();
        let result: Result<(), WriteError> = forest.write(|tx| {
            self.some_changes(tx);
            self.ask(STATES[7], QUERIES, &mut |predicate| tx.query(predicate));
            let within = self.objects.clone();
            let undone: Result<(), Abort> = tx.savepoint(|tx| {
                self.some_changes(tx);
                self.ask(STATES[8], QUERIES / 2, &mut |predicate| tx.query(predicate));
                Err(Abort::new("taken back"))
            });
            undone.expect_err("it was taken back");
            self.objects = within;
            self.ask(STATES[7], QUERIES / 2, &mut |predicate| tx.query(predicate));
            let committed = std::mem::replace(&mut self.objects, before.clone());
            self.ask(STATES[7], QUERIES / 4, &mut |predicate| outside.query(predicate));
            self.objects = committed;
            Err(Abort::new("taken back"))
        });
        result.expect_err("it was taken back");
        self.objects = before;
    }

    fn some_changes(&mut self, groove: &mut Groove<O>) {
        for _ in 0..30 {
            let changes = [Change::Insert, Change::Update, Change::Remove];
            let change = changes[self.rng.below(3) as usize];
            self.change(groove, change);
        }
    }
}
