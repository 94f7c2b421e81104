use groove::{Groove, Predicate, Text};

#[derive(Groove)]
#[groove(index(route = (origin, destination)), index(designator = (carrier, number)))]
struct Flight {
    #[index]
    origin: Text<3>,
    #[index]
    destination: Text<3>,
    #[index]
    carrier: Text<2>,
    #[index]
    number: u16,
    timestamp: u64,
}

fn main() {
    let _: Predicate<Flight> = Flight::ROUTE.eq(("JFK",));
}
