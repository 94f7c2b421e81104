//! A query without the type of its objects.

use std::sync::Arc;

use crate::error::{Damage, QueryError, ReadError};
use crate::groove::GrooveView;
use crate::tree::Direction;

use super::cursor::{Cursor, CursorKey, ordered_hash, query_hash};
use super::ordered::Position;
use super::plan::{Goal, Meters, Plan, Step};
use super::predicate::Node;
use super::rows::Rows;
use super::stream::{Answer, BoxStream, Intersection, Window};
use super::text::Named;

/// Rows of the first batch for who takes them one by one.
const FIRST_BATCH_ROWS: usize = 16;
/// Timestamps that are counted together at the most.
const COUNTED_TOGETHER: usize = 1024;

/// What is asked for: all but the type that rows are read as.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) view: GrooveView,
    pub(crate) node: Arc<Node>,
    pub(crate) window: Window,
    pub(crate) direction: Direction,
    /// The most objects to give.
    pub(crate) limit: Option<usize>,
    pub(crate) after: Option<Cursor>,
    /// What the objects of other grooves with the same timestamps must meet.
    pub(crate) shared: Vec<Shared>,
}

/// The part of a query to another groove that says which timestamps it has.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) view: GrooveView,
    pub(crate) node: Arc<Node>,
    pub(crate) window: Window,
}

/// How a request is answered: a plan for its own groove, and one for each groove that it shares
/// timestamps with.
#[derive(Clone)]
pub(crate) struct Chosen {
    pub(crate) own: Step,
    pub(crate) shared: Vec<(GrooveView, Step)>,
    goal: Goal,
}

/// Meters of all plans of a request.
pub(crate) struct ChosenMeters {
    pub(crate) own: Meters,
    pub(crate) shared: Vec<Meters>,
    /// The look-ups of the rows of the answer.
    pub(crate) rows: Meters,
}

impl Request {
    pub(crate) fn new(view: GrooveView, node: Node) -> Request {
        Request {
            view,
            node: Arc::new(node),
            window: Window::ALL,
            direction: Direction::Ascending,
            limit: None,
            after: None,
            shared: Vec::new(),
        }
    }

    /// The most objects to give.
    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// The predicate with names, for `Debug`.
    pub(super) fn named(&self) -> Named<'_> {
        Named { schema: self.view.schema, node: &self.node }
    }

    /// The part of the window behind the cursor.
    pub(crate) fn window_after(&self) -> Result<Window, QueryError> {
        let Some(cursor) = self.after else { return Ok(self.window) };
        if cursor.query != self.hash() || cursor.key.is_some() {
            return Err(QueryError::ForeignCursor { groove: self.view.schema.name });
        }
        let behind = match self.direction {
            Direction::Ascending if defect!(CursorRepeats) => {
                Window { min: cursor.timestamp, ..Window::ALL }
            }
            Direction::Ascending => Window { min: cursor.timestamp + 1, ..Window::ALL },
            Direction::Descending => Window { max: cursor.timestamp - 1, ..Window::ALL },
        };
        Ok(self.window.intersection(&behind))
    }

    /// The number by which a cursor knows its query.
    fn hash(&self) -> u64 {
        let own = query_hash(self.view.schema, &self.node, self.window, 0);
        self.shared.iter().fold(own, |hash, shared| {
            query_hash(shared.view.schema, &shared.node, shared.window, hash)
        })
    }

    /// The cursor at the object with this timestamp.
    pub(crate) fn cursor(&self, timestamp: u64) -> Cursor {
        Cursor { timestamp, query: self.hash(), key: None }
    }

    /// Where the cursor is in the order of an index.
    pub(crate) fn position_after(&self, ordinal: usize) -> Result<Option<Position>, QueryError> {
        let (schema, Some(cursor)) = (self.view.schema, self.after) else { return Ok(None) };
        let index = &schema.indexes[ordinal];
        match cursor.key {
            Some(CursorKey { key, width })
                if width == index.key_width
                    && cursor.query == ordered_hash(self.hash(), index.name) =>
            {
                let repeats = defect!(OrderedCursorRepeats) && cursor.timestamp > 1;
                let timestamp = cursor.timestamp - u64::from(repeats);
                Ok(Some(Position { key, timestamp }))
            }
            _ => Err(QueryError::ForeignCursor { groove: schema.name }),
        }
    }

    /// The cursor at a place in the order of an index.
    pub(crate) fn ordered_cursor(&self, ordinal: usize, at: Position) -> Cursor {
        let index = &self.view.schema.indexes[ordinal];
        let key = CursorKey { key: at.key, width: index.key_width };
        let query = ordered_hash(self.hash(), index.name);
        Cursor { timestamp: at.timestamp, query, key: Some(key) }
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan::new(&self.view, &self.node)
    }

    /// Decides how the part of the answer within `window` is found.
    pub(crate) fn choose(
        &self,
        window: Window,
        goal: Goal,
        explains: bool,
    ) -> Result<Chosen, ReadError> {
        // A groove that shares timestamps may take most objects away: nobody knows how many.
        let limit = if self.shared.is_empty() { goal.limit } else { u64::MAX };
        // Nor are rows at hand then.
        let rows = goal.rows && self.shared.is_empty();
        let goal = Goal { limit, rows, ..goal };
        let own = self.plan().choose(&self.view, window, goal, explains)?;
        let mut shared = Vec::with_capacity(self.shared.len());
        for Shared { view, node, window: inner } in &self.shared {
            let goal = Goal { limit: u64::MAX, rows: false, ..goal };
            let window = window.intersection(inner);
            let step = Plan::new(view, node).choose(view, window, goal, explains)?;
            shared.push((view.clone(), step));
        }
        Ok(Chosen { own, shared, goal })
    }

    /// The timestamps of the answer within `window`. If more is collected than fits, an error says so.
    pub(crate) fn open(
        &self,
        chosen: &Chosen,
        window: Window,
        meters: Option<&ChosenMeters>,
    ) -> Answer {
        Answer::new(self.stream(chosen, meters), window, self.direction)
    }

    /// As [`Request::open`]; but if more is collected than was expected, and than fits, rows are tested
    /// instead from there on, as far as they tell.
    fn open_frugally(&self, chosen: &Chosen, window: Window) -> Answer {
        let answer = self.open(chosen, window, None);
        if !chosen.collects() {
            return answer;
        }
        let rows = chosen.goal.rows && chosen.carries_rows();
        let (request, goal) = (self.clone(), Goal { rows, frugal: true, ..chosen.goal });
        answer.or(move || {
            let chosen = request.choose(window, goal, false)?;
            Ok(request.stream(&chosen, None))
        })
    }

    fn stream(&self, chosen: &Chosen, meters: Option<&ChosenMeters>) -> BoxStream {
        let own = chosen.own.open(&self.view, self.direction, meters.map(|meters| &meters.own));
        if chosen.shared.is_empty() {
            return own;
        }
        let mut parts: Vec<(u64, BoxStream)> = vec![(chosen.own.rows(), own)];
        for (i, (view, step)) in chosen.shared.iter().enumerate() {
            let meters = meters.map(|meters| &meters.shared[i]);
            parts.push((step.rows(), step.open(view, self.direction, meters)));
        }
        parts.sort_by_key(|(rows, _)| *rows);
        let parts = parts.into_iter().map(|(_, part)| part).collect();
        Box::new(Intersection::new(parts))
    }

    /// The timestamps of the answer, without regard to the limit; about `limit` are wanted.
    pub(crate) fn timestamps(&self, limit: usize) -> Result<Answer, QueryError> {
        let window = self.window_after()?;
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let chosen = self.choose(window, Goal { limit, rows: false, frugal: false }, false)?;
        Ok(self.open_frugally(&chosen, window))
    }

    /// The rows of the answer, read in batches that begin with `batch` rows, up to the limit; about
    /// `wanted` are.
    pub(crate) fn rows(&self, batch: usize, wanted: usize) -> Result<Rows, QueryError> {
        self.rows_by(wanted, |_| batch)
    }

    /// The same for who may have enough at any row. Where rows are tested, what meets the tests may be far between:
    /// the first row waits for no other.
    pub(crate) fn rows_one_by_one(&self) -> Result<Rows, QueryError> {
        self.rows_by(self.limit(), |chosen| match chosen.own.tests_rows() {
            true => 1,
            false => FIRST_BATCH_ROWS,
        })
    }

    fn rows_by(
        &self,
        wanted: usize,
        first_batch: impl FnOnce(&Chosen) -> usize,
    ) -> Result<Rows, QueryError> {
        let window = self.window_after()?;
        let limit = u64::try_from(wanted).unwrap_or(u64::MAX);
        let chosen = self.choose(window, Goal { limit, rows: true, frugal: false }, false)?;
        let answer = self.open_frugally(&chosen, window);
        Ok(self.rows_of(answer, &chosen, first_batch(&chosen), None))
    }

    /// The rows of the answer within `window`. If more is collected than fits, an error says so.
    pub(crate) fn open_rows(
        &self,
        chosen: &Chosen,
        window: Window,
        batch: usize,
        meters: Option<&ChosenMeters>,
    ) -> Rows {
        self.rows_of(self.open(chosen, window, meters), chosen, batch, meters)
    }

    fn rows_of(
        &self,
        answer: Answer,
        chosen: &Chosen,
        batch: usize,
        meters: Option<&ChosenMeters>,
    ) -> Rows {
        if chosen.carries_rows() {
            return Rows::carried(answer, self.limit());
        }
        let tree = self.view.object_tree.clone();
        let tree = match meters {
            Some(meters) => meters.rows.tree(0, tree),
            None => tree,
        };
        Rows::lookup(tree, answer, batch, self.limit())
    }

    /// The number of objects in the answer.
    pub(crate) fn count(&self) -> Result<u64, QueryError> {
        let window = self.window_after()?;
        let limit = u64::try_from(self.limit()).unwrap_or(u64::MAX);
        if limit == 0 {
            return Ok(0);
        }
        if self.shared.is_empty()
            && let Some(count) = self.count_in_trees(window)?
        {
            return Ok(count.min(limit));
        }
        let chosen = self.choose(window, Goal { limit, rows: false, frugal: false }, false)?;
        count_answer(self.open_frugally(&chosen, window), limit)
    }

    /// The number of objects, without a stream of them all, if that is less.
    fn count_in_trees(&self, window: Window) -> Result<Option<u64>, QueryError> {
        let plan = self.plan();
        let is_limited = self.limit.is_some();
        let Some(count) = plan.count(&self.view, window, is_limited)? else { return Ok(None) };
        if is_limited && !count.is_known() {
            // With a limit the answer itself is soon counted.
            return Ok(None);
        }
        let steps = plan.choose_streamed(&self.view, &count)?;
        let mut streamed = Vec::with_capacity(steps.len());
        for (step, window) in steps {
            let stream = step.open(&self.view, self.direction, None);
            match count_answer(Answer::new(stream, window, self.direction), u64::MAX) {
                Ok(count) => streamed.push(count),
                // More is collected than fits: the answer itself may do with less.
                Err(QueryError::OutOfMemory { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        // Objects fewer than entries would be corruption: a stream, which meets the objects, is asked then.
        Ok(count.with_streamed(&streamed))
    }

    /// Whether the answer has an object.
    pub(crate) fn exists(&self) -> Result<bool, QueryError> {
        if self.limit() == 0 {
            self.window_after()?;
            return Ok(false);
        }
        Ok(self.timestamps(1)?.next()?.is_some())
    }

    /// The error of an object, or of one that should be there: names the block of its row.
    pub(crate) fn damaged(&self, timestamp: u64, damage: Damage) -> QueryError {
        QueryError::Read(self.view.object_tree.damaged(&[timestamp], damage))
    }
}

/// The number of timestamps that `answer` gives, up to `limit`.
fn count_answer(mut answer: Answer, limit: u64) -> Result<u64, QueryError> {
    let (mut count, mut timestamps) = (0, Vec::new());
    loop {
        let wanted = usize::try_from(limit - count).unwrap_or(usize::MAX).min(COUNTED_TOGETHER);
        timestamps.clear();
        answer.fill(wanted, &mut timestamps)?;
        count += timestamps.len() as u64;
        if timestamps.len() < wanted || count == limit {
            return Ok(count);
        }
    }
}

impl Chosen {
    /// As it is where timestamps are wanted only.
    pub(crate) fn without_rows(self) -> Chosen {
        Chosen { own: self.own.without_rows(), ..self }
    }

    /// About how many timestamps the answer has.
    pub(crate) fn expected(&self) -> u64 {
        self.shared.iter().map(|(_, step)| step.rows()).fold(self.own.rows(), u64::min)
    }

    /// What the whole answer costs; and its rows, if `rows`.
    pub(crate) fn cost(&self, rows: bool) -> u64 {
        let shared = self.shared.iter().map(|(_, step)| step.cost(u64::MAX, false));
        shared.fold(self.own.cost(u64::MAX, rows), u64::saturating_add)
    }

    /// Whether anything is collected.
    fn collects(&self) -> bool {
        self.own.collects() || self.shared.iter().any(|(_, step)| step.collects())
    }

    /// A meter for each step.
    pub(crate) fn meters(&self) -> ChosenMeters {
        ChosenMeters {
            own: Meters::new(self.own.steps()),
            shared: self.shared.iter().map(|(_, step)| Meters::new(step.steps())).collect(),
            rows: Meters::new(1),
        }
    }

    /// Whether rows come with the timestamps.
    pub(crate) fn carries_rows(&self) -> bool {
        self.shared.is_empty() && self.own.carries_rows()
    }
}
