use machipc::Reply;


struct Secret;

#[machipc::endpoint("com.example.vault")]
enum Vault {
    Open { key: String, reply: Reply<Secret> },
}

fn main() {}
