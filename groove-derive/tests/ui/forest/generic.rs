use groove::{Forest, Groove};

#[derive(Forest)]
struct Shop<T> {
    orders: Groove<T>,
}

fn main() {}
