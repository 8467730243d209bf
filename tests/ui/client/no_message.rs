struct Secret;

fn main() {
    let _ = machipc::Client::<Secret>::connect_to("com.example.vault");
}
