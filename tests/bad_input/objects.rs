//! Objects that cannot be inserted or updated, and scopes that cannot be committed.

use groove::storage::MemoryStorage;
use groove::{
    Clock, CommitError, Forest, Groove, InsertError, OpenError, Options, QueryError, UpdateError,
    WriteError,
};

use crate::assert_says;
use crate::orders::{Model, Order, assert_holds, insert, open, order, small};

/// The highest timestamp that an object can have.
const TIMESTAMP_MAX: u64 = (1 << 63) - 1;

type Inserted = Result<(), InsertError>;
type Update<'a> = dyn Fn(&mut Groove<Order>) -> Result<(), UpdateError> + 'a;

/// A forest with orders 1 to 20; half of them are in tables.
fn forest() -> (Forest<Order>, Model) {
    let forest = open(MemoryStorage::new(), small()).unwrap();
    let mut model = Model::new();
    insert(&forest, 1..=10, &mut model);
    forest.checkpoint().unwrap();
    insert(&forest, 11..=20, &mut model);
    (forest, model)
}

/// Whatever `change` is refused for: neither the scope nor the forest is changed, and the error of
/// `write` is the one of the call.
fn refused<E: std::error::Error + Clone + Send + Sync + 'static>(
    forest: &Forest<Order>,
    model: &Model,
    change: impl Fn(&mut Groove<Order>) -> Result<(), E>,
) -> (E, WriteError) {
    let op = forest.snapshot().op();
    // A scope that goes on after the error commits nothing of the refused call.
    let mut error = None;
    forest
        .write(|orders| {
            let before = orders.len();
            error = change(orders).err();
            assert_eq!(orders.len(), before);
            Ok(())
        })
        .unwrap();
    assert_eq!(forest.snapshot().op(), op, "a scope that changed nothing is no op");
    // A scope that ends with the error takes everything back.
    let ended = forest.write(|orders| {
        orders.insert(order(999))?;
        change(orders)?;
        Ok(())
    });
    assert_eq!(forest.snapshot().op(), op);
    assert_holds(&forest.snapshot(), model);
    (error.expect("the change is refused"), ended.unwrap_err())
}

#[test]
fn a_primary_key_that_is_taken_names_the_field_the_value_and_the_object() {
    let (forest, model) = forest();
    for id in [7, 17] {
        let (error, ended) = refused(&forest, &model, |orders| {
            orders.insert(Order { ticket: 5, ..order(id) }).map(drop)
        });
        assert!(matches!(
            &error,
            InsertError::Duplicate { groove: "Order", field: "id", value, timestamp }
                if *value == id.to_string() && *timestamp == model[&id].timestamp
        ));
        assert!(matches!(ended, WriteError::Insert(InsertError::Duplicate { field: "id", .. })));
        let (id, timestamp) = (format!("id {id} is taken"), model[&id].timestamp.to_string());
        assert_says(&error, &["Order", &id, &timestamp, "use another, or update"]);
    }
}

#[test]
fn a_unique_key_that_is_taken_names_the_field_the_value_and_the_object() {
    let (forest, model) = forest();
    for id in [7, 17] {
        let taken = Order { ticket: 1000 + id as u32, ..order(500) };
        let (error, ended) = refused(&forest, &model, |orders| orders.insert(taken).map(drop));
        assert!(matches!(
            &error,
            InsertError::Duplicate { groove: "Order", field: "ticket", value, timestamp }
                if *value == taken.ticket.to_string() && *timestamp == model[&id].timestamp
        ));
        assert!(matches!(ended, WriteError::Insert(InsertError::Duplicate { .. })));
        let ticket = format!("ticket {} is taken", taken.ticket);
        assert_says(&error, &["Order", &ticket, &model[&id].timestamp.to_string(), "use another"]);
    }
}

#[test]
fn an_absent_unique_key_is_never_taken() {
    let (forest, mut model) = forest();
    insert(&forest, [30, 33, 36], &mut model);
    assert_holds(&forest.snapshot(), &model);
}

#[test]
fn a_key_that_the_open_scope_took_is_taken_and_one_that_it_gave_up_is_not() {
    let (forest, mut model) = forest();
    let timestamp = forest
        .write(|orders| {
            orders.insert(order(40))?;
            let error = orders.insert(order(40)).unwrap_err();
            assert!(matches!(error, InsertError::Duplicate { field: "id", .. }));
            orders.remove(40)?;
            orders.remove(7)?;
            Ok(orders.insert(order(7))?)
        })
        .unwrap();
    model.insert(7, Order { timestamp, ..order(7) });
    assert_holds(&forest.snapshot(), &model);
}

#[test]
fn an_orphaned_id_is_refused_whether_it_is_in_the_scope_in_memory_or_on_disk() {
    let (forest, model) = forest();
    let storage_of_tables = || forest.checkpoint().unwrap();
    forest.write(|orders| Ok(orders.insert_orphaned_id(100)?)).unwrap();
    for on_disk in [false, true] {
        if on_disk {
            storage_of_tables();
        }
        let inserts: [fn(&mut Groove<Order>) -> Inserted; 2] =
            [|orders| orders.insert(order(100)).map(drop), |orders| orders.insert_orphaned_id(100)];
        for insert in inserts {
            let (error, ended) = refused(&forest, &model, insert);
            assert!(matches!(
                &error,
                InsertError::Orphaned { groove: "Order", field: "id", value } if value == "100"
            ));
            assert!(matches!(ended, WriteError::Insert(InsertError::Orphaned { .. })));
            assert_says(&error, &["Order", "id 100", "orphaned", "never", "use another"]);
        }
    }
    let (error, _) = refused(&forest, &model, |orders| orders.insert_orphaned_id(7));
    assert!(matches!(error, InsertError::Duplicate { field: "id", .. }));
    assert_says(&error, &["Order", "id 7 is taken"]);
}

#[test]
fn a_timestamp_that_is_used_twice_is_refused() {
    let (forest, model) = forest();
    for id in [7, 17] {
        let timestamp = model[&id].timestamp;
        let twice = Order { timestamp, ..order(500) };
        let (error, ended) = refused(&forest, &model, |orders| orders.insert(twice).map(drop));
        assert!(matches!(
            error,
            InsertError::TimestampTaken { groove: "Order", timestamp: found } if found == timestamp
        ));
        assert!(matches!(ended, WriteError::Insert(InsertError::TimestampTaken { .. })));
        assert_says(
            &error,
            &["Order", &format!("timestamp {timestamp} is taken"), "0", "assigned"],
        );
    }
}

#[test]
fn a_timestamp_over_the_highest_possible_one_is_refused() {
    let (forest, mut model) = forest();
    for timestamp in [TIMESTAMP_MAX + 1, u64::MAX] {
        let beyond = Order { timestamp, ..order(500) };
        let (error, ended) = refused(&forest, &model, |orders| orders.insert(beyond).map(drop));
        assert!(matches!(
            error,
            InsertError::TimestampOutOfRange { groove: "Order", timestamp: found } if found == timestamp
        ));
        assert!(matches!(ended, WriteError::Insert(InsertError::TimestampOutOfRange { .. })));
        let limits = [timestamp.to_string(), TIMESTAMP_MAX.to_string()];
        assert_says(&error, &["Order", &limits[0], &limits[1], "use a lower one"]);
    }
    // The highest itself is one; after it there is none to assign.
    let last = Order { timestamp: TIMESTAMP_MAX, ..order(500) };
    forest.write(|orders| Ok(orders.insert(last)?)).unwrap();
    model.insert(500, last);
    let (error, _) = refused(&forest, &model, |orders| orders.insert(order(501)).map(drop));
    assert!(matches!(error, InsertError::TimestampsExhausted { groove: "Order" }));
    assert_says(&error, &["Order", &TIMESTAMP_MAX.to_string(), "a timestamp of your own"]);
    // A lower one that is given is still taken.
    let lower = Order { timestamp: TIMESTAMP_MAX - 1, ..order(502) };
    forest.write(|orders| Ok(orders.insert(lower)?)).unwrap();
    model.insert(502, lower);
    // A scope that is given up gives the timestamps up too.
    assert_holds(&forest.snapshot(), &model);
}

#[test]
fn a_scope_that_is_given_up_does_not_exhaust_the_timestamps() {
    let (forest, mut model) = forest();
    let last = Order { timestamp: TIMESTAMP_MAX, ..order(500) };
    let ended = forest.write(|orders| {
        orders.insert(last)?;
        orders.insert(order(501))?;
        Ok(())
    });
    assert!(matches!(ended, Err(WriteError::Insert(InsertError::TimestampsExhausted { .. }))));
    insert(&forest, [501], &mut model);
    assert_holds(&forest.snapshot(), &model);
}

#[test]
fn a_clock_beyond_the_highest_timestamp_is_refused_and_does_not_panic() {
    let options = small().clock(Clock::new(|| u64::MAX));
    let forest = open(MemoryStorage::new(), options).unwrap();
    let (error, _) = refused_insert(&forest);
    assert!(matches!(error, InsertError::TimestampOutOfRange { timestamp: u64::MAX, .. }));
    fn refused_insert(forest: &Forest<Order>) -> (InsertError, ()) {
        match forest.write(|orders| Ok(orders.insert(order(1))?)) {
            Err(WriteError::Insert(error)) => (error, ()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_update_of_an_object_that_is_not_there_names_the_key() {
    let (forest, model) = forest();
    let (error, ended) =
        refused(&forest, &model, |orders| orders.modify(77, |order| order.amount = 1));
    assert!(matches!(
        &error,
        UpdateError::NotFound { groove: "Order", field: "id", value } if value == "77"
    ));
    assert!(matches!(ended, WriteError::Update(UpdateError::NotFound { .. })));
    assert_says(&error, &["Order", "no object with id 77", "insert it"]);

    let absent = Order { timestamp: 12345, ..order(77) };
    let (error, _) = refused(&forest, &model, |orders| orders.update(&absent, &absent));
    assert!(matches!(
        &error,
        UpdateError::NotFound { groove: "Order", field: "timestamp", value } if value == "12345"
    ));
    assert_says(&error, &["Order", "no object with timestamp 12345", "insert it"]);
}

#[test]
fn an_update_of_an_object_that_was_removed_or_orphaned_finds_none() {
    let (forest, mut model) = forest();
    let removed = model.remove(&7).unwrap();
    forest
        .write(|orders| {
            orders.remove(7)?;
            orders.insert_orphaned_id(100)?;
            Ok(())
        })
        .unwrap();
    let (error, _) = refused(&forest, &model, |orders| orders.update(&removed, &removed));
    assert!(matches!(error, UpdateError::NotFound { .. }));
    for id in [7_u64, 100] {
        let (error, _) = refused(&forest, &model, |orders| orders.modify(id, |_| ()));
        assert!(matches!(error, UpdateError::NotFound { .. }));
    }
}

#[test]
fn an_update_that_changes_a_unique_key_names_the_field_and_both_values() {
    let (forest, model) = forest();
    let old = model[&7];
    let changes = [
        (Order { id: 8, ..old }, "id", "from 7 to 8"),
        (Order { ticket: 5, ..old }, "ticket", "from 1007 to 5"),
        (Order { ticket: 0, ..old }, "ticket", "from 1007 to 0"),
    ];
    for (new, name, values) in changes {
        let updates: [&Update<'_>; 2] =
            [&|orders| orders.update(&old, &new), &|orders| orders.modify(7, |order| *order = new)];
        for update in updates {
            let (error, ended) = refused(&forest, &model, update);
            let is_named = |error: &UpdateError| matches!(error, UpdateError::UniqueChanged { groove: "Order", field, .. } if *field == name);
            assert!(is_named(&error), "{error:?}");
            assert!(matches!(ended, WriteError::Update(ended) if is_named(&ended)));
            assert_says(&error, &["Order", name, "unique", values, "remove", "insert"]);
        }
    }
}

#[test]
fn an_update_that_changes_the_timestamp_names_both() {
    let (forest, model) = forest();
    let old = model[&7];
    let new = Order { timestamp: 5000, ..old };
    let updates: [&Update<'_>; 2] =
        [&|orders| orders.update(&old, &new), &|orders| orders.modify(7, |order| *order = new)];
    for update in updates {
        let (error, ended) = refused(&forest, &model, update);
        assert!(matches!(
            error,
            UpdateError::TimestampChanged { groove: "Order", old: before, new: 5000 }
                if before == old.timestamp
        ));
        assert!(matches!(ended, WriteError::Update(UpdateError::TimestampChanged { .. })));
        let values = format!("from {} to 5000", old.timestamp);
        assert_says(&error, &["Order", "timestamp", &values, "remove", "insert"]);
    }
}

#[test]
fn an_update_of_an_object_that_changed_meanwhile_is_stale() {
    let (forest, mut model) = forest();
    for id in [7, 17] {
        let old = model[&id];
        forest.write(|orders| Ok(orders.modify(id, |order| order.amount += 1)?)).unwrap();
        model.get_mut(&id).unwrap().amount += 1;
        let new = Order { amount: 99, ..old };
        let (error, ended) = refused(&forest, &model, |orders| orders.update(&old, &new));
        assert!(matches!(
            error,
            UpdateError::Stale { groove: "Order", timestamp } if timestamp == old.timestamp
        ));
        assert!(matches!(ended, WriteError::Update(UpdateError::Stale { .. })));
        assert_says(
            &error,
            &["Order", &format!("timestamp {}", old.timestamp), "`old`", "read it again"],
        );
    }
}

#[test]
fn a_cursor_of_another_query_is_refused() {
    let (forest, _) = forest();
    let orders = forest.snapshot();
    let page = orders.query(Order::CUSTOMER.eq(1)).limit(1).collect().unwrap();
    let cursor = page.next.expect("there are more");
    let error = orders.query(Order::CUSTOMER.eq(2)).after(cursor).collect().unwrap_err();
    assert!(matches!(error, QueryError::ForeignCursor { .. }));
    assert_says(&error, &["Order", "cursor belongs to another query", "begin without"]);
}

#[test]
fn a_scope_too_large_for_the_log_names_both_sizes_and_changes_nothing() {
    let options = small().wal_size(32 << 10);
    let forest = open(MemoryStorage::new(), options).unwrap();
    let mut model = Model::new();
    insert(&forest, 0..10, &mut model);
    let op = forest.snapshot().op();
    let ended = forest.write(|orders| {
        for id in 100..1300 {
            orders.insert(order(id))?;
        }
        Ok(())
    });
    let Err(WriteError::Commit(error)) = ended else { panic!("{ended:?}") };
    // Before it is packed: as much as twice half the log, but for the header of an entry.
    let bytes_max = 2 * ((16 << 10) - 128);
    assert!(matches!(
        error,
        CommitError::ScopeTooLarge { bytes, bytes_max: most } if bytes > most && most == bytes_max
    ));
    assert_says(&error, &[" bytes in the log", &bytes_max.to_string(), "cut it", "wal_size"]);
    assert_eq!(forest.snapshot().op(), op);
    assert_holds(&forest.snapshot(), &model);
    for part in [100..300, 300..500] {
        insert(&forest, part, &mut model);
    }
    assert_holds(&forest.snapshot(), &model);
}

#[test]
fn the_caller_s_own_error_comes_back_with_its_cause() {
    let (forest, model) = forest();
    let ended = forest.write(|orders| {
        orders.insert(order(500))?;
        Err::<(), _>(groove::Abort::new("no credit"))
    });
    let Err(error @ WriteError::Aborted(_)) = ended else { panic!("{ended:?}") };
    assert_eq!(crate::message(&error), "no credit");
    assert_holds(&forest.snapshot(), &model);
}

/// A row that no block of 4 KiB holds.
#[derive(Groove, Clone, Debug)]
struct Picture {
    #[index(primary)]
    id: u64,
    #[groove(ignore)]
    pixels: [u8; 5000],
    timestamp: u64,
}

#[test]
fn a_row_too_large_for_the_block_size_is_refused_before_a_file_is_created() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pictures.groove");
    let error = Forest::<Picture>::open(&path, small()).unwrap_err();
    assert!(matches!(error, OpenError::Options { option: "block_size", value: 4096, .. }));
    assert_says(&error, &["block_size", "4096", "large enough for a row"]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was created");

    // The way out works.
    let pictures = Forest::<Picture>::open(&path, Options::default().block_size(8192)).unwrap();
    let picture = Picture { id: 1, pixels: [7; 5000], timestamp: 0 };
    pictures.write(|pictures| Ok(pictures.insert(picture)?)).unwrap();
    assert_eq!(pictures.snapshot().get(1).unwrap().unwrap().pixels, [7; 5000]);

    let storage = MemoryStorage::new();
    let refused = Forest::<Picture>::open_storage(std::sync::Arc::new(storage.clone()), small());
    assert!(matches!(refused, Err(OpenError::Options { .. })));
    assert!(storage.snapshot_bytes().is_empty());
}
