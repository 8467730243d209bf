//! A message on its way through a chain of interceptors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tracing::Span;
use tracing::span::Entered;

use crate::error::Error;
use crate::reply::{Fate, ReplyEnd};

use super::{Denial, Interceptor, MessageInfo, Outcome, Side};

/// Interceptors in the order in which they are asked. There is at least one.
#[derive(Clone)]
pub(crate) struct Chain(Arc<[Arc<dyn Interceptor>]>);

/// A message that they have let pass. They are told what came of it when it [ends](Self::end), at the latest when it is dropped.
pub(crate) struct Watch {
    chain: Chain,
    message: MessageInfo,
    /// One for each interceptor; empty where none wants one.
    spans: Box<[Span]>,
    since: Instant,
    /// At a host, of a request: what becomes of the reply.
    fate: Option<Arc<Fate>>,
    /// At a client, once they are known: how many bytes message and answer have.
    sizes: [AtomicUsize; 2],
    /// How many have let it pass and were not told yet.
    passed: usize,
}

/// Spans that were entered. The last one is left first.
pub(crate) struct InSpans<'a>(Vec<Entered<'a>>);

impl Drop for InSpans<'_> {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

impl Chain {
    /// This chain, if any, and one more.
    pub(crate) fn and(chain: Option<&Self>, interceptor: impl Interceptor) -> Self {
        let former = chain.map_or(&[][..], |chain| &chain.0).iter().cloned();
        Self(former.chain([Arc::new(interceptor) as Arc<dyn Interceptor>]).collect())
    }

    /// Asks whether the message may pass. Those that had let it pass before another denied it are told.
    pub(crate) fn begin(&self, message: MessageInfo) -> Result<Box<Watch>, Denial> {
        let since = Instant::now();
        // Behind a pointer: where nobody watches, it is moved about as the lack of one.
        let mut watch = Box::new(Watch {
            chain: self.clone(),
            message,
            spans: Box::default(),
            since,
            fate: None,
            sizes: Default::default(),
            passed: 0,
        });
        for interceptor in &*self.0 {
            let asked = catch_unwind(AssertUnwindSafe(|| interceptor.before(&watch.message)));
            if let Err(denial) = asked.unwrap_or_else(|_| Err(Denial::new("an interceptor panicked"))) {
                watch.end(&Outcome::Refused(&denial));
                return Err(denial);
            }
            watch.passed += 1;
        }
        let span = |interceptor: &Arc<dyn Interceptor>| {
            catch_unwind(AssertUnwindSafe(|| interceptor.span(&watch.message)))
                .unwrap_or_else(|_| Span::none())
        };
        let spans: Box<[Span]> = self.0.iter().map(span).collect();
        if spans.iter().any(|span| !span.is_none()) {
            watch.spans = spans;
        }
        Ok(watch)
    }
}

impl Watch {
    /// Enters the spans, until what it returns is dropped.
    pub(crate) fn enter(&self) -> InSpans<'_> {
        let enter = || self.spans.iter().map(Span::enter).collect();
        InSpans(catch_unwind(AssertUnwindSafe(enter)).unwrap_or_default())
    }

    /// A client's message has so many bytes.
    pub(crate) fn has_size(&self, bytes: usize) {
        self.sizes[0].store(bytes, Ordering::Relaxed);
    }

    /// The answer to a client's message has so many bytes.
    pub(crate) fn has_reply_size(&self, bytes: usize) {
        self.sizes[1].store(bytes, Ordering::Relaxed);
    }

    /// Ends what a client has watched, if it has: a one-way message was sent, with so many bytes, or discarded.
    pub(crate) fn finish(watch: Option<Box<Self>>, sent: Result<Option<usize>, &Error>) {
        let Some(watch) = watch else { return };
        match sent {
            Ok(Some(bytes)) => {
                watch.has_size(bytes);
                watch.end(&Outcome::Done);
            }
            Ok(None) => watch.end(&Outcome::Discarded),
            Err(error) => watch.end(&Outcome::Failed(error)),
        }
    }

    /// Ends what a client has watched, if it has: a call was answered, with an `Err` or otherwise; or it was not answered.
    pub(crate) fn finish_call(watch: Option<Box<Self>>, is_failure: Result<bool, &Error>) {
        let Some(watch) = watch else { return };
        watch.end(&match is_failure {
            Ok(true) => Outcome::AnsweredErr,
            Ok(false) => Outcome::Done,
            Err(error) => Outcome::Failed(error),
        });
    }

    /// Where a host's reply tells what becomes of it.
    pub(crate) fn replies_to(&mut self, fate: Arc<Fate>) {
        self.fate = Some(fate);
    }

    /// Ends what a host has watched: the handler has returned, or panicked.
    pub(crate) fn handled(mut self, well: bool) {
        let (end, size) = match &self.fate {
            Some(fate) => fate.read(),
            // One way.
            None => (ReplyEnd::Sent, 0),
        };
        self.message.reply_size = size;
        self.tell(&match end {
            _ if !well => Outcome::Panicked,
            ReplyEnd::Sent => Outcome::Done,
            ReplyEnd::SentErr => Outcome::AnsweredErr,
            ReplyEnd::Open => Outcome::ReplyKept,
            ReplyEnd::Dropped => Outcome::ReplyDropped,
            ReplyEnd::CallerGone => Outcome::CallerGone,
        });
    }

    pub(crate) fn end(mut self, outcome: &Outcome<'_>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: &Outcome<'_>) {
        let took = self.since.elapsed();
        if self.message.side == Side::Client {
            [self.message.size, self.message.reply_size] = self.sizes.each_mut().map(|size| *size.get_mut());
        }
        while let Some(index) = self.passed.checked_sub(1) {
            self.passed = index;
            let Some(interceptor) = self.chain.0.get(index) else { continue };
            // This may be a drop during another panic.
            let told = catch_unwind(AssertUnwindSafe(|| {
                let _entered = self.spans.get(index).map(Span::enter);
                interceptor.after(&self.message, outcome, took);
            }));
            if told.is_err() {
                tracing::error!(target: "machipc", endpoint = self.message.endpoint(), "an interceptor panicked");
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tell(&Outcome::Cancelled);
    }
}
