//! How a stream that comes to a host is ended when that shuts down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::message::Schema;
use crate::port::{Deadline, Outgoing, ReceiveRight, SendOnceRight};
use crate::scratch;

use super::end::{Ends, adopt_later};
use super::wire::{NOTHING_ID, STOPPED_ID};

/// What a source shares with the host that it came to: the right to say a last word to whoever reads it.
pub(super) struct Upload {
    /// A send-once right to the source's own port: what comes by it queues up behind the items that are there, and finds room.
    right: SendOnceRight<()>,
    adopted: AtomicBool,
}

impl Upload {
    /// Of a source that has come in a message, if that came to a host.
    pub(super) fn decoded(port: &ReceiveRight<()>) -> Option<Arc<Self>> {
        adopt_later(|| {
            // Without room for another right the stream goes on, as long as its process does.
            let right = port.make_send_once().ok()?;
            Some(Arc::new(Self { right, adopted: AtomicBool::new(false) }))
        })
    }

    /// The reader ends the stream, whatever its host does.
    pub(super) fn disown(&self) {
        self.adopted.store(false, Ordering::Relaxed);
    }

    /// The port has moved on. A right that is dropped unused tells the new reader that the producer has gone, so it is used.
    pub(super) fn pass_on(&self) {
        self.say(NOTHING_ID);
    }

    fn say(&self, id: i32) {
        scratch::with(|scratch| {
            let outgoing =
                Outgoing::encode(&mut scratch.send, id, Schema::fingerprint_of::<()>(), |_| Ok(()));
            if let Ok(outgoing) = outgoing {
                // It never waits for room. It may have been used, and the port may have gone.
                let _ = outgoing.move_send_once(&self.right).send(Deadline::never());
            }
        });
    }
}

impl Ends for Upload {
    fn adopt(&self) {
        self.adopted.store(true, Ordering::Relaxed);
    }

    fn stop(&self, _: &Arc<str>) {
        if self.adopted.load(Ordering::Relaxed) {
            self.say(STOPPED_ID);
        }
    }
}
