use groove::{Forest, Groove};

#[derive(Groove)]
struct Account {
    #[index(primary)]
    id: u64,
    timestamp: u64,
}

#[derive(Forest)]
struct Shop {
    #[groove(nam = "a")]
    accounts: Groove<Account>,
}

fn main() {}
