use groove::Groove;

#[derive(Groove)]
#[groove(timestamp = create_at)]
struct Order {
    created_at: u64,
}

fn main() {}
