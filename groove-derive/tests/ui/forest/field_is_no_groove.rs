use groove::{Forest, Groove};

#[derive(Groove)]
struct Account {
    #[index(primary)]
    id: u64,
    timestamp: u64,
}

#[derive(Forest)]
struct Shop {
    accounts: Account,
}

fn main() {}
