//! The README's example: a host in one terminal, a client in another.
//!
//! ```text
//! cargo run --example notes -- serve
//! cargo run --example notes
//! ```

use machipc::{Context, Error, Host, Reply};
use std::{collections::HashMap, sync::Mutex, time::Duration};

/// What the two processes speak. Both are built from this.
#[machipc::endpoint("com.example.notes")]
enum Notes<'a> {
    /// One way. The host borrows both strings from its receive buffer.
    Put { title: &'a str, text: &'a str },
    /// A request: the right to answer it is a field.
    Get { title: &'a str, reply: Reply<Option<String>> },
}

/// The host's process.
pub fn serve() -> Result<(), Error> {
    let notes = Mutex::new(HashMap::<String, String>::new());
    Host::<Notes>::builder().run(move |message: Notes<'_>, cx: &Context| match message {
        Notes::Put { title, text } => {
            println!("process {} puts {title:?}", cx.peer().pid());
            notes.lock().unwrap().insert(title.to_owned(), text.to_owned());
        }
        Notes::Get { title, reply } => {
            // Nothing is left to do after it: the answer leaves with the wait for the next message.
            let _ = reply.send_on_return(notes.lock().unwrap().get(title).cloned());
        }
    })?;
    Ok(())
}

/// The client's process.
pub fn call() -> Result<(), Error> {
    let notes = NotesClient::connect_timeout(Duration::from_secs(5))?;
    notes.put("milk", "two bottles")?;
    println!("{:?}", notes.get("milk")?);
    Ok(())
}

fn main() -> Result<(), Error> {
    if std::env::args().any(|argument| argument == "serve") { serve() } else { call() }
}
