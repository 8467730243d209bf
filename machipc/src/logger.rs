//! Where hosts and clients write what they have to say.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// A place for log lines: give one to [`HostBuilder::logger`](crate::HostBuilder::logger) or
/// [`Client::with_logger`](crate::Client::with_logger).
///
/// Without one everything goes to [`tracing`](https://docs.rs/tracing), target `machipc`, where it costs nothing until a subscriber
/// wants it. Single messages are logged at [`LogLevel::Trace`] only; lines about bad peers are limited to a few a second.
///
/// Any closure over a [`LogRecord`] is a logger:
///
/// ```
/// use machipc::{LogRecord, Logger};
/// let logger = |record: &LogRecord<'_>| eprintln!("{record}");
/// # fn takes(_: impl Logger) {}
/// takes(logger);
/// ```
pub trait Logger: Send + Sync + 'static {
    /// Whether lines of this level are wanted. Asked before a line is put together, so answer quickly.
    fn enabled(&self, level: LogLevel) -> bool {
        let _ = level;
        true
    }

    /// Takes one line. Called on whichever thread has something to say, also on several at once.
    fn log(&self, record: &LogRecord<'_>);
}

/// How much a line matters, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Something is lost: a handler panicked, a host cannot go on.
    Error,
    /// A peer misbehaves, or a setting could not be applied.
    Warn,
    /// A host starts or stops, and the throughput log.
    Info,
    /// A client connects, a call fails.
    Debug,
    /// Every message.
    Trace,
}

/// One line: its level, the endpoint it is about, and the text. `Display` puts the three together.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    level: LogLevel,
    endpoint: &'a str,
    text: fmt::Arguments<'a>,
}

/// Writes each line to standard error: `machipc WARN com.example.kv: …`.
///
/// ```no_run
/// # use machipc::{ConsoleLogger, Context, Host, LogLevel};
/// let host = Host::<String>::builder()
///     .name("com.example.echo")
///     .logger(ConsoleLogger::new(LogLevel::Debug))
///     .bind(|text: String, _: &Context| println!("{text}"))?;
/// # Ok::<(), machipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ConsoleLogger {
    most: LogLevel,
}

/// Passes each line to [`tracing`](https://docs.rs/tracing): the logger of everyone who asked for no other.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingLogger;

impl LogRecord<'_> {
    /// How much it matters.
    pub fn level(&self) -> LogLevel {
        self.level
    }

    /// The name of the endpoint it is about, or `(unnamed)`.
    pub fn endpoint(&self) -> &str {
        self.endpoint
    }

    /// The text, without level and endpoint.
    pub fn text(&self) -> fmt::Arguments<'_> {
        self.text
    }
}

impl fmt::Display for LogRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machipc {} {}: {}", self.level, self.endpoint, self.text)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        })
    }
}

impl ConsoleLogger {
    /// Writes lines that matter at least as much as `most`.
    pub const fn new(most: LogLevel) -> Self {
        Self { most }
    }
}

impl Default for ConsoleLogger {
    /// Everything up to [`LogLevel::Info`].
    fn default() -> Self {
        Self::new(LogLevel::Info)
    }
}

impl Logger for ConsoleLogger {
    fn enabled(&self, level: LogLevel) -> bool {
        level <= self.most
    }

    fn log(&self, record: &LogRecord<'_>) {
        // One write a line, so that the lines of several processes do not mix. A closed standard error is not our trouble.
        let _ = std::io::stderr().lock().write_all(format!("{record}\n").as_bytes());
    }
}

impl Logger for TracingLogger {
    fn enabled(&self, level: LogLevel) -> bool {
        match level {
            LogLevel::Error => tracing::enabled!(target: "machipc", tracing::Level::ERROR),
            LogLevel::Warn => tracing::enabled!(target: "machipc", tracing::Level::WARN),
            LogLevel::Info => tracing::enabled!(target: "machipc", tracing::Level::INFO),
            LogLevel::Debug => tracing::enabled!(target: "machipc", tracing::Level::DEBUG),
            LogLevel::Trace => tracing::enabled!(target: "machipc", tracing::Level::TRACE),
        }
    }

    fn log(&self, record: &LogRecord<'_>) {
        let (endpoint, text) = (record.endpoint, record.text);
        match record.level {
            LogLevel::Error => tracing::error!(target: "machipc", endpoint, "{text}"),
            LogLevel::Warn => tracing::warn!(target: "machipc", endpoint, "{text}"),
            LogLevel::Info => tracing::info!(target: "machipc", endpoint, "{text}"),
            LogLevel::Debug => tracing::debug!(target: "machipc", endpoint, "{text}"),
            LogLevel::Trace => tracing::trace!(target: "machipc", endpoint, "{text}"),
        }
    }
}

impl<F: Fn(&LogRecord<'_>) + Send + Sync + 'static> Logger for F {
    fn log(&self, record: &LogRecord<'_>) {
        self(record);
    }
}

/// A logger together with the endpoint that its lines are about.
#[derive(Clone)]
pub(crate) struct Log {
    logger: Arc<dyn Logger>,
    endpoint: Arc<str>,
}

impl Log {
    pub(crate) fn new(logger: Arc<dyn Logger>, endpoint: Arc<str>) -> Self {
        Self { logger, endpoint }
    }

    pub(crate) fn enabled(&self, level: LogLevel) -> bool {
        self.logger.enabled(level)
    }

    pub(crate) fn line(&self, level: LogLevel, text: fmt::Arguments<'_>) {
        if self.logger.enabled(level) {
            self.logger.log(&LogRecord { level, endpoint: &self.endpoint, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_closure_gets_level_endpoint_and_text() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let log = Log::new(
            Arc::new(move |record: &LogRecord<'_>| sink.lock().unwrap().push(record.to_string())),
            "com.example.x".into(),
        );
        log.line(LogLevel::Warn, format_args!("{} of {}", 1, 2));
        assert_eq!(*lines.lock().unwrap(), ["machipc WARN com.example.x: 1 of 2"]);
    }

    #[test]
    fn the_console_logger_drops_what_matters_less() {
        let logger = ConsoleLogger::new(LogLevel::Info);
        assert!(logger.enabled(LogLevel::Error) && logger.enabled(LogLevel::Info));
        assert!(!logger.enabled(LogLevel::Debug) && !logger.enabled(LogLevel::Trace));
    }
}
