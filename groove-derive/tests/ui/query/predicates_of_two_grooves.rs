use groove::{Groove, Text};

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

#[derive(Groove)]
struct Airport {
    #[index]
    altitude: i16,
    timestamp: u64,
}

fn main() {
    let _ = Flight::DISTANCE.gt(7) & Airport::ALTITUDE.gt(5);
}
