//! The promise that a peer can be trusted with memory.

/// The promise that the processes at the other end of a port run code that can be trusted with memory that is shared: an explicit opt-in, which
/// both sides make. It is a value so that what is promised is said in one place.
///
/// Between processes that have not promised it, all that is received is a private copy. With it, what the sender builds in
/// [`Client::loan`](crate::Client::loan) or [`Reply::loan`](crate::Reply::loan), say, is not copied: both have it mapped. It holds between the two processes at
/// the ends of a connection that have both made it: what a client promises of one host lets no other host lend to it, though all answer to the same
/// ports. Rust takes it that nobody changes memory under a `&[u8]` or `&mut [u8]`;
/// here another process could, and nothing that this process does would keep it from that. So making the promise is unsafe, and everything that is
/// done on its strength is safe.
///
/// What is at risk if it is broken: a peer that writes to a loan after it has sent it, or after it has given it back, changes bytes that
/// were checked already, or that this side is writing. That is a data race, and so undefined behaviour. What it cannot do is reach other memory: the
/// pool's size is sealed, and every range that it names is checked. Messages themselves, and all that is no loan, are
/// copied and checked as ever.
///
/// On Apple systems the promise is without effect: the kernel moves pages copy-on-write, and nobody is trusted.
#[derive(Clone, Copy, Debug)]
pub struct Trust(());

impl Trust {
    /// Makes the promise.
    ///
    /// # Safety
    /// Every process that can send to the port, or receive from it, that this value is used for runs this library, unmodified, and does not write to a
    /// received or sent loan other than through the [`OolBuffer`](crate::OolBuffer) that owns it: processes of the same user that are the same
    /// program, or another one that you answer for. A host's port can be reached by whoever
    /// may connect to its name, whatever its [`PeerPolicy`](crate::PeerPolicy) says to their messages.
    pub const unsafe fn new() -> Self {
        Self(())
    }
}
