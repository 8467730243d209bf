//! A span of `tracing` for every message.

use std::time::Duration;

use tracing::field::Empty;
use tracing::{Span, debug_span};

use super::{Interceptor, MessageInfo, Outcome, Side};

/// An [`Interceptor`] that puts every message into a span of [`tracing`](https://docs.rs/tracing): `handle` at a host, around the handler, and
/// `send` at a client, until the message is in the host's queue or the answer is there.
///
/// Spans are of level `DEBUG` and target `machipc::message`, and cost little where no subscriber wants them. Their fields are called as
/// OpenTelemetry calls them, with dots: `rpc.system` (`machipc`), `rpc.service` (the endpoint), `rpc.method` (the variant), `otel.kind`, `peer.pid` at
/// a host, `trace_id` and `span_id` where the message belongs to a [trace](crate::TraceContext) (both sides have the same
/// two), and at the end `message.size`, `reply.size` where there is an answer, and `otel.status_code` with what went wrong in `error.message`.
///
/// ```no_run
/// # use machipc::{Context, Host, Spans};
/// let host = Host::<String>::builder().name("com.example.echo").intercept(Spans).bind(|text: String, _: &Context| {
///     tracing::info!("an event in the message's span: {text}");
/// })?;
/// # Ok::<(), machipc::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Spans;

impl Interceptor for Spans {
    fn span(&self, message: &MessageInfo) -> Span {
        // Behind a macro, so that nothing is put into words that no subscriber wants.
        macro_rules! span {
            ($name:literal, $request:literal, $oneway:literal $(, $($more:tt)+)?) => {
                debug_span!(
                    target: "machipc::message",
                    $name,
                    otel.kind = if message.is_request() { $request } else { $oneway },
                    otel.status_code = Empty,
                    error.message = Empty,
                    message.size = Empty,
                    reply.size = Empty,
                    rpc.system = "machipc",
                    rpc.service = message.endpoint(),
                    rpc.method = message.name().unwrap_or("message"),
                    trace_id = message.trace().map(|trace| hex(&trace.trace_id())),
                    span_id = message.trace().map(|trace| hex(&trace.parent_id())),
                    $($($more)+)?
                )
            };
        }
        match message.side() {
            Side::Host => {
                span!("handle", "server", "consumer", peer.pid = message.peer().map(|peer| peer.pid()),)
            }
            Side::Client => span!("send", "client", "producer"),
        }
    }

    fn after(&self, message: &MessageInfo, outcome: &Outcome<'_>, _: Duration) {
        let span = Span::current();
        span.record("message.size", message.size());
        if message.reply_size() > 0 {
            span.record("reply.size", message.reply_size());
        }
        match outcome {
            Outcome::Done | Outcome::ReplyKept => span.record("otel.status_code", "OK"),
            other => span
                .record("otel.status_code", "ERROR")
                .record("error.message", tracing::field::display(other)),
        };
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
