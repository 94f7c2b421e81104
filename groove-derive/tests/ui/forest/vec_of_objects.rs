use groove::{Forest, Groove};

#[derive(Groove)]
struct Account {
    timestamp: u64,
}

#[derive(Forest)]
struct Ledger {
    accounts: Vec<Account>,
}

fn main() {}
