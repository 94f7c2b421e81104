//! A page of objects.

use std::ops::Deref;
use std::{slice, vec};

use super::cursor::Cursor;

/// The objects that [`Query::collect`](super::Query::collect) and
/// [`Ordered::collect`](super::Ordered::collect) give: a slice of them, and where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<O> {
    objects: Vec<O>,
    /// What to give to [`Query::after`](super::Query::after) or
    /// [`Ordered::after`](super::Ordered::after) for the next page; `None` if there is nothing more.
    pub next: Option<Cursor>,
    /// What to give to the same query in the other direction for what lies before this page, the
    /// nearest first; `None` if the page is empty. That there is something is not promised.
    pub previous: Option<Cursor>,
}

impl<O> Page<O> {
    pub(crate) fn new(objects: Vec<O>, next: Option<Cursor>, previous: Option<Cursor>) -> Page<O> {
        Page { objects, next, previous }
    }

    /// The objects.
    pub fn into_vec(self) -> Vec<O> {
        self.objects
    }
}

impl<O> Deref for Page<O> {
    type Target = [O];

    fn deref(&self) -> &[O] {
        &self.objects
    }
}

impl<O> AsRef<[O]> for Page<O> {
    fn as_ref(&self) -> &[O] {
        &self.objects
    }
}

impl<O> IntoIterator for Page<O> {
    type Item = O;
    type IntoIter = vec::IntoIter<O>;

    fn into_iter(self) -> vec::IntoIter<O> {
        self.objects.into_iter()
    }
}

impl<'a, O> IntoIterator for &'a Page<O> {
    type Item = &'a O;
    type IntoIter = slice::Iter<'a, O>;

    fn into_iter(self) -> slice::Iter<'a, O> {
        self.objects.iter()
    }
}

impl<O> From<Page<O>> for Vec<O> {
    fn from(page: Page<O>) -> Vec<O> {
        page.objects
    }
}
