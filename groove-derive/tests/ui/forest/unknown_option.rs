use groove::{Forest, Groove};

#[derive(Groove)]
struct Account {
    #[index(primary)]
    id: u64,
    timestamp: u64,
}

#[derive(Forest)]
#[groove(snapshto = Frozen)]
struct Shop {
    accounts: Groove<Account>,
}

fn main() {}
