use groove::Groove;

#[derive(Groove)]
struct Order<'a> {
    #[index]
    item: &'a str,
    timestamp: u64,
}

fn main() {}
