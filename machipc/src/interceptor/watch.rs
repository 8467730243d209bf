//! A message on its way through a chain of interceptors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use tracing::Span;
use tracing::span::Entered;

use crate::error::Error;

use super::{Denial, Interceptor, MessageInfo, Outcome};

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
        let mut watch =
            Box::new(Watch { chain: self.clone(), message, spans: Box::default(), since, passed: 0 });
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

    /// Ends what a client has watched, if it has.
    pub(crate) fn finish<T>(watch: Option<Box<Self>>, result: Result<T, &Error>) {
        let Some(watch) = watch else { return };
        match result {
            Ok(_) => watch.end(&Outcome::Done),
            Err(error) => watch.end(&Outcome::Failed(error)),
        }
    }

    pub(crate) fn end(mut self, outcome: &Outcome<'_>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: &Outcome<'_>) {
        let took = self.since.elapsed();
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
