//! What is asked outside of scopes: snapshots, fresh and held; and helpers of both.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::Thread;

use groove::{Lookup, Snapshot};

use super::index::IndexModel;
use super::objects::{Kind, ShopSnapshot};
use super::oracle::{ForestModel, GrooveModel};
use super::query::ask;
use super::reader::Finder;
use super::scope::{Context, read};

/// Some questions to all grooves of a snapshot.
pub(crate) fn ask_snapshot(
    context: &mut Context,
    snapshot: &mut ShopSnapshot,
    model: &ForestModel,
) {
    assert_eq!(snapshot.items.op(), model.op);
    let highest = model.shared.highest;
    match context.rng.below(3) {
        0 => {
            let indexes = std::mem::take(&mut context.indexes.orders);
            ask_groove(context, &mut snapshot.orders, &model.orders, highest, &indexes);
            context.indexes.orders = indexes;
        }
        1 => {
            let indexes = std::mem::take(&mut context.indexes.events);
            ask_groove(context, &mut snapshot.events, &model.events, highest, &indexes);
            context.indexes.events = indexes;
        }
        _ => {
            let indexes = std::mem::take(&mut context.indexes.items);
            ask_groove(context, &mut snapshot.items, &model.items, highest, &indexes);
            context.indexes.items = indexes;
        }
    }
}

fn ask_groove<O: Kind>(
    context: &mut Context,
    snapshot: &mut Snapshot<O>,
    model: &GrooveModel<O>,
    highest: u64,
    indexes: &[Box<dyn IndexModel<O>>],
) {
    for _ in 0..context.rng.below(6) {
        if context.rng.chance(60) {
            context.counts.add("read of a snapshot");
            read(&mut context.rng, &mut context.counts, snapshot, model, highest);
        } else {
            context.counts.add("query of a snapshot");
            let objects = model.objects.map();
            ask(&mut context.rng, &mut context.counts, snapshot, indexes, objects);
        }
    }
    if context.rng.chance(30) {
        context.counts.add("get_many");
        let rng = &mut context.rng;
        let keys: Vec<O::Primary> =
            (0..rng.below(20)).map(|_| O::random_primary(rng, highest)).collect();
        let expected: Vec<Option<O>> = keys.iter().map(|key| model.get(*key)).collect();
        assert_eq!(snapshot.get_many(keys).expect("readable"), expected);
    }
}

/// `lookup` tells found, orphaned and absent apart.
pub(crate) fn assert_lookup<O: Kind>(
    reader: &mut dyn Finder<O>,
    model: &GrooveModel<O>,
    primary: O::Primary,
) {
    let expected = match model.primaries.map().get(&primary) {
        Some(Some(timestamp)) => Lookup::Found(model.objects.map()[timestamp]),
        Some(None) => Lookup::Orphaned,
        None => Lookup::Absent,
    };
    assert_eq!(reader.lookup(primary), expected, "lookup {primary:?}");
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The least executor: polls, parks, and polls again.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
