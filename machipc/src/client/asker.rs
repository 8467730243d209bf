//! Calls without blocking, as generated code makes them.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::driver::Driver;
use crate::error::Error;
use crate::message::MachMessage;
use crate::port::Deadline;
use crate::reply::{Answer, Reply, ReplyValue, Slot};
use crate::scope::Scope;

use super::pending::{Call, PendingReply};
use super::{AsyncClient, Link};

/// Makes a call that is answered with a `T`. What needs to know that `T` can be an answer was decided when the value was made: nothing
/// here has a bound on `T`, so that generated code is told of a type that cannot, once.
pub struct Asker<'c, M: MachMessage + 'static, T> {
    client: &'c AsyncClient<M>,
    wait_here: WaitHere<T>,
    poll: PollAnswer<T>,
}

type WaitHere<T> = fn(Arc<Slot<Answer<T>>>, Call) -> Result<PendingReply<T>, Error>;
type PollAnswer<T> = fn(&mut PendingReply<T>, &mut Context<'_>) -> Poll<Result<T, Error>>;

impl<'c, M: MachMessage + 'static, T> Asker<'c, M, T> {
    pub(crate) fn new(client: &'c AsyncClient<M>) -> Self
    where
        T: ReplyValue,
    {
        Self { client, wait_here: PendingReply::local, poll: PendingReply::poll_answer }
    }

    /// As [`AsyncClient::call`].
    pub async fn call<'m>(self, request: impl FnOnce(Reply<T>) -> M::View<'m>) -> Result<T, Error> {
        let mut pending = self.start(request).await?;
        poll_fn(|cx| (self.poll)(&mut pending, cx)).await
    }

    /// As [`AsyncClient::start`].
    pub async fn start<'m>(
        &self,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
    ) -> Result<PendingReply<T>, Error> {
        if Scope::is_traced() {
            return Scope::of_message().follow(self.start_in_scope(request)).await;
        }
        self.start_in_scope(request).await
    }

    async fn start_in_scope<'m>(
        &self,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
    ) -> Result<PendingReply<T>, Error> {
        let client = self.client.client();
        let limit = client.limit()?;
        match &client.link {
            Link::Local(core) => {
                let slot = Arc::new(Slot::new());
                let watch = client.ask_local(core, &slot, request, limit)?;
                PendingReply::watched(
                    (self.wait_here)(slot, client.call_until(limit, Driver::current)),
                    watch,
                )
            }
            Link::Port(_) | Link::Renewable(_) => {
                let message = request(Reply::wanted(limit.at));
                let driver = Driver::current(client.endpoint())?;
                let watch = client.watch(message.message_id(), true)?;
                let send = |connection: &Arc<_>| {
                    client.start_port(connection, &message, limit, Deadline::now(), &driver, watch.as_deref())
                };
                PendingReply::watched(self.client.when_there_is_room(limit, send).await, watch)
            }
        }
    }
}
