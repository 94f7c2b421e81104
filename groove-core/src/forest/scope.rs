//! The open scope: changes that are committed together or not at all.

use std::error::Error;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::error::{CommitError, InsertError, QueryError, ReadError, UpdateError};
use crate::groove::GrooveMark;

use super::engine::{Committed, Writer};
use super::grooves::Grooves;
use super::publish::{Dead, Publisher};

/// Why a scope ended without being committed, inside of [`Forest::write`](crate::Forest::write).
///
/// Every error converts into it, so that `?` works on errors of groove and of the caller alike.
/// `write` returns it as a [`WriteError`].
pub struct Abort(Box<dyn Error + Send + Sync>);

impl Abort {
    /// Gives a scope up for a reason that is no error type, a text for example.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Abort(reason.into())
    }
}

impl fmt::Debug for Abort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Abort {
    fn from(error: E) -> Self {
        Abort(Box::new(error))
    }
}

/// Why [`Forest::write`](crate::Forest::write) changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// An insert failed, and the scope passed the error on.
    #[error(transparent)]
    Insert(#[from] InsertError),
    /// An update failed, and the scope passed the error on.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// A query failed, and the scope passed the error on.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A read failed, and the scope passed the error on.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The scope could not be made durable.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The scope ended with an error of the caller's own.
    #[error(transparent)]
    Aborted(Box<dyn Error + Send + Sync>),
}

impl From<Abort> for WriteError {
    fn from(abort: Abort) -> Self {
        fn known<E: Error + Into<WriteError> + 'static>(
            error: Box<dyn Error + Send + Sync>,
        ) -> Result<WriteError, Box<dyn Error + Send + Sync>> {
            error.downcast::<E>().map(|error| (*error).into())
        }
        known::<InsertError>(abort.0)
            .or_else(known::<UpdateError>)
            .or_else(known::<QueryError>)
            .or_else(known::<ReadError>)
            .or_else(known::<CommitError>)
            .or_else(known::<WriteError>)
            .unwrap_or_else(WriteError::Aborted)
    }
}

/// How a scope within a scope ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeEnd {
    /// Its changes become part of the scope around it.
    Persist,
    /// Its changes are taken back.
    Discard,
}

/// Where a scope began in all grooves.
struct Savepoint {
    grooves: Vec<GrooveMark>,
    timestamp_max: u64,
}

/// The open scope of [`Forest::write`](crate::Forest::write). It dereferences to the grooves: the
/// fields of the forest's struct, or the one groove of a forest of a single object type.
pub struct Scope<'a, S: Grooves> {
    writer: &'a mut Writer<S>,
    /// The whole scope first, then the scopes within it.
    savepoints: Vec<Savepoint>,
}

impl<S: Grooves> fmt::Debug for Scope<'_, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Scope")
            .field("depth", &(self.savepoints.len() - 1))
            .finish_non_exhaustive()
    }
}

impl<S: Grooves> Deref for Scope<'_, S> {
    type Target = S::Write;

    fn deref(&self) -> &S::Write {
        &self.writer.grooves
    }
}

impl<S: Grooves> DerefMut for Scope<'_, S> {
    fn deref_mut(&mut self) -> &mut S::Write {
        &mut self.writer.grooves
    }
}

impl<'a, S: Grooves> Scope<'a, S> {
    pub(super) fn open(writer: &'a mut Writer<S>) -> Self {
        let mut scope = Scope { writer, savepoints: Vec::with_capacity(1) };
        scope.scope_open();
        scope
    }

    /// Commits what the scope changed; `None` if that is nothing. After an error nothing is changed.
    pub(super) fn commit(mut self) -> Result<Option<Committed>, CommitError> {
        let within = self.savepoints.len() - 1;
        assert_eq!(within, 0, "`write` is to close the scopes that it opened by `scope_open`");
        let publisher = self.writer.engine.publisher.clone();
        if !self.writer.is_in_place() {
            return Err(publisher.kill(Dead::Panicked));
        }
        let sentinel = Sentinel { publisher: &publisher };
        let committed = self.writer.commit();
        std::mem::forget(sentinel);
        let committed = committed?;
        if committed.is_some() {
            // Nothing to take back any more.
            self.savepoints.clear();
        }
        Ok(committed)
    }

    /// Runs `inner` in a scope within this one: if it returns an error or panics, what it changed is
    /// taken back and the rest of this scope stays. Costs nothing but the changes themselves.
    ///
    /// ```
    /// # use groove_core::error::InsertError;
    /// # use groove_core::{Forest, Groove, Grooves, Object, WriteError};
    /// # fn example<O: Object>(forest: &Forest<O>, order: O, parts: Vec<O>) -> Result<(), WriteError>
    /// # where
    /// #     for<'a> groove_core::Scope<'a, O>: std::ops::DerefMut<Target = Groove<O>>,
    /// #     O: Grooves,
    /// # {
    /// forest.write(|tx| {
    ///     tx.insert(order)?;
    ///     // All parts or none of them; the order in any case. The closure names its type of error.
    ///     let all = tx.savepoint(|tx| -> Result<(), InsertError> {
    ///         for part in parts {
    ///             tx.insert(part)?;
    ///         }
    ///         Ok(())
    ///     });
    ///     if let Err(error) = all {
    ///         println!("without its parts: {error}");
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What `inner` returns.
    ///
    /// # Panics
    /// If `inner` returns `Ok` and has opened scopes that it did not close, or closed this one.
    pub fn savepoint<T, E>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.scope_open();
        let depth = self.savepoints.len();
        let result = catch_unwind(AssertUnwindSafe(|| inner(self)));
        if !matches!(result, Ok(Ok(_))) {
            // Together with the scopes within it that were left open.
            while self.savepoints.len() >= depth {
                self.scope_close(ScopeEnd::Discard);
            }
            return result.unwrap_or_else(|panic| resume_unwind(panic));
        }
        let open = self.savepoints.len();
        assert_eq!(open, depth, "a savepoint is to close the scopes that it opened, and no other");
        self.scope_close(ScopeEnd::Persist);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Begins a scope within this one, as [`Scope::savepoint`] does. It has to be closed by
    /// [`Scope::scope_close`].
    pub fn scope_open(&mut self) {
        let mut grooves = Vec::with_capacity(S::GROOVES.len());
        self.writer.visit_grooves(&mut |groove| grooves.push(groove.mark()));
        let timestamp_max = self.writer.engine.timestamps.highest();
        self.savepoints.push(Savepoint { grooves, timestamp_max });
    }

    /// Ends the scope that was opened last.
    ///
    /// # Panics
    /// If no scope within this one is open.
    pub fn scope_close(&mut self, end: ScopeEnd) {
        assert!(self.savepoints.len() > 1, "a scope is opened before it is closed");
        let savepoint = self.savepoints.pop().expect("checked above");
        if end == ScopeEnd::Discard {
            self.discard(savepoint);
        }
    }

    fn discard(&mut self, savepoint: Savepoint) {
        let mut marks = savepoint.grooves.into_iter();
        self.writer.visit_grooves(&mut |groove| {
            groove.discard(marks.next().expect("a mark per groove"));
        });
        self.writer.engine.timestamps.restore(savepoint.timestamp_max);
    }
}

impl<S: Grooves> Drop for Scope<'_, S> {
    /// Takes everything back that was not committed, also when the caller's code panics.
    fn drop(&mut self) {
        if !self.writer.is_in_place() {
            // Grooves were swapped: which changes are whose is not known any more.
            self.writer.engine.publisher.kill(Dead::Panicked);
            return;
        }
        if !self.savepoints.is_empty() {
            let all = self.savepoints.swap_remove(0);
            self.savepoints.clear();
            self.discard(all);
        }
        self.writer.visit_grooves(&mut |groove| groove.end_scope());
    }
}

/// Declares the handle dead if a commit panics: its state is not known to be sound then.
struct Sentinel<'a> {
    publisher: &'a Publisher,
}

impl Drop for Sentinel<'_> {
    fn drop(&mut self) {
        self.publisher.kill(Dead::Panicked);
    }
}
