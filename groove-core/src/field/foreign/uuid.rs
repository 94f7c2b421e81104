//! `uuid::Uuid`, stored as a `u128`: of the time-ordered versions the high lane packs well.

use uuid::Uuid;

use super::stored_as_integer;
use crate::field::OptionalKey;

stored_as_integer!(Uuid, "uuid::Uuid", u128, Uuid::as_u128, |bits| Some(Uuid::from_u128(bits)));

impl OptionalKey for Uuid {
    #[inline]
    fn is_absent(&self) -> bool {
        self.is_nil()
    }
}
