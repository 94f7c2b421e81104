use groove::{Field, FieldType, Groove, InvalidValue};

/// A field type that is no key.
struct Memo;

impl Field for Memo {
    const WIDTH: usize = 0;
    const TYPE: FieldType = FieldType::Bool;
    fn write(&self, _: &mut [u8]) {}
    fn read(_: &[u8]) -> Result<Memo, InvalidValue> {
        Ok(Memo)
    }
    fn describe(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

#[derive(Groove)]
struct Order {
    #[index(optional)]
    memo: Memo,
    timestamp: u64,
}

fn main() {}
