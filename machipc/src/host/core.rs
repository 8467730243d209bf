//! What a host's threads and its clients in this process share: the handler, and how it is called.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::context::{Context, Shared};
use crate::error::{Dialect, Error};
use crate::interceptor::{Chain, MessageInfo, Side, Watch};
use crate::logger::LogLevel;
use crate::message::{MachMessage, TraceContext};
use crate::port::Sender;
use crate::reply::Fate;
use crate::scope::Scope;

use super::ending::Ended;
use super::gate::UNWANTED_PEER;
use super::idle::Idle;
use super::peers::Peers;
use super::policy::PeerPolicy;
use super::stats::{Cause, Counters, HostStats};

/// A handler of messages of type `M`, as a trait object.
pub(crate) type Handler<M> = dyn for<'a, 'c> Fn(<M as MachMessage>::View<'a>, &'c Context) + Send + Sync;

/// The part of a host that its clients in this process hold on to.
pub(crate) struct Core<M: MachMessage + 'static> {
    /// None where each message is a task, and nobody calls the handler directly.
    handler: Option<Box<Handler<M>>>,
    pub(super) shared: Arc<Shared>,
    pub(super) policy: PeerPolicy,
    /// This process, as its own messages show it.
    pub(super) own: Sender,
    pub(super) fingerprint: u64,
    /// Asked about every message, if any.
    pub(super) interceptors: Option<Chain>,
    /// There if the host is to end when it has no clients.
    pub(super) idle: Option<Idle>,
    pub(super) peers: Peers,
    /// What this side speaks, for peers that speak something else. Made with the first of them.
    dialect: OnceLock<Dialect>,
    /// The context of one-way messages on the short cut.
    local: Context,
    /// What happened on the short cut.
    direct: Counters,
    /// One for each of the host's threads.
    pub(super) counters: Box<[Counters]>,
}

impl<M: MachMessage + 'static> Core<M> {
    pub(super) fn new(
        handler: Option<Box<Handler<M>>>,
        shared: Arc<Shared>,
        policy: PeerPolicy,
        own: Sender,
        interceptors: Option<Chain>,
        idle: Option<Idle>,
        threads: usize,
    ) -> Self {
        Self {
            handler,
            policy,
            own,
            interceptors,
            idle,
            fingerprint: M::fingerprint(),
            peers: Peers::new(threads),
            dialect: OnceLock::new(),
            local: Context::new(shared.clone(), own, true),
            shared,
            direct: Counters::default(),
            counters: (0..threads).map(|_| Counters::default()).collect(),
        }
    }

    /// Calls the handler on this thread with a one-way message, for a client in this process. Gives the message back when the host has
    /// stopped or does not serve its own process.
    #[inline(always)]
    pub(crate) fn call<'m>(&self, message: M::View<'m>) -> Result<(), Box<(M::View<'m>, Error)>> {
        if !self.serves_itself() {
            return Err(self.refused(message));
        }
        if self.interceptors.is_some() || Scope::is_traced() {
            return self.call_watched(message, false, None, None);
        }
        // As through the port: whoever sends a message on behalf of a request does not lend it its deadline.
        Scope::leave(|| self.handle(message, &self.local, &self.direct));
        Ok(())
    }

    /// Where the reply of a request on the short cut tells what becomes of it, if that is of interest.
    pub(crate) fn fate(&self) -> Option<Arc<Fate>> {
        self.interceptors.as_ref().map(|_| Arc::default())
    }

    /// As [`call`](Self::call), with a request, whose reply has the [fate](Self::fate).
    pub(crate) fn ask<'m>(
        &self,
        message: M::View<'m>,
        deadline: Option<Instant>,
        fate: Option<Arc<Fate>>,
    ) -> Result<(), Box<(M::View<'m>, Error)>> {
        if !self.serves_itself() {
            return Err(self.refused(message));
        }
        if self.interceptors.is_some() || Scope::is_traced() {
            return self.call_watched(message, true, deadline, fate);
        }
        let scope = Scope { deadline, trace: None };
        match deadline {
            None => scope.enter(|| self.handle(message, &self.local, &self.direct)),
            Some(_) => {
                let context = self.local.with_scope(scope);
                scope.enter(|| self.handle(message, &context, &self.direct))
            }
        };
        Ok(())
    }

    /// The rest of [`call`](Self::call) and [`ask`](Self::ask), with interceptors or in a trace.
    #[cold]
    fn call_watched<'m>(
        &self,
        message: M::View<'m>,
        request: bool,
        deadline: Option<Instant>,
        fate: Option<Arc<Fate>>,
    ) -> Result<(), Box<(M::View<'m>, Error)>> {
        // The client has made it the message's own.
        let scope = Scope { deadline, trace: TraceContext::current() };
        let watch = match &self.interceptors {
            Some(chain) => {
                let id = message.message_id();
                let info = MessageInfo {
                    side: Side::Host,
                    endpoint: self.endpoint(),
                    id,
                    name: M::message_name(id),
                    peer: Some(self.own),
                    size: 0,
                    reply_size: 0,
                    request,
                    local: true,
                    trace: scope.trace,
                };
                match chain.begin(info) {
                    Ok(mut watch) => {
                        fate.into_iter().for_each(|fate| watch.replies_to(fate));
                        Some(watch)
                    }
                    Err(denial) => {
                        self.direct.count_refused(Cause::Denied);
                        let endpoint = self.shared.endpoint.to_string();
                        return Err(Box::new((
                            message,
                            Error::Denied { endpoint, reason: denial.to_string() },
                        )));
                    }
                }
            }
            None => None,
        };
        let context = self.local.with_scope(scope);
        scope.enter(|| self.handle_watched(message, &context, &self.direct, watch));
        Ok(())
    }

    #[inline(always)]
    fn serves_itself(&self) -> bool {
        !self.shared.is_stopping() && (!self.policy.is_closure() || self.admits(&self.own))
    }

    /// Calls the handler, and tells the interceptors that have let the message pass.
    #[inline(always)]
    pub(super) fn handle_watched(
        &self,
        message: M::View<'_>,
        context: &Context,
        counters: &Counters,
        watch: Option<Box<Watch>>,
    ) {
        let Some(watch) = watch else {
            self.handle(message, context, counters);
            return;
        };
        let entered = watch.enter();
        let well = self.handle(message, context, counters);
        drop(entered);
        watch.handled(well);
    }

    /// Calls the handler, and returns whether it has not panicked. A panic in it ends here: it is logged and counted, and what the message
    /// carried has been dropped.
    #[inline(always)]
    fn handle(&self, message: M::View<'_>, context: &Context, counters: &Counters) -> bool {
        let Some(handler) = &self.handler else { return true };
        // What a panic may leave half done is the handler's own, and it is `Sync`: it has to cope with that anyway.
        let outcome = catch_unwind(AssertUnwindSafe(|| handler(message, context)));
        if let Err(panic) = &outcome {
            self.panicked(&**panic, counters);
        }
        outcome.is_ok()
    }

    #[cold]
    fn panicked(&self, panic: &(dyn Any + Send), counters: &Counters) {
        counters.count_panic();
        let words = words_of(panic);
        self.shared.log.line(LogLevel::Error, format_args!("the handler panicked: {words}"));
    }

    /// The message that a client in this process gets back, and why.
    #[cold]
    fn refused<'m>(&self, message: M::View<'m>) -> Box<(M::View<'m>, Error)> {
        let endpoint = self.shared.endpoint.to_string();
        let error = match (self.shared.is_stopping(), self.shared.ending.is_shutdown()) {
            (false, _) => Error::Denied { endpoint, reason: UNWANTED_PEER.to_owned() },
            (true, false) => Error::HostDied { endpoint },
            (true, true) => Error::HostStopping { endpoint },
        };
        Box::new((message, error))
    }

    /// Whether the policy admits `peer`. A policy that panics admits nobody.
    pub(super) fn admits(&self, peer: &Sender) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.policy.admits(peer, &self.own))).unwrap_or(false)
    }

    pub(super) fn stats(&self) -> HostStats {
        let mut stats = HostStats::default();
        self.direct.add_to(&mut stats);
        self.counters.iter().for_each(|counters| counters.add_to(&mut stats));
        self.shared.ending.add_to(&mut stats);
        stats
    }

    /// Ends the host if it has had no clients for long enough. What comes in this very moment is not lost silently: see
    /// [`exit_when_idle`](crate::HostBuilder::exit_when_idle).
    pub(super) fn end_if_idle(&self) {
        if self.idle.as_ref().is_some_and(Idle::is_over) {
            self.shared.ending.because(Ended::Idle);
            self.shared.shut_down(Duration::MAX);
        }
    }

    pub(super) fn dialect(&self) -> &Dialect {
        self.dialect.get_or_init(Dialect::of::<M>)
    }

    /// Whether clients in this process can call the handler.
    pub(super) fn is_callable(&self) -> bool {
        self.handler.is_some()
    }

    pub(crate) fn endpoint(&self) -> Arc<str> {
        self.shared.endpoint.clone()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }
}

/// What a panic said.
pub(super) fn words_of(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => words,
        (None, Some(words)) => words,
        (None, None) => "without words",
    }
}
