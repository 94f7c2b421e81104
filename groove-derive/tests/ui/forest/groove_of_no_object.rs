use groove::{Forest, Groove};

struct Account;

#[derive(Forest)]
struct Shop {
    accounts: Groove<Account>,
}

fn main() {}
