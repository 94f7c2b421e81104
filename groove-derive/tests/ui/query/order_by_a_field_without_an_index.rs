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

fn order(query: groove::Query<Flight>) {
    let _ = query.order_by(Flight::AIR_TIME);
}

fn main() {}
