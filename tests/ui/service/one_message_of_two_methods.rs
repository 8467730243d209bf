#![allow(non_snake_case)]

#[machipc::endpoint("com.example.kv")]
trait Kv {
    fn get_all(&self);
    fn getAll(&self);
    fn __(&self);
}

fn main() {}
