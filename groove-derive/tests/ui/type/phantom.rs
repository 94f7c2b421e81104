use groove::Groove;

#[derive(Groove)]
struct Order {
    #[groove(ignore)]
    marker: std::marker::PhantomData<u64>,
    timestamp: u64,
}

fn main() {}
