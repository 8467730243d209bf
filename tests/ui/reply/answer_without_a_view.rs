use machipc::{Client, MachMessage, Reply};

#[derive(MachMessage)]
struct Entry {
    key: String,
}

#[machipc::endpoint("com.example.log")]
enum Log {
    Lines { reply: Reply<Vec<String>> },
    Last { reply: Reply<Entry> },
}

fn answer(reply: Reply<Vec<String>>, lines: &[String]) {
    let _ = reply.send_view(lines);
}

fn ask(client: &Client<Log>) {
    let _ = client.call_view(|reply| Log::Last { reply }, |_| ());
}

fn main() {}
