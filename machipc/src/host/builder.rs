//! How a host is set up before it starts.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::context::{Context, Shared};
use crate::error::Error;
use crate::interceptor::{Chain, Interceptor};
use crate::logger::{Log, LogLevel, Logger, TracingLogger};
use crate::message::MachMessage;
use crate::port::{ReceiveRight, Trust, bootstrap};
use crate::registry;
use crate::scope::Scope;
use crate::thread_priority::ThreadPriority;

use super::core::{Core, Handler};
use super::idle::Idle;
use super::policy::PeerPolicy;
use super::serve::{self, Manner};
use super::tasks::{AsyncHandler, Task, Tasks};
use super::{Host, HostStats, UNNAMED};

/// Settings of a host. Start from [`Host::builder`], end with [`bind`](Self::bind) or [`run`](Self::run).
///
/// ```no_run
/// use machipc::{ConsoleLogger, Context, Host, PeerPolicy, ThreadPriority};
/// use std::time::Duration;
///
/// let host = Host::<Vec<u8>>::builder()
///     .name("com.example.blobs")
///     .threads(2)
///     .queue_limit(256)
///     .largest_message(16 * 1024 * 1024)
///     .high_performance_above(50_000)
///     .thread_priority(ThreadPriority::UserInitiated)
///     .peers(PeerPolicy::same_user())
///     .logger(ConsoleLogger::default())
///     .throughput_log(Duration::from_secs(10))
///     .bind(|bytes: Vec<u8>, _: &Context| println!("{} bytes", bytes.len()))?;
/// # Ok::<(), machipc::Error>(())
/// ```
#[must_use = "a host starts with `bind` or `run`"]
pub struct HostBuilder<M> {
    name: Name,
    threads: usize,
    tasks: usize,
    queue_limit: u32,
    priority: ThreadPriority,
    peers: PeerPolicy,
    logger: Arc<dyn Logger>,
    trust: Option<Trust>,
    interceptors: Option<Chain>,
    manner: Manner,
    idle: Option<Duration>,
    message: PhantomData<fn(M)>,
}

enum Name {
    /// The message type's own.
    Endpoint,
    Given(String),
    None,
}

const TASKS: usize = 1024;
const LARGEST_MESSAGE: usize = 1024 * 1024;
const SPIN_BUDGET: Duration = Duration::from_micros(50);

impl<M: MachMessage + 'static> HostBuilder<M> {
    pub(super) fn new() -> Self {
        Self {
            name: Name::Endpoint,
            threads: 1,
            tasks: TASKS,
            queue_limit: ReceiveRight::<M>::QUEUE_LIMIT_MAX,
            priority: ThreadPriority::Default,
            peers: PeerPolicy::default(),
            logger: Arc::new(TracingLogger),
            trust: None,
            interceptors: None,
            manner: Manner {
                receive_buffer: None,
                largest_message: LARGEST_MESSAGE,
                high_performance_above: None,
                spin_budget: SPIN_BUDGET,
                throughput_log: None,
            },
            idle: None,
            message: PhantomData,
        }
    }

    /// The name under which clients find the host: 1 to 127 bytes without NUL, by custom a reversed domain. By default it is
    /// the name in `#[machipc::endpoint("…")]`.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Name::Given(name.into()), ..self }
    }

    /// The host has no name: only who gets [a right to it](Host::send_right) can send to it.
    pub fn unnamed(self) -> Self {
        Self { name: Name::None, ..self }
    }

    /// How many threads handle messages; 1 by default, and at least 1. One thread handles messages in the order in which they
    /// came. With several the handler runs on all at once and no order is kept.
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: threads.max(1), ..self }
    }

    /// How many messages an [asynchronous host](Self::serve_async_on) handles at once; 1024 by default, and at least 1. Further ones stay
    /// in the queue, and when that is full their senders wait. Hosts with threads take no notice of it.
    pub fn tasks(self, limit: usize) -> Self {
        Self { tasks: limit.max(1), ..self }
    }

    /// How many messages may wait in the queue before senders wait, 0 to 1024; 1024 by default.
    pub fn queue_limit(self, messages: u32) -> Self {
        Self { queue_limit: messages, ..self }
    }

    /// How many bytes each thread sets aside to receive into; 72 KiB by default, which holds every message whose payload
    /// is not out of line. A larger message makes the buffer grow once, up to
    /// [`largest_message`](Self::largest_message).
    pub fn receive_buffer_size(mut self, bytes: usize) -> Self {
        self.manner.receive_buffer = Some(bytes);
        self
    }

    /// The most bytes of one message, as it lies in the receive buffer; 1 MiB by default, and at least 4 KiB. A larger one is
    /// destroyed unread. Memory out of line does not count: it is never copied into the buffer, and payloads of more than
    /// 68 KiB come that way by themselves, so that only foreign senders need more.
    pub fn largest_message(mut self, bytes: usize) -> Self {
        self.manner.largest_message = bytes;
        self
    }

    /// Above this many messages a second a thread that has found its queue empty asks again without waiting, for up to the
    /// [`spin_budget`](Self::spin_budget). It costs processor time and saves the way through the scheduler. Off by
    /// default.
    pub fn high_performance_above(mut self, messages_per_second: u32) -> Self {
        self.manner.high_performance_above = Some(messages_per_second);
        self
    }

    /// For how long in a row a thread asks without waiting, where
    /// [`high_performance_above`](Self::high_performance_above) makes it; 50 µs by default.
    pub fn spin_budget(mut self, budget: Duration) -> Self {
        self.manner.spin_budget = budget;
        self
    }

    /// The priority of the host's own threads. [`run`](Self::run) leaves the caller's thread as it is.
    pub fn thread_priority(self, priority: ThreadPriority) -> Self {
        Self { priority, ..self }
    }

    /// Which processes are served; those of the same user by default.
    pub fn peers(self, peers: PeerPolicy) -> Self {
        Self { peers, ..self }
    }

    /// Receives in place what clients [lend](crate::Client::loan) that [trust](crate::ConnectOptions::trust) this host: memory that both have mapped,
    /// without a copy. What it makes for answers to them with [`Reply::loan`](crate::Reply::loan) they receive in place, too. [`Trust`] says what is
    /// promised with it, and by whom. Everything else is sent and received as ever.
    pub fn trust(self, trust: Trust) -> Self {
        Self { trust: Some(trust), ..self }
    }

    /// Where the host writes what it has to say, instead of to `tracing`.
    pub fn logger(self, logger: impl Logger) -> Self {
        Self { logger: Arc::new(logger), ..self }
    }

    /// Has `interceptor` called around every message, after those that were added before.
    pub fn intercept(self, interceptor: impl Interceptor) -> Self {
        Self { interceptors: Some(Chain::and(self.interceptors.as_ref(), interceptor)), ..self }
    }

    /// Writes the number and the rate of handled messages at [`LogLevel::Info`], once an interval in which there were any.
    /// Off by default; on, it costs a look at the clock for every message.
    pub fn throughput_log(mut self, interval: Duration) -> Self {
        self.manner.throughput_log = Some(interval);
        self
    }

    /// Ends the host when it has had no client for so long: [`run`](Self::run) or [`Host::wait`] returns, with
    /// [`Ended::Idle`](crate::Ended::Idle) in [what was counted](HostStats::ended). That is how services end that launchd or systemd start when
    /// somebody calls. It counts from the start of the host, when the last client has gone, and from each message that comes while there
    /// is none; what is in hand is finished first.
    ///
    /// A client is a [`Client`](crate::Client) in another process that has connected by name, with its clones, whether or not it sends
    /// anything. The kernel tells when the last has gone, also by its death, and only from then on does a clock run. Other rights to the
    /// host keep it too: those that came in messages, and those of clients that did not [ask](crate::ConnectOptions::compare), as an
    /// [`AsyncClient`](crate::AsyncClient). Of them nothing is told where the host has a name: the kernel tells when the last right to a port
    /// goes, and the name has one, which stays. So while there are such and no others the host looks again after the same time, and after
    /// a second at least; it sleeps otherwise. Clients in the host's own process, the host's own rights and its name do not count.
    ///
    /// A client may connect while the host ends, for which nobody can be asked. The host [shuts down](Host::shutdown), so a call is answered
    /// or fails at once, with [`Error::HostStopping`] or [`Error::HostDied`], one-way messages in the queue are handled, and a client that
    /// [reconnects](crate::Reconnect) goes on with the next host. Where the name is
    /// [declared](crate::port::bootstrap::check_in) nothing fails: what is sent then is the next host's, which the service manager starts.
    ///
    /// ```no_run
    /// use machipc::{Context, Ended, Host};
    /// use std::time::Duration;
    ///
    /// let stats = Host::<String>::builder()
    ///     .name("com.example.echo")
    ///     .exit_when_idle(Duration::from_secs(30))
    ///     .run(|text: String, _: &Context| println!("{text}"))?;
    /// assert_eq!(stats.ended, Some(Ended::Idle));
    /// # Ok::<(), machipc::Error>(())
    /// ```
    pub fn exit_when_idle(self, after: Duration) -> Self {
        Self { idle: Some(after), ..self }
    }

    /// Starts the host on threads of its own.
    ///
    /// The handler gets each message with its [`Context`]. What the message borrows lives in the receive buffer until the
    /// handler returns. A panic in the handler is logged and counted, and the host goes on.
    ///
    /// # Errors
    /// [`Error::NameTaken`] when the name has a host, [`Error::NoName`] or [`Error::BadName`] when there is none or no usable
    /// one, [`Error::Mach`] (`KERN_INVALID_VALUE`) for a queue limit above 1024, [`Error::Thread`].
    pub fn bind<F>(self, handler: F) -> Result<Host<M>, Error>
    where
        F: for<'a> Fn(M::View<'a>, &Context) + Send + Sync + 'static,
    {
        let threads = self.threads;
        let mut host = self.prepare(Some(Box::new(handler)))?;
        for index in 0..threads {
            host.spawn(index)?;
        }
        Ok(host.host)
    }

    /// Runs the host on this thread, and on further ones of its own if it has [several](Self::threads), until a handler calls
    /// [`Context::stop`]. Returns what was counted.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn run<F>(self, handler: F) -> Result<HostStats, Error>
    where
        F: for<'a> Fn(M::View<'a>, &Context) + Send + Sync + 'static,
    {
        let threads = self.threads;
        let mut host = self.prepare(Some(Box::new(handler)))?;
        for index in 1..threads {
            host.spawn(index)?;
        }
        if let Some(port) = host.host.port.clone() {
            // The thread may be in the middle of another host's request.
            Scope::leave(|| serve::serve(&host.host.core, &port, 0, &host.manner));
        }
        Ok(host.host.wait())
    }

    /// Starts a host whose handler is a future, with a task for each message: `spawn` gives a task to an executor, any executor.
    ///
    /// A thread of the host's receives; it decodes nothing and runs no handler. Each message has its buffer
    /// ([`receive_buffer_size`](Self::receive_buffer_size), here 4 KiB by default), from which it can borrow for as long as the future
    /// lives.
    ///
    /// Tasks start in the order in which their messages came, and then nothing keeps them in order: a handler that needs one client's
    /// messages in order asks the client to wait for answers, or is a host with one thread. [`tasks`](Self::tasks) bounds how many are
    /// under way. Once the host is dropped no task is begun any more; those under way go on and may still answer.
    ///
    /// There is no short cut inside this process: a client here sends through the port, since what it lends a call may be gone
    /// before the task ends. [`Reply::send_on_return`](crate::Reply::send_on_return) is `send` here.
    ///
    /// ```no_run
    /// use machipc::{Context, Host, Reply};
    ///
    /// #[machipc::endpoint("com.example.squares")]
    /// enum Squares {
    ///     Square { of: u64, reply: Reply<u64> },
    /// }
    ///
    /// # async fn look_it_up(of: u64) -> u64 { of * of }
    /// # fn spawn(task: machipc::Task) {}
    /// // With tokio, `spawn` is `|task| drop(tokio::spawn(task))`, on a thread of the runtime, or `serve_async` with the feature.
    /// let host = Host::<Squares>::builder().serve_async_on(spawn, |message: Squares, _: Context| async move {
    ///     let Squares::Square { of, mut reply } = message;
    ///     let _ = reply.send(look_it_up(of).await);
    /// })?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn serve_async_on<S, H>(self, spawn: S, handler: H) -> Result<Host<M>, Error>
    where
        S: Fn(Task) + Send + Sync + 'static,
        H: AsyncHandler<M>,
    {
        let (threads, limit) = (self.threads, self.tasks);
        let mut host = self.prepare(None)?;
        let tasks = Arc::new(Tasks::new(host.host.core.clone(), handler, host.manner.clone(), limit));
        host.host.tasks = Some(tasks.slots());
        let spawn = Arc::new(spawn);
        for index in 0..threads {
            let (tasks, spawn) = (tasks.clone(), spawn.clone());
            host.spawn_with(move |port| tasks.serve(port, index, &*spawn))?;
        }
        Ok(host.host)
    }

    /// [`serve_async_on`](Self::serve_async_on) the tokio runtime in which this is called.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); [`Error::Thread`] outside of a runtime.
    #[cfg(feature = "tokio")]
    pub fn serve_async<H: AsyncHandler<M>>(self, handler: H) -> Result<Host<M>, Error> {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => self.serve_async_on(move |task| drop(runtime.spawn(task)), handler),
            Err(error) => Err(Error::Thread {
                endpoint: self.own_name()?.unwrap_or_else(|| UNNAMED.into()).to_string(),
                reason: error.to_string(),
            }),
        }
    }

    /// Takes the name and makes everything but the threads. Without a handler nobody is called directly.
    fn prepare(self, handler: Option<Box<Handler<M>>>) -> Result<Prepared<M>, Error> {
        let name = self.own_name()?;
        let endpoint = name.clone().unwrap_or_else(|| UNNAMED.into());
        let own = serve::own_identity()?;
        let failed = |source| Error::Mach { endpoint: endpoint.to_string(), source };
        let port = match &name {
            Some(name) => {
                let mut port =
                    bootstrap::check_in::<()>(name).map_err(|error| check_in_error(name, error))?;
                port.set_queue_limit(self.queue_limit).map_err(failed)?;
                // What others in this process do to a name by mistake must not hit the port. If it has a guard already,
                // from whoever declared it, that is as good.
                let _ = port.pin();
                port
            }
            None => ReceiveRight::pinned(self.queue_limit).map_err(failed)?,
        };
        if let Some(trust) = self.trust {
            port.allow_loans(trust).map_err(failed)?;
        }
        let port = Arc::new(port);
        let idle = match self.idle {
            Some(after) => Some(Idle::new(after, &port, name.is_some()).map_err(failed)?),
            None => None,
        };
        let log = Log::new(self.logger, endpoint.clone());
        let largest = self.manner.largest_message;
        let shared = Arc::new(Shared::new(endpoint, log, Arc::downgrade(&port), largest));
        let core =
            Arc::new(Core::new(handler, shared, self.peers, own, self.interceptors, idle, self.threads));
        if core.is_callable() {
            registry::insert(name, port.name(), core.clone());
        }
        let log = &core.shared.log;
        log.line(LogLevel::Info, format_args!("the host serves {}", std::any::type_name::<M>()));
        let host = Host { core, port: Some(port), threads: Vec::new(), tasks: None };
        Ok(Prepared { host, manner: self.manner, priority: self.priority })
    }
}

/// A host without its threads. Dropped, it gives the name back.
struct Prepared<M: MachMessage + 'static> {
    host: Host<M>,
    manner: Manner,
    priority: ThreadPriority,
}

impl<M: MachMessage + 'static> HostBuilder<M> {
    fn own_name(&self) -> Result<Option<Arc<str>>, Error> {
        match &self.name {
            Name::Given(name) => Ok(Some(name.as_str().into())),
            Name::Endpoint => {
                let message = std::any::type_name::<M>();
                M::ENDPOINT.map(|name| Some(name.into())).ok_or(Error::NoName { message })
            }
            Name::None => Ok(None),
        }
    }
}

impl<M: MachMessage + 'static> Prepared<M> {
    fn spawn(&mut self, index: usize) -> Result<(), Error> {
        let (core, manner) = (self.host.core.clone(), self.manner.clone());
        self.spawn_with(move |port| serve::serve(&core, port, index, &manner))
    }

    fn spawn_with(&mut self, serve: impl FnOnce(&ReceiveRight<()>) + Send + 'static) -> Result<(), Error> {
        let (core, port, priority) = (self.host.core.clone(), self.host.port.clone(), self.priority);
        // Linux shows fifteen bytes of it, and the names of one house begin alike.
        let last = self.host.name().rsplit('.').next().unwrap_or_default();
        let ended = core.clone();
        ended.shared.ending.run();
        let thread = std::thread::Builder::new()
            .name(format!("{last} host"))
            .spawn(move || {
                let _running = core.shared.ending.running();
                if let Err(error) = priority.apply() {
                    let text =
                        format_args!("the thread keeps its priority: {priority:?} is refused: {error}");
                    core.shared.log.line(LogLevel::Warn, text);
                }
                if let Some(port) = port {
                    serve(&port);
                }
            })
            .map_err(|error| {
                ended.shared.ending.ran();
                Error::Thread { endpoint: self.host.name().to_owned(), reason: error.to_string() }
            })?;
        self.host.threads.push(thread);
        Ok(())
    }
}

fn check_in_error(name: &str, error: bootstrap::BootstrapError) -> Error {
    let endpoint = name.to_owned();
    match error {
        bootstrap::BootstrapError::Mach { source, .. } if source.is_name_taken() => {
            Error::NameTaken { endpoint, source }
        }
        other => Error::from_bootstrap(endpoint, other),
    }
}
