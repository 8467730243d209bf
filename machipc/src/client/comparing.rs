//! Asking a host, while connecting, whether it was built from the same definition.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::driver::{Driver, Expected};
use crate::error::{Error, Own};
use crate::message::{Encode, MachMessage};
use crate::port::{Deadline, MachError, MessageBuffer, Outgoing, Received};
use crate::reply::Reply;
use crate::reply::wire::{self, Answered, Presence};
use crate::scratch;

use super::connection::Connection;
use super::limit::Limit;
use super::{AsyncClient, Client, Unsent};

impl<M: MachMessage + 'static> Client<M> {
    /// Asks the host whether it has this side's definition. A host that does not answer now is asked nothing.
    pub(super) fn compare(&self, connection: &Connection, within: Duration) -> Result<(), Error> {
        scratch::with(|scratch| {
            let deadline = Instant::now().checked_add(within);
            let port =
                scratch.take_port().map_err(|error| wire::send_error(&self.endpoint, error, within))?;
            let reply = Reply::wanted(deadline);
            let deadline = deadline.map_or(Deadline::never(), Deadline::at);
            let question = self.question(&mut scratch.send, &reply)?;
            let question = question.copy_send(connection.right()).make_reply(&port);
            let Ok(answer) = question.send_and_receive(&port, &mut scratch.receive, deadline) else {
                // It is busy, or gone, and the first message will tell. The port goes with the right to it that may be about.
                return Ok(());
            };
            let fits = self.fits(&answer, connection);
            drop(answer);
            scratch.keep_port(port);
            fits
        })
    }

    fn question<'m>(
        &self,
        buffer: &'m mut MessageBuffer,
        reply: &'m Reply<Presence>,
    ) -> Result<Outgoing<'m>, Error> {
        Outgoing::encode(buffer, wire::COMPARE_ID, self.fingerprint, |out| reply.encode(out))
            .map_err(|source| self.encode_error(source))
    }

    /// What the host has said: an error if it does not fit. What it gave to be held is kept.
    fn fits(&self, answer: &Received<'_>, connection: &Connection) -> Result<(), Error> {
        match wire::read::<Presence>(answer, &self.endpoint, Own::of::<M>()) {
            Answered::Failed(error @ (Error::Fingerprint { .. } | Error::Denied { .. })) => Err(error),
            Answered::Value(Some(right)) => {
                connection.keep(right);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl<M: MachMessage + 'static> AsyncClient<M> {
    /// [`Client::compare`] without blocking the thread.
    pub(super) async fn compare(&self, connection: &Arc<Connection>, within: Duration) -> Result<(), Error> {
        let client = self.client();
        let limit = Limit::own(Some(within));
        let driver = Driver::current(client.endpoint())?;
        let asked = self.when_it_has_room(connection, limit, |connection| {
            let failed = |error: MachError| match error {
                error if error.is_timed_out() => Unsent::NoRoom,
                error => Unsent::Failed(client.send_error(error, limit)),
            };
            // Each attempt has its own: the right of one that fails is spent.
            let expected = Expected::new(&driver, limit.at).map_err(failed)?;
            scratch::with(|scratch| {
                let reply = Reply::wanted(limit.at);
                let question = client.question(&mut scratch.send, &reply).map_err(Unsent::Failed)?;
                let question = question.copy_send(connection.right()).make_reply(expected.port());
                question.send(Deadline::now()).map_err(failed)
            })?;
            Ok(expected)
        });
        // If there is no answer, it is busy, or gone, and the first message will tell.
        let Ok(mut expected) = asked.await else { return Ok(()) };
        let Some(mut parcel) = poll_fn(|cx| expected.poll(cx)).await else { return Ok(()) };
        let fits = parcel.open().map_or(Ok(()), |answer| client.fits(&answer, connection));
        driver.give_buffer(parcel.into_buffer());
        fits
    }
}
