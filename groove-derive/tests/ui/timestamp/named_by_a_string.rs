use groove::Groove;

#[derive(Groove)]
#[groove(timestamp = "created_at")]
struct Order {
    created_at: u64,
}

fn main() {}
