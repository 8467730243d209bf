//! Who may send what.

use std::fmt;

use super::{Denial, Interceptor, MessageInfo};

/// An [`Interceptor`] that asks a closure whether a message may pass: who sends it, and which message it is.
///
/// [`PeerPolicy`](crate::PeerPolicy) decides about processes, this about their messages. It runs before the message is looked into.
///
/// ```no_run
/// use machipc::{Context, Denial, Host, Permission};
///
/// #[machipc::endpoint("com.example.lamp")]
/// enum Lamp {
///     Switch { on: bool },
///     Unplug,
/// }
///
/// let only_root_unplugs = Permission::new(|message| match (message.name(), message.peer()) {
///     (Some("Unplug"), Some(peer)) if peer.euid() != 0 => Err(Denial::new("only root may unplug the lamp")),
///     _ => Ok(()),
/// });
/// let host = Host::<Lamp>::builder().intercept(only_root_unplugs).bind(|_: Lamp, _: &Context| {})?;
/// # Ok::<(), machipc::Error>(())
/// ```
pub struct Permission<F>(F);

impl<F> Permission<F>
where
    F: Fn(&MessageInfo) -> Result<(), Denial> + Send + Sync + 'static,
{
    /// Asks `decide` about every message.
    pub fn new(decide: F) -> Self {
        Self(decide)
    }
}

impl<F> Interceptor for Permission<F>
where
    F: Fn(&MessageInfo) -> Result<(), Denial> + Send + Sync + 'static,
{
    fn before(&self, message: &MessageInfo) -> Result<(), Denial> {
        (self.0)(message)
    }
}

impl<F> fmt::Debug for Permission<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permission")
    }
}
