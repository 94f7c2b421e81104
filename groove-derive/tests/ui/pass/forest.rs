use groove::{Forest, Groove, OpenError, Options};

#[derive(Groove)]
struct Account {
    #[index(primary)]
    id: u64,
    timestamp: u64,
}

#[derive(Forest)]
#[groove(snapshot = Frozen)]
struct Shop {
    accounts: Groove<Account>,
    #[groove(name = "closed")]
    closed_accounts: Groove<Account>,
}

fn main() {
    let _: fn(&str, Options) -> Result<Forest<Shop>, OpenError> =
        |path, options| Shop::open(path, options);
    let _: fn(&str, Options) -> Result<Frozen, OpenError> =
        |path, options| Shop::open_read_only(path, options);
}
