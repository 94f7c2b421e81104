use groove::{Forest, Groove};

#[derive(Groove)]
struct Account {
    timestamp: u64,
}

#[derive(Forest)]
struct Ledger {
    accounts: Groove<Account>,
    opened: u64,
}

fn main() {}
