//! A full disk and a failing device, at each call of a script that goes through creation, commits,
//! ends of bars, checkpoints and reopening.
//!
//! Whatever call fails: no panic; what was acknowledged is there after a reopen, what was refused
//! is not, and of what was under way when the handle died either all or nothing.

use std::io::ErrorKind;

use groove::storage::MemoryStorage;
use groove::{
    CommitError, Forest, Groove, InsertError, OpenError, Options, QueryError, ReadError,
    UpdateError, WriteError,
};

use crate::device::{Call, Device, Fault};
use crate::orders::{Expected, Model, Order, assert_holds, open, order, small};
use crate::{assert_says, message};

/// Bars of four log slots, so that the script ends many.
fn options() -> Options {
    small().wal_size(32 << 10).table_size(4096).growth_factor(2).cache_size(0)
}

const STEPS: u64 = 36;

/// What is known of a forest whose writes were answered.
#[derive(Default)]
struct Known {
    /// What was acknowledged.
    model: Model,
    /// What would be there if the scope under way when the handle died is.
    in_flight: Option<Model>,
}

/// How a run of the script ended.
enum End {
    /// The script came to its end.
    Done(Forest<Order>),
    Refused(OpenError),
    /// The handle takes no more writes.
    Dead(Forest<Order>),
}

/// Ids all over the range, so that the tables of a level overlap those of the next.
fn scattered(number: u64) -> u64 {
    number * 7919 % 10_007
}

/// One scope of the script: inserts, an update, a removal; some scopes take several log slots.
fn change(orders: &mut Groove<Order>, step: u64, model: &mut Model) -> Result<(), WriteError> {
    let count = if step.is_multiple_of(5) { 100 } else { 3 };
    for id in (step * 200..step * 200 + count).map(scattered) {
        let timestamp = orders.insert(order(id))?;
        model.insert(id, Order { timestamp, ..order(id) });
    }
    // Old orders, so that their blocks are read.
    if let Some(id) = model.keys().nth(step as usize).copied() {
        orders.modify(id, |order| {
            order.amount += 1;
            order.customer = (order.customer + 1) % 3;
        })?;
        let order = model.get_mut(&id).unwrap();
        order.amount += 1;
        order.customer = (order.customer + 1) % 3;
    }
    if let Some(id) = model.keys().nth(3 * step as usize).copied() {
        orders.remove(id)?;
        model.remove(&id);
    }
    Ok(())
}

/// Runs the script on a device that fails once or for good.
fn run(device: &Device, known: &mut Known) -> End {
    let mut forest = match open(device.clone(), options()) {
        Ok(forest) => forest,
        Err(error) => return End::Refused(error),
    };
    for step in 0..STEPS {
        let mut model = known.model.clone();
        let written = forest.try_write(|orders| change(orders, step, &mut model));
        match written {
            Ok(()) => known.model = model,
            Err(error) => {
                assert!(device.failed() > 0, "{}", message(&error));
                match error {
                    // Refused, and no more than that.
                    WriteError::Insert(InsertError::Read(ReadError::Io { .. }))
                    | WriteError::Update(UpdateError::Read(ReadError::Io { .. }))
                    | WriteError::Read(ReadError::Io { .. })
                    | WriteError::Commit(CommitError::NoSpace { .. }) => {
                        assert_holds_unless_reads_fail(&forest, &known.model);
                    }
                    WriteError::Commit(CommitError::Read(ReadError::Io { .. })) => {
                        return End::Dead(forest);
                    }
                    WriteError::Commit(CommitError::Dead { .. }) => {
                        known.in_flight = Some(model);
                        return End::Dead(forest);
                    }
                    other => panic!("{}", message(&other)),
                }
            }
        }
        let ended = match step % 12 {
            5 => forest.checkpoint(),
            // Reopened after a clean end, and after none.
            8 => forest.clone().close(),
            _ => Ok(()),
        };
        match ended {
            Ok(()) | Err(CommitError::NoSpace { .. }) => {}
            Err(CommitError::Dead { .. } | CommitError::Read(ReadError::Io { .. })) => {
                return End::Dead(forest);
            }
            Err(other) => panic!("{}", message(&other)),
        }
        if step % 12 == 8 || step % 12 == 11 {
            drop(forest);
            forest = match open(device.clone(), options()) {
                Ok(forest) => forest,
                Err(error) => return End::Refused(error),
            };
        }
    }
    End::Done(forest)
}

fn assert_holds_unless_reads_fail(forest: &Forest<Order>, model: &Model) {
    let result = Expected::new(model).read_back(&forest.snapshot());
    assert!(result.wrong.is_empty(), "{:?}", result.wrong);
    for error in result.errors {
        assert!(matches!(error, ReadError::Io { .. }), "{error}");
    }
}

/// Which of what may be there is there.
fn found(forest: &Forest<Order>, known: &Known) -> Model {
    let acknowledged = Expected::new(&known.model).read_back(&forest.snapshot());
    if acknowledged.wrong.is_empty() {
        assert!(acknowledged.errors.is_empty(), "{:?}", acknowledged.errors);
        return known.model.clone();
    }
    let in_flight = known.in_flight.as_ref();
    let in_flight = in_flight.unwrap_or_else(|| panic!("{:?}", acknowledged.wrong));
    assert_holds(&forest.snapshot(), in_flight);
    in_flight.clone()
}

/// A dead handle goes on reading and refuses writes.
fn assert_dead(forest: &Forest<Order>, known: &Known) {
    found(forest, known);
    let is_dead = |error: &CommitError| {
        matches!(error, CommitError::Dead { .. } | CommitError::Read(ReadError::Io { .. }))
    };
    let refused = forest.write(|orders| Ok(orders.insert(order(1_000_000))?));
    assert!(matches!(refused, Err(WriteError::Commit(error)) if is_dead(&error)));
    assert!(is_dead(&forest.checkpoint().unwrap_err()));
    found(forest, known);
}

/// Runs the script with each call failing in its turn, until the script has no such call any more.
/// Gives the number of runs.
fn at_each_call(fault: Fault) -> u64 {
    for after in 0.. {
        let device = Device::default();
        device.fail(Fault { after, ..fault });
        let mut known = Known::default();
        let end = run(&device, &mut known);
        let failed = device.failed();
        if let End::Refused(error) = &end {
            assert_refused(error, fault.kind);
        }
        device.repair();
        match end {
            End::Done(forest) => assert_holds(&forest.snapshot(), &known.model),
            End::Dead(forest) => assert_dead(&forest, &known),
            End::Refused(_) => {}
        }
        reopen(&device, &known, after);
        if failed == 0 {
            return after;
        }
    }
    unreachable!()
}

fn assert_refused(error: &OpenError, kind: ErrorKind) {
    let is_expected = match error {
        OpenError::NoSpace { .. } => kind == ErrorKind::StorageFull,
        OpenError::Io { source, .. } => source.kind() == kind,
        OpenError::Commit { source: CommitError::Dead { source }, .. } => source.kind() == kind,
        OpenError::Commit { source: CommitError::Read(ReadError::Io { source, .. }), .. } => {
            source.kind() == kind
        }
        _ => false,
    };
    assert!(is_expected, "{}", message(error));
}

/// Reopens the sound device twice: as it is, and after a power loss that follows. A power loss
/// before is one of the two as well, on the medium of before.
fn reopen(device: &Device, known: &Known, after: u64) {
    let medium = device.medium();
    let is_new = known.model.is_empty() && known.in_flight.is_none();
    if is_new && medium.len() < 24 << 10 {
        return; // the creation was refused halfway
    }
    let lost = match open(MemoryStorage::from_bytes(medium), options()) {
        Ok(lost) => lost,
        Err(error) if is_new => return assert_never_created(&error),
        Err(error) => panic!("after {after}, power lost: {}", message(&error)),
    };
    found(&lost, known);

    let forest = match open(device.clone(), options()) {
        Ok(forest) => forest,
        Err(error) => panic!("after {after}: {}", message(&error)),
    };
    let model = found(&forest, known);
    drop(forest);
    let lost = open(MemoryStorage::from_bytes(device.medium()), options()).unwrap();
    assert_holds(&lost.snapshot(), &model);
}

/// A storage whose creation failed halfway holds no forest, and is never taken for one.
fn assert_never_created(error: &OpenError) {
    let is_none = matches!(
        error,
        OpenError::NotGroove { .. } | OpenError::Corrupt { .. } | OpenError::Truncated { .. }
    );
    assert!(is_none, "{}", message(error));
}

const SOUND: Fault =
    Fault { calls: &[], after: 0, for_good: false, kind: ErrorKind::Other, torn: false };

#[test]
fn the_script_meets_each_kind_of_call() {
    let device = Device::default();
    let mut known = Known::default();
    assert!(matches!(run(&device, &mut known), End::Done(_)));
    let forest = open(device, options()).unwrap();
    let statistics = forest.statistics();
    assert!(statistics.levels >= 2 && statistics.checkpoint_op >= 20, "{statistics:?}");
    assert_holds(&forest.snapshot(), &known.model);
}

#[test]
fn a_disk_that_is_full_for_a_moment_loses_no_acknowledged_op() {
    let kind = ErrorKind::StorageFull;
    let reserving = at_each_call(Fault { calls: &[Call::Allocate], kind, ..SOUND });
    let writing = at_each_call(Fault { calls: &[Call::Write], kind, ..SOUND });
    println!("{reserving} allocations, {writing} writes");
    assert!(reserving > 10 && writing > 100);
}

#[test]
fn a_disk_that_stays_full_refuses_writes_and_loses_no_acknowledged_op() {
    let full = Fault { for_good: true, kind: ErrorKind::StorageFull, ..SOUND };
    let reserving = at_each_call(Fault { calls: &[Call::Allocate], ..full });
    let both = at_each_call(Fault { calls: &[Call::Allocate, Call::Write], torn: true, ..full });
    println!("{reserving} allocations, {both} allocations and writes");
}

#[test]
fn a_write_that_fails_loses_no_acknowledged_op() {
    let runs = at_each_call(Fault { calls: &[Call::Write], torn: true, ..SOUND });
    println!("{runs} torn writes");
    assert!(runs > 100);
}

#[test]
fn a_sync_that_fails_loses_no_acknowledged_op_although_the_system_forgets_what_was_written() {
    for for_good in [false, true] {
        let runs = at_each_call(Fault { calls: &[Call::Sync], for_good, ..SOUND });
        println!("{runs} syncs");
        assert!(runs > 50);
    }
}

#[test]
fn a_read_that_fails_is_an_error_and_loses_no_acknowledged_op() {
    for for_good in [false, true] {
        let runs = at_each_call(Fault { calls: &[Call::Read], for_good, ..SOUND });
        println!("{runs} reads");
        assert!(runs > 50);
    }
}

#[test]
fn a_full_disk_is_named_and_writes_go_on_when_there_is_space_again() {
    let device = Device::default();
    let forest = open(device.clone(), options()).unwrap();
    let mut known = Known::default();
    let full =
        Fault { calls: &[Call::Allocate], for_good: true, kind: ErrorKind::StorageFull, ..SOUND };
    device.fail(full);
    let mut refused = 0;
    for step in 0..STEPS {
        if step == STEPS / 2 {
            device.repair();
        }
        let mut model = known.model.clone();
        match forest.try_write(|orders| change(orders, step, &mut model)) {
            Ok(()) => known.model = model,
            Err(WriteError::Commit(error @ CommitError::NoSpace { .. })) => {
                assert!(step < STEPS / 2);
                if refused == 0 {
                    assert_says(
                        &error,
                        &["disk is full", "nothing was changed", "free some space"],
                    );
                }
                refused += 1;
            }
            Err(other) => panic!("{}", message(&other)),
        }
        assert_holds(&forest.snapshot(), &known.model);
    }
    assert!(refused > 0);
    drop(forest);
    assert_holds(&open(device, options()).unwrap().snapshot(), &known.model);
}

/// What the trees are to change is with other threads when the log turns out to have no space.
#[test]
fn a_large_scope_that_finds_the_disk_full_changes_nothing_and_the_next_one_does() {
    let device = Device::default();
    let options = || small().wal_size(16 << 20).compaction_threads(2);
    let full =
        Fault { calls: &[Call::Allocate], for_good: true, kind: ErrorKind::StorageFull, ..SOUND };
    let mut model = Model::new();
    for round in 0..3 {
        // The space of the log is reserved anew after each open.
        let forest = open(device.clone(), options()).unwrap();
        let write = |model: &mut Model| {
            forest.try_write(|orders| -> Result<(), WriteError> {
                for id in round * 6000..(round + 1) * 6000 {
                    let timestamp = orders.insert(order(id))?;
                    model.insert(id, Order { timestamp, ..order(id) });
                }
                Ok(())
            })
        };
        device.fail(full);
        let refused = write(&mut model.clone()).unwrap_err();
        assert!(matches!(refused, WriteError::Commit(CommitError::NoSpace { .. })), "{refused}");
        assert_holds(&forest.snapshot(), &model);
        device.repair();
        write(&mut model).unwrap();
        assert_holds(&forest.snapshot(), &model);
    }
    assert_holds(&open(device, options()).unwrap().snapshot(), &model);
}

#[test]
fn a_forest_on_a_full_disk_is_not_created() {
    let device = Device::default();
    let kind = ErrorKind::StorageFull;
    device.fail(Fault { calls: &[Call::Write], for_good: true, kind, ..SOUND });
    let error = open(device.clone(), options()).unwrap_err();
    assert!(matches!(error, OpenError::NoSpace { .. }));
    assert_says(&error, &["<storage>", "full", "free some space"]);
    device.repair();
    assert!(device.is_empty());
}

#[test]
fn a_sync_that_failed_is_named_as_the_cause_of_each_later_refusal() {
    let device = Device::default();
    let forest = open(device.clone(), options()).unwrap();
    forest.write(|orders| Ok(orders.insert(order(1))?)).unwrap();
    device.fail(Fault { calls: &[Call::Sync], ..SOUND });
    for id in 2..5 {
        let refused = forest.write(|orders| Ok(orders.insert(order(id))?));
        let Err(WriteError::Commit(error @ CommitError::Dead { .. })) = refused else {
            panic!("{refused:?}")
        };
        assert_says(&error, &["write to the file failed", "reads go on", "reopen"]);
        assert!(message(&error).ends_with(": as the test ordered"));
    }
    assert_eq!(device.failed(), 1);
    assert_eq!(forest.snapshot().len(), 1);
    assert!(matches!(forest.sync(), Err(CommitError::Dead { .. })));
    assert!(matches!(forest.close(), Err(CommitError::Dead { .. })));
}

#[test]
fn a_read_that_failed_names_its_place_and_the_next_one_succeeds() {
    let device = Device::default();
    let forest = open(device.clone(), options()).unwrap();
    forest.write(|orders| Ok(orders.insert(order(1))?)).unwrap();
    forest.checkpoint().unwrap();
    device.fail(Fault { calls: &[Call::Read], ..SOUND });
    let orders = forest.snapshot();
    let error = orders.get(1).unwrap_err();
    let ReadError::Io { offset, length, .. } = &error else { panic!("{error}") };
    assert_says(&error, &[&length.to_string(), &format!("byte {offset}"), "check the device"]);
    assert_eq!(orders.get(1).unwrap().map(|order| order.id), Some(1));

    device.fail(Fault { calls: &[Call::Read], after: 1, ..SOUND });
    forest
        .write(|orders| {
            orders.reset();
            Ok(())
        })
        .unwrap();
    let error = forest.snapshot().query(groove::Predicate::all()).collect();
    assert!(matches!(error, Ok(_) | Err(QueryError::Read(ReadError::Io { .. }))));
}
