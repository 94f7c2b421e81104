use groove::Groove;

#[derive(Groove)]
#[groove(rest(ignore))]
struct Trip {
    fare: u64,
    pickup_time: u64,
    dropoff_time: u64,
}

fn main() {}
