use groove::Groove;

struct Memo(u64);

#[derive(Groove)]
struct Order {
    #[index]
    memo: Memo,
    timestamp: u64,
}

fn main() {}
