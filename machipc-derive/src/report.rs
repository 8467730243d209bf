//! Gathers mistakes, so that one compile shows all of them.

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found so far. Dropping it without asking for the result is a bug of this crate.
pub struct Report {
    errors: RefCell<Vec<syn::Error>>,
    /// No impl would compile, whatever is in it.
    hopeless: Cell<bool>,
    finished: Cell<bool>,
}

impl Report {
    pub fn new() -> Self {
        Self { errors: RefCell::new(Vec::new()), hopeless: Cell::new(false), finished: Cell::new(false) }
    }

    /// A mistake in exactly these tokens.
    pub fn at(&self, tokens: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    /// A mistake at a place that has no tokens of its own.
    pub fn at_span(&self, span: Span, message: impl Display) {
        self.add(syn::Error::new(span, message));
    }

    /// A mistake that `syn` found.
    pub fn add(&self, error: syn::Error) {
        self.errors.borrow_mut().push(error);
    }

    /// Says that nothing can stand in for the type's impls.
    pub fn give_up(&self) {
        self.hopeless.set(true);
    }

    /// Whether nothing can stand in for the type's impls.
    pub fn is_hopeless(&self) -> bool {
        self.hopeless.get()
    }

    /// The mistakes as `compile_error!` calls, in the order in which they were found; nothing where there are none.
    pub fn finish(self) -> Option<TokenStream> {
        self.finished.set(true);
        let mut errors = self.errors.take().into_iter();
        let mut all = errors.next()?;
        all.extend(errors);
        Some(all.into_compile_error())
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if !self.finished.get() && !std::thread::panicking() {
            panic!("a report of mistakes was dropped unread");
        }
    }
}
