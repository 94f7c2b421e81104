use groove::Forest;

#[derive(Forest)]
enum Shop {
    Orders,
}

fn main() {}
