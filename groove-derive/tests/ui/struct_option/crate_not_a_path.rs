use groove::Groove;

#[derive(Groove)]
#[groove(crate = "my groove")]
struct Order {
    #[index]
    item: u64,
    timestamp: u64,
}

fn main() {}
