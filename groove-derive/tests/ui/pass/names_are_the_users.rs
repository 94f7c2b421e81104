#![deny(warnings)]

use groove::Groove;

#[derive(Groove)]
pub struct Event {
    #[index]
    pub r#type: u16,
    #[index]
    pub object: u64,
    #[index]
    pub trees: u64,
    #[index]
    pub row: u64,
    #[index]
    pub _reserved: u64,
    #[groove(ignore)]
    pub insert_entries: u8,
    pub timestamp: u64,
}

// Methods, types and constants of the same names do not disturb.
impl Event {
    pub fn r#type(&self) -> u16 {
        self.r#type
    }

    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }
}

pub const OFFSETS: usize = 3;

fn main() {
    let event = Event {
        r#type: 1,
        object: 2,
        trees: 3,
        row: 4,
        _reserved: 5,
        insert_entries: 6,
        timestamp: 7,
    };
    let _ = (event.r#type(), event.timestamp(), Event::TYPE, OFFSETS);
}
