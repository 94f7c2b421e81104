use groove::Groove;

#[derive(Groove)]
struct Order {
    #[index]
    peer: std::net::Ipv4Addr,
    timestamp: u64,
}

fn main() {}
