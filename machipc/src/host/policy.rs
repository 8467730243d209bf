//! Whom a host serves.

use std::fmt;
use std::sync::Arc;

use crate::port::Sender;

/// Which processes a host serves. It is asked about every message, before the message is looked at: rights can be handed
/// on, so whoever connected need not be who sends.
///
/// The default is [`same_user`](Self::same_user).
///
/// ```no_run
/// use machipc::{Context, Host, PeerPolicy};
///
/// let host = Host::<String>::builder()
///     .name("com.example.echo")
///     .peers(PeerPolicy::when(|peer| peer.uid() == 501 || peer.gid() == 80))
///     .bind(|text: String, _: &Context| println!("{text}"))?;
/// # Ok::<(), machipc::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct PeerPolicy(Rule);

type Predicate = dyn Fn(&Sender) -> bool + Send + Sync;

#[derive(Clone, Default)]
enum Rule {
    #[default]
    SameUser,
    Anyone,
    When(Arc<Predicate>),
}

impl PeerPolicy {
    /// Processes with the host's own effective user id, and those of root, whom no policy keeps out of anything.
    pub fn same_user() -> Self {
        Self(Rule::SameUser)
    }

    /// Every process that has a right to the port. On Linux the bootstrap directory is the user's alone, so that there it
    /// means the same user or root; on Apple systems it is whoever the bootstrap name space lets look the name up.
    pub fn anyone() -> Self {
        Self(Rule::Anyone)
    }

    /// Processes for which `admits` is true. It runs on the host's threads, once a message.
    pub fn when(admits: impl Fn(&Sender) -> bool + Send + Sync + 'static) -> Self {
        Self(Rule::When(Arc::new(admits)))
    }

    /// Whether `peer` may send to a host that runs as `own`.
    pub(crate) fn admits(&self, peer: &Sender, own: &Sender) -> bool {
        match &self.0 {
            Rule::SameUser => peer.euid() == own.euid() || (peer.euid() == 0 && !peer.is_kernel()),
            Rule::Anyone => true,
            Rule::When(admits) => admits(peer),
        }
    }

    /// Whether a closure decides, who may refuse the host's own process too.
    #[inline]
    pub(crate) fn is_closure(&self) -> bool {
        matches!(self.0, Rule::When(_))
    }
}

impl fmt::Debug for PeerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Rule::SameUser => "PeerPolicy::same_user()",
            Rule::Anyone => "PeerPolicy::anyone()",
            Rule::When(_) => "PeerPolicy::when(…)",
        })
    }
}
