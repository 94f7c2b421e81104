use groove::Groove;

#[derive(Groove)]
struct Order<const N: usize> {
    #[index]
    item: [u8; N],
    timestamp: u64,
}

fn main() {}
