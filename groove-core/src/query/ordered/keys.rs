//! The keys that the objects of an answer have in an index: what a semi-join asks for.

use crate::error::{Damage, QueryError};
use crate::query::key_range::{EncodedKey, KeyRange};
use crate::query::plan::WalkedIndex;
use crate::query::request::Request;
use crate::query::row_key::RowKey;
use crate::query::rows::{BATCH_ROWS_MAX, Row};
use crate::query::stream::Window;
use crate::tree::Direction;

use super::index_walk::IndexWalk;

/// The keys that the objects of the answer have in an index: from their rows; or, if rows do not tell,
/// from the entries of the index.
pub(in crate::query) fn keys(
    request: &Request,
    ordinal: usize,
) -> Result<Vec<EncodedKey>, QueryError> {
    let schema = request.view.schema;
    let mut keys = Vec::new();
    if let Some(row_key) = RowKey::of_index(schema, ordinal) {
        let mut rows = request.rows(BATCH_ROWS_MAX, request.limit())?;
        while let Some(row) = rows.next()? {
            match row {
                Row::Missing(timestamp) => {
                    return Err(request.damaged(timestamp, Damage::EntryForeign { timestamp }));
                }
                Row::Found(timestamp, row) => {
                    let damage = Damage::Invalid { what: "row" };
                    let damaged = |_| request.damaged(timestamp, damage);
                    keys.extend(row_key.read(row).map_err(damaged)?);
                }
            }
        }
        return Ok(keys);
    }
    let mut answer = request.timestamps(request.limit())?;
    let mut set = Vec::new();
    loop {
        let (length, wanted) = (set.len(), BATCH_ROWS_MAX.min(request.limit() - set.len()));
        answer.fill(wanted, &mut set)?;
        if set.len() < length + wanted || wanted == 0 {
            break;
        }
    }
    set.sort_unstable();
    let full = KeyRange::full(schema.indexes[ordinal].key_width);
    let (view, direction) = (request.view.clone(), Direction::Ascending);
    let index = WalkedIndex::itself(schema, ordinal);
    let mut walk = IndexWalk::new(view, index, &[full], None, Window::ALL, direction);
    while let Some(at) = walk.next()? {
        if set.binary_search(&at.timestamp).is_ok() {
            keys.push(at.key);
        }
    }
    Ok(keys)
}
