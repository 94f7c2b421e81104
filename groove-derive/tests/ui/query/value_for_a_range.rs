use groove::{Groove, Predicate, Text};

#[derive(Groove)]
#[groove(index(route = (origin, destination)))]
struct Flight {
    #[index]
    origin: Text<3>,
    #[index]
    destination: Text<3>,
    #[index]
    distance: u16,
    #[groove(ignore)]
    air_time: Option<u16>,
    timestamp: u64,
}

fn main() {
    let _: Predicate<Flight> = Flight::DISTANCE.range(500);
}
